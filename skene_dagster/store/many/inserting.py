"""Rows of which most values are the same, written in few statements.

SQLAlchemy and PyMySQL convert each value of each row, the same ones too: of a decision that was two thirds of what it
cost to write it down (2026-11). Here what all rows share is converted once.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import chain

from sqlalchemy import Connection, Table

from skene_dagster.store.engine import is_sqlite

AT_ONCE = 1_000
"""Rows of a statement on a server."""


def insert_rows(
    connection: Connection,
    table: Table,
    columns: Sequence[str],
    rows: Sequence[tuple[object, ...]],
    *,
    shared: Mapping[str, object],
    overwritten: Sequence[str] = (),
) -> None:
    """Insert rows into a table.

    Args:
        columns: the names of what differs between rows: keys, texts and numbers, which the driver takes as they are.
        shared: what all rows have in common, by column.
        overwritten: the columns that a row gets anew whose key is there already; none: it must not be there.

    Raises:
        IntegrityError: a key is there already.
    """
    if not rows:
        return
    quoted = connection.dialect.identifier_preparer.quote
    of_all = [_converted(connection, table, name, value) for name, value in shared.items()]
    head = f"INSERT INTO {quoted(table.name)} ({', '.join(map(quoted, (*shared, *columns)))}) VALUES"
    if is_sqlite(connection):
        key = ", ".join(quoted(column.name) for column in table.primary_key)
        changes = ", ".join(f"{quoted(name)} = excluded.{quoted(name)}" for name in overwritten)
        tail = f" ON CONFLICT ({key}) DO UPDATE SET {changes}" if overwritten else ""
        row = ", ".join("?" for _ in (*of_all, *columns))
        connection.exec_driver_sql(f"{head} ({row}){tail}", [(*of_all, *one) for one in rows])
        return
    changes = ", ".join(f"{quoted(name)} = VALUES({quoted(name)})" for name in overwritten)
    tail = f" ON DUPLICATE KEY UPDATE {changes}" if overwritten else ""
    once = {f"shared_{number}": value for number, value in enumerate(of_all)}
    for start in range(0, len(rows), AT_ONCE):
        some = rows[start : start + AT_ONCE]
        places, names = _places(len(of_all), len(columns), len(some))
        given = once | dict(zip(names, chain.from_iterable(some), strict=True))
        connection.exec_driver_sql(f"{head} {places}{tail}", given)


@lru_cache(maxsize=16)
def _places(shared: int, columns: int, rows: int) -> tuple[str, list[str]]:
    """Write the placeholders of so many rows, and name those that differ: PyMySQL converts once what is named once."""
    names = [str(number) for number in range(columns * rows)]
    of_all = [f"%(shared_{number})s" for number in range(shared)]
    own = ([f"%({name})s" for name in names[first : first + columns]] for first in range(0, len(names), columns))
    return ", ".join(f"({', '.join([*of_all, *one])})" for one in own), names


def _converted(connection: Connection, table: Table, column: str, value: object) -> object:
    """Return a value as the driver takes it."""
    kind = table.c[column].type.dialect_impl(connection.dialect)
    convert = kind.bind_processor(connection.dialect)
    return value if convert is None else convert(value)
