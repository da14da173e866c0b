"""Who is mailed at a tick, as a table of cases."""

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from skene_dagster.delivery.decide.caps import Room
from skene_dagster.delivery.decide.eligibility import (
    Addressee,
    AlreadyDecided,
    Decision,
    Defer,
    Facts,
    Mail,
    RowFacts,
    Rules,
    Skip,
    decide,
    decide_row,
)
from skene_dagster.delivery.model import Past, SendState, Waiting

NOW = datetime(2026, 3, 31, 9)
FIRST = datetime(2026, 1, 1, 9)


def ago(days: int) -> datetime:
    return NOW - timedelta(days=days)


NEXT_TICK = NOW + timedelta(microseconds=1)
TOMORROW = NOW + timedelta(days=1)


def facts(
    past: Past | None = None,
    waiting: Waiting | None = None,
    *,
    entered: datetime | None = NOW,
    email: str | None = "ada@example.com",
    mailable: bool = True,
) -> Facts:
    return Facts(entered_at=entered, addressee=Addressee(email, mailable), past=past, waiting=waiting)


def rules(repeat: object = timedelta(days=30), start: str = "everyone") -> Rules:
    return Rules(repeat=repeat, start=start, first_as_of=FIRST, zone=ZoneInfo("UTC"))  # type: ignore[arg-type]  # the words of the format


def accepted(days_ago: int, occurrences: int = 1) -> Past:
    return Past(occurrences, "accepted", None, ago(days_ago), ago(days_ago))


def in_flight(occurrences: int = 1, state: SendState = "reserved", mailed: datetime | None = None) -> Past:
    return Past(occurrences, state, None, ago(3), mailed, is_in_flight=True)


