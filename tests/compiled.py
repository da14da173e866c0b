"""Statements that SQLAlchemy has compiled, kept for all engines of a process instead of each one's own.

A test opens an engine or several, and would compile everything anew: two fifths of the time of the store's tests.
"""

from collections.abc import Iterator, MutableMapping
from typing import Any
from weakref import WeakKeyDictionary

import pytest
from sqlalchemy import Dialect, Engine

MOST = 3000
"""How many are kept: some of them have a hundred kilobytes."""
LONGEST = 10_000
"""Characters of one that is kept: lists of thousands are asked once."""


class Compiled(MutableMapping[Any, Any]):
    """What SQLAlchemy keeps by dialect and statement, where two dialects that are alike are the same."""

    def __init__(self) -> None:
        self._kept: dict[Any, Any] = {}
        self._numbers: dict[tuple[object, ...], int] = {}
        self._known: WeakKeyDictionary[Dialect, tuple[dict[str, Any], int]] = WeakKeyDictionary()

    def listen(self, patch: pytest.MonkeyPatch) -> None:
        """Give this to each engine that is made."""
        patch.setattr(Engine, "_execution_options", Engine._execution_options.union({"compiled_cache": self}))

    def __getitem__(self, key: Any) -> Any:
        return self._kept[self._alike(key)]

    def __setitem__(self, key: Any, compiled: Any) -> None:
        if len(self._kept) >= MOST:
            self._kept.clear()
        if len(compiled.string) < LONGEST:
            self._kept[self._alike(key)] = compiled

    def __delitem__(self, key: Any) -> None:
        del self._kept[self._alike(key)]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._kept)

    def __len__(self) -> int:
        return len(self._kept)

    def _alike(self, key: Any) -> Any:
        dialect, *statement = key
        now = vars(dialect)
        before, number = self._known.get(dialect, (None, 0))
        # It goes on to learn about its server while it connects for the first time.
        if before != now:
            number = self._numbers.setdefault(_known(dialect), len(self._numbers))
            self._known[dialect] = dict(now), number
        return (number, *statement)


def _known(dialect: Dialect) -> tuple[object, ...]:
    """Name a dialect by all that it knows of its server; the name of the database is written in no statement."""
    known = (
        (name, value)
        for name, value in vars(dialect).items()
        if isinstance(value, (bool, int, str, tuple)) and name != "default_schema_name"
    )
    return (type(dialect), *known)
