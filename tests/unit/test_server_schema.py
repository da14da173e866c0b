"""What a server's information_schema tells of the product's tables: here SQLite stands in for it."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, event, text

from skene_dagster.product.column_kinds import Found, Kind, _on_server
from skene_dagster.product.shapes import MomentColumn, _moments_on_server, has_index, indexable, known_rows

TABLES = {
    "tables": "table_schema, table_name, table_type, table_rows",
    "columns": "table_schema, table_name, column_name, data_type, column_type, character_octet_length, "
    "ordinal_position, column_default, extra",
    "statistics": "table_schema, table_name, index_name, non_unique, column_name, seq_in_index",
}


@pytest.fixture
def connection() -> Iterator[Connection]:
    engine = create_engine("sqlite://")

    @event.listens_for(engine, "connect")
    def stand_in(connection: Any, _record: object) -> None:
        connection.execute("ATTACH ':memory:' AS information_schema")
        connection.create_function("DATABASE", 0, lambda: "app")
        connection.create_function(
            "CONCAT_WS", 3, lambda by, *parts: by.join(part for part in parts if part is not None)
        )

    with engine.connect() as connection:
        for name, columns in TABLES.items():
            connection.execute(text(f"CREATE TABLE information_schema.{name} ({columns})"))
        yield connection
    engine.dispose()


def knows(connection: Connection, table: str, *rows: tuple[object, ...]) -> None:
    for row in rows:
        marks = ", ".join(f":v{n}" for n in range(len(row)))
        values = {f"v{n}": value for n, value in enumerate(row)}
        connection.execute(text(f"INSERT INTO information_schema.{table} VALUES ({marks})"), values)


@pytest.mark.parametrize(
    ("table", "rows"),
    [
        pytest.param("users", 7, id="a table"),
        pytest.param("other.users", 9, id="another schema's"),
        pytest.param("fresh", 0, id="one without statistics"),
        pytest.param("seen", None, id="a view"),
        pytest.param("nothing", None, id="none"),
    ],
)
def test_how_many_rows_a_server_thinks_that_there_are(connection: Connection, table: str, rows: int | None) -> None:
    knows(
        connection,
        "tables",
        ("app", "users", "BASE TABLE", 7),
        ("other", "users", "BASE TABLE", 9),
        ("app", "fresh", "BASE TABLE", None),
        ("app", "seen", "VIEW", 5),
    )

    assert known_rows(connection, table) == rows


@pytest.mark.parametrize(
    ("kind", "size", "fits"),
    [
        pytest.param("bigint", None, True, id="a number"),
        pytest.param("DATETIME", None, True, id="a moment"),
        pytest.param("varchar", 3072, True, id="a text as long as may be"),
        pytest.param("varchar", 3073, False, id="a longer one"),
        pytest.param("text", 100, False, id="a text without bounds"),
        pytest.param("json", None, False, id="JSON"),
    ],
)
def test_an_index_takes_what_has_bounds(connection: Connection, kind: str, size: int | None, fits: bool) -> None:
    knows(
        connection,
        "columns",
        ("app", "users", "b", kind, kind, size, 2, None, ""),
        ("app", "users", "a", "int", "int", None, 1, None, ""),
        ("other", "users", "c", "int", "int", None, 1, None, ""),
    )

    assert indexable(connection, "users") == (["a", "b"] if fits else ["a"])


def test_columns_of_moments_are_told_with_what_the_server_does_to_them(connection: Connection) -> None:
    knows(
        connection,
        "columns",
        ("app", "users", "b", "timestamp", "", None, 2, "CURRENT_TIMESTAMP", ""),
        ("app", "users", "a", "datetime", "", None, 1, None, ""),
        ("app", "users", "c", "datetime", "", None, 3, None, "on update CURRENT_TIMESTAMP(6)"),
        ("app", "users", "d", "date", "", None, 4, None, ""),
        ("other", "users", "e", "datetime", "", None, 5, None, ""),
    )

    assert _moments_on_server(connection, "users") == [
        MomentColumn("a", has_zone=False, is_filled=False),
        MomentColumn("b", has_zone=True, is_filled=True),
        MomentColumn("c", has_zone=False, is_filled=True),
    ]


INDEXES: tuple[tuple[object, ...], ...] = (
    *(("app", "orders", "abc", 1, column, n) for n, column in ((3, "c"), (1, "a"), (2, "b"))),
    *(("app", "orders", "de", "0", column, n) for n, column in ((1, "e"), (2, "d"))),
    ("app", "other", "x", 0, "x", 1),
)


@pytest.mark.parametrize(
    ("points", "ranges", "fits"),
    [
        pytest.param(["a"], [], True, id="its first part"),
        pytest.param(["b", "a"], [], True, id="its first parts, in another order"),
        pytest.param(["b"], [], False, id="not its first"),
        pytest.param(["c", "a"], [], False, id="a gap"),
        pytest.param(["a"], ["b"], True, id="a range behind a point"),
        pytest.param(["b", "a"], ["c"], True, id="a range behind points"),
        pytest.param(["a"], ["c"], False, id="a range behind a gap"),
        pytest.param([], ["a"], True, id="a range alone"),
        pytest.param([], ["b"], False, id="a range alone, not the first"),
        pytest.param(["e"], [], True, id="a part of a unique one, as of any"),
        pytest.param(["d"], [], False, id="the last part of a unique one"),
        pytest.param(["d", "a", "e"], ["x"], True, id="all of a unique one: at most one row"),
        pytest.param(["b", "c", "a", "x"], [], False, id="all of one that is not unique, and more"),
        pytest.param(["x"], [], False, id="another table's"),
    ],
)
def test_an_index_fits_where_it_begins_with_what_is_asked(
    connection: Connection, points: Sequence[str], ranges: Sequence[str], fits: bool
) -> None:
    knows(connection, "statistics", *INDEXES)

    assert has_index(connection, "orders", points, ranges) == fits


@pytest.mark.parametrize(
    ("data_type", "kind"),
    [
        pytest.param("DATETIME", "moment", id="a moment"),
        pytest.param("varchar", "text", id="a text"),
        pytest.param("decimal", "number", id="a number"),
        pytest.param("json", "other", id="something else"),
    ],
)
@pytest.mark.parametrize("is_indexed", [True, False])
def test_what_a_column_of_a_server_holds_is_declared(
    connection: Connection, data_type: str, kind: Kind, is_indexed: bool
) -> None:
    knows(connection, "columns", ("app", "users", "seen", data_type, f"{data_type}(6)", None, 1, None, ""))
    if is_indexed:
        knows(connection, "statistics", ("app", "users", "i", 1, "other", 1), ("app", "users", "i", 1, "seen", 2))

    found = _on_server(connection, "users", "seen")

    assert found == Found(
        "users", "seen", kind, f"{data_type}(6)", is_indexed=is_indexed, holds_moments=kind == "moment"
    )
    assert _on_server(connection, "users", "gone") is None
    assert _on_server(connection, "other.users", "seen") is None
