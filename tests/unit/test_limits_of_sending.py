"""The moments and counts at which sending decides otherwise, each at its limit: without a database."""

from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import create_engine
from template_world import email, plan_of

from skene_dagster.delivery.controls import Orders
from skene_dagster.delivery.email.graphemes import cut
from skene_dagster.delivery.email.message import Frozen
from skene_dagster.delivery.modes import Mode
from skene_dagster.delivery.providers.base import Accepted, Answer, Fatal, Throttled, Unknown, check_call
from skene_dagster.delivery.providers.outbox.provider import OutboxProvider
from skene_dagster.delivery.send.attempt import _Begun, _is_stale, _slept, _waited_for, _waits
from skene_dagster.delivery.send.freeze import halves
from skene_dagster.delivery.send.late import LateTicks
from skene_dagster.delivery.send.pacing import RateSlot
from skene_dagster.delivery.send.records import Policy, is_for_the_records, key_is_over
from skene_dagster.delivery.send.session import DeliverySession, Outlet
from skene_dagster.settings import load

NOON = datetime(2026, 3, 2, 12)
AN_INSTANT = timedelta(microseconds=1)
A_SECOND, A_MINUTE, AN_HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


def a_batch(**columns: object) -> Any:
    plain = dict.fromkeys(("unresolved_since", "refusal", "frozen_at"))
    return SimpleNamespace(**{**plain, "state": "frozen", "mode": "live", "provider": "resend", **columns})


@pytest.mark.parametrize(
    ("since", "is_over"),
    [
        pytest.param(None, False, id="never used"),
        pytest.param(NOON, False, id="just used"),
        pytest.param(NOON - 23 * AN_HOUR + AN_INSTANT, False, id="nearly 23 hours ago"),
        pytest.param(NOON - 23 * AN_HOUR, True, id="23 hours ago"),
        pytest.param(NOON + 5 * A_MINUTE, False, id="as far ahead as clocks differ"),
        pytest.param(NOON + 5 * A_MINUTE + AN_INSTANT, True, id="dated by a wrong clock"),
    ],
)
def test_a_key_is_over_after_23_hours_or_where_nobody_knows_since_when(since: datetime | None, is_over: bool) -> None:
    assert key_is_over(a_batch(unresolved_since=since), NOON) is is_over


@pytest.mark.parametrize(
    ("since", "is_over"),
    [
        pytest.param(None, False, id="never tried"),
        pytest.param(NOON, True, id="just tried"),
        pytest.param(NOON + AN_INSTANT, True, id="tried by a clock that is ahead"),
    ],
)
def test_where_there_are_no_keys_whatever_may_have_been_taken_is_not_sent_again(
    since: datetime | None, is_over: bool
) -> None:
    assert key_is_over(a_batch(unresolved_since=since, provider="smtp"), NOON) is is_over


@pytest.mark.parametrize(
    ("columns", "is_for_them"),
    [
        ({}, False),
        ({"state": "in_doubt"}, True),
        ({"refusal": "never again"}, True),
        ({"unresolved_since": NOON - AN_HOUR}, False),
        ({"unresolved_since": NOON - 24 * AN_HOUR}, True),
    ],
)
def test_the_records_are_asked_where_the_key_can_tell_nothing_more(
    columns: dict[str, object], is_for_them: bool
) -> None:
    assert is_for_the_records(a_batch(**columns), NOON) is is_for_them


