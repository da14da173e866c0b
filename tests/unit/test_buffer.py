"""What was told waits in a buffer for its thread: how much of it, for how long, and what is said of the rest."""

import gc
import logging
import threading
import time
import weakref
from collections.abc import Callable, Iterator

import pytest
from scripted_journal import ScriptedJournal

from skene_dagster.behaviour.event import Event, new_event
from skene_dagster.behaviour.events import Journal
from skene_dagster.errors import StoreUnavailable
from skene_dagster.tracking import buffer as module
from skene_dagster.tracking.buffer import Buffer

PATIENCE = 10.0
A_MOMENT = 0.02
"""Seconds in which nothing happens that should not."""


def event(event_id: str, user: int = 7) -> Event:
    return new_event(user, "used", event_id=event_id)


class World:
    """A buffer, and the table that it writes to."""

    def __init__(self) -> None:
        self.journal = ScriptedJournal()
        self.opened = 0
        self.buffers: list[Buffer] = []

    def open(self) -> Journal:
        self.opened += 1
        return self.journal

    def buffer(self, *, limit: int = 100, batch: int = 10, every: float = 0.001) -> Buffer:
        self.buffers.append(Buffer(self.open, limit=limit, batch=batch, every=every))
        return self.buffers[-1]

    def busy(self, **sizes: int) -> Buffer:
        """Return one whose thread is writing the event `first`, until it may go on."""
        buffer = self.buffer(**sizes)
        buffer.put(event("first"))
        self.begins()
        return buffer

    def begins(self) -> None:
        """Wait until a transaction is on its way."""
        assert self.journal.begun.acquire(timeout=PATIENCE)

    def rests(self) -> bool:
        """Whether no transaction begins."""
        return not self.journal.begun.acquire(timeout=A_MOMENT)

    def end(self) -> None:
        self.journal.may.release(1000)
        for buffer in self.buffers:
            buffer.close(PATIENCE)
        until(lambda: not threads())


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.end()


def threads() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name == "skene_dagster.track"]


def until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline


def test_a_batch_is_written_as_soon_as_there_is_one(world: World) -> None:
    buffer = world.buffer(batch=3, every=1000)

    for one in "ab":
        buffer.put(event(one))
    assert world.rests()
    buffer.put(event("c"))
    world.begins()

    assert world.journal.transactions == [["a", "b", "c"]]


def test_what_waits_is_written_in_batches_one_after_the_other(world: World) -> None:
    buffer = world.busy(batch=3)
    for one in "abcdefg":
        buffer.put(event(one))

    world.journal.may.release(4)

    assert buffer.flush(PATIENCE)
    assert world.journal.transactions == [["first"], ["a", "b", "c"], ["d", "e", "f"], ["g"]]
    assert world.opened == 1


