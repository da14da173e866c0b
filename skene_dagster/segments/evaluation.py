"""The condition's answer for one tick: staged, compared with those who are inside, or refused in the author's words.

It is one transaction, unless its answer is too large for a transaction: then it is evaluated for one range of the users
key after the other, or, where no range can be evaluated alone, by the server's own way to write much (bulk DML). An
answer of which all enter is written into the history at once, by ranges.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, Select, Table, select, text
from sqlalchemy.exc import IntegrityError

from skene_dagster.durations import duration_text
from skene_dagster.errors import (
    Place,
    SegmentError,
    SegmentTimeout,
    StoreError,
    StoreTimeout,
    StoreTooLarge,
    StoreUnavailable,
)
from skene_dagster.segments import difference, staging
from skene_dagster.segments.conditions import Answer
from skene_dagster.segments.difference import Segment
from skene_dagster.settings import Keyed, Limits
from skene_dagster.store import staging_tables
from skene_dagster.store.engine import Clock, reading, users_table
from skene_dagster.store.failures import translated, words_of
from skene_dagster.store.key_ranges import Parts, Span, Write, in_the_first_way_that_fits
from skene_dagster.store.keys import as_text, common_key
from skene_dagster.store.leasing import leases
from skene_dagster.store.leasing.leases import Lease
from skene_dagster.store.server.capabilities import capabilities
from skene_dagster.store.server.limits import limited
from skene_dagster.store.subjects import subject_of


@dataclass(frozen=True)
class Condition:
    """What is evaluated, and where its author wrote it."""

    answer: Answer
    columns: tuple[str, ...]
    """The condition's own columns that are kept with a member."""
    place: Place
    timeout: timedelta
    """How long it may run."""
    word: str
    """What it selects: user, or account."""


@dataclass(frozen=True)
class Work:
    """One refresh on its way."""

    engine: Engine
    lease: Lease
    users: Keyed
    """The product's table whose rows it selects: the users table, or that of the accounts."""
    clock: Clock
    condition: Condition
    limits: Limits | None
    """None: any change is right."""
    chunk: int
    """Keys per transaction."""
    set_since: datetime | None
    """Members for whom `set` was written since this moment are expected to leave; None: nobody is."""
    members: int
    """How many are inside, as the last refresh counted them."""
    is_large: bool
    """The segment was so large that its condition is not evaluated in one statement."""

    @property
    def segment(self) -> Segment:
        return Segment(self.lease.name, subject_of(self.users).members)


@contextmanager
def staged(work: Work) -> Iterator[tuple[Table, int]]:
    """Evaluate the condition, once, into a staging table; yield it with its number of rows, and drop it.

    Raises:
        SegmentTimeout: it took too long.
        SegmentError: the condition cannot be evaluated, or returns a user more than once.
        StoreError: the database refused something of ours.
    """
    engine, condition = work.engine, work.condition
    with _in_the_authors_words(engine, condition):
        shape = reading(engine, lambda connection: _described(connection, condition))

    def create(connection: Connection) -> Table:
        key = common_key(connection, work.users)
        if key.is_integer and shape.is_float:
            raise SegmentError(
                "The condition's key is a floating-point number, which is not exact.",
                advice=f"Select the {condition.word}s key itself; it is {key.sql}.",
                place=condition.place,
            )
        may_be_null, with_attributes = shape.may_be_null, bool(condition.columns)
        return staging.create(connection, work.lease, key, may_be_null=may_be_null, with_attributes=with_attributes)

    with staging_tables.while_used(engine, create) as table:

        def write(connection: Connection, span: Span) -> int:
            return staging.fill(connection, table, condition.answer.rows, condition.columns, span)

        rows = _evaluated(work, write, [_keys(work.users)], in_parts=work.is_large)
        yield table, rows


@contextmanager
def compared(work: Work, answer: Table | None) -> Iterator[Table]:
    """Compare the condition's answer with those who are inside; yield the table of the changes, and drop it.

    Args:
        answer: where it is staged; None: the condition, which is plain, is asked itself, and no more is ever written
            than what it changes.

    Raises:
        SegmentTimeout: the condition took too long.
        SegmentError: it cannot be evaluated.
        StoreError: the database refused something of ours.
    """
    condition, segment = work.condition, work.segment

    def create(connection: Connection) -> Table:
        key = common_key(connection, work.users)
        return difference.create(connection, work.lease, key, with_attributes=bool(condition.columns))

    with staging_tables.while_used(work.engine, create) as changes:

        def write(connection: Connection, span: Span) -> int:
            asked = staging.selected(connection, condition.answer.rows, condition.columns) if answer is None else answer
            return difference.find(connection, segment, changes, asked, span, set_since=work.set_since)

        inside = difference.keys_inside(segment)
        if answer is None:
            _evaluated(work, write, [_keys(work.users), inside], in_parts=work.is_large)
        else:
            parts = Parts(work.engine, write, [select(answer.c.user_id), inside], work.chunk)
            in_the_first_way_that_fits([parts.by_ranges] if work.is_large else [parts.at_once, parts.by_ranges])
        yield changes


