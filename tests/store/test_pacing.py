"""All runs that share an account of a provider keep one pace, whoever lives and dies."""

import threading
from datetime import datetime, timedelta
from itertools import pairwise

import prepared_tables
import pytest
from delivery_world import START, users
from sqlalchemy import Connection, Engine, delete, insert, select

from skene_dagster.delivery.providers.base import RateLimit
from skene_dagster.delivery.send.pacing import MARGIN, Pacing, RateSlot
from skene_dagster.settings import Users
from skene_dagster.store.engine import transaction
from skene_dagster.store.tables import pacing


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock(engine: Engine) -> Clock:
    users.metadata.create_all(engine)
    prepared_tables.make(engine, Users())
    return Clock()


STARTS_AT = 2.0


class Run(Pacing):
    """One run's pacing, which takes each slot in a transaction of its own."""

    def slot(self) -> RateSlot:
        return transaction(self._engine, self.take)


def pace(engine: Engine, clock: Clock, account: str | None = "one", share: float = 1.0) -> Run:
    return Run(engine, account, share, clock, STARTS_AT)


def slots(clock: Clock, *runs: Run, count: int) -> list[float]:
    """Take slots, waiting for each; return when they were, in seconds."""
    at = []
    for number in range(count):
        clock.now += timedelta(seconds=runs[number % len(runs)].slot().wait)
        at.append((clock.now - START).total_seconds())
    return at


def test_before_the_provider_says_its_limit_the_pace_is_that_of_its_terms(engine: Engine, clock: Clock) -> None:
    at = slots(clock, pace(engine, clock), count=5)

    assert at == pytest.approx([n / (STARTS_AT * MARGIN) for n in range(5)])


def test_runs_together_call_no_more_than_their_share_of_the_limit(engine: Engine, clock: Clock) -> None:
    runs = [pace(engine, clock, share=0.8) for _ in range(3)]
    runs[0].slot()
    runs[0].learn(RateLimit(5.0, None, 1.0))
    clock.now += timedelta(seconds=10)

    at = slots(clock, *runs, count=41)

    # 4 a second, and the one call of an interval that was not used.
    assert at[-1] - at[0] == pytest.approx(39 / (4 * MARGIN), abs=0.01)


def test_another_account_has_a_pace_of_its_own_and_a_folder_has_none(engine: Engine, clock: Clock) -> None:
    one, other, folder = (pace(engine, clock, account) for account in ("one", "other", None))
    slots(clock, one, count=3)

    assert other.slot().wait == 0
    assert [folder.slot().wait for _ in range(100)] == [0] * 100


def test_where_others_use_what_is_kept_free_for_them_room_is_made(engine: Engine, clock: Clock) -> None:
    run = pace(engine, clock, share=0.8)
    run.slot()

    run.learn(RateLimit(5.0, 0, 1.0))

    assert run.slot().wait == pytest.approx(1.0)


def test_who_is_told_to_wait_makes_all_wait(engine: Engine, clock: Clock) -> None:
    one, other = pace(engine, clock), pace(engine, clock)
    one.slot()

    one.hold(clock.now + timedelta(seconds=7), "slow down", closes=False)

    assert other.slot().wait == pytest.approx(7.0)


def test_a_quota_that_is_used_up_closes_the_account_for_all_until_its_end(engine: Engine, clock: Clock) -> None:
    one, other = pace(engine, clock), pace(engine, clock)
    one.slot()
    end = clock.now + timedelta(hours=1)

    one.hold(end, "daily_quota_exceeded", closes=True)

    closed = other.slot()
    assert (closed.closed_until, closed.reason) == (end, "daily_quota_exceeded")
    clock.now = end + timedelta(seconds=1)
    assert other.slot().closed_until is None


def test_the_longest_hold_counts(engine: Engine, clock: Clock) -> None:
    one, other = pace(engine, clock), pace(engine, clock)
    one.slot()
    one.hold(clock.now + timedelta(hours=2), "monthly_quota_exceeded", closes=True)

    other.hold(clock.now + timedelta(hours=1), "daily_quota_exceeded", closes=True)

    closed = other.slot()
    assert (closed.closed_until, closed.reason) == (clock.now + timedelta(hours=2), "monthly_quota_exceeded")
    clock.now += timedelta(hours=2)
    one.hold(clock.now + timedelta(seconds=9), "slow down", closes=False)
    one.hold(clock.now + timedelta(seconds=3), "slow down", closes=False)
    assert other.slot().wait == pytest.approx(9.0)


