"""What commands say, sentence by sentence: what stands there, when it is left out, and how a number is written."""

import re
import sys
from dataclasses import replace
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import get_args
from zoneinfo import ZoneInfo

import pytest
from rich.console import Console
from template_world import email, plan_of

from skene_dagster.behaviour.rollup.counted import Counted
from skene_dagster.checks.scans import Scan
from skene_dagster.checks.schedule_gaps import Gap
from skene_dagster.cli import screen, serve, words
from skene_dagster.cli.inspect import preview, status
from skene_dagster.cli.screen import Screen
from skene_dagster.cli.validate import notices, validate
from skene_dagster.cli.validate.database_checks import Answer
from skene_dagster.cli.validate.findings import whole_table
from skene_dagster.cli.validate.result import Checked
from skene_dagster.consent import suppressions
from skene_dagster.delivery.decide.eligibility import AlreadyDecided, Decision, Defer, Mail, Skip
from skene_dagster.delivery.decide.facts import Person
from skene_dagster.delivery.health import Left, StepCounts, StepHealth, Wait
from skene_dagster.delivery.ledger import Bounce, ReceiptCounts
from skene_dagster.delivery.model import Past, Reason, SendState
from skene_dagster.delivery.providers.resend.diagnosis import diagnosis
from skene_dagster.delivery.rehearsal import Case, Rehearsal
from skene_dagster.errors import Place, SettingsError, StoreError, StoreUnavailable
from skene_dagster.explain import reasons
from skene_dagster.explain.model import Outcome
from skene_dagster.incidents.steps import problems_of, problems_of_open
from skene_dagster.settings import load
from skene_dagster.store.keys import as_text
from skene_dagster.wording import how_many

UTC = ZoneInfo("UTC")
NOON = datetime(2026, 3, 2, 12)
NOON_SAID = "02 Mar 2026, 12:00"
AN_HOUR = timedelta(hours=1)


def printed(tell: object, *given: object, width: int = 80) -> str:
    """What a function prints on a screen of a width."""
    console = Console(width=width, highlight=False, markup=False, emoji=False, color_system=None)
    with console.capture() as captured:
        assert callable(tell)
        tell(Screen(console), *given)
    return captured.get()


def a_step(**changed: object) -> StepHealth:
    plain: dict[str, object] = {
        **dict.fromkeys(("unresolved", "in_doubt", "stuck", "unapproved"), 0),
        "held": {},
        "accepted": (),
        **dict.fromkeys(("paused", "ahead"), False),
        "loop": "retention",
        "step": "main",
        "as_of": NOON,
        "due": NOON,
        "paused_as": (),
        "paused_because": None,
        "waits": (),
    }
    return StepHealth(**{**plain, **changed})  # type: ignore[arg-type]  # the fields of StepHealth


PAUSED = a_step(paused=True, paused_as=("retention",))


def a_wait(said: str = "a quota.", **changed: object) -> Wait:
    plain = {
        "batches": 1,
        "emails": 1,
        "since": NOON,
        "said": said,
        "records": "",
        "due": NOON + AN_HOUR,
        "key_ends": None,
    }
    return Wait(**{**plain, **changed})  # type: ignore[arg-type]  # the fields of Wait


AT_ONE = "02 Mar 2026, 13:00 UTC"
STEP = "retention, step main:"


