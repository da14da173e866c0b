"""Moments that the product writes in its own way: how they are bounded, which column is refused, what is kept."""

import json
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    ColumnElement,
    Connection,
    String,
    column,
    func,
    literal_column,
    select,
    table,
    text,
    type_coerce,
)

from skene_dagster.errors import SettingsError
from skene_dagster.product import attributes, mapped_moments
from skene_dagster.product.attributes import LARGEST, TooLarge
from skene_dagster.product.mapped_moments import Unreadable
from skene_dagster.product.moments import Form, ProductMoment
from skene_dagster.settings import MomentColumn, Unit
from skene_dagster.store.engine import open_engine

NOON = datetime(2026, 3, 2, 12)


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    engine = open_engine(f"sqlite:///{tmp_path / 'skene.db'}")
    with engine.connect().execution_options(skene_writes=True) as connection:
        yield connection
    engine.dispose()


@pytest.mark.parametrize(
    ("form", "bound", "low", "high"),
    [
        pytest.param("ours", NOON, NOON, NOON, id="ours"),
        pytest.param("moment", NOON.date(), NOON.date(), NOON.date(), id="a day of a type for moments"),
        pytest.param("text", NOON, "2026-03-01", "2026-03-04", id="a text, at any offset"),
        pytest.param("text", NOON.date(), "2026-03-01", "2026-03-04", id="a text, by the day"),
        pytest.param("text", datetime(9999, 12, 31), "9999-12-28", "9999-12-31", id="a text, for ever"),
        pytest.param("seconds", datetime(1970, 1, 1, 0, 1), 60.0, 60.0, id="seconds"),
        pytest.param("seconds", date(1970, 1, 2), 86400.0, 86400.0, id="seconds, by the day"),
        pytest.param("milliseconds", datetime(1970, 1, 1, 0, 0, 1, 500_000), 1500.0, 1500.0, id="milliseconds"),
    ],
)
def test_a_column_is_bounded_as_it_is_written(form: Form, bound: date, low: object, high: object) -> None:
    moment = ProductMoment(column("at"), form, is_sqlite=True)

    since, before = moment.since(bound), moment.before(bound)

    assert (str(since), str(before)) == ("at >= :param_1", "at < :param_1")
    assert [*since.compile().params.values(), *before.compile().params.values()] == [low, high]
    assert moment.is_exact == (form in {"ours", "moment"})


@pytest.mark.parametrize(
    "written",
    [
        pytest.param("2026-03-01T22:00:00-14:00", id="far west, the day before"),
        pytest.param("2026-03-04T01:59:00+14:00", id="far east, the day after"),
    ],
)
def test_no_bound_leaves_out_what_lies_within_it(connection: Connection, written: str) -> None:
    moment = ProductMoment(literal_column(f"'{written}'"), "text", is_sqlite=True)
    begin, end = datetime(2026, 3, 2, 12), datetime(2026, 3, 3, 12)

    found = select(moment.moment, moment.since(begin), moment.before(end))
    (at, is_since, is_before) = connection.execute(found).one()

    assert begin <= at < end
    assert (is_since, is_before) == (True, True)


def test_a_text_on_a_server_is_not_bounded_by_what_a_column_holds() -> None:
    day: ColumnElement[Any] = column("day")

    on_a_server, here = (ProductMoment(column("at"), "text", is_sqlite=on) for on in (False, True))

    assert [str(on_a_server.since(day)), str(on_a_server.before(day))] == ["true", "true"]
    assert "at >= " in str(here.since(day).compile(dialect=open_engine("sqlite:////nowhere/x.db").dialect))


