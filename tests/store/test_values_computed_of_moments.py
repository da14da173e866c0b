"""A value that is computed, or has an alias, and is read as a moment: on every database the same."""

import json
from typing import Any

import pytest
from segment_world import World
from sqlalchemy import Engine
from test_moments_in_conditions import DAY, SECONDS, loop, make, selected

from skene_dagster.errors import QueryRejected
from skene_dagster.store.engine import is_sqlite

OLD, NEW = SECONDS - 30 * DAY, SECONDS - DAY
_AGO = "NOW() - INTERVAL 7 DAY"
_COUNTED = "UNIX_TIMESTAMP(NOW() - INTERVAL 7 DAY)"


@pytest.fixture
def world(engine: Engine) -> World:
    """User 1 was seen a month ago, user 2 yesterday: in seconds, milliseconds, a DATETIME, a day as 20260301."""
    world = make(engine, "DATETIME", "2026-01-30 09:00:00", "2026-02-28 09:00:00")
    for column in ("sec", "ms", "ymd"):
        world.do(f"ALTER TABLE users ADD COLUMN {column} BIGINT NULL")
    world.do(f"UPDATE users SET sec = {OLD}, ms = {OLD}000, ymd = 20260130 WHERE id = 1")
    world.do(f"UPDATE users SET sec = {NEW}, ms = {NEW}000, ymd = 20260228 WHERE id = 2")
    world.do("CREATE TABLE events (user_id BIGINT, at BIGINT)")
    world.do("INSERT INTO events SELECT id, sec FROM users")
    return world


def refused(world: World, sql: str) -> QueryRejected:
    with pytest.raises(QueryRejected) as caught:
        world.refresh(0, loop(sql))
    assert str(caught.value.place) == "loops/retention.yaml:7  step 1, condition.query", sql
    return caught.value


NUMBERS = {
    f"ms / 1000 < {_AGO}": f"ms / 1000 < {_COUNTED}",
    f"ms / 1000 < {_AGO} AND id > 0": f"ms / 1000 < {_COUNTED}",
    f"sec * 1000 < {_AGO}": f"sec * 1000 < {_COUNTED} * 1000",
    f"COALESCE(sec, 0) < {_AGO}": f"COALESCE(sec, 0) < {_COUNTED}",
    f"IFNULL(ms, 0) < {_AGO}": f"IFNULL(ms, 0) < {_COUNTED} * 1000",
    f"IF(dormant, sec, 0) < {_AGO}": f"IF(dormant, sec, 0) < {_COUNTED}",
    f"sec + 0 < {_AGO}": f"sec + 0 < {_COUNTED}",
    f"ROUND(ms / 1000) < {_AGO}": f"ROUND(ms / 1000) < {_COUNTED}",
    f"FLOOR(ms / 1000) < {_AGO}": f"FLOOR(ms / 1000) < {_COUNTED}",
    f"ABS(sec) < {_AGO}": f"ABS(sec) < {_COUNTED}",
    f"CAST(sec AS SIGNED) < {_AGO}": f"CAST(sec AS SIGNED) < {_COUNTED}",
    f"{_AGO} > ms DIV 1000": f"{_COUNTED} > ms DIV 1000",
    "sec + 0 < seen_at": "sec + 0 < UNIX_TIMESTAMP(seen_at)",
    f"UNIX_TIMESTAMP(seen_at) < {_AGO}": f"UNIX_TIMESTAMP(seen_at) < {_COUNTED}",
    "seen_at < UNIX_TIMESTAMP() - 604800": "UNIX_TIMESTAMP(seen_at) < UNIX_TIMESTAMP() - 604800",
    "COALESCE(seen_at, 0) > UNIX_TIMESTAMP()": "UNIX_TIMESTAMP(COALESCE(seen_at, 0)) > UNIX_TIMESTAMP()",
    f"sec * 86400 < {_AGO}": f"sec * 86400 < {_COUNTED}",
    f"COALESCE(sec, NOW()) < {_AGO}": f"COALESCE(FROM_UNIXTIME(sec), NOW()) < {_AGO}",
    f"ms NOT BETWEEN {_AGO} AND NOW()": f"ms NOT BETWEEN {_COUNTED} * 1000 AND UNIX_TIMESTAMP(NOW()) * 1000",
    f"NOT sec >= {_AGO}": f"NOT sec >= {_COUNTED}",
    f"NOT (sec >= {_AGO})": f"NOT (sec >= {_COUNTED})",
    "sec NOT IN (NOW(), CURDATE())": "sec NOT IN (UNIX_TIMESTAMP(NOW()), UNIX_TIMESTAMP(CURDATE()))",
    "NOW() NOT IN (sec, sec)": "UNIX_TIMESTAMP(NOW()) NOT IN (sec, sec)",
}


