"""Group commit: everything that requests want to write during one transaction goes into the next.

A request is answered when what it told is committed. One thread writes, so that there is one transaction at a time.
"""

import asyncio
import logging
import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import anyio

from skene_dagster.errors import EventRefused, SkeneError
from skene_dagster.tracking.throttled_log import LOG, Kind, ThrottledLog
from skene_dagster.web.limits import Limits
from skene_dagster.web.refusals import Refusal, busy, unavailable

UNWRITTEN = Kind(logging.ERROR, "Requests answered with 503, because nothing can be written: {many}. {words}")

CLOSE_SECONDS = 5.0
"""Seconds for a transaction that is still running when nobody waits for its answer any more."""

Refused = dict[int, EventRefused]
"""The events of a request that the database refused, by position."""

Item = TypeVar("Item")


@dataclass
class _Waiting(Generic[Item]):
    items: Sequence[Item]
    answer: "asyncio.Future[Refused]"
    outcome: Refused | Refusal = field(default_factory=dict)


class Commits(Generic[Item]):
    """A writer; made and used in its process's event loop.

    Args:
        store: commits events, and returns those that the database refuses, by position.
        away: what clients are told while the database takes nothing.
    """

    def __init__(
        self, store: Callable[[Sequence[Item]], Refused], limits: Limits, log: ThrottledLog, *, away: str
    ) -> None:
        self._store = store
        self._limits = limits
        self._log = log
        self._away = away
        self._loop = asyncio.get_running_loop()
        self._events = 0
        self._queue: queue.SimpleQueue[_Waiting[Item] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="skene_dagster.web", daemon=True)
        self._thread.start()

    async def commit(self, items: Sequence[Item]) -> Refused:
        """Wait until the events are committed, together with those of others; return those that were refused.

        Raises:
            Refusal: too many are waiting, the database refuses them, or it takes too long (the outcome is unknown).
        """
        if self._events + len(items) > self._limits.waiting_events:
            raise busy()
        waiting = _Waiting(items, self._loop.create_future())
        self._events += len(items)
        self._queue.put(waiting)
        try:
            with anyio.fail_after(self._limits.answer_seconds):
                return await waiting.answer
        except TimeoutError:
            raise unavailable(self._away) from None

    async def close(self) -> None:
        """Commit what waits, and end the thread. It does not wait for a hanging database: all clients are answered."""
        self._queue.put(None)
        await self._loop.run_in_executor(None, self._thread.join, CLOSE_SECONDS)

    def _run(self) -> None:
        going_on = True
        while going_on:
            group, going_on = self._group()
            try:
                self._write(group)
            except SkeneError as error:
                # Those behind them would fail as well; they are answered at once, not each after its own timeout.
                rest, more = self._group(everything=True)
                group += rest
                going_on &= more
                self._log.note(UNWRITTEN, len(group), " ".join(str(error).split()))
                self._log.tell()
                for waiting in group:
                    waiting.outcome = unavailable(self._away)
            except Exception:  # noqa: BLE001 - a thread that dies would leave all requests without an answer
                LOG.exception("Events could not be written, for an unexpected reason.")
                for waiting in group:
                    waiting.outcome = unavailable(self._away)
            with suppress(RuntimeError):  # the loop is over, and nobody waits any more
                self._loop.call_soon_threadsafe(self._settle, group)

    def _group(self, *, everything: bool = False) -> tuple[list[_Waiting[Item]], bool]:
        """Take what waits, one request at least unless it is all that there is; False if it is the last."""
        group: list[_Waiting[Item]] = []
        size = 0
        with suppress(queue.Empty):
            while everything or size < self._limits.commit_events:
                waiting = self._queue.get(block=not group and not everything)
                if waiting is None:
                    return group, False
                group.append(waiting)
                size += len(waiting.items)
        return group, True

    def _write(self, group: list[_Waiting[Item]]) -> None:
        if not group:
            return
        refused = self._store([one for waiting in group for one in waiting.items])
        start = 0
        for waiting in group:
            end = start + len(waiting.items)
            waiting.outcome = {place - start: why for place, why in refused.items() if start <= place < end}
            start = end

    def _settle(self, group: list[_Waiting[Item]]) -> None:
        for waiting in group:
            self._events -= len(waiting.items)
            if waiting.answer.done():
                continue
            if isinstance(waiting.outcome, Refusal):
                waiting.answer.set_exception(waiting.outcome)
            else:
                waiting.answer.set_result(waiting.outcome)