def enter_all(work: Work) -> None:
    """Write an answer from the users table alone into the history of a segment in which nobody is.

    Raises:
        SegmentBusy: another run refreshes the segment.
        SegmentTimeout, SegmentError, StoreError: as `compared` does. The next refresh takes back what was written.
    """
    condition = work.condition
    reading(work.engine, lambda connection: common_key(connection, work.users))

    def write(connection: Connection, span: Span) -> int:
        leases.keep(connection, work.lease, work.clock(), writes=True)
        entering = staging.selected(connection, condition.answer.rows, condition.columns)
        return difference.write_entries(
            connection, work.segment, entering, work.lease.as_of, span, known=None, any_inside=False
        )

    _evaluated(work, write, [_keys(work.users)], in_parts=True)


def count_without_user(work: Work) -> int:
    """Count the rows of a plain condition whose key is NULL.

    Raises:
        SegmentTimeout, SegmentError, StoreError: as `compared` does.
    """
    condition = work.condition

    def count(connection: Connection) -> int:
        with in_time(connection, condition.timeout, condition.place):
            return staging.count_without_user(connection, condition.answer.rows)

    with _in_the_authors_words(work.engine, condition):
        return reading(work.engine, count)


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
            f"The condition took longer than its timeout of {duration_text(timeout)} and was stopped.",
            advice="Look at its plan (EXPLAIN) and see whether an index would help, or give it a longer `timeout`.",
            place=place,
        ) from error


def _keys(users: Keyed) -> Select[Any]:
    return select(users_table(users).c[users.key])


def _described(connection: Connection, condition: Condition) -> staging.Answer:
    with in_time(connection, condition.timeout, condition.place):
        return staging.describe(connection, condition.answer.rows)


def _evaluated(work: Work, write: Write, keys: Sequence[Select[Any]], *, in_parts: bool) -> int:
    """Write what the condition says, in one transaction if that fits, or in parts; return how many rows."""
    engine, condition = work.engine, work.condition
    begun = time.monotonic()

    def in_its_time(connection: Connection, span: Span) -> int:
        spent = timedelta(seconds=time.monotonic() - begun)
        with in_time(connection, condition.timeout, condition.place, spent=spent):
            return write(connection, span)

    parts = Parts(engine, in_its_time, keys, work.chunk)
    ways: list[Callable[[], int]] = [parts.at_once]
    if condition.answer.by_key:
        ways.append(parts.by_ranges)
    elif "bulk DML" in capabilities(engine).has:
        ways.append(lambda: _in_bulk(engine, in_its_time))
    with _in_the_authors_words(engine, condition):
        try:
            return in_the_first_way_that_fits(ways[-1:] if in_parts else ways)
        except StoreTooLarge as refused:
            raise SegmentError(
                f"The condition selects more than one transaction can hold here: {words_of(refused)}.",
                advice=f"Select the {condition.word}s' keys without UNION, LIMIT or a window function: then they are "
                "read in parts. Or raise tidb_mem_quota_query for this database user.",
                place=condition.place,
            ) from refused


def _in_bulk(engine: Engine, write: Write) -> int:
    with translated(), engine.connect() as plain:
        # TiDB, 2026-11: it is for a statement that is its own transaction.
        connection = plain.execution_options(isolation_level="AUTOCOMMIT")
        connection.execute(text("SET SESSION tidb_dml_type = 'bulk'"))
        try:
            return write(connection, Span())
        finally:
            # Whoever were given this session next would write in bulk, too.
            connection.invalidate()


@contextmanager
def _in_the_authors_words(engine: Engine, condition: Condition) -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        key = reading(engine, lambda connection: staging.twice(connection, condition.answer.rows))
        one = "an account" if condition.word == "account" else "a user"
        raise SegmentError(
            f"The condition returns {one} more than once, {_for_example(key, error)}.",
            advice=f"Select each {condition.word} once: with DISTINCT, GROUP BY, or EXISTS in place of a join.",
            place=condition.place,
        ) from error
    except StoreUnavailable:
        raise
    except StoreError as error:
        raise SegmentError(
            f"The condition cannot be evaluated: {words_of(error)}.", advice=error.advice, place=condition.place
        ) from error


def _for_example(key: object, error: IntegrityError) -> str:
    """Name a key; not one that is a text, which may be an address or a name, for messages stay in run logs."""
    if key is None:
        return f"as its key's type has it: {words_of(error)}"
    if isinstance(key, str):
        return f"for example the one whose key begins with {key[:1]!r}"
    return f"for example {as_text(key)}"
