"""A join that begins with the few rows that were just staged, on a database that knows nothing of them."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Column, Connection, Integer, MetaData, Select, Table, create_engine, insert, select, text

from skene_dagster.product.joins import FromFew

metadata = MetaData()
staged = Table("staged", metadata, Column("user_id", Integer, primary_key=True))
done = Table("done", metadata, Column("user_id", Integer, primary_key=True), Column("day", Integer, primary_key=True))
MANY = 2000


@pytest.fixture
def connection() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        metadata.create_all(connection)
        connection.execute(insert(done), [{"user_id": n // 10, "day": n % 10} for n in range(MANY)])
        # As of a product that is in use: its own tables have statistics, the staged one has none.
        connection.execute(text("ANALYZE done"))
        connection.execute(insert(staged), [{"user_id": 3}, {"user_id": 7}])
        yield connection
    engine.dispose()


def plan_of(connection: Connection, query: Select[Any]) -> list[str]:
    sql = str(query.compile(connection))
    return [row[3].split(" USING ")[0] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}")]


def joined() -> Select[Any]:
    return select(staged.c.user_id, done.c.day).select_from(FromFew(staged, done, staged.c.user_id == done.c.user_id))


def test_it_finds_what_a_join_finds(connection: Connection) -> None:
    found = connection.execute(joined()).all()

    assert sorted((user, day) for user, day in found) == [(user, day) for user in (3, 7) for day in range(10)]


def test_it_reads_the_staged_rows_and_finds_the_others_by_their_index(connection: Connection) -> None:
    assert plan_of(connection, joined()) == ["SCAN staged", "SEARCH done"]


def test_a_plain_join_would_read_them_all(connection: Connection) -> None:
    plain = select(staged.c.user_id, done.c.day).join_from(staged, done, staged.c.user_id == done.c.user_id)

    assert plan_of(connection, plain)[0] == "SCAN done"
