"""What SQLite knows of a table: its keys, how many rows it has, and which columns may hold moments."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, create_engine, text

from skene_dagster.product.shapes import MomentColumn, create_index, has_more_rows, moment_columns, unique_keys


@pytest.fixture
def connection() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@pytest.mark.parametrize(
    ("columns", "index", "keys"),
    [
        pytest.param("Id INTEGER PRIMARY KEY, b", "", [{"id"}], id="a primary key"),
        pytest.param("a, b, PRIMARY KEY (b, a)", "", [{"a", "b"}], id="one of two columns"),
        pytest.param("a, b", "", [], id="none"),
        pytest.param("a, b", "CREATE UNIQUE INDEX i ON t (B)", [{"b"}], id="a unique index"),
        pytest.param("a, b UNIQUE", "", [{"b"}], id="a unique column"),
        pytest.param("a VARCHAR(9) UNIQUE, b", "", [{"a"}], id="one of a type with a length"),
        pytest.param("a, b", "CREATE INDEX i ON t (b)", [], id="an index that is not unique"),
        pytest.param("a, b", "CREATE UNIQUE INDEX i ON t (b) WHERE a = 1", [], id="a unique index of some rows"),
    ],
)
def test_what_no_two_rows_have_in_common(
    connection: Connection, columns: str, index: str, keys: list[set[str]]
) -> None:
    connection.execute(text(f"CREATE TABLE t ({columns})"))
    if index:
        connection.execute(text(index))

    assert {*unique_keys(connection, "t")} == {frozenset(key) for key in keys}


def test_rows_are_counted_no_further_than_is_asked(connection: Connection) -> None:
    connection.execute(text("CREATE TABLE t (a)"))
    connection.execute(text("INSERT INTO t VALUES (1), (1), (1)"))

    assert [has_more_rows(connection, "t", than) for than in (2, 3, 4)] == [True, False, False]


def test_columns_that_may_hold_moments_are_told_by_their_types_names(connection: Connection) -> None:
    connection.execute(text("CREATE TABLE t (a DATETIME, b text, c INTEGER, d TIMESTAMP, e DATE)"))

    assert moment_columns(connection, "t") == [
        MomentColumn(name, has_zone=False, is_filled=False) for name in ("a", "b", "d")
    ]
    assert moment_columns(connection, "nothing") == []


@pytest.mark.parametrize(
    ("table", "columns", "statement"),
    [
        pytest.param("users", ["email"], "CREATE INDEX users_email ON users (email);", id="one column"),
        pytest.param("app.users", ["a", "b"], "CREATE INDEX users_a_b ON app.users (a, b);", id="another schema's"),
        pytest.param("order", ["by"], 'CREATE INDEX order_by ON "order" ("by");', id="words of SQL"),
        pytest.param("t", ["c" * 54], f"CREATE INDEX t_{'c' * 54} ON t ({'c' * 54});", id="a name as long as may be"),
        pytest.param("t", ["c" * 55], f"CREATE INDEX t_{'c' * 54} ON t ({'c' * 55});", id="a longer name"),
        pytest.param(
            "t", ["c" * 53, "d"], f"CREATE INDEX t_{'c' * 53} ON t ({'c' * 53}, d);", id="a name that ends in a line"
        ),
    ],
)
def test_an_index_is_written_with_a_name_that_fits(
    connection: Connection, table: str, columns: list[str], statement: str
) -> None:
    assert create_index(connection, table, columns) == statement
