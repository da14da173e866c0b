"""The condition's answer for one tick: evaluated into a staging table, or refused in the author's words."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection, Engine, Subquery, Table
from sqlalchemy.exc import IntegrityError

from skene_dagster.audience import staging
from skene_dagster.audience.turn import Turn
from skene_dagster.documents import duration_text
from skene_dagster.errors import Place, SegmentError, SegmentTimeout, StoreError, StoreTimeout, StoreUnavailable
from skene_dagster.settings import Users
from skene_dagster.store.engine import transaction
from skene_dagster.store.failures import words_of
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


@contextmanager
def evaluated(engine: Engine, condition: Condition, users: Users, turn: Turn) -> Iterator[tuple[Table, int]]:
    """Evaluate the condition, once, into a staging table; yield it with its number of rows, and drop it.

    Raises:
        SegmentTimeout: it took too long.
        SegmentError: the condition cannot be evaluated, or returns a user more than once.
        StoreError: the database refused something of ours.
    """
    with _in_the_authors_words(engine, condition):
        shape = transaction(engine, lambda connection: _described(connection, condition))

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
            rows = transaction(engine, lambda connection: _filled(connection, table, condition))
        yield table, rows
    finally:
        # What cannot be dropped now is dropped by the next refresh.
        with suppress(StoreError):
            transaction(engine, lambda connection: staging.drop(connection, table))


@contextmanager
def in_time(connection: Connection, timeout: timedelta, place: Place) -> Iterator[None]:
    """Have the block stopped in the database when it takes longer than the condition's timeout.

    Raises:
        SegmentTimeout: it did.
    """
    try:
        with limited(connection, timeout):
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


def _filled(connection: Connection, table: Table, condition: Condition) -> int:
    with in_time(connection, condition.timeout, condition.place):
        return staging.fill(connection, table, condition.answer, condition.columns)


@contextmanager
def _in_the_authors_words(engine: Engine, condition: Condition) -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        key = transaction(engine, lambda connection: staging.twice(connection, condition.answer))
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