def test_a_limit_that_another_run_was_told_wrongly_is_put_right(engine: Engine, clock: Clock) -> None:
    one, other = pace(engine, clock), pace(engine, clock)
    for run, limit in ((one, 5.0), (other, 50.0), (one, 5.0)):
        clock.now += timedelta(seconds=10)
        run.slot()
        run.learn(RateLimit(limit, None, 1.0))

    at = slots(clock, other, count=11)

    assert at[-1] - at[0] > 1.5


def test_runs_that_ask_at_the_same_moment_get_turns_one_after_the_other(engine: Engine, clock: Clock) -> None:
    pace(engine, clock).slot()
    waits: list[float] = []

    def run() -> None:
        own = pace(engine, clock)
        waits.extend(own.slot().wait for _ in range(5))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    between = [later - earlier for earlier, later in pairwise(sorted(waits))]
    assert len(waits) == 20
    assert min(between) > 0.9 / STARTS_AT


def test_a_long_reason_is_cut_to_what_its_column_holds(engine: Engine, clock: Clock) -> None:
    one, other = pace(engine, clock), pace(engine, clock)
    one.slot()
    reason = "daily quota exceeded " * 15

    one.hold(clock.now + timedelta(hours=1), reason, closes=True)

    closed = other.slot()
    assert len(closed.reason) == 255
    assert closed.reason[:200] == reason[:200]


def row(engine: Engine, **columns: object) -> None:
    """Write the account's row, as another run or a wrong clock has left it."""

    def write(connection: Connection) -> None:
        connection.execute(delete(pacing))
        plain = {"account": "one", "per_second": 2.0, "next_at": START, "closed_until": None, "reason": None}
        connection.execute(insert(pacing).values({**plain, **columns}))

    transaction(engine, write)


TWO_MINUTES, A_DAY, AN_INSTANT = timedelta(minutes=2), timedelta(days=1, minutes=5), timedelta(microseconds=1)


def test_a_turn_or_a_closure_further_ahead_than_it_can_be_was_written_by_a_wrong_clock(
    engine: Engine, clock: Clock
) -> None:
    run = pace(engine, clock)
    found = []
    for columns in (
        {"next_at": START + TWO_MINUTES},
        {"next_at": START + TWO_MINUTES + AN_INSTANT},
        {"closed_until": START + A_DAY, "reason": "a quota"},
        {"closed_until": START + A_DAY + AN_INSTANT, "reason": "a quota"},
        {"closed_until": START, "reason": "a quota"},
    ):
        row(engine, **columns)
        found.append(run.slot())

    closed = RateSlot(0.0, START + A_DAY, "a quota")
    assert found == [RateSlot(120.0), RateSlot(0.0), closed, RateSlot(0.0), RateSlot(0.0)]


def test_one_turn_that_nobody_used_is_caught_up_with_and_no_more(engine: Engine, clock: Clock) -> None:
    run, interval = pace(engine, clock), 1 / (2 * MARGIN)
    row(engine, next_at=START - timedelta(hours=1))

    waits = [run.slot().wait for _ in range(3)]

    assert waits == pytest.approx([0.0, 0.0, interval], abs=1e-5)


@pytest.mark.parametrize(
    ("remaining", "reset", "wait"),
    [
        pytest.param(2, 0.5, 0.0, id="as much is left as is kept free"),
        pytest.param(1, 0.5, 0.5, id="less, until the window ends"),
        pytest.param(0, 7.0, 1.0, id="for a second at most"),
        pytest.param(None, 0.5, 0.0, id="nothing said"),
    ],
)
def test_room_is_made_where_less_is_left_than_what_is_kept_free(
    engine: Engine, clock: Clock, remaining: int | None, reset: float, wait: float
) -> None:
    run = pace(engine, clock, share=0.5)
    row(engine, per_second=4.0, next_at=START - timedelta(hours=1))
    run.slot()
    run.slot()
    clock.now += timedelta(hours=1)

    run.learn(RateLimit(4.0, remaining, reset))

    assert run.slot().wait == pytest.approx(wait)


def test_an_account_is_closed_for_a_day_at_most(engine: Engine, clock: Clock) -> None:
    run = pace(engine, clock)
    run.slot()

    run.hold(START + timedelta(days=30), "monthly_quota_exceeded", closes=True)

    assert run.slot().closed_until == START + timedelta(days=1)


def test_an_account_that_opens_again_forgets_why_it_was_closed(engine: Engine, clock: Clock) -> None:
    row(engine, closed_until=START, reason="a quota")

    pace(engine, clock).slot()

    with engine.connect() as connection:
        assert connection.execute(select(pacing.c.closed_until, pacing.c.reason)).one() == (None, None)
