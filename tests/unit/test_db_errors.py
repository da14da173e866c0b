"""What a database says of a name or a statement is told at the author's line, with the name that was meant."""

from collections.abc import Iterator
from typing import Any

import pymysql
import pytest
from sqlalchemy import Connection, create_engine, event, literal_column, select, text
from sqlalchemy.exc import OperationalError

from skene_dagster.checks import db_errors
from skene_dagster.checks.db_errors import at, at_word, columns_in, has, meant, names, needed_at, planned
from skene_dagster.documents import Document
from skene_dagster.errors import Place, StoreError, StoreUnavailable
from skene_dagster.store.failures import in_words

HERE = Place("skene.yaml", 3, "users.table")


@pytest.fixture
def connection() -> Iterator[Connection]:
    with create_engine("sqlite://").connect() as connection:
        connection.execute(text("CREATE TABLE users (id INTEGER, Name TEXT)"))
        yield connection


def of_server(number: int) -> OperationalError:
    return OperationalError("SELECT", None, pymysql.err.OperationalError(number, "it said so"))


@pytest.mark.parametrize(
    ("number", "place", "told_at"),
    [
        pytest.param(1142, None, HERE, id="a right that lacks"),
        pytest.param(1345, None, HERE, id="SHOW VIEW, which lacks"),
        pytest.param(1142, Place("loops/a.yaml"), Place("loops/a.yaml"), id="one that has its place"),
        pytest.param(1064, None, None, id="anything else"),
    ],
)
def test_a_right_that_lacks_is_told_where_it_is_needed(number: int, place: Place | None, told_at: Place | None) -> None:
    failed = in_words(of_server(number))
    failed.place, failed.__cause__ = place, of_server(number)

    with pytest.raises(StoreError) as told, needed_at(HERE):
        raise failed

    assert told.value.place == told_at
    assert "it said so" in told.value.message
    assert told.value.advice == failed.advice


def refusing(connection: Connection, number: int) -> None:
    """Refuse EXPLAIN as a server does."""

    def refuse(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("EXPLAIN"):
            raise pymysql.err.OperationalError(number, "it said so")

    event.listen(connection, "before_cursor_execute", refuse)


def test_a_statement_is_planned_and_what_the_database_refuses_is_said(connection: Connection) -> None:
    users: Any = text("users")

    assert planned(connection, select(literal_column("id")).select_from(users)) == ""
    assert planned(connection, select(literal_column("idd")).select_from(users)) == "no such column: idd"


def test_a_view_whose_plan_may_not_be_seen_is_read_without_a_row(connection: Connection) -> None:
    refusing(connection, db_errors.NO_SHOW_VIEW)
    users: Any = text("users")
    evaluated: list[object] = []
    driver: Any = connection.connection.dbapi_connection
    driver.create_function("noticed", 1, evaluated.append)
    connection.execute(text("INSERT INTO users VALUES (1, 'Ada')"))

    assert planned(connection, select(literal_column("noticed(id)")).select_from(users)) == ""
    assert planned(connection, select(literal_column("idd")).select_from(users)) == "no such column: idd"
    assert evaluated == []


@pytest.mark.parametrize(
    ("number", "error"), [pytest.param(1142, StoreError, id="a right"), pytest.param(2013, StoreUnavailable, id="away")]
)
def test_what_is_no_mistake_of_the_statement_is_raised(
    connection: Connection, number: int, error: type[StoreError]
) -> None:
    refusing(connection, number)

    with pytest.raises(error):
        planned(connection, select(literal_column("id")))


def test_a_table_has_its_columns_and_none_where_it_is_not(connection: Connection) -> None:
    assert columns_in(connection, "users") == ("id", "Name")
    assert columns_in(connection, "userz") == ()


@pytest.mark.parametrize(
    ("name", "there"),
    [pytest.param("Name", True, id="as it is"), pytest.param("nAME", True, id="in another case"), ("nam", False)],
)
def test_a_column_is_there_in_any_case(name: str, *, there: bool) -> None:
    assert has(["id", "Name"], name) == there


LETTERS = [f"{letter}{letter}{letter}" for letter in "abcdefghijklmn"]


@pytest.mark.parametrize(
    ("wanted", "known", "advice"),
    [
        pytest.param("nam", ["id", "name"], "Did you mean 'name'?", id="a near one"),
        pytest.param("xyz", ["id", "name", "id"], "There is: id, name.", id="all, once each"),
        pytest.param("xyz", LETTERS[:12], f"There is: {', '.join(LETTERS[:12])}.", id="twelve"),
        pytest.param("xyz", LETTERS[:13], f"There is: {', '.join(LETTERS[:12])}, ….", id="more"),
        pytest.param("xyz", ["users", "skene_sends"], "There is: users.", id="without our own tables"),
        pytest.param("skene_event", ["users", "skene_events"], "Did you mean 'skene_events'?", id="one of our own"),
        pytest.param("xyz", ["skene_sends"], "There is: skene_sends.", id="nothing but our own"),
        pytest.param("xyz", [], "", id="none"),
    ],
)
def test_the_names_that_there_are_are_advised(wanted: str, known: list[str], advice: str) -> None:
    assert names(wanted, known) == advice


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        pytest.param("Unknown column 'u.nam' in 'where clause' (1054)", "Did you mean 'name'?", id="a server's column"),
        pytest.param("no such column: nam", "Did you mean 'name'?", id="SQLite's column"),
        pytest.param("Table 'app.order' doesn't exist (1146)", "Did you mean 'orders'?", id="a server's table"),
        pytest.param("no such table: order", "Did you mean 'orders'?", id="SQLite's table"),
        pytest.param("near x: syntax error", "", id="anything else"),
    ],
)
def test_the_name_that_was_meant_is_read_from_the_databases_words(said: str, advice: str) -> None:
    assert meant(said, ["id", "name"], ["users", "orders"]) == advice


def test_a_setting_is_told_at_its_line_or_by_its_name() -> None:
    document = Document("skene.yaml", {}, {(): 1, ("users", "table"): 3})

    assert at(document, "users.table").line == 3
    assert at(document, "users.key") == Place("skene.yaml", part="users.key")
    assert at(document, "").line == 1


@pytest.mark.parametrize(
    ("word", "offset"),
    [
        pytest.param("id", 7, id="a word"),
        pytest.param("users", 18, id="a later one"),
        pytest.param("user", 0, id="a part of one"),
        pytest.param("", 0, id="none"),
    ],
)
def test_a_word_of_a_text_is_found(word: str, offset: int) -> None:
    assert at_word("SELECT id AS idd, users FROM x", word) == offset
