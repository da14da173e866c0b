"""A write that is one transaction, or, where that would be too large, one for each range of the keys."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Select

from skene_dagster.audience.walk import Span, end, walk
from skene_dagster.errors import StoreTooLarge
from skene_dagster.store.engine import transaction

Write = Callable[[Connection, Span], int]
"""Writes what belongs to a range of keys; returns how many rows."""


@dataclass(frozen=True)
class Parts:
    """What is written, and along which keys it can be cut."""

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
    """Write in one of some ways, each for what is too large for the one before; return how many rows.

    Raises:
        StoreTooLarge: it is, even for the last.
    """
    for way in ways[:-1]:
        try:
            return way()
        except StoreTooLarge:
            continue
    return ways[-1]()
