"""Hearing recipients: what they said is in the database before they are answered, or on disk until it can be.

Two threads write, each for all who wait; a third writes to the database what is on disk, until nothing is. None of them
is the event loop's.
"""

import asyncio
import logging
import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone

import anyio
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from skene_dagster.consent.spool.choices import Choices
from skene_dagster.consent.spool.draining import drain, record
from skene_dagster.consent.spool.spool import AT_ONCE, Spool
from skene_dagster.errors import SkeneError
from skene_dagster.store.engine import Clock, database_clock
from skene_dagster.tracking.throttled_log import LOG, Kind, ThrottledLog

KEPT = Kind(logging.WARNING, "{many} answers of recipients were kept on disk: the database did not take them. {words}")
LOST = Kind(logging.ERROR, "{many} answers of recipients were refused (503): they can be kept nowhere. {words}")
WAITS = Kind(logging.ERROR, "What recipients answer is kept on disk until the database takes it. {words}")

ANSWER_SECONDS = 3.0
"""For the database; after that what somebody said is kept on disk, and is written to the database once more."""

_EVERY = 1.0
_AT_MOST = 5.0
"""Seconds between two looks at what waits: at first, and while the database stays away."""

CLOSE_SECONDS = 5.0


class NotKept(Exception):
    """What they said could be kept nowhere."""


class Hearing:
    """What hears the recipients in one process; made and used in its event loop."""

    def __init__(self, engine: Engine, spool: Spool, log: ThrottledLog) -> None:
        self._engine = engine
        self._spool = spool
        self._log = log
        self._clock: Clock | None = None
        self.is_away = False
        """Whether the database did not answer last."""
        self._ends = threading.Event()
        self._database = _Group("skene_dagster.web.database", self._record)
        self._disk = _Group("skene_dagster.web.disk", spool.add)
        self._drainer = threading.Thread(target=self._drain, name="skene_dagster.web.drain", daemon=True)
        self._drainer.start()

    def now(self) -> datetime:
        """Return the time by the database's clock; by this machine's until it is known."""
        if self._clock is None:
            return datetime.now(timezone.utc).replace(tzinfo=None)
        return self._clock()

    async def hear(self, choices: Choices) -> None:
        """Wait until what they said cannot be lost any more.

        Raises:
            NotKept: the database is away, and the disk does not take it.
        """
        if not self.is_away:
            try:
                with anyio.fail_after(ANSWER_SECONDS):
                    await self._database.put(choices)
            except TimeoutError:
                self._log.note(KEPT, 1, "It does not answer.")
            except (SkeneError, IntegrityError) as error:
                self._log.note(KEPT, 1, _words(error))
            else:
                return
            self.is_away = True
        try:
            await self._disk.put(choices)
        except OSError as error:
            self._log.note(LOST, 1, f"{error.strerror}.")
            self._log.tell()
            raise NotKept from None
        self._log.tell()

    async def close(self) -> None:
        """End the threads. Nobody waits any more, so nothing is lost that was promised."""
        self._ends.set()
        loop = asyncio.get_running_loop()
        for thread in (self._database.end(), self._disk.end(), self._drainer):
            await loop.run_in_executor(None, thread.join, CLOSE_SECONDS)

    def _record(self, group: Sequence[Choices]) -> None:
        record(self._engine, group, self.now)

    def _drain(self) -> None:
        wait = 0.0
        while not self._ends.wait(wait):
            try:
                self._look()
            except (SkeneError, IntegrityError) as error:
                self._log.note(WAITS, 1, _words(error))
                self._log.tell()
                wait = min(max(_EVERY, 2 * wait), _AT_MOST)
            except Exception:  # noqa: BLE001 - a thread that dies would leave what waits to nobody
                LOG.exception("What waits could not be written to the database, for an unexpected reason.")
                wait = _AT_MOST
            else:
                wait = _EVERY

    def _look(self) -> None:
        if self._clock is None or self.is_away:
            # It answers again, if it does.
            self._clock = database_clock(self._engine)
        drain(self._engine, self._spool, self.now, patience=_EVERY)
        self.is_away = False


def _words(error: Exception) -> str:
    return " ".join(str(error).split()) if isinstance(error, SkeneError) else "Other processes write the same."


@dataclass
class _Put:
    choices: Choices
    done: "asyncio.Future[None]"


class _Group:
    """A thread that does for all who wait what each of them waits for."""

    def __init__(self, name: str, work: Callable[[Sequence[Choices]], None]) -> None:
        self._work = work
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[_Put | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    async def put(self, choices: Choices) -> None:
        """Wait until it is done; raises what the work raised."""
        one = _Put(choices, self._loop.create_future())
        self._queue.put(one)
        await one.done

    def end(self) -> threading.Thread:
        """Do what waits, and end."""
        self._queue.put(None)
        return self._thread

    def _run(self) -> None:
        going_on = True
        while going_on:
            group, going_on = self._next()
            error: Exception | None = None
            try:
                if group:
                    self._work([one.choices for one in group])
            except Exception as raised:  # noqa: BLE001 - each who waits is told
                error = raised
            with suppress(RuntimeError):  # the loop is over, and nobody waits any more
                self._loop.call_soon_threadsafe(_settle, group, error)

    def _next(self) -> tuple[list[_Put], bool]:
        group: list[_Put] = []
        with suppress(queue.Empty):
            while len(group) < AT_ONCE:
                one = self._queue.get(block=not group)
                if one is None:
                    return group, False
                group.append(one)
        return group, True


def _settle(group: Sequence[_Put], error: Exception | None) -> None:
    for one in group:
        if one.done.done():
            continue
        if error is None:
            one.done.set_result(None)
        else:
            one.done.set_exception(error)
