"""Which ops failed, and have not succeeded since. `status` runs where Dagster does not, so the database knows.

This module owns skene_failures.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import ColumnElement, Connection, Engine, and_, delete, insert, select, update

from skene_dagster.consent.writing import write
from skene_dagster.delivery.email.graphemes import cut
from skene_dagster.errors import (
    DeliveryError,
    DocumentError,
    NoClearance,
    NotCounted,
    RollupBusy,
    RollupOvertaken,
    SegmentBusy,
    SegmentImplausible,
    SegmentOvertaken,
    SegmentTimeout,
    SkeneError,
    SpoolError,
    StoreError,
)
from skene_dagster.store.engine import Clock, reading
from skene_dagster.store.tables import failures
from skene_dagster.wording import without_addresses

MAY_PASS = timedelta(minutes=15)
"""How long a failure that may pass by itself is nobody's problem: its op is tried again."""

LONGEST, LONGEST_TO_DO = 1000, 255
"""Characters of what is kept."""

_NO_PROBLEM = (NoClearance, RollupOvertaken, SegmentOvertaken)
"""The run was for a tick that another had overtaken, or an asset was run alone."""

_NAMES_NOBODY = (
    DeliveryError,
    DocumentError,
    NotCounted,
    RollupBusy,
    SegmentBusy,
    SegmentImplausible,
    SegmentTimeout,
    SpoolError,
)
"""Errors whose words have numbers and names of ours alone. What a database says may quote a user's row."""


@dataclass(frozen=True)
class Op:
    """An op of Dagster's. `loop` and `step` are empty for one that belongs to no loop."""

    loop: str
    step: str
    name: str


@dataclass(frozen=True)
class Failure:
    """An op that failed, and has not succeeded since."""

    op: Op
    failed_at: datetime
    """The first time in a row."""
    said: str
    to_do: str

    @property
    def words(self) -> str:
        """Say what failed, and why."""
        return f"its run fails: {self.said.rstrip('.')}"


@contextmanager
def noted(engine: Engine, op: Op, clock: Clock) -> Iterator[None]:
    """Note that an op fails, for as long as it does. Where the database is away, nothing is noted."""
    try:
        yield
    except _NO_PROBLEM:
        raise
    except Exception as error:
        put = partial(_put, op=op, error=error, now=clock())
        with suppress(StoreError):
            write(engine, put)
        raise
    # What was done is done: a database that goes away now fails nothing, and the next success is noted.
    with suppress(StoreError):
        if reading(engine, lambda connection: _is_there(connection, op)):
            write(engine, lambda connection: connection.execute(delete(failures).where(_of(op))))


def standing(connection: Connection, now: datetime) -> list[Failure]:
    """List what fails and does not pass by itself, the oldest first."""
    row = failures.c
    query = select(row.loop, row.step, row.op, row.failed_at, row.said, row.to_do).where(
        (row.may_pass == 0) | (row.failed_at <= now - MAY_PASS)
    )
    rows = connection.execute(query.order_by(row.failed_at, row.loop, row.step, row.op))
    return [Failure(Op(*row[:3]), *row[3:]) for row in rows]


def forget(connection: Connection, before: datetime) -> int:
    """Delete what failed before a moment, and has not run since."""
    return connection.execute(delete(failures).where(failures.c.failed_at < before)).rowcount


def _put(connection: Connection, op: Op, error: Exception, now: datetime) -> None:
    said, to_do, may_pass = _in_words(error)
    values = {"said": cut(said, LONGEST), "to_do": cut(to_do, LONGEST_TO_DO), "may_pass": int(may_pass)}
    if not _is_there(connection, op):
        connection.execute(insert(failures).values(loop=op.loop, step=op.step, op=op.name, failed_at=now, **values))
    else:
        connection.execute(update(failures).where(_of(op)).values(**values))


def _in_words(error: Exception) -> tuple[str, str, bool]:
    """Say what failed, what to do, and whether it may pass; nothing of it names a user."""
    look = "look at the run in Dagster"
    if not isinstance(error, SkeneError):
        return f"a failure that nobody foresaw ({type(error).__name__})", look, False
    if isinstance(error, _NAMES_NOBODY):
        message, advice = without_addresses(error.message), without_addresses(error.advice)
        # Of what is wrong in a file it is the place that matters.
        place = f"{error.place}: " if isinstance(error, DocumentError) and error.place is not None else ""
        return f"{place}{message}", f"{advice[:1].lower()}{advice[1:]}".rstrip(".") or look, error.retryable
    kind = "the database refused" if isinstance(error, StoreError) else "it cannot go on"
    return f"{kind} ({type(error).__name__})", look, error.retryable


def _is_there(connection: Connection, op: Op) -> bool:
    return connection.execute(select(failures.c.op).where(_of(op))).first() is not None


def _of(op: Op) -> ColumnElement[bool]:
    return and_(failures.c.loop == op.loop, failures.c.step == op.step, failures.c.op == op.name)