@pytest.mark.parametrize(
    ("frozen_at", "is_stale"),
    [
        pytest.param(NOON, False, id="just now"),
        pytest.param(NOON - 5 * A_MINUTE, False, id="five minutes ago"),
        pytest.param(NOON - 5 * A_MINUTE - AN_INSTANT, True, id="longer ago"),
        pytest.param(NOON + 5 * A_MINUTE, False, id="as far ahead as clocks differ"),
        pytest.param(NOON + 5 * A_MINUTE + AN_INSTANT, True, id="by a wrong clock"),
        pytest.param(None, False, id="not at all"),
    ],
)
def test_what_was_rendered_more_than_five_minutes_ago_is_rendered_anew(
    frozen_at: datetime | None, is_stale: bool
) -> None:
    assert _is_stale(a_batch(frozen_at=frozen_at), NOON) is is_stale
    # The provider may have it: then it stays as it is.
    assert not _is_stale(a_batch(frozen_at=frozen_at, unresolved_since=NOON), NOON)


@pytest.mark.parametrize(
    ("at", "cancelled_at", "is_cancelled"),
    [
        pytest.param(NOON, None, False, id="no order"),
        pytest.param(NOON, NOON, True, id="at this moment"),
        pytest.param(NOON + AN_INSTANT, NOON, False, id="decided after it"),
        pytest.param(NOON, NOON + 5 * A_MINUTE, True, id="as far ahead as clocks differ"),
        pytest.param(NOON, NOON + 5 * A_MINUTE + AN_INSTANT, False, id="by a wrong clock"),
    ],
)
def test_an_order_cancels_what_was_decided_until_then(
    at: datetime, cancelled_at: datetime | None, is_cancelled: bool
) -> None:
    assert Orders((), None, cancelled_at, False).cancels(at, NOON) is is_cancelled


@pytest.mark.parametrize(("size", "sizes"), [(1, [1]), (2, [1, 1]), (3, [2, 1]), (4, [2, 2]), (5, [3, 2])])
def test_a_batch_is_cut_in_two_and_nobody_lost(size: int, sizes: list[int]) -> None:
    emails = [str(number) for number in range(size)]

    parts = halves(emails)

    assert [len(part) for part in parts] == sizes
    assert [one for part in parts for one in part] == emails


class Clocks:
    """A wall clock and a monotonic one; `pause` is noted, and moves both."""

    def __init__(self) -> None:
        self.now = NOON
        self.ran = 0.0
        self.paused: list[float] = []

    def pause(self, seconds: float) -> None:
        self.paused.append(seconds)
        self.now += timedelta(seconds=seconds)
        self.ran += seconds


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture
def session(tmp_path: Path, clocks: Clocks) -> DeliverySession:
    (tmp_path / "skene.yaml").write_text("", encoding="utf-8")

    def now() -> datetime:
        return clocks.now

    provider = OutboxProvider(tmp_path / "outbox", now)
    engine, settings, mode = create_engine("sqlite://"), load(tmp_path, {}), Mode("outbox", "a test")
    return DeliverySession(
        engine, settings, mode, lambda _name: provider, now, "one", pause=clocks.pause, monotonic=lambda: clocks.ran
    )


@pytest.fixture
def outlet(session: DeliverySession) -> Outlet:
    return session.outlet("resend")


@pytest.fixture
def batch() -> Any:
    return SimpleNamespace(batch_id="b")


@pytest.mark.parametrize(
    ("by_the_wall", "by_itself", "slept"),
    [
        pytest.param(timedelta(0), 0.0, False, id="at once"),
        pytest.param(20 * A_SECOND - AN_INSTANT, 19.9, False, id="nearly 20 seconds"),
        pytest.param(20 * A_SECOND, 0.0, True, id="20 seconds by the wall"),
        pytest.param(timedelta(0), 20.0, True, id="20 seconds by itself"),
        pytest.param(-AN_INSTANT, 0.0, True, id="a clock that was put back"),
    ],
)
def test_a_process_that_slept_20_seconds_does_not_send(
    session: DeliverySession, clocks: Clocks, by_the_wall: timedelta, by_itself: float, slept: bool
) -> None:
    begun = _Begun(1, NOON, 0.0)
    clocks.now += by_the_wall
    clocks.ran += by_itself

    assert _slept(session, begun) is slept


