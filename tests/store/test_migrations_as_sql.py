"""What `upgrade_as_sql` writes down is what `upgrade` executes: another client can do it, from wherever it is due."""

import re
from collections.abc import Sequence

import pymysql
import pytest
from servers import new_database
from sqlalchemy import Engine, column, insert, inspect, make_url, table, text

from skene_dagster.settings import Users
from skene_dagster.store import schema
from skene_dagster.store.engine import open_engine
from skene_dagster.store.migrations.offline_sql import held_back

USERS = Users()
KEY = "varchar(36) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NOT NULL PRIMARY KEY"
KNOWN = {
    "tables": "table_name, engine, table_collation",
    "columns": "table_name, ordinal_position, column_name, column_type, is_nullable, column_default, collation_name",
    "statistics": "table_name, index_name, seq_in_index, column_name, non_unique",
}

pytestmark = pytest.mark.parametrize("database_url", ["mariadb", "tidb"], indirect=True)


@pytest.fixture
def users(database_url: str) -> None:
    execute(database_url, f"CREATE TABLE users (id {KEY})")


@pytest.fixture
def migrated(database_url: str) -> Sequence[object]:
    """What another database on the server is after it was migrated."""
    with new_database(database_url, f"{make_url(database_url).database}_migrated") as url:
        execute(url, f"CREATE TABLE users (id {KEY})")
        engine = open_engine(url)
        schema.upgrade(engine, USERS)
        engine.dispose()
        return described(url)


@pytest.mark.usefixtures("users")
def test_another_client_makes_of_it_exactly_what_migrating_makes(
    database_url: str, engine: Engine, migrated: Sequence[object]
) -> None:
    told = schema.upgrade_as_sql(engine, USERS)
    untouched = inspect(engine).get_table_names()
    execute(database_url, *statements(told))

    assert untouched == ["users"]
    assert told.startswith(f"-- skene-dagster migrate: the skene_* tables in {engine.url.database}, from nothing to ")
    assert described(database_url) == migrated
    schema.ready(engine, USERS)


@pytest.mark.usefixtures("users")
def test_what_died_half_way_is_finished_by_what_is_then_written_down(
    database_url: str, engine: Engine, migrated: Sequence[object]
) -> None:
    first = schema.upgrade_as_sql(engine, USERS)
    execute(database_url, *statements(first)[:5])
    died_in_the_first = schema.upgrade_as_sql(engine, USERS)
    tables, release, _ = died_in_the_first.partition("VALUES ('0001');\n")
    execute(database_url, *statements(tables + release))
    second = schema.upgrade_as_sql(engine, USERS)
    execute(database_url, *statements(second)[:1])
    died_in_the_second = schema.upgrade_as_sql(engine, USERS)
    execute(database_url, *statements(died_in_the_second))

    assert "CREATE TABLE skene_schema_version" not in died_in_the_first
    assert ", from nothing to release" in died_in_the_first
    assert ", from release 0001 to release" in second
    assert "CREATE TABLE skene_sends" not in second
    assert statements(died_in_the_second) == statements(second)[1:]
    assert described(database_url) == migrated
    schema.ready(engine, USERS)


def test_what_is_held_back_is_written_down_and_not_executed(database_url: str, engine: Engine) -> None:
    execute(database_url, "CREATE TABLE notes (note VARCHAR(20) PRIMARY KEY)")
    notes = insert(table("notes", column("note")))

    with engine.connect() as connection:
        with held_back(connection) as told:
            connection.execute(notes, [{"note": "it's"}, {"note": "50 %"}])
            connection.execute(text("DROP TABLE notes"))
            found = connection.execute(text("SELECT COUNT(*) FROM notes")).scalar_one()
        connection.execute(notes, {"note": "after it"})
        later = connection.execute(text("SELECT note FROM notes")).scalars().all()

    assert told == [
        r"INSERT INTO notes (note) VALUES ('it\'s')",
        "INSERT INTO notes (note) VALUES ('50 %')",
        "DROP TABLE notes",
    ]
    assert (found, later) == (0, ["after it"])


def statements(told: str) -> list[str]:
    return [statement.strip() for statement in re.sub(r"(?m)^--.*$", "", told).split(";\n")[:-1]]


def execute(url: str, *told: str) -> None:
    """Do as a database administrator with a client of his own."""
    with connected(url) as connection, connection.cursor() as cursor:
        for statement in told:
            cursor.execute(statement)


def described(url: str) -> list[object]:
    """All that the server knows of the tables, their columns and indexes."""
    found: list[object] = []
    with connected(url) as connection, connection.cursor() as cursor:
        for view, columns in KNOWN.items():
            cursor.execute(
                f"SELECT {columns} FROM information_schema.{view} WHERE table_schema = DATABASE() ORDER BY 1, 2, 3"
            )
            found += cursor.fetchall()
    return found


def connected(url: str) -> "pymysql.Connection[pymysql.cursors.Cursor]":
    parsed = make_url(url)
    return pymysql.connect(
        host=parsed.host,
        port=parsed.port or 3306,
        user=parsed.username,
        password=parsed.password or "",
        database=parsed.database,
        autocommit=True,
    )
