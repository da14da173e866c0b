"""What a database's error means follows from the server's own number, and from SQLite's words."""

import sqlite3

import pymysql
import pytest
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from skene_dagster.errors import StoreError, StoreTooLarge, StoreUnavailable
from skene_dagster.store.failures import (
    DENIED,
    NOT_NOW,
    code_of,
    in_words,
    is_busy,
    is_duplicate,
    is_lost,
    is_of_one_row,
    translated,
    words_of,
)


def of_server(number: int, said: str = "it said so") -> DBAPIError:
    return OperationalError("SELECT 1", None, pymysql.err.OperationalError(number, said))


def of_sqlite(error: sqlite3.Error) -> DBAPIError:
    return OperationalError("SELECT 1", None, error)


BUSY = [8002, 8005, 8022, 8028, 9007, 1205, 1213, 3572]
CLUSTER = [9001, 9002, 9003, 9004, 9005, 9006, 9008, 9010, 9012, 9013, 8055, 8027, 8176, 8252]
GONE = [1053, 2006, 2013, 2014, 2055]
MEANT = [
    *((number, StoreUnavailable, "The database was busy") for number in BUSY),
    *((number, StoreUnavailable, "The database cannot answer now") for number in (*CLUSTER, *GONE)),
    *((number, StoreUnavailable, "The database cannot be reached") for number in (2002, 2003, 2005)),
    *((number, StoreUnavailable, "The database has no connection left") for number in (1040, 1203, 1226)),
    *((number, StoreUnavailable, "The database accepts no writes") for number in (1036, 1792, 1836, 1874)),
    *((number, StoreUnavailable, "The database has no space left") for number in (1021, 1114)),
    (1153, StoreTooLarge, "What was sent is too large"),
    *((number, StoreTooLarge, "This is too large") for number in (8001, 8004, 8175, 8229, 1197, 1206)),
    (1049, StoreError, "There is no such database"),
    *((number, StoreError, "refuses this user's login") for number in (1045, 1130, 1698, 1820, 1862)),
    (1044, StoreError, "may not use this database"),
    (1345, StoreError, "may not see how a view is read"),
    *((number, StoreError, "has no right to do this") for number in (1142, 1143, 1227, 8121)),
    (1064, StoreError, "The database refused"),
]


@pytest.mark.parametrize(("number", "kind", "words"), MEANT)
def test_a_servers_number_says_what_its_error_means(number: int, kind: type[StoreError], words: str) -> None:
    error = of_server(number)

    with pytest.raises(StoreError) as told, translated():
        raise error

    assert type(told.value) is kind
    assert words in told.value.message
    assert told.value.message.endswith(f": it said so ({number}).")
    assert is_busy(error) == is_busy(told.value) == (number in BUSY)
    assert code_of(told.value) == number


@pytest.mark.parametrize("number", [1044, 1045, 1130, 1142, 1143, 1227, 1345, 1698, 1820, 1862, 8121])
def test_a_right_that_is_lacking_is_no_mistake_of_a_file(number: int) -> None:
    assert number in DENIED


@pytest.mark.parametrize("number", [*CLUSTER, *GONE, 1040, 1203, 2002, 2003, 2005])
def test_a_server_in_trouble_is_asked_again_later(number: int) -> None:
    assert number in NOT_NOW


@pytest.mark.parametrize(
    ("number", "said", "words"),
    [
        pytest.param(1290, "running with the --read-only option", "accepts no writes", id="read-only"),
        pytest.param(1290, "running with the --super-read-only option", "accepts no writes", id="super-read-only"),
        pytest.param(1290, "running with the --innodb-read-only option", "accepts no writes", id="innodb-read-only"),
        pytest.param(3, "Error writing file (Errcode: 28 x)", "refused", id="another spelling of an error"),
        pytest.param(3, "Error writing file (OS errno: 28)", "no space left", id="an error of the operating system"),
        pytest.param(1026, "No space left on device", "no space left", id="an error of a file"),
        pytest.param(1030, "Got error 28 from storage engine", "no space left", id="an error of the storage"),
        pytest.param(1105, "Information schema is changed", "cannot answer now", id="a changed schema"),
        pytest.param(1105, "Region is unavailable", "cannot answer now", id="a region that is away"),
        pytest.param(1105, "region unavailable", "cannot answer now", id="a region that is away, in other words"),
        pytest.param(1105, "please try again later", "cannot answer now", id="later"),
        pytest.param(1064, "No space left on device", "refused", id="a number that means something else"),
    ],
)
def test_a_number_that_stands_for_anything_is_known_by_its_words(number: int, said: str, words: str) -> None:
    assert words in in_words(of_server(number, said)).message


