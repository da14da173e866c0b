"""How far a column's newest moments lie from now, asked of SQLite, whose big tables are read in part."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from skene_dagster.product import newest as module
from skene_dagster.product.newest import Newest, Rows, newest
from skene_dagster.store.engine import CLOCKS_DIFFER, open_engine

NOW = datetime(2026, 3, 2, 12)
TICK = timedelta(microseconds=1)
SOON = NOW + CLOCKS_DIFFER
BEYOND = SOON + timedelta(hours=14)
NONE = Rows(0, None, None)


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    engine = open_engine(f"sqlite:///{tmp_path / 'skene.db'}")
    with engine.connect().execution_options(skene_writes=True) as connection:
        yield connection
    engine.dispose()


def look(connection: Connection, seen: Iterable[object], *, key: str = "id INTEGER PRIMARY KEY") -> Newest | None:
    connection.execute(text(f"CREATE TABLE users ({key}, seen TEXT)"))
    for number, value in enumerate(seen):
        values = {"id": number, "seen": f"{value}"}
        connection.execute(text("INSERT INTO users VALUES (:id, :seen)"), values)
    return newest(connection, "users", "seen", NOW)


@pytest.mark.parametrize(
    ("at", "where"),
    [
        pytest.param(NOW - timedelta(days=1), "past", id="yesterday"),
        pytest.param(SOON, "past", id="as far ahead as clocks differ"),
        pytest.param(SOON + TICK, "ahead", id="further ahead than that"),
        pytest.param(BEYOND, "ahead", id="as far ahead as local time can be"),
        pytest.param(BEYOND + TICK, "far", id="further ahead than any zone"),
        pytest.param(datetime(9999, 1, 1), "far", id="the last that is a moment"),
        pytest.param(datetime(9999, 1, 1) + TICK, None, id="never"),
        pytest.param(datetime(1971, 1, 1) + TICK, "past", id="the first that is a moment"),
        pytest.param(datetime(1971, 1, 1), None, id="never, in the past"),
        pytest.param("soon", None, id="no moment"),
    ],
)
def test_a_moment_is_ahead_or_far_ahead_or_past(connection: Connection, at: object, where: str | None) -> None:
    found = look(connection, [at])

    assert found is not None
    assert found.among is None
    one = Rows(1, at, None) if isinstance(at, datetime) else NONE
    assert found.past == (at if where == "past" else None)
    assert found.ahead == (one if where == "ahead" else NONE)
    assert found.far == (one if where == "far" else NONE)


def hours(*ahead: float) -> list[datetime]:
    return [NOW + timedelta(hours=one) for one in ahead]


@pytest.mark.parametrize(
    ("seen", "ahead"),
    [
        pytest.param(hours(*range(1, 10)), Rows(9, NOW + timedelta(hours=9), None), id="nine"),
        pytest.param(
            hours(*range(1, 11)), Rows(10, NOW + timedelta(hours=10), NOW + timedelta(hours=1)), id="ten different ones"
        ),
        pytest.param(hours(*range(1, 12)), Rows(11, NOW + timedelta(hours=11), NOW + timedelta(hours=2)), id="eleven"),
        pytest.param(hours(*[1] * 9, 2), Rows(10, NOW + timedelta(hours=2), None), id="ten, two of them different"),
    ],
)
def test_the_tenth_newest_of_different_moments_is_a_product_in_use(
    connection: Connection, seen: list[datetime], ahead: Rows
) -> None:
    found = look(connection, seen)

    assert found is not None
    assert found.ahead == ahead


@pytest.mark.parametrize(("number", "counted"), [(3, 3), (4, 4), (5, 4)])
def test_moments_are_counted_up_to_a_number(
    connection: Connection, number: int, counted: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "COUNTED", 3)

    found = look(connection, hours(*[1] * number))

    assert found is not None
    assert found.ahead.number == counted


def test_of_a_big_table_the_last_rows_by_its_key_are_read(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "READ_WHOLE", 3)
    monkeypatch.setattr(module, "SAMPLE", 2)

    found = look(connection, hours(-1, -2, -4, -3))

    assert found is not None
    assert (found.past, found.among) == (NOW - timedelta(hours=3), 2)


def test_a_table_that_is_not_big_is_read_whole(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READ_WHOLE", 3)

    found = look(connection, hours(-1, -2, -3))

    assert found is not None
    assert (found.past, found.among) == (NOW - timedelta(hours=1), None)


def test_a_big_table_without_a_key_is_not_read(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READ_WHOLE", 1)

    assert look(connection, hours(-1, -2), key="id INTEGER") is None
