"""A users key is read as people and results write it, and what a server is follows from what it says."""

from decimal import Decimal

import pytest

from skene_dagster.store.keys import Key, affinity
from skene_dagster.store.names import named, parts
from skene_dagster.store.server.capabilities import Capabilities, _read

INTEGER = Key("bigint(20)", is_integer=True)
TEXT = Key("varchar(36)", is_integer=False)
BINARY = Key("VARBINARY(16)", is_integer=False)


@pytest.mark.parametrize(
    ("key", "written", "read"),
    [
        pytest.param(INTEGER, "42", 42, id="a number"),
        pytest.param(INTEGER, "ada", None, id="no number"),
        pytest.param(TEXT, "42", "42", id="a text of digits"),
        pytest.param(BINARY, "00-fF", b"\x00\xff", id="hex digits"),
        pytest.param(BINARY, "ada", None, id="no hex digits"),
    ],
)
def test_a_key_is_read_as_people_write_it(key: Key, written: str, read: object) -> None:
    assert key.read(written) == read


@pytest.mark.parametrize(
    ("key", "value", "same"),
    [
        pytest.param(INTEGER, 42, 42, id="a number"),
        pytest.param(INTEGER, Decimal(42), 42, id="a decimal without a fraction"),
        pytest.param(INTEGER, Decimal("42.5"), None, id="a fraction"),
        pytest.param(INTEGER, "42", 42, id="digits"),
        pytest.param(INTEGER, 42.0, None, id="a float"),
        pytest.param(INTEGER, None, None, id="NULL"),
        pytest.param(TEXT, "42", "42", id="a text"),
        pytest.param(TEXT, 42, 42, id="what the database compares with a text"),
    ],
)
def test_a_value_of_a_result_is_brought_to_the_keys_type(key: Key, value: object, same: object) -> None:
    found = key.same_type(value)

    assert found == same
    assert type(found) is type(same)


@pytest.mark.parametrize(
    ("declared", "kind"),
    [
        # https://sqlite.org/datatype3.html, 3.1: in this order.
        ("bigint", "INTEGER"),
        ("charint", "INTEGER"),
        ("varchar(36)", "TEXT"),
        ("clob", "TEXT"),
        ("text", "TEXT"),
        ("blob", "BLOB"),
        ("", "BLOB"),
        ("decimal(10)", "NUMERIC"),
    ],
)
def test_columns_of_one_affinity_compare_as_they_are(declared: str, kind: str) -> None:
    assert affinity(declared) == kind


@pytest.mark.parametrize(
    ("said", "product", "version"),
    [
        ("8.0.11-TiDB-v8.5.3", "TiDB", (8, 5, 3)),
        ("5.7.25-TiDB-7.5.0-serverless", "TiDB", (7, 5, 0)),
        ("10.11.6-MariaDB-0+deb12u1", "MariaDB", (10, 11, 6)),
        ("8.0.36", "MySQL", (8, 0, 36)),
        ("unknown", "MySQL", ()),
    ],
)
def test_a_server_is_what_its_version_says(said: str, product: str, version: tuple[int, ...]) -> None:
    assert _read(said) == (product, version)


@pytest.mark.parametrize(
    ("product", "version", "is_too_old"),
    [
        ("TiDB", (7, 4, 9), True),
        ("TiDB", (7, 5), False),
        ("TiDB", (7, 5, 0), False),
        ("TiDB", (8, 1), False),
        ("MariaDB", (5, 5), False),
    ],
)
def test_a_tidb_before_7_5_is_too_old(product: str, version: tuple[int, ...], *, is_too_old: bool) -> None:
    found = Capabilities(product, version, frozenset())

    assert found.is_too_old == is_too_old
    assert found.name == f"{product} {'.'.join(map(str, version))}"


def test_a_tables_name_may_have_that_of_its_schema_before_it() -> None:
    assert parts("orders") == (None, "orders")
    assert parts("shop.orders") == ("shop", "orders")
    assert [column.name for column in named("shop.orders", "id", "at", "id").columns] == ["id", "at"]
    assert named("shop.orders").schema == "shop"
    assert named("orders").schema is None