@pytest.mark.parametrize(
    ("given", "rules", "expected"),
    [
        pytest.param(facts(), rules(), Mail("1"), id="a user who enters for the first time is mailed"),
        pytest.param(
            facts(accepted(40), entered=ago(40)),
            rules(),
            AlreadyDecided(),
            id="who stays inside is not mailed again, ever",
        ),
        pytest.param(
            facts(accepted(40), entered=ago(2)), rules(), Mail("2"), id="who comes back after repeat is mailed again"
        ),
        pytest.param(
            # 30 days have passed exactly
            facts(accepted(30), entered=ago(1)),
            rules(),
            Mail("2"),
            id="repeat has passed on its last day",
        ),
        pytest.param(
            facts(accepted(10), entered=ago(2)),
            rules(),
            Defer("2", "repeat", NOW + timedelta(days=20)),
            id="who comes back too soon is deferred until repeat is over",
        ),
        pytest.param(
            facts(accepted(31), Waiting("2", "repeat", ago(1)), entered=ago(20)),
            rules(),
            Mail("2"),
            id="who was deferred for repeat is mailed under the same occurrence once it has passed",
        ),
        pytest.param(
            facts(accepted(31), Waiting("2", "no_address", NEXT_TICK), entered=NOW),
            rules(),
            Defer("2", "no_address", NEXT_TICK),
            id="who waits longer is not decided yet",
        ),
        pytest.param(
            facts(accepted(31), Waiting("2", "no_address", NOW), entered=ago(40)),
            rules(),
            Mail("2"),
            id="who is due need not have entered since the last decision",
        ),
        pytest.param(
            facts(None, Waiting("1", "repeat", ago(1)), entered=None),
            rules(),
            Skip("1", "left_segment"),
            id="who is due and not inside any more has left",
        ),
        pytest.param(
            facts(accepted(1), entered=NOW), rules("every_entry"), Mail("2"), id="every entry means every entry"
        ),
        pytest.param(facts(accepted(400), entered=NOW), rules("once"), Skip("2", "once"), id="once means once"),
        pytest.param(
            facts(Past(1, "skipped", "left_segment", ago(3), None), entered=ago(1)),
            rules("once"),
            Mail("2"),
            id="a skipped send was no mail, so once still holds",
        ),
        pytest.param(
            facts(Past(1, "skipped", "gone", ago(3), None), entered=ago(3)),
            rules(),
            AlreadyDecided(),
            id="who was skipped and stays is decided",
        ),
        pytest.param(
            facts(in_flight(), entered=NOW),
            rules("every_entry"),
            Defer("2", "in_flight", NEXT_TICK),
            id="who enters while their last email is on its way waits for what becomes of it",
        ),
        pytest.param(
            facts(in_flight(2, "skipped"), entered=NOW),
            rules("every_entry"),
            Defer("3", "in_flight", NEXT_TICK),
            id="even if they were skipped since because they left again",
        ),
        pytest.param(
            facts(in_flight(2, mailed=ago(9)), entered=NOW),
            rules("once"),
            Skip("3", "once"),
            id="once needs no waiting",
        ),
        pytest.param(
            facts(in_flight(), entered=ago(3)),
            rules("every_entry"),
            AlreadyDecided(),
            id="who stays while their email is on its way has not entered again",
        ),
        pytest.param(
            facts(in_flight(), Waiting("2", "in_flight", NOW), entered=ago(2)),
            rules("every_entry"),
            Defer("2", "in_flight", NEXT_TICK),
            id="and waits on",
        ),
        pytest.param(
            facts(Past(1, "in_doubt", "no_answer", ago(3), ago(3)), entered=NOW),
            rules(timedelta(days=30)),
            Defer("2", "repeat", NOW + timedelta(days=27)),
            id="a send in doubt counts as a mail",
        ),
        pytest.param(
            facts(Past(1, "refused", "provider", ago(3), None), entered=ago(3)),
            rules(),
            AlreadyDecided(),
            id="a refused send is not tried again while he stays",
        ),
        pytest.param(
            facts(entered=FIRST), rules(start="new_only"), Skip("1", "there_at_start"), id="new_only skips the first"
        ),
        pytest.param(facts(entered=ago(1)), rules(start="new_only"), Mail("1"), id="new_only mails who enters later"),
        pytest.param(facts(entered=FIRST), rules(), Mail("1"), id="everyone means also who was there at first"),
        pytest.param(
            facts(Past(1, "skipped", "once", ago(3), ago(9)), entered=ago(2)),
            rules(timedelta(days=9)),
            Mail("2"),
            id="who entered since the last decision is decided about anew",
        ),
        pytest.param(
            facts(Past(1, "accepted", None, ago(3), ago(3)), entered=ago(3)),
            rules("every_entry"),
            AlreadyDecided(),
            id="who entered at the tick of the last decision has not entered since",
        ),
        pytest.param(
            facts(entered=ago(1)),
            replace(rules(), hold="paused"),
            Defer("1", "paused", NEXT_TICK),
            id="an order holds who would be mailed",
        ),
        pytest.param(facts(), replace(rules(), is_cancelled=True), Skip("1", "cancelled"), id="a cancelled tick"),
        pytest.param(
            facts(),
            replace(rules(), is_cancelled=True, hold="paused"),
            Skip("1", "cancelled"),
            id="what is cancelled does not wait for the end of a pause",
        ),
        pytest.param(
            facts(email=None),
            replace(rules(), is_cancelled=True),
            Defer("1", "no_address", NEXT_TICK),
            id="nobody to cancel for",
        ),
        pytest.param(
            facts(mailable=False), rules(), Defer("1", "not_mailable", NEXT_TICK), id="who may not be mailed waits"
        ),
        pytest.param(
            facts(None, Waiting("1", "not_mailable", NOW), entered=ago(9)),
            rules(),
            Mail("1"),
            id="who may be mailed by now is",
        ),
        pytest.param(facts(email=None), rules(), Defer("1", "no_address", NEXT_TICK), id="no address"),
        pytest.param(facts(email="  "), rules(), Defer("1", "no_address", NEXT_TICK), id="a blank address is none"),
        pytest.param(
            facts(email="ada"), rules(), Defer("1", "invalid_address", TOMORROW), id="an address that is none"
        ),
        pytest.param(
            facts(email="ada@example.com, bob@example.com"),
            rules(),
            Defer("1", "invalid_address", TOMORROW),
            id="two addresses are not one",
        ),
    ],
)
def test_each_member_gets_one_answer_and_one_reason(given: Facts, rules: Rules, expected: Decision) -> None:
    assert decide(given, rules, NOW) == expected


@pytest.mark.parametrize(
    ("as_of", "expected"),
    [
        # Mailed on Wednesday at 09:00 in Berlin, which was 08:00 UTC; the clocks went forward on Sunday.
        pytest.param(datetime(2026, 4, 1, 7), Mail("2"), id="a week later at the same hour"),
        pytest.param(
            datetime(2026, 4, 1, 6, 59), Defer("2", "repeat", datetime(2026, 4, 1, 7)), id="a minute too early"
        ),
    ],
)
def test_repeat_counts_days_of_the_triggers_zone(as_of: datetime, expected: Decision) -> None:
    mailed = datetime(2026, 3, 25, 8)
    past = Past(1, "accepted", None, mailed, mailed)
    in_berlin = replace(rules(timedelta(days=7)), zone=ZoneInfo("Europe/Berlin"))

    assert decide(facts(past, entered=as_of), in_berlin, as_of) == expected


