"""Events that are not yet written, and the one thread of a process that writes them.

A caller waits for nobody: the queue is a deque, whose operations are atomic in the interpreter, and all locks are
between the writer and a fork. A forked child starts with an empty buffer and a thread of its own; events queued before
the fork stay with the parent.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from skene_dagster.behaviour.event import Event
from skene_dagster.errors import EventRefused, SkeneError
from skene_dagster.tracking.throttled_log import Kind, Tally, ThrottledLog

if TYPE_CHECKING:
    from skene_dagster.behaviour.events import Journal

LIMIT = 10_000
"""The most events that wait to be written; with properties of 32 kB each they would take 320 MB."""

BATCH = 500
"""Events that are written in one transaction."""

EVERY = 1.0
"""Seconds that an event waits for others to be written with it."""

FIRST_PAUSE = 0.5
"""Seconds between the first attempt to write and the next; each pause is twice as long as the one before."""

LONGEST_PAUSE = 30.0
"""Seconds between two attempts to write, when many have failed."""

FORK_SECONDS = 1.0
"""How long a fork waits for the batch that is being written."""

DROPPED = Kind(logging.ERROR, "{many} events were dropped: more than {words} were waiting to be written.")
REFUSED = Kind(logging.WARNING, "Events refused: {many}. The last one: {words}")
UNWRITTEN = Kind(logging.ERROR, "Events cannot be written ({many} attempts); they are kept. {words}")
LOST = Kind(logging.ERROR, "{many} events were not written before the process ended.")


class Buffer:
    """The events of this process on their way into the database."""

    def __init__(
        self, open_journal: Callable[[], "Journal"], *, limit: int = LIMIT, batch: int = BATCH, every: float = EVERY
    ) -> None:
        self._open_journal = open_journal
        self._limit = limit
        self._limit_in_words = f"{limit:,}"
        self._batch = batch
        self._every = every
        self._inherited: object = None
        self._begin()

    def _begin(self) -> None:
        self._queue: deque[Event | threading.Event] = deque()
        """Events, and between them callers of `flush`, who wait until the events before them are written."""
        self._in_hand = 0
        self._wake = threading.Event()
        self._urgent = threading.Event()
        self._closed = False
        self._dropped, self._refused = Tally(), Tally()
        self._log = ThrottledLog()
        self._journal: Journal | None = None
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._working = threading.RLock()

    def put(self, event: Event) -> None:
        """Take an event; drop it if too many are waiting."""
        if len(self._queue) >= self._limit:
            self._dropped.add(self._limit_in_words)
        else:
            self._queue.append(event)
        self._go(urgent=len(self._queue) >= self._batch)

    def refuse(self, reason: str) -> None:
        """Count an event that cannot be stored; the log will say why, for the last one."""
        self._refused.add(reason)
        self._go(urgent=False)

    def flush(self, timeout: float) -> bool:
        """Wait until all events so far are written or refused, at most so many seconds; return whether they are."""
        if self._thread is None and not self._queue:
            return True
        written = threading.Event()
        self._queue.append(written)
        self._urgent.set()
        self._go(urgent=True)
        return written.wait(timeout)

    def close(self, timeout: float) -> None:
        """Flush, log what was lost, and end the thread; events put from now on are lost."""
        if self._closed:
            return
        flushed = self.flush(timeout)
        self._closed = True
        self._wake.set()
        self._urgent.set()
        if flushed and self._thread is not None:
            self._thread.join(timeout)
        self._log.note(LOST, 0 if flushed else self._waiting())
        self._tell(at_once=True)

    def before_fork(self) -> None:
        """Let the current batch finish, and leave the child no connection that is in use here."""
        if self._working.acquire(timeout=FORK_SECONDS) and self._journal is not None:
            with suppress(Exception):
                self._journal.close()

    def after_fork_in_parent(self) -> None:
        """Let the thread go on."""
        # Not ours: it was not acquired in time.
        with suppress(RuntimeError):
            self._working.release()

    def after_fork_in_child(self) -> None:
        """Start over."""
        # Never to be collected: closing the parent's connection would send something on it.
        self._inherited = (self._inherited, self._journal, self._thread)
        self._begin()

    def _go(self, *, urgent: bool) -> None:
        if self._thread is None:
            self._start()
        if urgent and not self._wake.is_set():
            self._wake.set()

    def _start(self) -> None:
        if self._closed or not self._starting.acquire(blocking=False):
            return
        try:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="skene_dagster.track", daemon=True)
                thread.start()
                self._thread = thread
        except RuntimeError:
            # The system has no thread left, or the interpreter is ending; the next event tries again.
            pass
        finally:
            self._starting.release()

    def _run(self) -> None:
        while not self._closed:
            self._wake.wait(self._every)
            self._wake.clear()
            while self._queue and not self._closed:
                self._write_next()
            self._tell()
        if self._journal is not None:
            self._journal.close()

    def _write_next(self) -> None:
        batch: list[Event] = []
        waits: threading.Event | None = None
        while self._queue and waits is None and len(batch) < self._batch:
            item = self._queue.popleft()
            if isinstance(item, Event):
                batch.append(item)
            else:
                waits = item
            self._in_hand = len(batch)
        if batch and not self._write(batch):
            return
        self._in_hand = 0
        if waits is not None:
            waits.set()

    def _write(self, batch: list[Event]) -> bool:
        """Write a batch, however many attempts it takes; False if the buffer was closed first."""
        pause = FIRST_PAUSE
        while not self._closed:
            try:
                with self._working:
                    self._store(batch)
            except Exception as error:  # noqa: BLE001 - a thread that dies would lose all that comes
                words = " ".join(str(error).split()) if isinstance(error, SkeneError) else type(error).__name__
                self._log.note(UNWRITTEN, 1, words)
                self._tell()
            else:
                return True
            if self._urgent.wait(pause):
                self._urgent.clear()
                pause = FIRST_PAUSE
            else:
                pause = min(2 * pause, LONGEST_PAUSE)
        return False

    def _store(self, batch: list[Event]) -> None:
        if self._journal is None:
            self._journal = self._open_journal()
        now = self._journal.now()
        fitted = []
        refusals = []
        for event in batch:
            try:
                fitted.append(self._journal.fit(event, now))
            except EventRefused as refused:
                refusals.append(refused)
            except Exception as error:  # noqa: BLE001 - a user's id may be of a class of the product's
                refusals.append(EventRefused(f"It could not be read ({type(error).__name__})."))
        if fitted:
            refusals.extend(self._journal.store(fitted).values())
        for refusal in refusals:
            self._refused.add(str(refusal))

    def _waiting(self) -> int:
        return self._in_hand + sum(isinstance(item, Event) for item in tuple(self._queue))

    def _tell(self, *, at_once: bool = False) -> None:
        self._log.note(DROPPED, *self._dropped.news())
        self._log.note(REFUSED, *self._refused.news())
        # A handler of the product's may raise anything.
        with suppress(Exception):
            self._log.tell(at_once=at_once)