@pytest.mark.parametrize(
    ("step", "problems"),
    [
        pytest.param(a_step(), [], id="all is well"),
        pytest.param(a_step(as_of=None), [], id="it never ran"),
        pytest.param(a_step(due=None), [], id="it has no clock"),
        pytest.param(
            a_step(due=NOON + AN_HOUR),
            ["the tick of 02 Mar 2026, 13:00 UTC was missed; is Dagster's daemon running?"],
            id="a tick was missed",
        ),
        pytest.param(
            a_step(ahead=True),
            [f"refreshed for {NOON_SAID} UTC, by a clock that was ahead; its ticks fail until then"],
            id="a clock was ahead",
        ),
        pytest.param(replace(PAUSED, stuck=9), [], id="paused, which is no step's, and stuck"),
        pytest.param(a_step(stuck=2), ["2 emails not sent for over an hour; look at the loop's last run"], id="stuck"),
        pytest.param(
            a_step(unresolved=1), ["1 batch without answer; look at the runs of skene__reconcile"], id="no answer"
        ),
        pytest.param(
            a_step(unresolved=2), ["2 batches without answer; look at the runs of skene__reconcile"], id="no answers"
        ),
        pytest.param(
            a_step(unapproved=1234), ["a first wave of 1,234 waits; skene-dagster approve retention"], id="a first wave"
        ),
        pytest.param(
            a_step(held={"fresh": "users is old."}),
            [
                (
                    "nobody is mailed. users is old; to let the next tick pass all the same: "
                    "skene-dagster accept retention --step main --gate fresh"
                )
            ],
            id="gates",
        ),
        pytest.param(a_step(in_doubt=1), ["1 email in doubt; skene-dagster doubts retention"], id="a doubt"),
        pytest.param(a_step(waits=(a_wait("paused"),)), [], id="what waits for a pause"),
        pytest.param(
            a_step(waits=(a_wait(),)),
            [f"1 email in 1 batch wait since {NOON_SAID} UTC: a quota. They go on at 02 Mar 2026, 13:00 UTC."],
            id="what waits for a quota",
        ),
        pytest.param(
            a_step(waits=(a_wait(due=NOON, emails=3, batches=2),)),
            [f"3 emails in 2 batches wait since {NOON_SAID} UTC: a quota. The next run continues with them."],
            id="what is due",
        ),
        pytest.param(
            a_step(waits=(a_wait(records="nothing.", key_ends=NOON + 2 * AN_HOUR),)),
            [
                (
                    f"1 email in 1 batch wait since {NOON_SAID} UTC: a quota. The provider's records: nothing."
                    f" They go on at {AT_ONE}, and without the records when their key ends, at 02 Mar 2026, 14:00 UTC."
                )
            ],
            id="what the records said",
        ),
    ],
)
def test_status_says_what_a_person_should_look_at(step: StepHealth, problems: list[str]) -> None:
    assert [one.words for one in problems_of(step, NOON)] == [f"{STEP} {problem}" for problem in problems]


def test_three_reasons_are_told_and_the_emails_of_the_others_counted() -> None:
    waits = tuple(a_wait(said, emails=n) for n, said in enumerate("abcde", start=1))

    told = [one.words for one in problems_of_open(Left("retention", "main", waits, 0), NOON)]

    assert [line.partition("UTC: ")[2][:1] for line in told[:3]] == ["a", "b", "c"]
    assert told[3:] == [f"{STEP} 9 emails more wait for other reasons"]


def test_status_tells_of_a_step_what_there_is() -> None:
    assert (
        printed(status._tell, a_step(), StepCounts(0, None, {}, ReceiptCounts()))
        == f"retention, step main\n  Refreshed  {NOON_SAID} UTC\n"
    )
    counts = StepCounts(1, None, {"repeat": 1200, "some_other": 1}, ReceiptCounts())
    assert printed(status._tell, a_step(as_of=None), counts).splitlines() == [
        "retention, step main",
        "  Refreshed     never yet",
        "  On their way  1 email",
        "  Deferred      mailed too recently (repeat): 1,200; some_other: 1",
    ]
    assert f"On their way  2 emails, the first at {AT_ONE}\n" in printed(
        status._tell, a_step(), StepCounts(2, NOON + AN_HOUR, {}, ReceiptCounts())
    )


def a_case(decision: Decision, past: Past | None = None, since: datetime | None = None) -> Case:
    return Case(7, Person("ada@example.com", mailable=True, columns={}), since, past, decision, {})


def a_past(state: SendState, reason: Reason | None = None, mailed: datetime | None = None) -> Past:
    return Past(1, state, reason, NOON, mailed)


@pytest.mark.parametrize(
    ("case", "said"),
    [
        pytest.param(a_case(Mail("1")), "enters at this tick, was never mailed: would be mailed", id="a new one"),
        pytest.param(
            a_case(Mail("2"), a_past("accepted", mailed=NOON), NOON),
            f"is inside since {NOON_SAID}, was mailed last on {NOON_SAID}: would be mailed",
            id="one who was mailed",
        ),
        pytest.param(
            a_case(Skip("1", "once")),
            "enters at this tick: would not be mailed for this entry, mailed before (repeat: once)",
            id="skipped",
        ),
        pytest.param(
            a_case(Defer("1", "unheard_of", NOON)),  # type: ignore[arg-type]  # written by another release
            "enters at this tick: would not be mailed now, unheard_of",
            id="deferred",
        ),
        pytest.param(
            a_case(AlreadyDecided(), a_past("accepted"), NOON),
            f"is inside since {NOON_SAID}, was mailed on {NOON_SAID}, and has not entered again since",
            id="decided: mailed",
        ),
        pytest.param(
            a_case(AlreadyDecided(), a_past("in_doubt"), NOON),
            f"is inside since {NOON_SAID}, was decided on {NOON_SAID}: in doubt, and has not entered again since",
            id="decided: in doubt",
        ),
        pytest.param(
            a_case(AlreadyDecided(), a_past("skipped", "gone"), NOON),
            f"is inside since {NOON_SAID}, was decided on {NOON_SAID}: skipped (no longer a user), "
            "and has not entered again since",
            id="decided: skipped",
        ),
    ],
)
def test_a_decision_is_said_in_words(case: Case, said: str) -> None:
    assert words.decision_in_words(case) == said