@pytest.mark.parametrize(
    ("mailed", "expected"),
    [
        pytest.param(ago(30), Mail("17"), id="repeat has passed on its last day"),
        pytest.param(ago(29), Skip("17", "repeat"), id="mailed a day too late for that"),
    ],
)
def test_a_row_causes_an_email_once_repeat_has_passed(mailed: datetime, expected: Decision) -> None:
    row = a_row(mailed_as_of=mailed)

    assert decide_row(row, rules(), NOW, expires_after=timedelta(days=3)) == expected


ADA = Addressee("ada@example.com", mailable=True)


def a_row(addressee: Addressee = ADA, **changed: object) -> RowFacts:
    plain = {"occurrence": "17", "found_at": NOW, "state": None, "mailed_as_of": None}
    return RowFacts(addressee=addressee, **{**plain, **changed})  # type: ignore[arg-type]


THREE_DAYS = timedelta(days=3)


@pytest.mark.parametrize(
    ("row", "rules", "expected"),
    [
        pytest.param(a_row(), rules(), Mail("17"), id="a new row"),
        pytest.param(a_row(found_at=None), rules(), Skip("17", "too_late"), id="a row that is forgotten"),
        pytest.param(a_row(state="skipped"), rules(), AlreadyDecided(), id="a row that was skipped"),
        pytest.param(a_row(state="reserved"), rules(), AlreadyDecided(), id="a row on its way"),
        pytest.param(a_row(mailed_as_of=ago(400)), rules("once"), Skip("17", "once"), id="once"),
        pytest.param(a_row(mailed_as_of=NOW), rules("every_entry"), Mail("17"), id="each row"),
        pytest.param(a_row(found_at=NOW - THREE_DAYS), rules(), Mail("17"), id="as long as anything waits"),
        pytest.param(
            a_row(found_at=NOW - THREE_DAYS - timedelta(microseconds=1)), rules(), Skip("17", "too_late"), id="longer"
        ),
        pytest.param(
            a_row(replace(ADA, mailable=False)),
            rules(),
            Defer("17", "not_mailable", NEXT_TICK),
            id="a user who may not be mailed",
        ),
        pytest.param(
            a_row(replace(ADA, email=None)),
            rules(),
            Defer("17", "no_address", NEXT_TICK),
            id="a user without an address",
        ),
        pytest.param(a_row(), replace(rules(), hold="paused"), Defer("17", "paused", NEXT_TICK), id="a pause"),
    ],
)
def test_each_row_gets_one_answer_and_one_reason(row: RowFacts, rules: Rules, expected: Decision) -> None:
    assert decide_row(row, rules, NOW, expires_after=THREE_DAYS) == expected


AT_NIGHT = NOW + timedelta(hours=14)


@pytest.mark.parametrize(
    ("addressee", "expected"),
    [
        pytest.param(replace(ADA, not_before=AT_NIGHT), Mail("1", AT_NIGHT), id="decided now, sent then"),
        pytest.param(replace(ADA, shares_address=True), Skip("1", "same_address"), id="somebody has this address, too"),
        pytest.param(replace(ADA, full=Room(TOMORROW)), Defer("1", "cap", TOMORROW), id="until the cap has room"),
        pytest.param(replace(ADA, full=Room(None)), Defer("1", "cap", NEXT_TICK), id="nobody knows until when"),
        pytest.param(replace(ADA, full=Room(ago(1))), Defer("1", "cap", NEXT_TICK), id="there was room yesterday"),
        pytest.param(
            replace(ADA, refusal="said_no", shares_address=True),
            Skip("1", "said_no"),
            id="a no comes first",
        ),
        pytest.param(
            replace(ADA, has_reached_goal=True, shares_address=True, full=Room(TOMORROW), held_out="loop"),
            Skip("1", "goal_reached"),
            id="who reached the goal needs no email",
        ),
        pytest.param(
            replace(ADA, refusal="said_no", has_reached_goal=True),
            Skip("1", "said_no"),
            id="a no comes before the goal, too",
        ),
        pytest.param(
            replace(ADA, shares_address=True, full=Room(TOMORROW)),
            Skip("1", "same_address"),
            id="what can never be comes before what has to wait",
        ),
    ],
)
def test_what_the_address_gets_of_others_comes_last(addressee: Addressee, expected: Decision) -> None:
    assert decide(replace(facts(), addressee=addressee), rules(), NOW) == expected
    of_a_row = decide_row(replace(a_row(addressee), occurrence="1"), rules(), NOW, THREE_DAYS)
    assert of_a_row == expected