@pytest.mark.parametrize("type_", ["", "TEXT", "DATETIME", "INTEGER", "TEXT COLLATE NOCASE", "TEXT COLLATE RTRIM"])
def test_a_text_is_read_the_same_by_the_short_way_and_by_the_long_one(connection: Connection, type_: str) -> None:
    values: list[object] = [
        *("2026-03-02 12:00:00", "2024-02-29 23:59:59", "1000-01-01 00:00:00", "9999-12-31 23:59:59"),
        *("0999-12-31 23:59:59", "0000-00-00 00:00:00", "-026-03-02 12:00:00", "2026-02-30 12:00:00"),
        *("2026-03-02 24:00:00", "2026-03-02 12:00:60", "2026-03-02 12:00:00 ", " 2026-03-02 12:00:00"),
        *("2026-03-02 12:00:00\0", "2026-03-02 12:00:00.5", "2026-03-02 12:00:00.999999", "2026-03-02T12:00:00Z"),
        *("2026-03-02 12:00:00.999999\0", "2026-02-30 12:00:00.000000", "2026-03-02 12:00:00.99999x"),
        *("2026-03-02 24:00:00.000000", "0999-12-31 23:59:59.000000", "2026-03-02T12:00:00.999999"),
        *("2026-03-02", "now", "", "2460000.5", 20_260_302, 2460000.5, b"2026-03-02 12:00:00", None),
    ]
    made(connection, type_, *values)
    short = type_coerce(ProductMoment(column("at"), "text", is_sqlite=True).moment, String)

    found = connection.execute(select(short, func.skene_moment(column("at"))).select_from(table("orders"))).all()

    assert [is_ for is_, _ in found] == [ought for _, ought in found]
    assert len({is_ for is_, _ in found}) > 5


def made(connection: Connection, type_: str, *values: object) -> None:
    connection.execute(text(f"CREATE TABLE orders (at {type_})"))
    for value in values:
        connection.execute(text("INSERT INTO orders VALUES (:value)"), {"value": value})


def of(connection: Connection, unit: Unit | None = None, name: str = "at") -> Form:
    mapped = MomentColumn(column=name, unit=unit)
    return mapped_moments.of(connection, "orders", mapped, column(name), "events.at").form


@pytest.mark.parametrize(
    ("values", "unit", "form"),
    [
        pytest.param(["2026-03-02"], None, "text", id="texts"),
        pytest.param([], None, "text", id="nothing"),
        pytest.param([1_772_000_000], "seconds", "seconds", id="numbers of a unit"),
        pytest.param([], "milliseconds", "milliseconds", id="nothing, of a unit"),
    ],
)
def test_a_column_is_read_as_it_holds_moments(
    connection: Connection, values: list[object], unit: Unit | None, form: Form
) -> None:
    made(connection, "", *values)

    assert of(connection, unit) == form


@pytest.mark.parametrize(
    ("type_", "values", "unit", "message", "advice"),
    [
        pytest.param(
            "INTEGER",
            [1_772_000_000],
            None,
            "orders.at holds numbers (INTEGER), and numbers are not times.",
            "They look like seconds since 1970. Write: `at: {column: at, unit: seconds}`",
            id="seconds without a unit",
        ),
        pytest.param(
            "",
            [1_772_000_000_000],
            None,
            "orders.at holds numbers, and numbers are not times.",
            "They look like milliseconds since 1970. Write: `at: {column: at, unit: milliseconds}`",
            id="milliseconds without a unit",
        ),
        pytest.param(
            "",
            [20_260_302],
            None,
            "orders.at holds numbers, and numbers are not times.",
            "They look like dates. Name a column of type DATETIME, or create a view that has one.",
            id="dates",
        ),
        pytest.param(
            "",
            [7],
            None,
            "orders.at holds numbers, and numbers are not times.",
            "If they count seconds since 1970, write: `at: {column: at, unit: seconds}`; "
            "if milliseconds: `at: {column: at, unit: milliseconds}`",
            id="numbers of which nobody knows what they count",
        ),
        pytest.param(
            "TEXT",
            ["2026-03-02"],
            "seconds",
            "orders.at does not hold numbers (TEXT), but 'events.at' says that it holds seconds.",
            "Remove the unit: `at: at`.",
            id="texts of a unit",
        ),
        pytest.param(
            "",
            ["2026-03-02"],
            "seconds",
            "orders.at does not hold numbers (text), but 'events.at' says that it holds seconds.",
            "Remove the unit: `at: at`.",
            id="texts of a unit, in a column of no type",
        ),
    ],
)
def test_a_column_whose_moments_cannot_be_read_is_refused_with_what_to_write(
    connection: Connection, type_: str, values: list[object], unit: Unit | None, message: str, advice: str
) -> None:
    made(connection, type_, *values)

    with pytest.raises(SettingsError) as refused:
        of(connection, unit)

    assert (refused.value.message, refused.value.advice) == (message, advice)
    assert str(refused.value.place) == "skene.yaml  events.at"
    with pytest.raises(SettingsError):
        mapped_moments.check(connection, "orders", MomentColumn(column="at", unit=unit), "events.at")


