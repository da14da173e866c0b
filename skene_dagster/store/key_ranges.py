"""Ranges of keys: a transaction for each, the next one above it; never by OFFSET."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Select, and_, func, select, union_all

from skene_dagster.errors import StoreTooLarge
from skene_dagster.store.engine import transaction

LEAST = 100
"""The fewest keys of a range; it is not divided further."""


@dataclass(frozen=True)
class Span:
    """A range of keys: above `low`, up to and including `high`; None means no limit."""

    low: Any = None
    high: Any = None

    def of(self, key: ColumnElement[Any]) -> ColumnElement[bool]:
        """Say that a key is inside the range."""
        limits = []
        if self.low is not None:
            limits.append(key > self.low)
        if self.high is not None:
            limits.append(key <= self.high)
        return and_(True, *limits)


def end(connection: Connection, counted: Iterable[Select[Any]], low: object, size: int) -> object | None:
    """Find the key that ends a range, so that none of these SELECTs of keys has more than about `size` rows in it.

    Returns:
        None: the rest is one range.
    """
    pages = union_all(*(_nth(keys, low, size) for keys in counted)).subquery()
    # The smallest is found by the database: only it knows the order of its keys.
    return connection.execute(select(func.min(pages.c.high)).where(pages.c.n == size)).scalar()


def walk(write: Callable[[Any, int], object | None], size: int) -> None:
    """Write range after range, and smaller ones from where the database says that one is too large.

    Args:
        write: writes what is above a key (None: from the first) in one transaction, in a range of about so many
            keys; returns the key that ends it, None if nothing is left.

    Raises:
        StoreTooLarge: even LEAST keys are too many.
    """
    low: object | None = None
    while True:
        try:
            low = write(low, size)
        except StoreTooLarge:
            if size <= LEAST:
                raise
            size = max(LEAST, size // 4)
        else:
            if low is None:
                return


Write = Callable[[Connection, Span], int]
"""Writes what belongs to a range of keys; returns how many rows."""


@dataclass(frozen=True)
class Parts:
    """What is written, and the keys by which it can be divided."""

    engine: Engine
    write: Write
    keys: Sequence[Select[Any]]
    size: int
    """Keys of a range."""

    def at_once(self) -> int:
        """Write all of it in one transaction; return how many rows."""
        return transaction(self.engine, lambda connection: self.write(connection, Span()))

    def by_ranges(self) -> int:
        """Write one range after the other; return how many rows."""
        rows = 0

        def write(low: object | None, size: int) -> object | None:
            def part(connection: Connection) -> tuple[object | None, int]:
                high = end(connection, self.keys, low, size)
                return high, self.write(connection, Span(low, high))

            nonlocal rows
            high, written = transaction(self.engine, part)
            rows += written
            return high

        walk(write, self.size)
        return rows


def in_the_first_way_that_fits(ways: Sequence[Callable[[], int]]) -> int:
    """Write in the first way that is not too large for the database; return how many rows.

    Raises:
        StoreTooLarge: even the last way is.
    """
    for way in ways[:-1]:
        try:
            return way()
        except StoreTooLarge:
            continue
    return ways[-1]()


def _nth(keys: Select[Any], low: object, size: int) -> Any:
    (key,) = keys.selected_columns
    found = keys.with_only_columns(key.label("k"), maintain_column_froms=True)
    page = found.where(key.is_not(None), Span(low).of(key)).order_by(key).limit(size).subquery()
    return select(func.max(page.c.k).label("high"), func.count().label("n")).select_from(page)