def test_who_would_be_mailed_but_for_a_gate_is_said_to_be_held_by_it() -> None:
    said = words.decision_in_words(a_case(Mail("1")), ("fresh", "volume"))

    assert said == "enters at this tick, was never mailed: would be mailed if fresh and volume let this tick pass"


def test_nothing_that_can_be_decided_of_somebody_is_without_words() -> None:
    """Whoever adds a reason, a state or a bounce gives it words, too."""
    assert {*reasons.REASONS} == {*get_args(Reason)}
    assert {*words.OF_ONE} <= {*reasons.REASONS}
    assert {*words.OUTCOMES} == {*get_args(Outcome)}
    assert {*words.SUPPRESSED_BECAUSE} == {*get_args(suppressions.Reason)}
    assert {*words.BOUNCES} == {*get_args(Bounce)}


def test_a_reason_is_said_as_closely_as_what_is_known_allows() -> None:
    known = words.Known("win_back", cap="2 mails in 7 days", topic="Tips")

    assert words.reason_of_one("cap", known) == "had 2 mails in 7 days"
    assert words.reason_of_one("cap", words.Known("win_back")) == reasons.REASONS["cap"]
    assert words.reason_of_one("said_no", known) == 'said no to "Tips", or to all'
    assert words.reason_of_one("first_wave", known).endswith(": skene-dagster approve win_back")
    assert words.reason_of_one("paused", known) == "the loop is paused"
    assert words.reason_of_one("of_another_release", known) == "of another release"
    assert (words.outcome_in_words("in_doubt"), words.outcome_in_words("held_out")) == ("IN DOUBT", "HELD OUT")


def test_the_ledgers_reasons_are_said_in_words() -> None:
    assert reasons.reason_in_words("deferred:no_address") == "no address"
    assert reasons.reason_in_words("skipped:some_other") == "some other"


@pytest.mark.parametrize(
    ("found", "said"),
    [
        pytest.param(
            Rehearsal(1, 0, 0, {"mail": 1}, ()),
            "1 user: 1 enter at this tick, 0 are inside already.\n      1  would be mailed\n\n",
            id="one",
        ),
        pytest.param(
            Rehearsal(0, 0, 0, {}, ()),
            "0 users: 0 enter at this tick, 0 are inside already.\n      0  would be mailed\n\n",
            id="nobody",
        ),
        pytest.param(
            Rehearsal(2, 1, 4, {"skipped:once": 1, "deferred:no_address": 1, "decided_before": 1}, ()),
            "3 users: 2 enter at this tick, 1 are inside already.\n"
            "      0  would be mailed\n"
            "      1  not now: no address\n"
            "      1  never for this entry: mailed before (repeat: once)\n"
            "      1  decided before, and have not entered again since\n"
            "      4  more rows are left out: their key is NULL, or belongs to no user\n\n",
            id="of each kind",
        ),
        pytest.param(
            Rehearsal(1, 0, 0, {"skipped:no_consent": 1}, ()),
            "1 user: 1 enter at this tick, 0 are inside already.\n"
            "      0  would be mailed\n"
            "      1  never for this entry: never said yes to this topic\n"
            "         (topics.<name>.default: off)\n\n",
            id="more than fits into a line",
        ),
    ],
)
def test_a_preview_counts_by_what_would_become_of_users(found: Rehearsal, said: str) -> None:
    assert printed(preview._tell_counts, found, "user") == said


def test_a_preview_says_how_far_usage_is_counted() -> None:
    assert preview._how_far(Counted(NOON, None), NOON) == f"what users did until Mon {NOON_SAID} UTC"
    assert preview._how_far(Counted(NOON, None), NOON + AN_HOUR).endswith("so its numbers may differ.")


