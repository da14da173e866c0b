"""What a product's column contains: moments, texts or numbers. A server declares it; in SQLite the values tell."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, TableClause, func, select, text

from skene_dagster.store.engine import is_sqlite
from skene_dagster.store.names import named, parts
from skene_dagster.store.sqlite.moments import moment

Kind = Literal["moment", "text", "number", "other"]

_SAMPLE = 1000
_KINDS: dict[Kind, frozenset[str]] = {
    "moment": frozenset(("date", "datetime", "timestamp")),
    "text": frozenset(("char", "varchar", "tinytext", "text", "mediumtext", "longtext")),
    "number": frozenset(
        ("tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "float", "double", "numeric", "real")
    ),
}

_NO_MOMENTS = frozenset(("TIME", "YEAR"))
"""Declared types that SQLite keeps as texts and numbers; such columns hold no moments."""

Counts = Literal["seconds", "milliseconds", "dates", ""]
"""What a number seems to be: a count since 1970, a date such as 20261129, or unknown."""


@dataclass(frozen=True)
class Found:
    """An existing column."""

    table: str
    column: str
    """As the database spells it."""
    kind: Kind
    declared: str
    """Its declared type; empty if SQLite was given none."""
    is_indexed: bool = False
    """It is a part of an index."""
    is_empty: bool = False
    """In SQLite: it has no values, which would tell what it holds."""
    holds_moments: bool = False
    """It is of a type for moments; in SQLite, most of its values can be read as moments."""

    @property
    def in_brackets(self) -> str:
        """Its declared type, to be shown after its name; empty if there is none."""
        return f" ({self.declared})" if self.declared else ""


def find(connection: Connection, tables: Sequence[str], name: str) -> Found | None:
    """Find a column in the first of some tables that has it."""
    look = _in_sqlite if is_sqlite(connection) else _on_server
    return next((found for one in tables if (found := look(connection, one, name)) is not None), None)


def counts(connection: Connection, found: Found) -> Counts:
    """Guess from the size of its values what a column of numbers counts."""
    if found.kind != "number":
        return ""
    if is_sqlite(connection):
        values = [v for v in _values(connection, found.table, found.column) if isinstance(v, int | float) and v]
        size = median(values) if values else 0
    else:
        rows, number = source(found.table, found.column)
        size = float(connection.execute(select(func.max(number)).select_from(rows)).scalar() or 0)
    if 19000101 <= size <= 21001231 or 19000101000000 <= size <= 21001231235959:
        return "dates"
    # Between 1973 and 2286.
    return "seconds" if 1e8 <= size < 1e10 else "milliseconds" if 1e11 <= size < 1e13 else ""


def source(name: str, wanted: str) -> tuple[TableClause, ColumnElement[Any]]:
    """Return a table and one of its columns, for statements."""
    rows = named(name, wanted)
    return rows, rows.c[wanted]


def _on_server(connection: Connection, name: str, wanted: str) -> Found | None:
    schema, bare = parts(name)
    where = "table_schema = COALESCE(:schema, DATABASE()) AND table_name = :name AND column_name = :wanted"
    asked = {"schema": schema, "name": bare, "wanted": wanted}
    row = connection.execute(
        text(
            "SELECT column_name AS name, data_type AS kind, column_type AS declared "
            f"FROM information_schema.columns WHERE {where}"
        ),
        asked,
    ).one_or_none()
    if row is None:
        return None
    indexed = connection.execute(text(f"SELECT 1 FROM information_schema.statistics WHERE {where} LIMIT 1"), asked)
    kind: Kind = next((kind for kind, types in _KINDS.items() if row.kind.lower() in types), "other")
    return Found(
        name, row.name, kind, row.declared, is_indexed=indexed.scalar() is not None, holds_moments=kind == "moment"
    )


def _in_sqlite(connection: Connection, name: str, wanted: str) -> Found | None:
    schema, bare = parts(name)
    row = connection.execute(
        text("SELECT name, type FROM pragma_table_info(:table, :schema) WHERE lower(name) = lower(:wanted)"),
        {"table": bare, "schema": schema, "wanted": wanted},
    ).one_or_none()
    if row is None:
        return None
    values = _values(connection, name, row.name)
    # Zero is a way to write `never`, and says nothing of the other values.
    telling = [value for value in values if value != 0] or values
    numbers = sum(isinstance(value, int | float) for value in telling)
    kind: Kind = "number" if numbers * 2 > len(telling) else "text"
    if row.type.upper() in _NO_MOMENTS:
        kind = "other"
    moments = sum(isinstance(value, str) and moment(value) is not None for value in values)
    return Found(name, row.name, kind, row.type, is_empty=not values, holds_moments=moments * 2 > len(telling))


def _values(connection: Connection, name: str, wanted: str) -> list[object]:
    rows, value = source(name, wanted)
    return list(connection.execute(select(value).select_from(rows).where(value.is_not(None)).limit(_SAMPLE)).scalars())