@pytest.mark.parametrize(
    ("said", "words"),
    [
        pytest.param("attempt to write a readonly database", "file cannot be written", id="read-only"),
        pytest.param("database or disk is full", "no space left", id="full"),
        pytest.param("unable to open database file", "file cannot be used", id="a folder"),
        pytest.param("file is not a database", "file cannot be used", id="another file"),
        pytest.param("database is locked", "was busy", id="locked"),
        pytest.param("database table is locked: x", "was busy", id="a locked table"),
        pytest.param("database schema has changed", "was busy", id="a changed schema"),
        pytest.param("near x: syntax error", "refused", id="anything else"),
    ],
)
def test_sqlite_has_words_and_no_numbers(said: str, words: str) -> None:
    error = of_sqlite(sqlite3.OperationalError(said))

    assert words in in_words(error).message
    assert said in in_words(error).message
    assert is_busy(error) == (words == "was busy")
    assert code_of(error) is None


@pytest.mark.parametrize("number", [1048, 1264, 1265, 1406, 1292, 1366, 4025, 8025])
def test_a_value_that_a_server_refuses_is_of_one_row(number: int) -> None:
    assert is_of_one_row(of_server(number))


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(sqlite3.IntegrityError("NOT NULL constraint failed: x.y"), id="NULL"),
        pytest.param(sqlite3.DataError("string or blob too big"), id="too large"),
    ],
)
def test_a_value_that_sqlite_refuses_is_of_one_row(error: sqlite3.Error) -> None:
    assert is_of_one_row(of_sqlite(error))


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(of_sqlite(sqlite3.IntegrityError("UNIQUE constraint failed: x.y")), id="a key in SQLite"),
        pytest.param(of_sqlite(sqlite3.OperationalError("no such table: x")), id="a table in SQLite"),
        pytest.param(of_server(1062), id="a key on a server"),
        pytest.param(of_server(1146), id="a table on a server"),
        pytest.param(ValueError("x"), id="no error of a database"),
    ],
)
def test_what_all_rows_meet_is_of_none_of_them(error: Exception) -> None:
    assert not is_of_one_row(error)


@pytest.mark.parametrize(
    ("error", "duplicate"),
    [
        pytest.param(sqlite3.IntegrityError("UNIQUE constraint failed: x.y"), True, id="a key in SQLite"),
        pytest.param(sqlite3.IntegrityError("CHECK constraint failed: x"), False, id="a CHECK in SQLite"),
        pytest.param(pymysql.err.IntegrityError(1062, "Duplicate entry"), True, id="a key on a server"),
        pytest.param(pymysql.err.IntegrityError(1048, "cannot be null"), False, id="NULL on a server"),
    ],
)
def test_a_duplicate_key_is_an_answer_and_any_other_refusal_a_failure(error: Exception, *, duplicate: bool) -> None:
    expected: type[Exception] = IntegrityError if duplicate else StoreError

    with pytest.raises(expected), translated():
        raise IntegrityError("INSERT", None, error)

    assert is_duplicate(error) == duplicate


@pytest.mark.parametrize(
    ("error", "words"),
    [
        pytest.param(
            of_server(1062, "Duplicate entry 'ada@example.com' for key 'users.email'"),
            "Duplicate entry '…' for key 'users.email' (1062)",
            id="a key",
        ),
        pytest.param(
            of_server(1366, "Incorrect DOUBLE value: 'it's\nmine' for column 'x' at row 1"),
            "Incorrect DOUBLE value: '…' for column 'x' at row 1 (1366)",
            id="a value of two lines, with a quote",
        ),
        pytest.param(
            of_server(1292, "Truncated incorrect datetime value: 'ada'"),
            "Truncated incorrect datetime value: '…' (1292)",
            id="a value at the end",
        ),
        pytest.param(
            of_server(1411, "Incorrect argument: 'a' at row 1"),
            "Incorrect argument: '…' at row 1 (1411)",
            id="an argument",
        ),
        pytest.param(
            of_sqlite(sqlite3.OperationalError("user-defined function raised exception")),
            "a function got a value that it cannot read, such as text that is not UTF-8",
            id="bytes that are no text",
        ),
        pytest.param(pymysql.err.OperationalError(2013), "2013", id="a number alone"),
        pytest.param(pymysql.err.InterfaceError(), "InterfaceError", id="nothing"),
        pytest.param(pymysql.err.InterfaceError("x", "y"), "('x', 'y')", id="no number"),
    ],
)
def test_what_the_database_said_is_repeated_without_the_values_that_it_quotes(error: Exception, words: str) -> None:
    assert words_of(error) == words


def test_a_connection_that_broke_is_told_where_no_number_does() -> None:
    broken = OperationalError("SELECT 1", None, pymysql.err.InterfaceError("x"), connection_invalidated=True)

    assert is_lost(broken)
    assert not is_lost(of_server(1064))
    assert not is_lost(ValueError())
    assert type(in_words(broken)) is StoreUnavailable
    assert in_words(broken).message == "The database cannot answer now: x."


def test_a_full_pool_is_told() -> None:
    with pytest.raises(StoreUnavailable, match=r"^All connections to the database are in use\."), translated():
        raise PoolTimeout


def test_a_key_that_is_no_utf_8_is_told() -> None:
    with pytest.raises(StoreError, match="users key is text that is not UTF-8"), translated():
        "\udcff".encode()


def test_an_error_without_its_cause_is_its_own() -> None:
    assert code_of(StoreError("x")) is None
    assert words_of(StoreError("x")) == "x"