def test_addresses_are_masked_and_keys_of_bytes_are_shown_in_hex() -> None:
    assert screen.mask("ada@example.com") == "a…@example.com"
    assert (as_text(b"\x0a\xff"), as_text(7)) == ("0aff", "7")


def test_a_number_is_written_with_its_noun() -> None:
    assert [how_many(n, "user") for n in (0, 1, 2, 2000)] == ["0 users", "1 user", "2 users", "2,000 users"]
    assert [how_many(n, "batch", "batches") for n in (1, 2)] == ["1 batch", "2 batches"]


SENTENCE = "word " * 40


@pytest.mark.parametrize(("width", "widest"), [(60, 59), (80, 79), (200, 99)])
def test_sentences_are_wrapped_to_the_terminal_and_at_most_to_100_columns(width: int, widest: int) -> None:
    lines = printed(Screen.paragraph, SENTENCE, width=width).splitlines()

    assert max(map(len, lines)) == widest


def test_a_sentence_has_100_columns_where_the_terminal_has_more() -> None:
    lines = printed(Screen.paragraph, "xx " + "x " * 150, width=101).splitlines()

    assert max(map(len, lines)) == 100


def test_a_line_stays_one_however_long_it_is() -> None:
    assert printed(Screen.line, SENTENCE, width=60) == f"{SENTENCE}\n"
    assert printed(Screen.labelled, "ok", SENTENCE, "below", width=60).splitlines()[0] == f"ok      {SENTENCE}"


def test_what_goes_on_is_shown_on_a_terminal_only_and_leaves_other_streams_alone() -> None:
    shown: list[str] = []
    for is_terminal in (True, False):
        console = Console(width=80, file=StringIO(), force_terminal=is_terminal, color_system=None)
        before = sys.stdout, sys.stderr
        with Screen(console).doing("Asking\x1b the database") as say:
            assert (sys.stdout, sys.stderr) == before
            say("7 users")
        assert isinstance(console.file, StringIO)
        shown.append(console.file.getvalue())

    assert "Asking\ufffd the database" in shown[0]
    assert shown[0].endswith("\x1b[2K")
    assert shown[1] == ""


def test_what_belongs_to_a_label_stands_below_it_indented() -> None:
    said = printed(Screen.labelled, "ok", SENTENCE)
    with_a_place = printed(Screen.labelled, "error", "loops/a.yaml:7", "It is wrong.\n  SELECT 1")

    assert said.startswith("ok      word")
    assert len(said.splitlines()) == 3
    assert all(line.startswith("        word") for line in said.splitlines()[1:])
    assert with_a_place == "error   loops/a.yaml:7\n        It is wrong.\n          SELECT 1\n"


def test_an_error_is_printed_with_its_place_above_and_without_one_beside_the_label() -> None:
    assert printed(Screen.error, StoreError("It refused.", advice="Try again.")) == "error   It refused. Try again.\n"
    error = SettingsError("It is wrong.", advice="", place=Place("skene.yaml", 3))
    assert printed(Screen.error, error) == "error   skene.yaml:3\n        It is wrong.\n"


def test_names_and_values_stand_in_two_columns() -> None:
    assert printed(Screen.facts, {"A": "one", "Longer": SENTENCE.strip()}).splitlines()[:2] == [
        "  A       one",
        f"  Longer  {'word ' * 14}".rstrip(),
    ]


def test_what_steers_a_terminal_is_replaced_and_what_joins_letters_is_kept() -> None:
    assert screen.printable("a\x1b[31mb\u202e\nc👩\u200d👧") == "a\ufffd[31mb\ufffd\nc👩\u200d👧"
    assert screen.printable("\U000e0020\U000e007f\U000e0080") == "\U000e0020\U000e007f\ufffd"


@pytest.mark.parametrize(
    ("wrong", "answer", "said"),
    [
        pytest.param(0, None, "2 loops ok. Not checked against the database; --database does that.", id="not asked"),
        pytest.param(1, None, "2 loops ok, 1 error. Not checked against the database; --database", id="an error"),
        pytest.param(0, Answer("skene.db"), "2 loops ok. Checked against skene.db.", id="asked"),
        pytest.param(
            0,
            Answer("skene.db", unreachable=StoreUnavailable("It is away.", advice="")),
            "2 loops ok. Not checked against the database.",
            id="not reached",
        ),
    ],
)
def test_validate_sums_up(wrong: int, answer: Answer | None, said: str) -> None:
    assert validate._summary(2, wrong, answer).startswith(said)


