"""The tables of a database, by SQLAlchemy's inspector, and their rows as evidence. Only reads."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Select,
    Subquery,
    and_,
    cast,
    func,
    inspect,
    literal_column,
    select,
    text,
)
from sqlalchemy.engine.reflection import Inspector
from sqlalchemy.exc import CompileError
from sqlalchemy.types import String

from skene_dagster.errors import StoreError
from skene_dagster.init.schema import Column, Schema, Table
from skene_dagster.product.shapes import known_rows, of_any_type
from skene_dagster.store.engine import is_sqlite, reading
from skene_dagster.store.failures import translated
from skene_dagster.store.names import named, parts

SAMPLE = 1000
"""Values of a column that are looked at."""

LOOKED_AT = 10_000
"""Rows among which they are looked for: a column may have none in a hundred million."""

MOST_COUNTED = 100_000
"""Rows that are counted, where the server's statistics say nothing."""

_OURS = "skene_"


def read(engine: Engine, source_name: str) -> Schema:
    """Read the tables of the connected database; views come last, and have no key.

    Raises:
        StoreError: it cannot be reached, or refused.
    """
    with translated(), engine.connect() as connection, of_any_type():
        return Schema(source_name, tuple(_tables(connection)))


def _tables(connection: Connection) -> list[Table]:
    about = inspect(connection)
    keys = {name: found["constrained_columns"] for (_, name), found in about.get_multi_pk_constraint().items()}
    points: dict[str, dict[str, str]] = {
        name: {key["constrained_columns"][0]: key["referred_table"] for key in found if key["constrained_columns"]}
        for (_, name), found in about.get_multi_foreign_keys().items()
    }
    unique, written = _unique(about), _written(connection)
    found: list[Table] = []
    for (_, name), columns in about.get_multi_columns().items():
        if name.startswith(_OURS):
            continue
        primary = tuple(keys.get(name) or ())
        found.append(
            Table(
                name,
                tuple(
                    Column.of(
                        str(one["name"]),
                        written.get((name, str(one["name"]))) or _declared(one["type"], connection),
                        nullable=bool(one.get("nullable", True)),
                        unique=one["name"] in unique.get(name, ()) or primary == (one["name"],),
                        refers_to=points.get(name, {}).get(str(one["name"]), ""),
                    )
                    for one in columns
                ),
                primary,
            )
        )
    return sorted(found, key=lambda table: table.name)


def _unique(about: Inspector) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for (_, name), constraints in about.get_multi_unique_constraints().items():
        found.setdefault(name, set()).update(one["column_names"][0] for one in constraints if _is_single(one))
    for (_, name), indexes in about.get_multi_indexes().items():
        for index in indexes:
            if index["unique"] and _is_single(index):
                found.setdefault(name, set()).add(str(index["column_names"][0]))
    return found


def _written(connection: Connection) -> dict[tuple[str, str], str]:
    """Read the types of SQLite's columns as they were written: SQLAlchemy takes `bool` and lengths from them."""
    if not is_sqlite(connection):
        return {}
    query = text(
        "SELECT t.name, c.name, c.type FROM sqlite_master t, pragma_table_info(t.name) c WHERE t.type = 'table'"
    )
    return {(table, column): kind for table, column, kind in connection.execute(query)}


def _is_single(one: Any) -> bool:
    return len(one["column_names"]) == 1


def _declared(kind: Any, connection: Connection) -> str:
    with suppress(CompileError):
        return str(kind.compile(dialect=connection.dialect))
    return ""


class DatabaseRows:
    """The rows of a database. A table that may not be read has none."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._sampled: dict[tuple[str, str], Sequence[object]] = {}
        self._counted: dict[str, int | None] = {}
        self._keys: dict[str, Sequence[str]] = {}

    def count(self, table: str) -> int | None:
        if table not in self._counted:
            with suppress(StoreError):
                self._counted[table] = reading(self._engine, lambda connection: _count(connection, table))
        return self._counted.get(table)

    def sample(self, table: str, column: str) -> Sequence[object]:
        asked = (table, column)
        if asked not in self._sampled:
            self._sampled[asked] = ()
            first, key = self._first(table, column, LOOKED_AT)
            some: Select[Any] = select(first.c.value).where(first.c.value.is_not(None)).order_by(*key).limit(SAMPLE)
            with suppress(StoreError):
                self._sampled[asked] = reading(
                    self._engine, lambda connection: connection.execute(some).scalars().all()
                )
        return self._sampled[asked]

    def count_where_set(self, table: str, column: str) -> int:
        first, _ = self._first(table, column, MOST_COUNTED)
        zeros = ("", "0", "0000-00-00 00:00:00", "0000-00-00")
        said = and_(first.c.value.is_not(None), cast(first.c.value, String).not_in(zeros))
        counted = select(func.count()).select_from(first).where(said)
        with suppress(StoreError):
            return reading(self._engine, lambda connection: int(connection.execute(counted).scalar_one()))
        return 0

    def _first(self, table: str, column: str, most: int) -> tuple[Subquery, list[ColumnElement[Any]]]:
        """Select a column, as `value`, of the first rows by the table's key; say by what they are ordered."""
        key = self._key(table) or (column,)
        rows = named(table, column, *key)
        ordered = [rows.c[one].label(f"key_{number}") for number, one in enumerate(key)]
        first = select(rows.c[column].label("value"), *ordered).order_by(*ordered).limit(most).subquery()
        return first, [first.c[one.name] for one in ordered]

    def _key(self, table: str) -> Sequence[str]:
        if table not in self._keys:
            schema, bare = parts(table)
            self._keys[table] = ()
            with suppress(StoreError), of_any_type():
                self._keys[table] = reading(
                    self._engine,
                    lambda connection: inspect(connection).get_pk_constraint(bare, schema)["constrained_columns"],
                )
        return self._keys[table]


def _count(connection: Connection, table: str) -> int:
    if not is_sqlite(connection) and (known := known_rows(connection, table) or 0) > MOST_COUNTED:
        return known
    some: Select[Any] = select(literal_column("1").label("one")).select_from(named(table)).limit(MOST_COUNTED)
    return int(connection.execute(select(func.count()).select_from(some.subquery())).scalar_one())
