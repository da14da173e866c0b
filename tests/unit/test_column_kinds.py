"""What a column holds is told by its values in SQLite, and what its numbers count by their size."""

from collections.abc import Iterator, Sequence

import pytest
from sqlalchemy import Connection, create_engine, text

from skene_dagster.product.column_kinds import Counts, Found, Kind, counts, find


@pytest.fixture
def connection() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def column(connection: Connection, values: Sequence[object], type_: str = "") -> Found:
    """Make a column with these values, and look at it."""
    connection.execute(text(f"CREATE TABLE users (Seen {type_})"))
    for value in values:
        connection.execute(text("INSERT INTO users VALUES (:value)"), {"value": value})
    found = find(connection, ["users"], "seen")
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("size", "counted"),
    [
        pytest.param(99_999_999, "", id="no year 1973 yet"),
        pytest.param(100_000_000, "seconds", id="the first seconds"),
        pytest.param(9_999_999_999, "seconds", id="the last ones"),
        pytest.param(10_000_000_000, "", id="more than seconds"),
        pytest.param(99_999_999_999, "", id="less than milliseconds"),
        pytest.param(100_000_000_000, "milliseconds", id="the first milliseconds"),
        pytest.param(9_999_999_999_999, "milliseconds", id="the last ones of them"),
        pytest.param(10_000_000_000_000, "", id="more than milliseconds"),
        pytest.param(19_000_100, "", id="no date"),
        pytest.param(19_000_101, "dates", id="the first date"),
        pytest.param(21_001_231, "dates", id="the last one"),
        pytest.param(21_001_232, "", id="no date any more"),
        pytest.param(19_000_101_000_000, "dates", id="the first date with a time"),
        pytest.param(21_001_231_235_959, "dates", id="the last one with a time"),
        pytest.param(19_000_100_999_999, "", id="no date with a time"),
        pytest.param(21_001_231_235_960, "", id="no date with a time any more"),
    ],
)
def test_what_a_number_counts_is_seen_by_its_size(connection: Connection, size: int, counted: Counts) -> None:
    assert counts(connection, column(connection, [size])) == counted


def test_what_numbers_count_is_seen_by_the_one_in_the_middle_of_those_that_say_something(
    connection: Connection,
) -> None:
    found = column(connection, [0, 0, 0, 0, 7, 20260301, 20260302, 20260303, "soon", None])

    assert counts(connection, found) == "dates"


def test_what_is_no_number_counts_nothing(connection: Connection) -> None:
    assert counts(connection, column(connection, ["20260301"], "TEXT")) == ""


def test_numbers_that_are_all_zero_count_nothing_known(connection: Connection) -> None:
    found = column(connection, [0, 0])

    assert (found.kind, counts(connection, found)) == ("number", "")


A_MOMENT = "2026-03-02 09:00:00"


@pytest.mark.parametrize(
    ("type_", "values", "kind", "holds_moments"),
    [
        pytest.param("", [1, 2], "number", False, id="numbers"),
        pytest.param("", [1, 2, "a"], "number", False, id="more numbers than texts"),
        pytest.param("", [1, "a"], "text", False, id="as many texts as numbers"),
        pytest.param("", [0, 0, 0, "a"], "text", False, id="a text among zeros"),
        pytest.param("", [0, 0], "number", False, id="nothing but zeros"),
        pytest.param("", [], "text", False, id="nothing"),
        pytest.param("TIME", [A_MOMENT], "other", True, id="times of day"),
        pytest.param("year", [2026], "other", False, id="years"),
        pytest.param("TEXT", [A_MOMENT, A_MOMENT, "soon"], "text", True, id="more moments than other texts"),
        pytest.param("TEXT", [A_MOMENT, "soon"], "text", False, id="as many others as moments"),
        pytest.param("", [A_MOMENT, 0, 0, 0], "text", True, id="a moment among zeros"),
        pytest.param("", [2461102.5], "number", False, id="a number that SQLite can read as one"),
    ],
)
def test_what_a_column_of_sqlite_holds_is_told_by_most_of_its_values(
    connection: Connection, type_: str, values: list[object], kind: Kind, holds_moments: bool
) -> None:
    found = column(connection, [*values, None], type_)

    assert (found.kind, found.holds_moments, found.is_empty) == (kind, holds_moments, not values)
    assert (found.table, found.column, found.declared) == ("users", "Seen", type_)
    assert not found.is_indexed


def test_a_column_is_found_in_the_first_table_that_has_it(connection: Connection) -> None:
    connection.execute(text("CREATE TABLE a (x)"))
    connection.execute(text("CREATE TABLE b (y)"))
    connection.execute(text("CREATE TABLE c (y)"))

    found = find(connection, ["a", "b", "c"], "Y")

    assert found is not None
    assert (found.table, found.column) == ("b", "y")
    assert find(connection, ["a", "b"], "z") is None
    assert find(connection, [], "y") is None


def test_a_type_is_said_in_brackets_where_there_is_one(connection: Connection) -> None:
    assert column(connection, [], "TEXT").in_brackets == " (TEXT)"
    assert Found("users", "seen", "text", "").in_brackets == ""