def test_a_number_that_is_computed_is_refused_beside_a_moment_with_the_line_to_write(world: World) -> None:
    for condition, instead in NUMBERS.items():
        bad = refused(world, f"SELECT id FROM users WHERE {condition}")

        assert "is a number" in bad.message or "is compared with a number" in bad.message, condition
        assert bad.advice.endswith(f"Write: {instead}"), condition


@pytest.mark.parametrize(
    "condition",
    [
        pytest.param(f"ms / 1000 < {_COUNTED}", id="in milliseconds"),
        pytest.param(f"IFNULL(ms, 0) < {_COUNTED} * 1000", id="or zero"),
        pytest.param("UNIX_TIMESTAMP(seen_at) < UNIX_TIMESTAMP() - 604800", id="a moment as a number"),
        pytest.param(f"COALESCE(FROM_UNIXTIME(sec), NOW()) < {_AGO}", id="or a moment"),
        pytest.param(f"ms NOT BETWEEN {_COUNTED} * 1000 AND UNIX_TIMESTAMP(NOW()) * 1000", id="NOT BETWEEN"),
    ],
)
def test_what_is_advised_for_a_number_that_is_computed_selects_whom_it_should(world: World, condition: str) -> None:
    assert selected(world, f"SELECT id FROM users WHERE {condition}") == [1]


@pytest.mark.parametrize(
    ("sql", "instead"),
    [
        pytest.param(
            f"SELECT user_id, MAX(at) AS last_at FROM events GROUP BY user_id HAVING last_at < {_AGO}",
            f"last_at < {_COUNTED}",
            id="in HAVING",
        ),
        pytest.param(
            f"SELECT user_id, MAX(at) AS at FROM events GROUP BY user_id HAVING at < {_AGO}",
            f"at < {_COUNTED}",
            id="in HAVING, by a column's name",
        ),
        pytest.param(
            f"SELECT q.id FROM (SELECT user_id AS id, MAX(at) / 1000 AS m FROM events GROUP BY 1) q WHERE q.m < {_AGO}",
            f"q.m < {_COUNTED} / 1000",
            id="in a derived table",
        ),
        pytest.param(
            "SELECT q.id FROM (SELECT user_id AS id, MAX(at) * 1000 AS m FROM events GROUP BY 1) q "
            f"WHERE q.m / 1000 < {_AGO}",
            f"q.m / 1000 < {_COUNTED}",
            id="in arithmetic with a derived table",
        ),
        pytest.param(
            f"SELECT id, sec AS s FROM users ORDER BY s < {_AGO}, id LIMIT 5", f"s < {_COUNTED}", id="in ORDER BY"
        ),
    ],
)
def test_a_number_is_refused_behind_its_alias(world: World, sql: str, instead: str) -> None:
    assert refused(world, sql).advice == f"It looks like seconds since 1970. Write: {instead}"


@pytest.mark.parametrize(
    ("sql", "inside"),
    [
        pytest.param(
            f"SELECT user_id, FROM_UNIXTIME(MAX(at)) AS at FROM events GROUP BY user_id HAVING at < {_AGO}",
            [1],
            id="an alias by a column's name",
        ),
        pytest.param(
            "SELECT id, DATE(FROM_UNIXTIME(MAX(sec))) AS sec FROM users GROUP BY id "
            "HAVING sec < CURDATE() - INTERVAL 7 DAY",
            [1],
            id="a day by a column's name",
        ),
        pytest.param(
            f"SELECT user_id, COUNT(*) AS at FROM events GROUP BY user_id HAVING FROM_UNIXTIME(MAX(at)) < {_AGO}",
            [1],
            id="within an aggregate the name is the column's",
        ),
        pytest.param(
            f"SELECT user_id, MAX(at) AS last FROM events GROUP BY user_id HAVING last < {_COUNTED}",
            [1],
            id="seconds against seconds",
        ),
        pytest.param(
            f"SELECT id, FROM_UNIXTIME(ms / 1000) AS t FROM users GROUP BY id, ms HAVING t < {_AGO}",
            [1],
            id="milliseconds as a moment",
        ),
        pytest.param("SELECT id FROM users WHERE YEAR(seen_at) * 100 + MONTH(seen_at) < 202602", [1], id="a month"),
        pytest.param("SELECT id FROM users WHERE TIMESTAMPDIFF(DAY, seen_at, NOW()) > 7", [1], id="days between"),
    ],
)
def test_what_is_a_moment_or_a_number_on_both_sides_is_accepted(world: World, sql: str, inside: list[Any]) -> None:
    assert selected(world, sql) == inside


@pytest.mark.parametrize(
    "condition",
    [
        pytest.param("CURDATE() - INTERVAL 7 DAY > ymd + 0", id="the column"),
        pytest.param("DATE_FORMAT(CURDATE() - INTERVAL 7 DAY, '%Y%m%d') + 0 > DATE(seen_at)", id="the clock"),
    ],
)
def test_a_day_as_a_number_is_compared_by_servers(world: World, condition: str) -> None:
    if is_sqlite(world.engine):
        pytest.skip("SQLite keeps a day as a text")
    assert selected(world, f"SELECT id FROM users WHERE {condition}") == [1]


