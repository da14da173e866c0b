"""Whoever dies, comes late or comes twice: the history is what one refresh after the other would have written."""

import itertools
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from segment_world import FIRST, World, loop, tick
from sqlalchemy import Engine

from skene_dagster.errors import SegmentBusy, SegmentError, SegmentOvertaken
from skene_dagster.segments.clearance import Clearance
from skene_dagster.segments.refresh import Refreshed
from skene_dagster.store.engine import open_engine, transaction
from skene_dagster.store.leasing import leases
from skene_dagster.store.leasing.heartbeat import beating

STAGED = loop(plain=False)

CHUNK_STARTS = 3
"""Before its first chunk, a refresh looks at the clock when it begins, and when it takes its lease."""


class Died(BaseException):
    """The process is gone; nothing of ours catches it."""


def dies_at(look: int) -> Callable[[], datetime]:
    """A clock that ends the process when it is looked at for the n-th time."""
    looks = iter(range(1, look))

    def clock() -> datetime:
        if next(looks, None) is None:
            raise Died
        return FIRST

    return clock


@pytest.mark.parametrize("chunks_written", [0, 1, 2, 3])
def test_a_crash_between_chunks_is_repaired_by_the_next_refresh(engine: Engine, chunks_written: int) -> None:
    world = World(engine)
    world.add(*range(1, 11))
    world.only(range(1, 7))
    world.refresh(0)
    world.only([1, 2, 5, 7, 8, 9, 10])
    with pytest.raises(Died):
        world.refresh(1, clock=dies_at(CHUNK_STARTS + chunks_written))
    cleared = world.clearance()

    refreshed = world.refresh(1)

    assert (cleared is None) == (chunks_written > 0)
    assert (refreshed.members, refreshed.entered, refreshed.exited) == (7, 4, 3)
    assert world.history() == [
        *[(1, 0, None, None), (2, 0, None, None), (3, 0, 1, "left"), (4, 0, 1, "left"), (5, 0, None, None)],
        *[(6, 0, 1, "left"), (7, 1, None, None), (8, 1, None, None), (9, 1, None, None), (10, 1, None, None)],
    ]
    assert world.tables() == []


def test_a_repair_takes_back_what_is_no_longer_so(engine: Engine) -> None:
    world = World(engine)
    world.add(*range(1, 9))
    world.only([1, 2, 5, 6])
    world.refresh(0)
    world.announce(1)
    world.only([3, 4, 7, 8])
    with pytest.raises(Died):
        world.refresh(1, clock=dies_at(CHUNK_STARTS + 1))
    written = world.history()
    world.only([1, 2, 8])

    refreshed = world.refresh(1)

    assert written[:3] == [(1, 0, 1, "set"), (2, 0, 1, "left"), (3, 1, None, None)]
    assert (refreshed.members, refreshed.entered, refreshed.exited) == (3, 1, 2)
    assert world.history() == [
        *[(1, 0, None, None), (2, 0, None, None), (5, 0, 1, "left"), (6, 0, 1, "left"), (8, 1, None, None)]
    ]


def test_a_half_written_tick_is_finished_by_a_newer_one(engine: Engine) -> None:
    world = World(engine)
    world.add(*range(1, 8))
    with pytest.raises(Died):
        world.refresh(0, clock=dies_at(CHUNK_STARTS + 1))
    world.wake(1)

    world.refresh(1)

    assert world.history() == [(1, 0, 1, "left"), (2, 0, None, None), (3, 0, None, None)] + [
        (key, 1, None, None) for key in range(4, 8)
    ]
    assert world.clearance() == Clearance(tick(1), tick(1), members=6)


def test_an_older_tick_after_a_newer_one_writes_nothing_and_says_so(engine: Engine) -> None:
    world = World(engine)
    world.add(1, 2)
    world.refresh(5)
    before = world.history()
    world.wake(1)

    with pytest.raises(SegmentOvertaken, match=r"2026-03-06 09:00:00 UTC, which is after 2026-03-05"):
        world.refresh(4)

    assert world.history() == before


def test_of_two_newer_ticks_the_newest_is_named(engine: Engine) -> None:
    world = World(engine)
    world.add(*range(1, 6))
    world.refresh(5)
    world.only([1])
    with pytest.raises(Died):
        world.refresh(6, clock=dies_at(CHUNK_STARTS + 1))

    with pytest.raises(SegmentOvertaken, match=r"was refreshed for 2026-03-07 09:00:00 UTC, which is after 2026-03-05"):
        world.refresh(4)


def test_an_older_tick_writes_nothing_after_a_newer_one_that_died(engine: Engine) -> None:
    world = World(engine)
    world.add(*range(1, 6))
    world.refresh(0)
    world.only([1])
    with pytest.raises(Died):
        world.refresh(5, clock=dies_at(CHUNK_STARTS + 1))
    before = world.history()

    with pytest.raises(SegmentOvertaken):
        world.refresh(4)

    assert world.history() == before


