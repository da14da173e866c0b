"""The condition's answer for one tick: evaluated into a staging table, or refused in the author's words.

It is one statement, unless its answer is too large for a transaction: then it is evaluated for one range of the users
key after the other, or, where no range can be evaluated alone, by the server's own way to write much (bulk DML).
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import Connection, Engine, Subquery, Table, select, text
from sqlalchemy.exc import IntegrityError

from skene_dagster.audience import staging
from skene_dagster.audience.turn import Turn
from skene_dagster.audience.walk import Span, end, walk
from skene_dagster.documents import duration_text
from skene_dagster.errors import (
    Place,
    SegmentError,
    SegmentTimeout,
    StoreError,
    StoreTimeout,
    StoreTooLarge,
    StoreUnavailable,
)
from skene_dagster.settings import Users
from skene_dagster.store.capabilities import capabilities
from skene_dagster.store.engine import reading, transaction, users_table
from skene_dagster.store.failures import translated, words_of
from skene_dagster.store.keys import common_key
from skene_dagster.store.limits import limited


@dataclass(frozen=True)
class Condition:
    """What is evaluated, and where its author wrote it."""

    answer: Subquery
    columns: tuple[str, ...]
    """The condition's own columns that are kept with a member."""
    place: Place
    timeout: timedelta
    """How long it may run."""
    by_key: bool
    """It may be evaluated for some users alone."""


@contextmanager
def evaluated(
    engine: Engine, condition: Condition, users: Users, turn: Turn, *, is_large: bool, chunk: int
) -> Iterator[tuple[Table, int]]:
    """Evaluate the condition, once, into a staging table; yield it with its number of rows, and drop it.

    Args:
        is_large: it need not be tried whether the answer fits into a transaction.
        chunk: users of a range that is evaluated alone.

    Raises:
        SegmentTimeout: it took too long.
        SegmentError: the condition cannot be evaluated, or returns a user more than once.
        StoreError: the database refused something of ours.
    """
    with _in_the_authors_words(engine, condition):
        shape = reading(engine, lambda connection: _described(connection, condition))

    def create(connection: Connection) -> Table:
        key = common_key(connection, users)
        if key.is_integer and shape.is_float:
            raise SegmentError(
                "The condition's key is a floating-point number, which is not exact.",
                advice=f"Select the users key itself; it is {key.sql}.",
                place=condition.place,
            )
        may_be_null, with_attributes = shape.may_be_null, bool(condition.columns)
        return staging.create(connection, turn, key, may_be_null=may_be_null, with_attributes=with_attributes)

    table = transaction(engine, create)
    try:
        with _in_the_authors_words(engine, condition):
            rows = _filled(_Filling(engine, table, condition, users, chunk), is_large=is_large)
        yield table, rows
    finally:
        # What cannot be dropped now is dropped by the next refresh.
        with suppress(StoreError):
            transaction(engine, lambda connection: staging.drop(connection, table))


@contextmanager
def in_time(
    connection: Connection, timeout: timedelta, place: Place, *, spent: timedelta = timedelta(0)
) -> Iterator[None]:
    """Have the block stopped in the database when it takes longer than is left of the condition's timeout.

    Raises:
        SegmentTimeout: it did.
    """
    try:
        with limited(connection, max(timeout - spent, timedelta(0))):
            yield
    except StoreTimeout as error:
        raise SegmentTimeout(
            f"The condition took longer than its timeout of {duration_text(timeout)}. It was stopped, and nothing was "
            "written.",
            advice="Look at its plan (EXPLAIN), and whether an index would help; or give it a longer `timeout`.",
            place=place,
        ) from error


def _described(connection: Connection, condition: Condition) -> staging.Answer:
    with in_time(connection, condition.timeout, condition.place):
        return staging.describe(connection, condition.answer)


@dataclass(frozen=True)
class _Filling:
    """A staging table that is being filled."""

    engine: Engine
    table: Table
    condition: Condition
    users: Users
    chunk: int
    begun: float = field(default_factory=time.monotonic)

    def fill(self, connection: Connection, span: Span | None = None) -> int:
        condition, spent = self.condition, timedelta(seconds=time.monotonic() - self.begun)
        with in_time(connection, condition.timeout, condition.place, spent=spent):
            return staging.fill(connection, self.table, condition.answer, condition.columns, span)

    def at_once(self) -> int:
        return transaction(self.engine, self.fill)

    def by_ranges(self) -> int:
        keys = select(users_table(self.users).c[self.users.key])
        rows = 0

        def write(low: object | None, size: int) -> object | None:
            def part(connection: Connection) -> tuple[object | None, int]:
                high = end(connection, [keys], low, size)
                return high, self.fill(connection, Span(low, high))

            nonlocal rows
            high, written = transaction(self.engine, part)
            rows += written
            return high

        walk(write, self.chunk)
        return rows

    def in_bulk(self) -> int:
        with translated(), self.engine.connect() as plain:
            # TiDB, 2026-11: it is for a statement that is its own transaction.
            connection = plain.execution_options(isolation_level="AUTOCOMMIT")
            connection.execute(text("SET SESSION tidb_dml_type = 'bulk'"))
            try:
                return self.fill(connection)
            finally:
                # Whoever were given this session next would write in bulk, too.
                connection.invalidate()


def _filled(filling: _Filling, *, is_large: bool) -> int:
    ways: list[Callable[[], int]] = [filling.at_once]
    if filling.condition.by_key:
        ways.append(filling.by_ranges)
    elif "bulk DML" in capabilities(filling.engine).has:
        ways.append(filling.in_bulk)
    for way in ways[-1:] if is_large else ways:
        try:
            return way()
        except StoreTooLarge as error:
            refused = error
    raise SegmentError(
        f"The condition selects more than one transaction may hold here: {words_of(refused)}.",
        advice="Select the users' keys without UNION, LIMIT or a window function: then they are taken in parts. "
        "Or raise tidb_mem_quota_query for this database user.",
        place=filling.condition.place,
    ) from refused


@contextmanager
def _in_the_authors_words(engine: Engine, condition: Condition) -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        key = reading(engine, lambda connection: staging.twice(connection, condition.answer))
        raise SegmentError(
            f"The condition returns a user more than once, {_for_example(key, error)}.",
            advice="Select each user once: with DISTINCT, GROUP BY, or EXISTS in place of a join.",
            place=condition.place,
        ) from error
    except StoreUnavailable:
        raise
    except StoreError as error:
        raise SegmentError(f"The condition cannot be evaluated: {words_of(error)}.", place=condition.place) from error


def _for_example(key: object, error: IntegrityError) -> str:
    """Name a key; one that is an address not entirely, for messages stay in run logs."""
    if key is None:
        return f"as its key's type has it: {words_of(error)}"
    shown = key.hex() if isinstance(key, bytes) else str(key)
    return f"for example {shown[:1]}…@…" if "@" in shown else f"for example {shown}"