TEXTS = [
    pytest.param("SELECT id FROM users WHERE IFNULL(written, '2000-01-01') < {ago}", [1, 3], id="or a date"),
    pytest.param("SELECT id FROM users WHERE LEFT(written, 10) < {ago}", [1], id="LEFT"),
    pytest.param("SELECT id FROM users WHERE TRIM(written) < {ago}", [1], id="TRIM"),
    pytest.param("SELECT id FROM users WHERE SUBSTRING(written, 1, 19) < {ago}", [1], id="SUBSTRING"),
    pytest.param(
        "SELECT id FROM users WHERE REPLACE(REPLACE(written, 'T', ' '), 'Z', '') < {ago}", [1], id="REPLACE twice"
    ),
    pytest.param("SELECT id FROM users WHERE {ago} > LEFT(written, 10) AND TRIM(written) < {ago}", [1], id="two"),
    pytest.param("SELECT id FROM users WHERE CAST(written AS CHAR) < {ago}", [1], id="CAST"),
    pytest.param(
        "SELECT q.id FROM (SELECT id, TRIM(written) AS t FROM users) q WHERE LEFT(q.t, 10) < {ago}",
        [1],
        id="in a derived table",
    ),
    pytest.param("SELECT id FROM users WHERE LEFT(written, 10) < seen_at", [1, 2], id="beside a column"),
    pytest.param("SELECT id FROM users GROUP BY id HAVING MAX(TRIM(written)) < {ago}", [1], id="within MAX"),
    pytest.param(
        "SELECT id, MAX(written) AS last FROM users GROUP BY id HAVING last < {ago}", [1], id="an alias of a text"
    ),
    pytest.param(
        "SELECT id, MAX(LEFT(written, 10)) AS written FROM users GROUP BY id HAVING written < {ago}",
        [1],
        id="an alias of a text, by the column's name",
    ),
    pytest.param(
        "SELECT id FROM users WHERE CONCAT(DATE(written), ' 10:00') < {ago}", [1], id="a text of a moment of a text"
    ),
]


@pytest.mark.parametrize(("sql", "inside"), TEXTS)
def test_a_text_that_is_computed_and_is_no_moment_stops_nobody(engine: Engine, sql: str, inside: list[int]) -> None:
    world = make(engine, "DATETIME", "2026-02-28 09:00:00", "2026-02-28 09:00:00", "2026-02-28 09:00:00")
    world.do("ALTER TABLE users ADD COLUMN written VARCHAR(40) NULL")
    for number, value in enumerate(("2026-01-30T09:00:00Z", "2026-02-28T09:30:00Z", "never"), 1):
        world.do("UPDATE users SET written = :value WHERE id = :id", {"value": value, "id": number})

    assert selected(world, sql.format(ago=_AGO)) == inside


def test_a_zero_date_behind_an_alias_counts_as_null(engine: Engine) -> None:
    world = make(engine, "DATETIME", "2026-01-30 09:00:00", "0000-00-00 00:00:00")

    found = selected(world, f"SELECT id, MAX(seen_at) AS last FROM users GROUP BY id HAVING last < {_AGO}")

    assert found == [1]


@pytest.mark.parametrize(
    "condition",
    [
        pytest.param("LPAD(written, 10, '0') < {ago}", id="a function that SQLite lacks"),
        pytest.param("doc->>'$.seen' < {ago}", id="JSON"),
        pytest.param("users.doc->>'$.seen' < {ago} AND id > 0", id="JSON of a named table"),
        pytest.param("JSON_UNQUOTE(JSON_EXTRACT(doc, '$.seen')) < {ago}", id="JSON by its functions"),
    ],
)
def test_a_text_that_only_servers_compute_and_is_no_moment_stops_nobody(engine: Engine, condition: str) -> None:
    world = make(engine, "DATETIME", None, None, None)
    if is_sqlite(engine) or ("->>" in condition and getattr(engine.dialect, "is_mariadb", False)):
        pytest.skip("this database cannot compute it")
    world.do("ALTER TABLE users ADD COLUMN written VARCHAR(40) NULL")
    world.do("ALTER TABLE users ADD COLUMN doc JSON NULL")
    for number, value in enumerate(("2026-01-30T09:00:00Z", "2026-02-28T09:30:00Z", "never"), 1):
        row = {"written": value, "doc": json.dumps({"seen": value}), "id": number}
        world.do("UPDATE users SET written = :written, doc = :doc WHERE id = :id", row)

    assert selected(world, f"SELECT id FROM users WHERE {condition.format(ago=_AGO)}") == [1]
