"""The shape of a product's table, as a server knows it: the number of its rows, and its indexes."""

import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Select, func, inspect, literal_column, select, text
from sqlalchemy.engine.interfaces import ReflectedColumn, ReflectedIndex
from sqlalchemy.exc import SAWarning

from skene_dagster.errors import StoreError
from skene_dagster.store.engine import is_sqlite
from skene_dagster.store.failures import DENIED, code_of, translated
from skene_dagster.store.names import named, parts

_INDEXABLE = re.compile(
    r"\w*int|decimal|float|double|date|datetime|time|timestamp|year|(var)?(char|binary)|enum|set|bit"
)
_LONGEST_KEY = 3072
"""Bytes, on TiDB and InnoDB alike."""
_LONGEST_NAME = 56
"""Fewer than the 64 allowed, so that the statement's first line fits into 80 columns."""


@contextmanager
def of_any_type() -> Iterator[None]:
    """Inspect tables whatever the types of their columns are."""
    # SQLAlchemy, 2026-11: it warns of each type that it does not know, and of SQLite's integers with a length.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SAWarning)
        yield


def columns_of(connection: Connection, name: str) -> list[ReflectedColumn]:
    """List the columns of a table, or a view, that is there."""
    schema, bare = parts(name)
    with of_any_type():
        return inspect(connection).get_columns(bare, schema=schema)


@dataclass(frozen=True)
class MomentColumn:
    """A column whose values are moments."""

    name: str
    has_zone: bool
    """A TIMESTAMP: the server keeps it in UTC, and converts it for each session."""
    is_filled: bool
    """The server writes NOW() into it, as its default or when the row changes."""


def moment_columns(connection: Connection, name: str) -> list[MomentColumn]:
    """List the columns of a table that may hold moments; in SQLite only the type's name tells."""
    return _moments_in_sqlite(connection, name) if is_sqlite(connection) else _moments_on_server(connection, name)


def known_rows(connection: Connection, name: str) -> int | None:
    """Return the number of a table's rows by the server's statistics, 0 without any; None for a view."""
    query = text(
        "SELECT COALESCE(table_rows, 0) FROM information_schema.tables WHERE table_type = 'BASE TABLE' "
        "AND table_schema = COALESCE(:schema, DATABASE()) AND table_name = :name"
    )
    rows = connection.execute(query, _names(name)).scalar()
    return None if rows is None else int(rows)


def has_more_rows(connection: Connection, name: str, than: int) -> bool:
    """Count a table's rows, up to a limit."""
    some: Select[Any] = select(literal_column("1").label("one")).select_from(named(name)).limit(than + 1)
    counted: int = connection.execute(select(func.count()).select_from(some.subquery())).scalar_one()
    return counted > than


def indexable(connection: Connection, name: str) -> list[str]:
    """List the columns that can be indexed as they are: no unbounded text, no JSON."""
    query = text(
        "SELECT column_name AS name, data_type AS kind, COALESCE(character_octet_length, 0) AS bytes "
        "FROM information_schema.columns "
        "WHERE table_schema = COALESCE(:schema, DATABASE()) AND table_name = :name ORDER BY ordinal_position"
    )
    found = connection.execute(query, _names(name))
    return [row.name for row in found if _INDEXABLE.fullmatch(row.kind.lower()) and row.bytes <= _LONGEST_KEY]


def has_index(connection: Connection, name: str, points: Sequence[str], ranges: Sequence[str]) -> bool:
    """Whether an index begins with the points, in any order, and the ranges; or is unique, of nothing but points."""
    query = text(
        "SELECT index_name AS name, non_unique AS repeats, column_name AS part FROM information_schema.statistics "
        "WHERE table_schema = COALESCE(:schema, DATABASE()) AND table_name = :name ORDER BY index_name, seq_in_index"
    )
    found = connection.execute(query, _names(name))
    for (_, repeats), rows in groupby(found, lambda row: (row.name, int(row.repeats))):
        parts = [row.part for row in rows]
        begins, goes_on = parts[: len(points)], parts[len(points) :][: len(ranges)]
        if set(begins) == set(points) and goes_on == list(ranges):
            return True
        if not repeats and set(parts) <= set(points):
            return True
    return False


def unique_keys(connection: Connection, name: str) -> list[frozenset[str]]:
    """List the unique columns of a table, in lower case; none if the user may not see them."""
    schema, bare = parts(name)
    about, within = inspect(connection), {"schema": schema}
    try:
        with translated(), of_any_type():
            found: list[Sequence[str | None]] = [about.get_pk_constraint(bare, **within)["constrained_columns"]]
            # SQLAlchemy 2, 2026-11: after a type with a length it finds no constraint of SQLite's, only its index.
            indexes = about.get_indexes(bare, **within, include_auto_indexes=True)
            found += [index["column_names"] for index in indexes if index["unique"] and not _is_partial(index)]
    except StoreError as error:
        if code_of(error) in DENIED:
            return []  # a view without the right SHOW VIEW; it has no keys
        raise
    # A part of an index that is an expression has no name.
    named = [[part for part in parts if part is not None] for parts in found if None not in parts]
    return [frozenset(map(str.lower, parts)) for parts in named if parts]


def create_index(connection: Connection, name: str, columns: Sequence[str]) -> str:
    """Write the statement that creates an index."""
    quote = connection.dialect.identifier_preparer.quote
    called = "_".join([parts(name)[1], *columns])[:_LONGEST_NAME].rstrip("_")
    on = ".".join(map(quote, name.split(".")))
    return f"CREATE INDEX {quote(called)} ON {on} ({', '.join(map(quote, columns))});"


def _moments_in_sqlite(connection: Connection, name: str) -> list[MomentColumn]:
    schema, bare = parts(name)
    found = columns_of(connection, name) if inspect(connection).has_table(bare, schema=schema) else []
    named = [column["name"] for column in found if re.search("TIME|TEXT", str(column["type"]).upper())]
    return [MomentColumn(one, has_zone=False, is_filled=False) for one in named]


def _moments_on_server(connection: Connection, name: str) -> list[MomentColumn]:
    query = text(
        "SELECT column_name AS name, data_type AS kind, CONCAT_WS(' ', column_default, extra) AS filled "
        "FROM information_schema.columns WHERE table_schema = COALESCE(:schema, DATABASE()) AND table_name = :name "
        "AND data_type IN ('datetime', 'timestamp') ORDER BY ordinal_position"
    )
    return [
        MomentColumn(row.name, row.kind.lower() == "timestamp", "current_timestamp" in row.filled.lower())
        for row in connection.execute(query, _names(name))
    ]


def _is_partial(index: ReflectedIndex) -> bool:
    """Whether an index is of some rows only, as SQLite's may be."""
    return "sqlite_where" in index.get("dialect_options", {})


def _names(table: str) -> dict[str, str | None]:
    schema, name = parts(table)
    return {"schema": schema, "name": name}