def test_a_table_that_is_read_as_a_whole_is_told_with_an_index_where_one_would_serve() -> None:
    place, index = Place("loops/a.yaml", 7), f"CREATE INDEX {'a_long_name ' * 8}ON users (name);"

    told = whole_table(Scan(place, "users", "about 1,200,000", index))

    assert whole_table(Scan(place, "users", "9", "")).endswith("No index would help the condition as it is written.")
    assert told.startswith("Every run reads all of users (about 1,200,000 rows). An index may avoid this:\n  CREATE")
    assert re.search(r"\n    \S", told), "its second line is indented further, so that it can be copied as one"
    assert max(map(len, told.splitlines()[1:])) <= 72


def test_a_loop_is_shown_with_its_schedules_each_once() -> None:
    plan, _ = plan_of(email())

    assert validate._when(plan) == "  0 9 * * * UTC"


@pytest.mark.parametrize(
    ("gaps", "said"),
    [
        pytest.param([0], "between 02 Mar 2026, 12:00 and 13:00 UTC", id="one"),
        pytest.param(
            [0, 1], "between 02 Mar 2026, 12:00 and 13:00 UTC (and in 1 more such gap within a year)", id="two"
        ),
        pytest.param(
            [0, 1, 2], "between 02 Mar 2026, 12:00 and 13:00 UTC (and in 2 more such gaps within a year)", id="three"
        ),
    ],
)
def test_gaps_are_told_by_the_first_and_how_many_there_are(gaps: list[int], said: str) -> None:
    found = tuple(Gap(NOON + timedelta(days=n), NOON + timedelta(days=n, hours=1)) for n in gaps)

    assert notices._dates(found, UTC) == said


def test_gaps_of_each_day_are_told_by_their_time_at_most_three() -> None:
    found = tuple(Gap(NOON + n * AN_HOUR, NOON + (n + 1) * AN_HOUR) for n in (0, 0, 1, 2, 3))

    assert notices._times(found, UTC) == (
        "between 12:00 and 13:00 UTC or between 13:00 and 14:00 UTC or between 14:00 and 15:00 UTC"
    )


@pytest.mark.parametrize(
    ("hours", "said"), [(1, "1 hour"), (25, "25 hours"), (100, "100 hours"), (101, "4 days"), (168, "7 days")]
)
def test_a_time_of_more_than_100_hours_is_told_in_days(hours: int, said: str) -> None:
    assert notices._hours(hours * AN_HOUR) == said


@pytest.mark.parametrize(
    ("domains", "sender", "checked"),
    [
        pytest.param(
            {"example.com": "verified"}, "Orbit <a@Example.com>", Checked("ok", "has verified"), id="verified"
        ),
        pytest.param({"example.com": "pending"}, "a@example.com", Checked("error", "as 'pending'"), id="pending"),
        pytest.param(
            {"b.example": "x", "a.example": "x"}, "a@example.com", Checked("error", "a.example, b."), id="none"
        ),
        pytest.param({}, "a@example.com", Checked("error", "it knows: none."), id="nothing known"),
        pytest.param({}, "", Checked("error", "sender.from in skene.yaml has no address."), id="no sender"),
    ],
)
def test_the_domain_of_the_sender_is_told(domains: dict[str, str], sender: str, checked: Checked) -> None:
    [found] = diagnosis(lambda: domains, sender)

    assert found.label == checked.label
    assert checked.said in found.said


@pytest.mark.parametrize(
    ("host", "variables", "is_refused"),
    [
        pytest.param("127.0.0.1", {}, False, id="here"),
        pytest.param("::1", {}, False, id="here, by IPv6"),
        pytest.param("0.0.0.0", {}, True, id="everywhere"),
        pytest.param("127.0.0.1", {"SKENE_ENV": "test"}, True, id="here, in a test"),
        pytest.param("0.0.0.0", {"SKENE_WRITE_KEY": "k" * 32}, False, id="everywhere, with a key"),
    ],
)
def test_events_are_taken_without_a_key_on_this_machine_in_development_only(
    tmp_path: Path, host: str, variables: dict[str, str], is_refused: bool
) -> None:
    (tmp_path / "skene.yaml").write_text("", encoding="utf-8")
    settings = load(tmp_path, variables)

    if is_refused:
        with pytest.raises(SettingsError, match="SKENE_WRITE_KEY is not set"):
            serve._guarded(settings, host)
    else:
        serve._guarded(settings, host)