def test_two_refreshes_at_once_never_let_anyone_in_twice(database_url: str, engine: Engine) -> None:
    world = World(engine)
    world.add(*range(1, 31))
    answers: list[object] = []
    start = threading.Barrier(2)

    def run(owner: str) -> None:
        own = open_engine(database_url)
        start.wait()
        try:
            answers.append(world.refresh(0, run_id=owner, engine=own))
        except SegmentBusy as busy:
            answers.append(busy)
        finally:
            own.dispose()

    threads = [threading.Thread(target=run, args=(owner,)) for owner in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(answers) == 2
    assert any(isinstance(answer, Refreshed) and not answer.already for answer in answers)
    assert world.history() == [(key, 0, None, None) for key in range(1, 31)]


def test_a_segment_that_another_run_refreshes_is_busy_until_its_lease_is_over(engine: Engine) -> None:
    world = World(engine)
    world.add(1)
    world.take_lease("another", day=0, lease=timedelta(minutes=15))

    world.now = FIRST + timedelta(minutes=14)
    with pytest.raises(SegmentBusy, match="by run another") as busy:
        world.refresh(0)
    world.now = FIRST + timedelta(minutes=16)
    refreshed = world.refresh(0)

    assert busy.value.retryable
    assert refreshed.members == 1


def test_a_run_takes_over_from_itself(engine: Engine) -> None:
    world = World(engine)
    world.add(1)
    world.take_lease("mine", day=0, lease=timedelta(minutes=15))

    assert world.refresh(0, run_id="mine").members == 1


def test_who_lost_the_turn_writes_no_more(engine: Engine) -> None:
    world = World(engine)
    stale = world.take_lease("stale", day=0, lease=timedelta(0))
    world.now = FIRST + timedelta(seconds=1)
    world.take_lease("newer", day=0, lease=leases.LEASE)

    for write in (
        lambda connection: leases.keep(connection, stale, world.now, writes=True),
        lambda connection: leases.complete(
            connection, stale, world.now, members=0, entered=0, exited=0, unknown_keys=0
        ),
    ):
        with pytest.raises(SegmentBusy, match="taken over"):
            transaction(engine, write)
    transaction(engine, lambda connection: leases.release(connection, stale))

    with pytest.raises(SegmentBusy, match="by run newer"):
        world.refresh(0)


# SQLite has one writer at a time: there nobody can take over in the middle of a transaction.
@pytest.mark.parametrize("database_url", ["mariadb", "tidb"], indirect=True)
def test_a_refresh_that_wakes_up_after_another_took_over_writes_no_more(engine: Engine) -> None:
    world = World(engine)
    world.add(*range(1, 11))
    looks = itertools.count(1)

    def sleepy() -> datetime:
        if next(looks) == CHUNK_STARTS + 2:
            world.now += leases.LEASE + timedelta(seconds=1)
            world.only([2, 3, 9])
            world.refresh(1, run_id="newer")
        return world.now

    with pytest.raises(SegmentBusy, match="taken over"):
        world.refresh(0, run_id="stale", clock=sleepy)

    assert world.history() == [
        (1, 0, 1, "left"),
        (2, 0, None, None),
        (3, 0, None, None),
        *[(4, 0, 1, "left"), (5, 0, 1, "left"), (6, 0, 1, "left"), (9, 1, None, None)],
    ]
    assert world.clearance() == Clearance(tick(1), tick(1), members=3)
    assert world.tables() == []


def test_a_refresh_that_fails_gives_its_turn_back(engine: Engine) -> None:
    world = World(engine)
    world.add(1)
    with pytest.raises(SegmentError):
        world.refresh(0, loop("SELECT id FROM nowhere"), run_id="one")

    assert world.refresh(0, run_id="two").members == 1


def test_a_refresh_that_works_for_long_keeps_its_turn(engine: Engine) -> None:
    world = World(engine)
    mine = world.take_lease("slow", day=0, lease=leases.LEASE)
    renewed = threading.Event()

    def clock() -> datetime:
        renewed.set()
        return FIRST + leases.LEASE

    with beating(engine, mine, clock, every=timedelta(milliseconds=1)):
        assert renewed.wait(30)
    world.now = FIRST + leases.LEASE + timedelta(seconds=1)

    with pytest.raises(SegmentBusy, match="by run slow"):
        world.refresh(0)


def test_a_killed_process_leaves_nothing_that_the_next_refresh_does_not_put_right(
    database_url: str, engine: Engine
) -> None:
    world = World(engine)
    world.add(*range(1, 11))
    killed = subprocess.run(
        [sys.executable, __file__, database_url], check=False, capture_output=True, cwd=Path(__file__).parent
    )
    world.now = FIRST + leases.LEASE
    with pytest.raises(SegmentBusy, match="by run killed"):
        world.refresh(0)
    left_behind = world.tables()
    world.now = FIRST + leases.LEASE + timedelta(seconds=1)

    refreshed = world.refresh(0, STAGED)

    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert len(left_behind) == 1
    assert (refreshed.members, refreshed.entered) == (10, 10)
    assert world.history() == [(key, 0, None, None) for key in range(1, 11)]
    assert world.tables() == []


def _refresh_and_be_killed(url: str) -> None:
    # One that is staged drops strangers, too, before its first chunk.
    survives = dies_at(CHUNK_STARTS + 1 + 2)

    def clock() -> datetime:
        try:
            return survives()
        except Died:
            os.kill(os.getpid(), signal.SIGKILL)
            raise

    World.existing(open_engine(url)).refresh(0, STAGED, clock=clock, run_id="killed")


if __name__ == "__main__":
    _refresh_and_be_killed(sys.argv[1])