@pytest.mark.parametrize(
    ("slot", "stopped_because"),
    [
        pytest.param(RateSlot(0.5), "", id="soon"),
        pytest.param(RateSlot(60.0), "", id="in a minute"),
        pytest.param(RateSlot(60.1), "outbox is called as often as it allows", id="later"),
        pytest.param(RateSlot(0.0, NOON, "a quota"), "a quota", id="closed"),
    ],
)
def test_a_turn_is_waited_for_a_minute_at_most(
    session: DeliverySession, outlet: Outlet, batch: Any, clocks: Clocks, slot: RateSlot, stopped_because: str
) -> None:
    assert _waited_for(session, outlet, batch, slot) is not bool(stopped_because)
    assert session.stopped_because == stopped_because
    assert clocks.paused == ([] if stopped_because else [slot.wait])


def test_a_provider_that_throttles_is_waited_for_a_minute_in_a_row_at_most(
    session: DeliverySession, outlet: Outlet, clocks: Clocks
) -> None:
    half, more = Throttled(30.0, "a rate"), Throttled(0.1, "a rate again")

    assert [_waits(session, outlet, answer) for answer in (half, half, more)] == [True, True, False]
    assert clocks.paused == [30.0, 30.0]
    assert session.stopped_because == "a rate again"


SILENCE, ODD = Unknown("no route to host"), Unknown("another payload", answered=True)


@pytest.mark.parametrize(
    ("answers", "stops", "unanswered"),
    [
        pytest.param([SILENCE] * 2, False, {"b": "no route to host"}, id="silence, twice"),
        pytest.param([SILENCE] * 3, True, {"b": "no route to host"}, id="silence, three times"),
        pytest.param([SILENCE, SILENCE, ODD, SILENCE], False, {"b": "no route to host"}, id="an odd answer between"),
        pytest.param([SILENCE, SILENCE, Accepted(())], False, {}, id="an answer in the end"),
        pytest.param([SILENCE, SILENCE, Fatal("no")], False, {}, id="a refusal in the end"),
    ],
)
def test_a_run_stops_after_three_silences_in_a_row(
    session: DeliverySession, outlet: Outlet, answers: list[Answer], stops: bool, unanswered: dict[str, str]
) -> None:
    for answer in answers:
        session.hears(outlet, "b", answer)

    assert outlet.stops is stops
    assert session.unanswered == unanswered


@pytest.mark.parametrize(
    ("answer", "waited"),
    [(Throttled(1.0, "a rate"), 42.0), (Accepted(()), 0.0), (SILENCE, 0.0)],
    ids=lambda given: type(given).__name__,
)
def test_whatever_else_is_answered_ends_a_row_of_waits(
    session: DeliverySession, outlet: Outlet, answer: Answer, waited: float
) -> None:
    outlet.throttled = 42.0

    session.hears(outlet, "b", answer)

    assert outlet.throttled == waited


@pytest.mark.parametrize(
    ("leases", "seconds"),
    [
        pytest.param([3 * A_SECOND, 2 * A_SECOND], 2.0, id="the first of them"),
        pytest.param([A_MINUTE], 5.0, id="looking now and then"),
        pytest.param([-A_SECOND], 0.1, id="one that is over"),
        pytest.param([None, A_MINUTE], 0.1, id="one that was given back"),
    ],
)
def test_the_lease_of_others_is_waited_for(
    session: DeliverySession, clocks: Clocks, leases: list[timedelta | None], seconds: float
) -> None:
    others: list[Any] = [
        SimpleNamespace(owner="another", lease_until=None if lease is None else NOON + lease) for lease in leases
    ]

    session.wait_for(others)

    assert clocks.paused == [seconds]


@pytest.mark.parametrize(("asked", "paused"), [(7.0, 7.0), (60.0, 60.0), (61.0, 60.0)])
def test_records_are_waited_for_a_minute_at_a_time_at_most(
    session: DeliverySession, outlet: Outlet, clocks: Clocks, asked: float, paused: float
) -> None:
    session.slot_wait(outlet)(asked)

    assert clocks.paused == [paused, 0.0]


