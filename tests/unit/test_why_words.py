"""What `why` says, sentence by sentence, and how it keeps its columns."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from template_world import email, plan_of

from skene_dagster.cli.why.layout import clean, columns, day, moment, short, wrapped
from skene_dagster.cli.why.sentences import Speaker, name_of, shortened, value
from skene_dagster.cli.why.to_programs import to_json
from skene_dagster.explain.model import (
    AddressHealth,
    CapRoom,
    Coming,
    Explained,
    Happened,
    Outside,
    Person,
    TopicState,
)
from skene_dagster.segments.parts import Checked
from skene_dagster.settings import load

NOON = datetime(2026, 3, 2, 12)
LATER = NOON + timedelta(days=3)
A_WEEK = timedelta(days=7)
FULL = CapRoom(2, A_WEEK, (NOON, NOON), 0, full=True, room_at=LATER)
PERSON = Person(7, "7", "Ada Lovelace", "ada@example.com", True, "dormant", NOON, NOON, "Asia/Tokyo")


@pytest.fixture
def speaker(tmp_path: Path) -> Speaker:
    plan, step = plan_of(email())
    return Speaker(load(tmp_path, {}), {("retention", "main"): (plan, step)}, (FULL,), NOON)


def explained(**changed: Any) -> Explained:
    plain = Explained(
        person=PERSON,
        may_be_mailed=True,
        topics=(TopicState("product", None, None, None, None, None),),
        address=AddressHealth("unknown", None, None, None),
        caps=(),
        paused=False,
        coming=(),
        happened=(),
        more=False,
        outside=(),
    )
    return replace(plain, **changed)


def no(topic: str, refusal: Any = "said_no", scope: str | None = None) -> TopicState:
    return TopicState(topic, refusal, scope or f"topic:{topic}", NOON, "a letter", None)


@pytest.mark.parametrize(
    ("found", "so"),
    [
        pytest.param(explained(), "yes", id="yes"),
        pytest.param(explained(topics=(no("a"), no("b"))), "yes, but not about a, b", id="but"),
        pytest.param(explained(may_be_mailed=False), "no: they want none of the topics", id="none"),
        pytest.param(
            explained(person=replace(PERSON, mailable=False)),
            "no: users.mailable in skene.yaml leaves them out",
            id="not mailable",
        ),
        pytest.param(
            explained(may_be_mailed=False, address=AddressHealth("suppressed", NOON, "complaint", "resend")),
            "no: they marked an email as spam",
            id="suppressed",
        ),
        pytest.param(
            explained(may_be_mailed=False, address=AddressHealth("none", None, None, None)),
            "no: they have no address",
            id="no address",
        ),
    ],
)
def test_whether_they_may_be_mailed(speaker: Speaker, found: Explained, so: str) -> None:
    assert speaker.verdict(found) == so


@pytest.mark.parametrize(
    ("topic", "so"),
    [
        pytest.param(TopicState("a", None, None, None, None, None), "on", id="on"),
        pytest.param(
            TopicState("a", None, None, None, "they agreed in the product", None),
            "on: they agreed in the product",
            id="agreed",
        ),
        pytest.param(
            TopicState("a", None, None, NOON, "a page", "vip"),
            "on since 2 Mar 12:00: a page, in a mail of vip",
            id="yes",
        ),
        pytest.param(no("a"), "OFF since 2 Mar 12:00: a letter", id="no"),
        pytest.param(no("a", scope="marketing"), "OFF since 2 Mar 12:00, as all marketing: a letter", id="marketing"),
        pytest.param(no("a", "suppressed", "all"), "OFF, as all email is", id="all"),
        pytest.param(no("a", "no_consent"), "OFF: it waits for a yes, and they never said it", id="never"),
    ],
)
def test_whether_they_get_a_topic(speaker: Speaker, topic: TopicState, so: str) -> None:
    assert speaker.topic(topic) == so


@pytest.mark.parametrize(
    ("health", "so"),
    [
        pytest.param(("works", NOON, None, None), "works: last delivered 2 Mar 12:00", id="works"),
        pytest.param(("unknown", None, None, None), "not known yet: nothing has come back", id="unknown"),
        pytest.param(("none", None, None, None), "they have no address", id="none"),
        pytest.param(("invalid", None, None, None), "what they have is not an address", id="invalid"),
        pytest.param(
            ("bounced", NOON, "soft", "4.2.2"), "the last email of 2 Mar 12:00 bounced, for now (4.2.2)", id="soft"
        ),
        pytest.param(
            ("bounced", NOON, "blocked", None), "the last email of 2 Mar 12:00 was blocked, because of us", id="blocked"
        ),
        pytest.param(
            ("suppressed", NOON, "manual", "a letter"),
            "nothing may reach it since 2 Mar 12:00: somebody put it on the list (a letter)",
            id="suppressed",
        ),
    ],
)
def test_whether_their_address_works(speaker: Speaker, health: Any, so: str) -> None:
    assert speaker.address(AddressHealth(*health)) == so


@pytest.mark.parametrize(
    ("cap", "so"),
    [
        pytest.param(CapRoom(2, A_WEEK, (), 0, full=False, room_at=None), "0 of 2", id="empty"),
        pytest.param(FULL, "2 of 2 (2 Mar 12:00, 2 Mar 12:00): full until 5 Mar 12:00", id="full"),
        pytest.param(
            CapRoom(2, A_WEEK, (), 2, full=True, room_at=None),
            "2 of 2 (2 on the way, or in doubt): full for now",
            id="nobody knows until when",
        ),
        pytest.param(
            CapRoom(5, A_WEEK, (NOON,) * 4, 0, full=False, room_at=None),
            "4 of 5 (1 earlier, 2 Mar 12:00, 2 Mar 12:00, 2 Mar 12:00)",
            id="many",
        ),
    ],
)
def test_how_full_a_cap_is(speaker: Speaker, cap: CapRoom, so: str) -> None:
    assert speaker.cap(cap) == so


def coming(kind: Any, reason: Any = None, at: datetime | None = None, detail: str | None = None) -> Coming:
    return Coming(at, "retention", "main", kind, reason, detail, A_WEEK if kind == "follows" else None)


@pytest.mark.parametrize(
    ("one", "when", "so"),
    [
        pytest.param(coming("on its way"), "next run", "is sent", id="on its way"),
        pytest.param(
            coming("on its way", "quiet_hours", LATER),
            "5 Mar 12:00",
            "is sent then: it waits for their hour (quiet_hours, send_at)",
            id="their hour",
        ),
        pytest.param(coming("on its way", "paused"), "waits", "is to be sent; the loop is paused", id="paused"),
        pytest.param(coming("on its way", None, LATER, "a quota"), "5 Mar 12:00", "is sent then\na quota", id="quota"),
        pytest.param(
            coming("in flight"),
            "next run",
            "sent, perhaps: no answer yet. The same email is repeated until there is one",
            id="in flight",
        ),
        pytest.param(
            coming("asked again", "cap", LATER), "5 Mar 12:00", "asked again: the cap has room by then", id="cap"
        ),
        pytest.param(
            coming("asked again", "outranked", LATER),
            "5 Mar 12:00",
            "asked again: a loop of higher priority comes first, until then",
            id="outranked",
        ),
        pytest.param(
            coming("asked again", "budget", LATER),
            "5 Mar 12:00",
            "asked again: the day may have room by then",
            id="budget",
        ),
        pytest.param(
            coming("asked again", "no_address", LATER), "5 Mar 12:00", "asked again: they have no address", id="other"
        ),
        pytest.param(
            coming("asked again", "paused"), "waits", "asked again: the loop is paused", id="paused meanwhile"
        ),
        pytest.param(
            coming("asked again", "left_segment", LATER),
            "5 Mar 12:00",
            "asked again, but they left since: nothing is sent unless they come back",
            id="left",
        ),
        pytest.param(
            coming("held", "first_wave"),
            "waits",
            "nobody is decided now: a first wave this large waits for: skene-dagster approve retention",
            id="approval",
        ),
        pytest.param(
            coming("held", "paused", detail="users is 31 h old"),
            "waits",
            "nobody is decided now: the loop is paused\nusers is 31 h old",
            id="what was said",
        ),
        pytest.param(
            coming("held", "a_gate_of_later"), "waits", "nobody is decided now: a gate of later", id="without words"
        ),
        pytest.param(
            coming("held", "there_at_start"),
            "never",
            "no mail for this entry: was there before it began (start: new_only)",
            id="there at the start",
        ),
        pytest.param(coming("new", None, LATER), "5 Mar 12:00", "is decided then: they are new to it", id="new"),
        pytest.param(coming("follows"), "after that", "7 days later, if they still match", id="follows"),
        pytest.param(
            coming("follows", "paused", LATER),
            "5 Mar 12:00",
            "7 days later, if they still match; the loop is paused",
            id="follows a pause",
        ),
    ],
)
def test_what_comes_next_and_when(speaker: Speaker, one: Coming, when: str, so: str) -> None:
    assert speaker.coming(one) == (when, so)


def happened(outcome: Any, reason: Any = None, **more: Any) -> Happened:
    plain = Happened(NOON, "retention", "main", outcome, reason, None, "s", None, None)
    return replace(plain, **more)


@pytest.mark.parametrize(
    ("one", "so"),
    [
        pytest.param(
            happened("accepted", accepted_at=NOON), "accepted 2 Mar 12:00; nothing came back yet", id="accepted"
        ),
        pytest.param(
            happened("accepted"), "accepted; nothing came back yet", id="accepted before the ledger knew when"
        ),
        pytest.param(
            happened("accepted", subject="Hi\x1b", delivered_at=NOON, language="pt-BR"),
            "“Hi\ufffd”\nin pt-BR, delivered 2 Mar 12:00, not clicked",
            id="delivered",
        ),
        pytest.param(
            happened("accepted", delivered_at=NOON, opened_at=NOON),
            "delivered 2 Mar 12:00, opened, not clicked",
            id="opened",
        ),
        pytest.param(
            happened("accepted", delivered_at=NOON, clicked_at=NOON, unsubscribed_at=LATER, complained_at=LATER),
            "delivered 2 Mar 12:00, marked as spam 5 Mar 12:00, said no by its link 5 Mar 12:00, clicked",
            id="much",
        ),
        pytest.param(
            happened("accepted", bounced_at=NOON, bounce="hard"), "bounced for good 2 Mar 12:00", id="bounced"
        ),
        pytest.param(
            happened("accepted", rejected_at=NOON), "the provider's own list has the address: dropped", id="rejected"
        ),
        pytest.param(happened("accepted", failed_at=NOON), "the provider could not send it", id="failed"),
        pytest.param(happened("reserved"), "decided, and not yet sent", id="reserved"),
        pytest.param(happened("reserved", "no_answer"), "sent, perhaps: no answer yet", id="unanswered"),
        pytest.param(
            happened("in_doubt", "no_answer", detail="503"),
            "sent, perhaps: no answer came, and there is no record\nsaid last: 503",
            id="in doubt",
        ),
        pytest.param(happened("skipped", "said_no"), 'said no to "Product news", or to all', id="no"),
        pytest.param(happened("deferred", "cap"), "had 2 mails in 7 days", id="cap"),
        pytest.param(happened("refused", "provider", detail="550 no"), "refused by the provider\n550 no", id="refused"),
        pytest.param(
            happened("held_out"), "one of those who get nothing of it, so that it can be measured", id="held out"
        ),
        pytest.param(
            happened("held_out", "global"),
            "one of those who get nothing of any loop, so that it can be measured",
            id="held out of all",
        ),
        pytest.param(happened("skipped", "a_new_one"), "a new one", id="of a release to come"),
    ],
)
def test_what_happened_and_became_of_it(speaker: Speaker, one: Happened, so: str) -> None:
    assert speaker.happened(one) == so


def test_a_reason_of_a_loop_that_is_gone_is_said_without_its_facts(speaker: Speaker) -> None:
    gone = replace(happened("skipped", "said_no"), loop="an_old_one")

    assert speaker.happened(gone) == "said no to marketing, or to this topic"


def outside(**changed: Any) -> Outside:
    plain = Outside("retention", "main", NOON, None, None, was_inside=False, parts=())
    return replace(plain, **changed)


A_PART = (Checked("plan = 'free'", holds=False),)


@pytest.mark.parametrize(
    ("one", "so"),
    [
        pytest.param(outside(), "never was: is not selected by its condition", id="never"),
        pytest.param(outside(parts=A_PART), "never was. Of its condition, for this user:", id="parts"),
        pytest.param(
            outside(was_inside=None, parts=A_PART), "is not inside. Of its condition, for this user:", id="not known"
        ),
        pytest.param(outside(as_of=None), "has not looked yet", id="no look"),
        pytest.param(
            outside(as_of=None, parts=A_PART),
            "has not looked yet. Of its condition, for this user:",
            id="no look, parts",
        ),
        pytest.param(
            outside(left_at=NOON, left_because="left", was_inside=True),
            "left on 2 Mar 12:00: the condition no longer holds",
            id="left",
        ),
        pytest.param(
            outside(left_at=NOON, left_because="of_later", was_inside=True),
            "left on 2 Mar 12:00: of_later",
            id="without words",
        ),
    ],
)
def test_why_they_are_not_in_a_loop(speaker: Speaker, one: Outside, so: str) -> None:
    assert speaker.outside(one) == so


def test_who_they_are_and_how(speaker: Speaker) -> None:
    assert speaker.who(PERSON, "a…@example.com") == ["Ada L.", "user 7", "a…@example.com"]
    assert speaker.who(replace(PERSON, name=None), "no address") == ["user 7", "no address"]
    assert speaker.state(PERSON) == ["dormant since 2 Mar", "last active 2 Mar 12:00", "Asia/Tokyo, 21:00 there"]
    assert speaker.state(replace(PERSON, level=None, last_active_at=None, timezone="Mars/Base")) == []


@pytest.mark.parametrize(
    ("name", "so"),
    [
        ("Ada Lovelace", "Ada L."),
        ("Ada", "Ada"),
        ("Ada Augusta King Lovelace", "Ada L."),
        ("  Ada \n Lovelace ", "Ada L."),
        ("\x1b[31mAda B", "\ufffd[31mAda B."),
        ("漢字漢字漢字漢字漢字漢字漢字漢字", "漢字漢字漢字漢字漢…"),
    ],
)
def test_a_name_is_shortened(name: str, so: str) -> None:
    assert shortened(name) == so


@pytest.mark.parametrize(
    ("held", "so"),
    [
        (None, "c is NULL"),
        ("team", "c is 'team'"),
        ("2999-01-01 00:00:00", "c is 2999-01-01 00:00:00"),
        (7, "c is 7"),
        (b"\x0a", "c is x'0a'"),
        (NOON, "c is 2 Mar 12:00"),
        ("x" * 99, f"c is '{'x' * 29}…'"),
        ("a\x1bb", "c is 'a\ufffdb'"),
    ],
)
def test_what_a_user_has_in_a_column(held: object, so: str) -> None:
    assert value("c", held, NOON) == so


def test_a_step_is_named_by_its_loop_where_it_is_the_only_one() -> None:
    assert (name_of("vip", "main"), name_of("win_back", "nudge")) == ("vip", "win_back · nudge")


def test_a_moment_has_its_year_where_that_does_not_go_without_saying() -> None:
    assert (moment(LATER, NOON), moment(datetime(2025, 1, 5), NOON)) == ("5 Mar 12:00", "5 Jan 2025")
    assert (day(LATER, NOON), day(datetime(2999, 1, 5), NOON)) == ("5 Mar", "5 Jan 2999")


@pytest.mark.parametrize(
    "text", ["", "a", "word " * 30, "x" * 200, "漢字" * 50, "👩\u200d👧 " * 20, "a\n\nb", "\x1b[2J"]
)
@pytest.mark.parametrize("width", [10, 30])
def test_texts_keep_to_their_columns(text: str, width: int) -> None:
    assert all(cell_len(line) <= width for line in wrapped(text, width))
    assert cell_len(short(text, width)) <= width
    lines = list(columns([(text, width), (text, 0)], 80))
    assert all(cell_len(line) <= 80 for line in lines)
    assert "\x1b" not in "".join(lines)


def test_a_word_that_is_longer_than_its_column_has_the_line_for_itself() -> None:
    cells = [("2 Mar 12:00", 12), ("reactivation_after_a_month · nudge", 22), ("ACCEPTED", 10), ("delivered", 0)]

    assert list(columns(cells, 80)) == [
        "  2 Mar 12:00   reactivation_after_a_month · nudge",
        "                                        ACCEPTED    delivered",
    ]


def test_nothing_of_a_text_is_lost_when_it_is_broken() -> None:
    text = "one two " + "x" * 50 + " three 漢字漢字漢字漢字漢字漢字"

    assert "".join(wrapped(text, 10)).replace(" ", "") == text.replace(" ", "")
    assert clean("a\t b\n c") == "a\ufffd b c"


def test_what_programs_get_has_what_json_has() -> None:
    given = (
        NOON,
        NOON.date(),
        A_WEEK,
        b"\x0a",
        None,
        True,
        1.5,
        "x",
        {"a": {"b": NOON}},
        Checked("p", holds=None, values=(("c", NOON),)),
    )

    assert to_json(given) == [
        "2026-03-02T12:00:00Z",
        "2026-03-02",
        "7d",
        "0a",
        None,
        True,
        1.5,
        "x",
        {"a": {"b": "2026-03-02T12:00:00Z"}},
        {"part": "p", "holds": None, "values": [["c", "2026-03-02T12:00:00Z"]]},
    ]
