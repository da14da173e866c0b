"""Which indexes and keys a product's table has, and which one is proposed."""

import pytest
from sqlalchemy import Engine, text

from skene_dagster.product import shapes

on_servers = pytest.mark.parametrize("database_url", ["mariadb", "tidb"], indirect=True)


def make(engine: Engine, *statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


@on_servers
def test_an_index_fits_where_it_begins_with_the_points_and_goes_on_with_the_ranges(engine: Engine) -> None:
    make(
        engine,
        "CREATE TABLE orders (id INT PRIMARY KEY, a INT, b INT, c INT, d INT, e INT NOT NULL, KEY abc (a, b, c), "
        "UNIQUE KEY de (e, d))",
    )
    asked = {
        ("a",): (),
        ("a", "b"): (),
        ("b", "a"): (),
        ("a", "b", "c"): (),
        ("b",): (),
        ("c", "a"): (),
        ("id", "d"): (),
        ("e", "d", "a"): (),
        ("e", "a"): (),
        ("e", "b"): ("d",),
        ("b", "a", "x"): (),
    }
    ranges = [
        (("a",), ("b",)),
        (("a",), ("b", "c")),
        (("a",), ("c",)),
        (("b", "a"), ("c",)),
        ((), ("a",)),
        ((), ("b",)),
    ]

    with engine.connect() as connection:
        fits = {points for points, after in asked.items() if shapes.has_index(connection, "orders", points, after)}
        fits_ranges = [one for one in ranges if shapes.has_index(connection, "orders", *one)]

    assert fits == {("a",), ("a", "b"), ("b", "a"), ("a", "b", "c"), ("id", "d"), ("e", "d", "a")}
    assert fits_ranges == [(("a",), ("b",)), (("a",), ("b", "c")), (("b", "a"), ("c",)), ((), ("a",))]


@on_servers
def test_texts_without_bounds_and_json_take_no_index(engine: Engine) -> None:
    make(
        engine,
        "CREATE TABLE orders (id BIGINT PRIMARY KEY, a VARCHAR(768) CHARACTER SET utf8mb4, "
        "b VARCHAR(769) CHARACTER SET utf8mb4, c TEXT, d JSON, e DATETIME, f DECIMAL(9, 2), g VARBINARY(3072), h BLOB)",
    )

    with engine.connect() as connection:
        assert shapes.indexable(connection, "orders") == ["id", "a", "e", "f", "g"]


def test_rows_are_counted_no_further_than_is_asked(engine: Engine) -> None:
    make(engine, "CREATE TABLE orders (id INT PRIMARY KEY)", "INSERT INTO orders VALUES (1), (2), (3)")

    with engine.connect() as connection:
        assert [shapes.has_more_rows(connection, "orders", than) for than in (2, 3)] == [True, False]


def test_what_no_two_rows_have_in_common_is_known(engine: Engine) -> None:
    make(
        engine,
        "CREATE TABLE orders (id INT PRIMARY KEY, Email VARCHAR(20) NOT NULL UNIQUE, a INT, b INT)",
        "CREATE UNIQUE INDEX ab ON orders (a, b)",
        "CREATE INDEX only_b ON orders (b)",
    )

    with engine.connect() as connection:
        assert set(shapes.unique_keys(connection, "orders")) == {
            frozenset({"id"}),
            frozenset({"email"}),
            frozenset({"a", "b"}),
        }


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_is_unique_among_some_rows_only_may_be_had_in_common_by_others(engine: Engine) -> None:
    make(
        engine,
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, a INT)",
        "CREATE UNIQUE INDEX a_of_few ON orders (a) WHERE id > 7",
    )

    with engine.connect() as connection:
        assert shapes.unique_keys(connection, "orders") == [frozenset({"id"})]


@pytest.mark.parametrize(
    ("columns", "called"),
    [
        pytest.param(["a", "b"], "orders_a_b", id="of two columns"),
        pytest.param(["a" * 49], "orders_" + "a" * 49, id="as long as it may be"),
        pytest.param(["a" * 50], "orders_" + "a" * 49, id="longer"),
        pytest.param(["a" * 48, "b"], "orders_" + "a" * 48, id="cut behind a word"),
    ],
)
def test_an_index_is_proposed_under_a_name_that_fits(engine: Engine, columns: list[str], called: str) -> None:
    with engine.connect() as connection:
        statement = shapes.create_index(connection, "shop.orders", columns)

    assert statement == f"CREATE INDEX {called} ON shop.orders ({', '.join(columns)});"