def test_a_provider_that_is_parked_is_sent_nothing_more_and_the_others_go_on(
    session: DeliverySession, outlet: Outlet
) -> None:
    session.outlet("another")
    assert not session.stopped

    outlet.stopped_because = "a quota"

    assert session.stopped == {"resend"}
    assert session.stopped_because == "a quota"


def test_the_first_failure_is_told_unless_there_was_silence(session: DeliverySession, outlet: Outlet) -> None:
    session.complain()
    session.failed |= {"a": ValueError("first"), "b": ValueError("second")}
    with pytest.raises(ValueError, match="first"):
        session.complain()
    session.hears(outlet, "b", SILENCE)
    with pytest.raises(Exception, match=r"^1 batches got no answer from outbox \(no route to host\)"):
        session.complain()


@pytest.mark.parametrize(
    ("mode", "age", "is_late"),
    [
        pytest.param("live", 15 * A_MINUTE, False, id="a quarter of an hour"),
        pytest.param("live", 15 * A_MINUTE + AN_INSTANT, True, id="longer"),
        pytest.param("live", 30 * 24 * AN_HOUR, True, id="a month"),
        pytest.param("outbox", 15 * A_MINUTE + AN_INSTANT, True, id="longer, in the outbox"),
        pytest.param("outbox", 3 * 24 * AN_HOUR, True, id="as long as anything waits"),
        pytest.param("outbox", 3 * 24 * AN_HOUR + AN_INSTANT, False, id="simulated time"),
    ],
)
def test_a_tick_is_late_after_a_quarter_of_an_hour_unless_its_time_is_simulated(
    session: DeliverySession, mode: Any, age: timedelta, is_late: bool
) -> None:
    plan, step = plan_of(email())

    assert LateTicks(plan, step, session.settings, Mode(mode, "a test")).is_late(NOON - age, NOON) is is_late


@pytest.mark.parametrize(
    ("size", "key", "is_taken"),
    [
        pytest.param(1, "k", True, id="one email"),
        pytest.param(100, "k" * 256, True, id="as many as may be"),
        pytest.param(101, "k", False, id="one more"),
        pytest.param(0, "k", False, id="none"),
        pytest.param(1, "", False, id="no key"),
        pytest.param(1, "k" * 257, False, id="a long key"),
        pytest.param(1, "ké", False, id="another letter"),
        pytest.param(1, "k\n", False, id="a line break"),
    ],
)
def test_a_batch_has_1_to_100_emails_and_a_key_1_to_256_letters(size: int, key: str, is_taken: bool) -> None:
    with nullcontext() if is_taken else pytest.raises(ValueError, match="has 1 to"):
        check_call(Frozen(tuple(map(str, range(size))), b"[]"), key, 100)


@pytest.mark.parametrize(
    ("text", "most", "kept"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "abc"),
        ("ae\u0301b", 3, "ae\u0301"),
        ("ae\u0301b", 2, "a"),
        ("e\u0301\u0301", 2, "e\u0301"),
        ("", 0, ""),
    ],
)
def test_a_text_is_cut_between_letters(text: str, most: int, kept: str) -> None:
    assert cut(text, most) == kept


@pytest.mark.parametrize(
    ("mode", "set_", "writes"),
    [("live", (("reminded", 1),), True), ("live", (), False), ("redirect", (("reminded", 1),), False)],
)
def test_what_a_loop_sets_is_written_for_real_emails_only(
    session: DeliverySession, mode: Any, set_: tuple[tuple[str, int], ...], writes: bool
) -> None:
    policy = Policy.of(replace(session, mode=Mode(mode, "a test")), email(set=set_), "skip")

    assert policy == Policy("skip", writes, ("all", "marketing", "topic:product"))