def test_so_many_events_may_wait_and_the_others_are_dropped_and_counted(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    buffer = world.busy(limit=1000)
    for n in range(1002):
        buffer.put(event(f"{n}"))

    world.journal.may.release(1000)
    assert buffer.flush(PATIENCE)
    until(lambda: bool(caplog.messages))

    assert sum(map(len, world.journal.transactions)) == 1001
    assert caplog.messages == ["2 events were dropped: more than 1,000 were waiting to be written."]
    assert caplog.records[0].levelno == logging.ERROR


def test_a_flush_waits_for_what_was_told_before_it_and_for_nothing_else(world: World) -> None:
    buffer = world.busy()
    assert not buffer.flush(A_MOMENT)
    buffer.put(event("before"))
    done: list[bool] = []
    flushing = threading.Thread(target=lambda: done.append(buffer.flush(PATIENCE)))
    waiting = len(buffer._queue)
    flushing.start()
    until(lambda: len(buffer._queue) > waiting)
    buffer.put(event("after"))

    world.journal.may.release(2)
    flushing.join()

    assert done == [True]
    world.begins()
    world.begins()
    assert world.journal.transactions == [["first"], ["before"], ["after"]]


def test_where_nothing_was_told_a_flush_and_the_end_have_nothing_to_do(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    buffer = world.buffer()

    assert buffer.flush(0)
    buffer.close(0)

    assert (world.opened, threads(), caplog.messages) == (0, [], [])


def test_the_end_writes_what_was_told_closes_the_journal_and_ends_the_thread(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    buffer = world.buffer(every=1000)
    buffer.put(event("a"))
    world.journal.may.release()

    buffer.close(PATIENCE)

    assert world.journal.transactions == [["a"]]
    assert world.journal.is_closed
    assert threads() == []
    assert caplog.messages == []


def test_what_the_end_leaves_unwritten_is_counted_once(world: World, caplog: pytest.LogCaptureFixture) -> None:
    buffer = world.buffer(batch=2)
    buffer.put(event("written"))
    world.journal.may.release()
    assert buffer.flush(PATIENCE)
    world.begins()
    for one in "abcde":
        buffer.put(event(one))
        if one == "a":
            world.begins()

    buffer.close(A_MOMENT)
    buffer.close(A_MOMENT)

    assert caplog.messages == ["5 events were not written before the process ended."]
    assert caplog.records[0].levelno == logging.ERROR


def test_what_is_told_after_the_end_starts_nothing(world: World) -> None:
    buffer = world.buffer()
    buffer.close(0)

    buffer.put(event("a"))

    assert threads() == []


def test_one_thread_writes_and_holds_up_no_process_that_ends(world: World) -> None:
    buffer = world.busy()
    for n in range(5):
        buffer.put(event(f"{n}"))

    (thread,) = threads()
    assert thread.daemon


def test_a_thread_that_rests_is_not_woken_for_nothing(world: World) -> None:
    buffer = world.buffer(every=1000)
    buffer.refuse("It is odd.")
    buffer.put(event("a"))
    assert not buffer._wake.is_set()
    world.journal.may.release()

    assert buffer.flush(PATIENCE)

    until(lambda: not buffer._wake.is_set())


def test_where_no_thread_can_be_had_what_was_told_is_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_thread(_: threading.Thread) -> None:
        raise RuntimeError

    buffer = world.buffer()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_thread)
        buffer.put(event("a"))
        assert not buffer.flush(0)
    world.journal.may.release()

    assert buffer.flush(PATIENCE)
    assert world.journal.transactions == [["a"]]


def test_who_tells_something_while_another_starts_the_thread_waits_for_nobody(world: World) -> None:
    buffer = world.buffer()
    with buffer._starting:
        buffer.put(event("a"))
    world.journal.may.release()

    assert buffer.flush(PATIENCE)


class Pauses(threading.Event):
    """Notes how long it is waited for, and lets nobody wait."""

    def __init__(self, urgent_at: int) -> None:
        super().__init__()
        self.seconds: list[float | None] = []
        self._urgent_at = urgent_at

    def wait(self, timeout: float | None = None) -> bool:
        self.seconds.append(timeout)
        return len(self.seconds) == self._urgent_at


@pytest.mark.parametrize(
    ("urgent_at", "seconds"),
    [
        pytest.param(0, [0.5, 1, 2, 4, 8, 16, 30, 30], id="longer each time"),
        pytest.param(3, [0.5, 1, 2, 0.5, 1, 2, 4, 8], id="from the beginning where somebody waits"),
    ],
)
def test_a_database_that_is_away_is_tried_again_after_pauses(
    world: World, caplog: pytest.LogCaptureFixture, urgent_at: int, seconds: list[float]
) -> None:
    buffer = world.buffer()
    pauses = Pauses(urgent_at)
    buffer._urgent = pauses
    world.journal.wrong = [StoreUnavailable("It is\naway.") for _ in seconds]
    world.journal.may.release(len(seconds) + 1)

    buffer.put(event("a"))

    until(lambda: len(world.journal.transactions) == len(seconds) + 1)
    assert pauses.seconds == seconds
    assert caplog.messages == ["Events cannot be written (1 attempts); they are kept. It is away."]
    assert caplog.records[0].levelno == logging.ERROR


def test_a_flush_cuts_a_pause_short_and_the_next_pause_is_whole(world: World) -> None:
    buffer = world.busy()
    world.journal.wrong = [StoreUnavailable("It is away.")] * 2
    buffer._urgent.set()
    world.journal.may.release(1)
    world.begins()

    until(lambda: not buffer._urgent.is_set())


def test_of_an_error_that_is_none_of_ours_only_its_kind_is_said(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.journal.wrong = [ZeroDivisionError("secret")]
    world.journal.may.release(2)
    buffer = world.buffer()
    buffer.put(event("a"))

    assert buffer.flush(PATIENCE)
    assert caplog.messages == ["Events cannot be written (1 attempts); they are kept. ZeroDivisionError"]


def test_what_cannot_be_stored_is_counted_and_the_rest_is_written(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    class Odd(int):
        def __le__(self, _: object) -> bool:
            raise OSError

        __lt__ = __ge__ = __gt__ = __le__

    buffer = world.busy()
    world.journal.refuses = {"refused"}
    buffer.put(event("a"))
    buffer.put(event("nobody", 100))
    buffer.put(event("odd", Odd(7)))
    buffer.put(event("refused"))
    world.journal.may.release(2)
    assert buffer.flush(PATIENCE)
    buffer.close(PATIENCE)

    assert world.journal.transactions == [["first"], ["a", "refused"]]
    assert caplog.messages == ["Events refused: 3. The last one: It refuses refused."]
    assert caplog.records[0].levelno == logging.WARNING


def test_where_nothing_can_be_stored_nothing_is_written(world: World, caplog: pytest.LogCaptureFixture) -> None:
    buffer = world.buffer()
    buffer.put(event("nobody", 100))

    assert buffer.flush(PATIENCE)
    until(lambda: bool(caplog.messages))
    assert world.journal.transactions == []


def test_a_fork_finds_no_connection_in_use_and_the_parent_goes_on_after_it(world: World) -> None:
    buffer = world.buffer()
    world.journal.may.release(2)
    buffer.put(event("before"))
    assert buffer.flush(PATIENCE)
    world.begins()

    buffer.before_fork()
    assert world.journal.is_closed
    buffer.put(event("meanwhile"))
    assert world.rests()
    buffer.after_fork_in_parent()

    assert buffer.flush(PATIENCE)


def test_a_fork_does_not_wait_for_a_database_that_hangs(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FORK_SECONDS", 0.01)
    buffer = world.busy()

    buffer.before_fork()
    buffer.after_fork_in_parent()

    assert not world.journal.is_closed
    world.journal.may.release()
    assert buffer.flush(PATIENCE)


def test_a_connection_that_cannot_be_closed_stops_no_fork(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise OSError

    buffer = world.buffer()
    world.journal.may.release(2)
    buffer.put(event("a"))
    assert buffer.flush(PATIENCE)
    with monkeypatch.context() as patch:
        patch.setattr(world.journal, "close", broken)
        buffer.before_fork()
    buffer.after_fork_in_parent()

    buffer.put(event("b"))
    assert buffer.flush(PATIENCE)


def test_a_child_begins_with_nothing_and_never_lets_go_of_its_parents_connection(world: World) -> None:
    buffer = world.buffer()
    world.journal.may.release()
    buffer.put(event("written"))
    buffer.close(PATIENCE)
    buffer.put(event("waiting"))
    parents = weakref.ref(world.journal)

    # What its parent's thread does is not to be seen here: a child has none.
    buffer.after_fork_in_child()
    world.journal = ScriptedJournal()
    gc.collect()

    assert parents() is not None
    assert buffer.flush(0)
    world.journal.may.release()
    buffer.put(event("childs"))
    assert buffer.flush(PATIENCE)
    assert world.journal.transactions == [["childs"]]
