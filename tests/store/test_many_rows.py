"""Many rows that have most of their values in common: written in few statements, value by value as they are."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Column, Connection, Engine, Integer, MetaData, String, Table, event, func, select
from sqlalchemy.exc import IntegrityError

from skene_dagster.store.engine import is_sqlite
from skene_dagster.store.many.inserting import AT_ONCE, insert_rows
from skene_dagster.store.tables import Moment

AT = datetime(2026, 11, 30, 9, 0, 0, 1)
HOSTILE = 'it\'s 100% \\so\\ %s ? :x\n"here" `and` ä 🙂'

table = Table(
    "many_rows",
    MetaData(),
    Column("key", Integer, primary_key=True, autoincrement=False),
    Column("loop", String(100), primary_key=True),
    Column("at", Moment, nullable=False),
    Column("said", String(100)),
    mysql_collate="utf8mb4_bin",
)


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    table.create(engine)
    with engine.begin() as connection:
        yield connection


def write(connection: Connection, rows: list[tuple[object, ...]], **shared: object) -> None:
    insert_rows(connection, table, ("key", "said"), rows, shared={"loop": "a", "at": AT, **shared})


@contextmanager
def statements_of(connection: Connection) -> Iterator[list[str]]:
    """Yield what a connection executes in the block."""
    seen: list[str] = []

    def note(*arguments: Any) -> None:
        seen.append(arguments[2])

    event.listen(connection, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(connection, "before_cursor_execute", note)


def test_every_value_arrives_as_it_is_those_of_all_rows_too(connection: Connection) -> None:
    write(connection, [(1, HOSTILE), (2, None)], loop=HOSTILE)

    rows = connection.execute(select(table).order_by(table.c.key)).all()
    assert [tuple(row) for row in rows] == [(1, HOSTILE, AT, HOSTILE), (2, HOSTILE, AT, None)]


def test_what_all_rows_lack_is_null(connection: Connection) -> None:
    insert_rows(connection, table, ("key",), [(1,)], shared={"loop": "a", "at": AT, "said": None})

    assert connection.execute(select(table.c.said)).scalars().all() == [None]


def test_more_rows_than_a_statement_takes_are_written_in_several(connection: Connection) -> None:
    number = 2 * AT_ONCE + 1
    with statements_of(connection) as seen:
        write(connection, [(key, f"row {key}") for key in range(number)])

    assert len(seen) == (1 if is_sqlite(connection) else 3)
    assert connection.execute(select(func.count(), func.max(table.c.key))).one() == (number, number - 1)


def test_no_rows_are_no_statement(connection: Connection) -> None:
    with statements_of(connection) as seen:
        write(connection, [])

    assert not seen


def test_a_key_that_is_there_is_refused(connection: Connection) -> None:
    write(connection, [(1, "before")])

    with pytest.raises(IntegrityError):
        write(connection, [(2, "new"), (1, "again")])


def test_a_key_that_is_there_gets_the_columns_that_may_be_overwritten_and_no_others(connection: Connection) -> None:
    write(connection, [(1, "before"), (2, "before")])

    insert_rows(
        connection,
        table,
        ("key", "said"),
        [(2, "after"), (3, "after")],
        shared={"loop": "a", "at": AT.replace(hour=10)},
        overwritten=("said",),
    )

    rows = connection.execute(select(table.c.key, table.c.said, table.c.at).order_by(table.c.key)).all()
    assert [(row.key, row.said, row.at.hour) for row in rows] == [(1, "before", 9), (2, "after", 9), (3, "after", 10)]
