"""The product's tables as `init` sees them, wherever they were read: in a database, or in code."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Kind = Literal["text", "moment", "number", "flag", "other"]

_KINDS: tuple[tuple[str, Kind], ...] = (
    (r"tinyint\(1\)|bit(\(1\))?$|bool", "flag"),
    (r"date$|datetime|timestamp", "moment"),
    (r".*(char|text|clob)|enum|string", "text"),
    (r".*int|decimal|numeric|float|double|real|.*serial", "number"),
)


def kind_of(declared: str) -> Kind:
    """Say what a declared SQL type holds."""
    return next((kind for pattern, kind in _KINDS if re.match(pattern, declared.strip().lower())), "other")


@dataclass(frozen=True)
class Column:
    """A column of a table."""

    name: str
    declared: str = ""
    """Its type, as the database or a reader of code writes it."""
    kind: Kind = "other"
    nullable: bool = True
    unique: bool = False
    refers_to: str = ""
    """The table that a foreign key points to."""

    @staticmethod
    def of(name: str, declared: str, *, nullable: bool = True, unique: bool = False, refers_to: str = "") -> "Column":
        """Make a column whose kind its declared type says."""
        return Column(name, declared, kind_of(declared), nullable, unique, refers_to)


@dataclass(frozen=True)
class Table:
    """A table: its columns, in order, and its primary key."""

    name: str
    columns: tuple[Column, ...]
    primary: tuple[str, ...] = ()

    def column(self, name: str) -> Column | None:
        """Find a column by its name, in any case."""
        return next((one for one in self.columns if one.name.lower() == name.lower()), None)

    def has(self, *names: str) -> bool:
        """Whether it has all of these columns, in any case and with or without `_`."""
        known = {one.name.lower().replace("_", "") for one in self.columns}
        return all(name.lower().replace("_", "") in known for name in names)


@dataclass(frozen=True)
class Schema:
    """All of the product's tables."""

    source: str
    """Where they were read, for people: `app on localhost:4000`, `prisma/schema.prisma`."""
    tables: tuple[Table, ...]
    framework: str = ""
    """The framework whose files said so; empty for a database, and for plain DDL."""
    users_table: str = ""
    """The users table, where the framework's own settings name it."""

    def table(self, name: str) -> Table | None:
        """Find a table by its name, in any case."""
        return next((one for one in self.tables if one.name.lower() == name.lower()), None)


class Rows(Protocol):
    """What rows there are, for evidence; code has none."""

    def count(self, table: str) -> int | None:
        """Return about how many rows a table has; None if that is unknown."""

    def sample(self, table: str, column: str) -> Sequence[object]:
        """Return some values of a column that are not NULL."""

    def count_where_set(self, table: str, column: str) -> int:
        """Return how many of the first rows have something other than NULL, 0 and an empty text."""


class NoRows:
    """The rows of a schema that was read from code."""

    def count(self, table: str) -> int | None:  # noqa: ARG002 - as in Rows
        return None

    def sample(self, table: str, column: str) -> Sequence[object]:  # noqa: ARG002 - as in Rows
        return ()

    def count_where_set(self, table: str, column: str) -> int:  # noqa: ARG002 - as in Rows
        return 0
