"""Whether the database answers and has the right tables; checked at most once a second, however often it is probed."""

import asyncio
import logging
from collections.abc import Callable

from skene_dagster.errors import SchemaOutdated, SkeneError
from skene_dagster.tracking.throttled_log import Kind, ThrottledLog

NOT_READY = Kind(logging.ERROR, "The database is not ready ({many} probes). {words}")

FRESH = 1.0
"""Seconds for which an answer holds."""

PATIENCE = 2.0
"""Seconds after which a database that has not answered is not ready."""

_NO_TABLES = "The skene_* tables are missing, or of another release."


class Readiness:
    """The last answer, and the check in progress."""

    def __init__(self, is_ready: Callable[[], bool], log: ThrottledLog) -> None:
        self._is_ready = is_ready
        self._log = log
        self._asked_at = float("-inf")
        self._answer: asyncio.Future[str] | None = None

    async def lacks(self) -> str:
        """Say what is missing, if anything. It names no host and no user, because anyone may probe."""
        loop = asyncio.get_running_loop()
        if self._answer is None or (self._answer.done() and loop.time() - self._asked_at > FRESH):
            self._asked_at = loop.time()
            self._answer = loop.run_in_executor(None, self._ask)
        await asyncio.wait({self._answer}, timeout=PATIENCE)
        return self._answer.result() if self._answer.done() else "The database does not answer."

    def _ask(self) -> str:
        try:
            return "" if self._is_ready() else _NO_TABLES
        except SchemaOutdated:
            return _NO_TABLES
        except SkeneError as error:
            self._log.note(NOT_READY, 1, " ".join(str(error).split()))
            self._log.tell()
            return "The database does not answer."
