"""A walk along the keys: a transaction for each range of them, the next one above it; never by OFFSET."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, select, union_all

from skene_dagster.errors import StoreTooLarge

LEAST = 100
"""Keys of a range that is not cut any smaller."""


@dataclass(frozen=True)
class Span:
    """A range of keys: above `low`, up to and with `high`; None is no limit."""

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
    """Find the key that ends a range: so that none of some SELECTs of keys has more than about `size` rows in it.

    Returns:
        None: all the rest is one range.
    """
    pages = union_all(*(_nth(keys, low, size) for keys in counted)).subquery()
    # The smallest is found by the database: only it knows the order of its keys.
    return connection.execute(select(func.min(pages.c.high)).where(pages.c.n == size)).scalar()


def walk(write: Callable[[Any, int], object | None], size: int) -> None:
    """Write range after range, and smaller ones from where the database says that one is too large.

    Args:
        write: writes what lies above a key (None: from the first) in one transaction, in a range of about so many
            keys; returns the key that ends it, None where nothing is left.

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


def _nth(keys: Select[Any], low: object, size: int) -> Any:
    (key,) = keys.selected_columns
    found = keys.with_only_columns(key.label("k"), maintain_column_froms=True)
    page = found.where(key.is_not(None), Span(low).of(key)).order_by(key).limit(size).subquery()
    return select(func.max(page.c.k).label("high"), func.count().label("n")).select_from(page)