def test_a_column_that_is_not_there_is_refused(connection: Connection) -> None:
    made(connection, "")

    with pytest.raises(SettingsError, match="Table 'orders' has no column 'on'"):
        of(connection, name="on")


def test_values_that_are_no_moments_are_counted_in_tables_that_are_not_large(connection: Connection) -> None:
    made(connection, "TEXT", "2026-03-02", "soon", " ", "", None, "never")
    mapped = MomentColumn(column="at", unit=None)

    (found,) = mapped_moments.unreadable(connection, "orders", mapped, most=6)

    assert found == Unreadable("orders", "at", 2)
    assert list(mapped_moments.unreadable(connection, "orders", mapped, most=5)) == []
    connection.execute(text("DELETE FROM orders WHERE at IN ('soon', 'never')"))
    assert list(mapped_moments.unreadable(connection, "orders", mapped, most=6)) == []


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (1, "orders.at: 1 value is not a date or time, and counts as NULL."),
        (2000, "orders.at: 2,000 values are not dates or times, and count as NULL."),
    ],
)
def test_values_that_are_no_moments_are_told(values: int, said: str) -> None:
    assert str(Unreadable("orders", "at", values)) == said


def kept(connection: Connection, value: object) -> str | None:
    connection.execute(text("CREATE TABLE answer (a, b)"))
    connection.execute(text("INSERT INTO answer VALUES (:value, 7)"), {"value": value})
    answer = select(column("a"), column("b")).select_from(table("answer")).subquery()
    found: str | None = connection.execute(select(attributes.kept(connection, answer, ["a", "b"]))).scalar_one()
    return found


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("ü", id="a text"),
        pytest.param(1.5, id="a number"),
        pytest.param(None, id="nothing"),
        pytest.param(b"\x00\xff", id="bytes"),
    ],
)
def test_what_an_email_names_is_kept_and_read_as_it_was(connection: Connection, value: object) -> None:
    assert attributes.read(kept(connection, value), ["a", "b"]) == {"a": value, "b": 7}


@pytest.mark.parametrize(
    ("letters", "is_kept"),
    [
        pytest.param("x" * (LARGEST - len('{"a":"","b":7}')), True, id="as large as may be"),
        pytest.param("x" * (LARGEST - len('{"a":"","b":7}') + 1), False, id="larger"),
        pytest.param("ü" * (LARGEST // 2), False, id="larger in bytes"),
    ],
)
def test_what_is_too_large_is_not_kept(connection: Connection, letters: str, is_kept: bool) -> None:
    found: Any = attributes.read(kept(connection, letters), ["a", "b"])

    if is_kept:
        assert found == {"a": letters, "b": 7}
    else:
        assert set(found) == {"a", "b"}
        assert all(isinstance(value, TooLarge) for value in found.values())


def test_where_nothing_is_kept_nothing_is_read() -> None:
    assert attributes.read(None, ["a"]) == {}
    assert attributes.read("", ["a"]) == {}
    assert attributes.read(json.dumps({"hex:a": None}), ["a"]) == {"a": None}
