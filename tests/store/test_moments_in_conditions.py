"""What a moment in a column of the product's is, whatever the product writes there: on every database the same."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import segment_world
from segment_world import FIRST, World
from sqlalchemy import Engine, text

from skene_dagster.checks import unreadable
from skene_dagster.documents import Document
from skene_dagster.errors import QueryRejected
from skene_dagster.loops.dialect import read_query
from skene_dagster.loops.plan import LoopPlan
from skene_dagster.segments import conditions
from skene_dagster.settings import Users, load
from skene_dagster.store.engine import is_sqlite, reading

NOW = FIRST
SECONDS = int((FIRST - datetime(1970, 1, 1)).total_seconds())
DAY = 86_400


def loop(sql: str) -> LoopPlan:
    """A loop whose condition is read as an author's is."""
    plan = segment_world.loop()
    document = Document("loops/retention.yaml", {}, {("steps", 0, "condition", "query"): 7})
    query = read_query(sql, users=Users(), place=document.place(("steps", 0, "condition", "query")))
    step = replace(plan.steps[0], condition=query)
    return replace(plan, steps=(step,), document=document)


def make(engine: Engine, declared: str, *values: object) -> World:
    """Users 1, 2, … with these values in `seen_at`; written as a product with a lax mode may."""
    world = World(engine)
    if is_sqlite(engine):
        declared = "DATETIME"
    with engine.begin() as connection:
        connection.execute(text(f"ALTER TABLE users ADD COLUMN seen_at {declared} NULL"))
    with engine.connect() as connection:
        if not is_sqlite(engine):
            connection.execute(text("SET SESSION sql_mode = ''"))
        rows = [{"id": number, "seen": value} for number, value in enumerate(values, 1)]
        connection.execute(text("INSERT INTO users (id, dormant, seen_at) VALUES (:id, 1, :seen)"), rows)
        connection.commit()
        connection.invalidate()
    return world


def selected(world: World, sql: str) -> list[Any]:
    """Whom a refresh finds."""
    world.refresh(0, loop(sql))
    return world.inside()


def counted(world: World, sql: str) -> list[str]:
    settings = replace(load(Path(), {}), users=world.users)
    step = loop(sql).steps[0]
    return [str(one) for one in reading(world.engine, lambda c: unreadable.of_step(c, step, settings))]


AWAY = "SELECT id FROM users WHERE seen_at < NOW() - INTERVAL 7 DAY"
READ_AS_MOMENTS = [
    AWAY,
    "SELECT id FROM users WHERE seen_at < CURDATE()",
    "SELECT id FROM users WHERE seen_at < '2026-01-01'",
    "SELECT id FROM users WHERE NOW() > seen_at",
    "SELECT id FROM users WHERE seen_at BETWEEN '2026-01-01' AND NOW()",
    "SELECT id FROM users WHERE DATEDIFF(NOW(), seen_at) > 7",
    "SELECT id FROM users WHERE seen_at + INTERVAL 7 DAY < NOW()",
    "SELECT id FROM users WHERE seen_at < (SELECT MAX(t) FROM dated) + INTERVAL 1 DAY",
    "SELECT q.id FROM (SELECT id, MAX(seen_at) AS last FROM users GROUP BY id) q WHERE q.last < NOW()",
    "WITH q (k, t) AS (SELECT id, seen_at FROM users) SELECT k AS user_id FROM q WHERE t < NOW()",
    "SELECT users.id FROM users JOIN dated ON dated.t > users.seen_at",
]


def test_a_number_that_is_read_as_a_moment_is_refused_with_the_line_to_write(engine: Engine) -> None:
    world = make(engine, "BIGINT", SECONDS - 30 * DAY, SECONDS)
    world.do("CREATE TABLE dated (t DATETIME)")
    world.do("INSERT INTO dated VALUES ('2026-02-01 00:00:00')")

    for sql in READ_AS_MOMENTS:
        with pytest.raises(QueryRejected) as refused:
            world.refresh(0, loop(sql))

        assert "seen_at is a number" in refused.value.message, sql
        assert "It looks like seconds since 1970. Write: " in refused.value.advice
        assert str(refused.value.place) == "loops/retention.yaml:7  step 1, condition.query"


@pytest.mark.parametrize(
    ("per_second", "written"),
    [
        pytest.param(1, "seen_at < UNIX_TIMESTAMP(NOW() - INTERVAL 7 DAY)", id="seconds"),
        pytest.param(1000, "seen_at < UNIX_TIMESTAMP(NOW() - INTERVAL 7 DAY) * 1000", id="milliseconds"),
    ],
)
def test_what_is_to_be_written_selects_whom_it_should(engine: Engine, per_second: int, written: str) -> None:
    edge = SECONDS - 7 * DAY
    world = make(engine, "BIGINT", *(per_second * value for value in (edge - 1, edge, edge + 1)), None)

    with pytest.raises(QueryRejected) as refused:
        world.refresh(0, loop(AWAY))
    found = selected(world, f"SELECT id FROM users WHERE {written}")

    assert refused.value.advice.endswith(f"Write: {written}")
    assert found == [1]


def test_a_function_of_a_number_is_written_with_from_unixtime(engine: Engine) -> None:
    world = make(engine, "BIGINT", SECONDS - 8 * DAY, SECONDS - 7 * DAY)
    with pytest.raises(QueryRejected) as refused:
        world.refresh(0, loop("SELECT id FROM users WHERE DATEDIFF(NOW(), seen_at) > 7"))
    assert refused.value.advice.endswith("Write: DATEDIFF(NOW(), FROM_UNIXTIME(seen_at))")

    found = selected(world, "SELECT id FROM users WHERE DATEDIFF(NOW(), FROM_UNIXTIME(seen_at)) > 7")

    assert found == [1]


def test_where_no_value_tells_the_unit_both_are_shown(engine: Engine) -> None:
    world = make(engine, "BIGINT", 0, 0)

    with pytest.raises(QueryRejected) as refused:
        world.refresh(0, loop(AWAY))

    assert refused.value.advice == (
        "If it counts seconds since 1970, write: seen_at < UNIX_TIMESTAMP(NOW() - INTERVAL 7 DAY)\n"
        "If it counts milliseconds: seen_at < UNIX_TIMESTAMP(NOW() - INTERVAL 7 DAY) * 1000"
    )


def test_zeros_for_never_do_not_make_a_column_one_of_numbers(engine: Engine) -> None:
    world = make(engine, "VARCHAR(40)", "2026-01-01 00:00:00", "2026-03-01 00:00:00", *["0"] * 6)

    assert selected(world, AWAY) == [1]
    assert counted(world, AWAY) == ["users.seen_at: 6 values are not dates or times, and count as NULL."]


def test_the_unit_of_numbers_is_told_by_those_that_are_not_zero(engine: Engine) -> None:
    world = make(engine, "BIGINT", SECONDS, SECONDS - DAY, *[0] * 6)

    with pytest.raises(QueryRejected, match="seen_at is a number") as refused:
        world.refresh(0, loop(AWAY))

    assert refused.value.advice.startswith("It looks like seconds since 1970.")


OF_NUMBERS = [
    "DATE(seen_at) < CURDATE() - INTERVAL 7 DAY",
    "DATEDIFF(CURDATE(), seen_at) > 7",
    "DAY(seen_at) = 21",
    "DATE_ADD(seen_at, INTERVAL 7 DAY) < CURDATE()",
    "DATE_FORMAT(seen_at, '%Y-%m-%d') = '2026-02-21'",
    "DATE(seen_at) = '2026-02-21'",
]


@pytest.mark.parametrize("time", [pytest.param("", id="days"), pytest.param("090000", id="days with a time")])
def test_a_function_of_time_takes_numbers_that_are_dates(engine: Engine, time: str) -> None:
    world = make(engine, "BIGINT", *(int(f"{day}{time}") for day in (20260221, 20260222, 20260301)))

    for day, condition in enumerate(OF_NUMBERS):
        world.refresh(day, loop(f"SELECT id FROM users WHERE {condition}".replace("CURDATE()", "DATE('2026-03-01')")))

        assert world.inside() == [1], condition


def test_numbers_that_are_dates_are_compared_by_what_the_refusal_says(engine: Engine) -> None:
    world = make(engine, "BIGINT", 20260221, 20260222)
    with pytest.raises(QueryRejected) as refused:
        world.refresh(0, loop("SELECT id FROM users WHERE seen_at < CURDATE() - INTERVAL 7 DAY"))
    assert refused.value.advice == "It looks like dates. Write DATE(seen_at) instead."

    assert selected(world, "SELECT id FROM users WHERE DATE(seen_at) < CURDATE() - INTERVAL 7 DAY") == [1]


@pytest.mark.parametrize(
    ("declared", "values", "condition"),
    [
        pytest.param("TIME", ("09:00:00", "10:30:00"), "HOUR(part) = 9", id="TIME"),
        pytest.param("TIME", ("10:30:59", "10:00:00"), "MINUTE(part) = 30 AND SECOND(part) = 59", id="TIME's minutes"),
        pytest.param("YEAR", (2026, 2025), "YEAR(part) = 2026", id="YEAR"),
        pytest.param("YEAR", (2026, 2025), "part = YEAR(NOW())", id="YEAR by itself"),
    ],
)
def test_a_time_of_day_or_a_year_is_no_moment(
    engine: Engine, declared: str, values: tuple[object, ...], condition: str
) -> None:
    world = make(engine, "DATETIME", None, None)
    world.do(f"ALTER TABLE users ADD COLUMN part {declared} NULL")
    world.do("UPDATE users SET part = :v WHERE id = :i", *({"i": i, "v": v} for i, v in enumerate(values, 1)))
    sql = f"SELECT id FROM users WHERE {condition}"

    assert selected(world, sql) == [1]
    assert counted(world, sql) == []


NO_MOMENT = [
    pytest.param("VARCHAR(40)", "never", id="a word"),
    pytest.param("VARCHAR(40)", "2026-02-30 10:00:00", id="a day that never comes"),
    pytest.param("VARCHAR(40)", "0001-01-01T00:00:00Z", id="a zero time"),
    pytest.param("DATETIME", "0000-00-00 00:00:00", id="a zero date"),
]


CONDITIONS = [
    ("seen_at < NOW() - INTERVAL 7 DAY", [1]),
    ("NOT seen_at >= NOW() - INTERVAL 7 DAY", [1]),
    ("seen_at > NOW() - INTERVAL 7 DAY", [3]),
    ("DATEDIFF(NOW(), seen_at) > 7", [1]),
    ("seen_at + INTERVAL 7 DAY < NOW()", [1]),
    ("seen_at IN ('2026-01-01', NOW())", [1]),
    ("seen_at IS NULL OR DATE(seen_at) = DATE(NOW())", [2, 3]),
]


@pytest.mark.parametrize(("declared", "bad"), NO_MOMENT)
def test_a_value_that_is_no_moment_counts_as_null_and_stops_nobody(engine: Engine, declared: str, bad: str) -> None:
    world = make(engine, declared, "2026-01-01 00:00:00", bad, "2026-03-01 00:00:00")

    for day, (condition, inside) in enumerate(CONDITIONS):
        sql = f"SELECT id FROM users WHERE {condition}"
        world.refresh(day, loop(sql.replace("NOW()", f"NOW() - INTERVAL {day} DAY")))

        assert world.inside() == inside, sql
        assert counted(world, sql) == ["users.seen_at: 1 value is not a date or time, and counts as NULL."]


GROUPED = [
    "DATE(seen_at)",
    "DATE_FORMAT(seen_at, '%Y-%m')",
    "YEAR(seen_at) * 100 + MONTH(seen_at)",
    "EXTRACT(YEAR FROM seen_at)",
    "CAST(seen_at AS DATE)",
    "seen_at - INTERVAL 1 DAY",
    "DATE_SUB(seen_at, INTERVAL 1 MONTH)",
]


@pytest.mark.parametrize(("declared", "bad"), [NO_MOMENT[0], NO_MOMENT[3]])
def test_rows_are_grouped_by_what_a_function_makes_of_a_moment(engine: Engine, declared: str, bad: str) -> None:
    world = make(engine, declared, "2026-01-01 00:00:00", bad, "2026-03-01 00:00:00")

    for day, made in enumerate(GROUPED):
        grouped = f"SELECT id, {made} AS made FROM users GROUP BY id, {made} HAVING made IS NOT NULL"
        world.refresh(day, loop(f"SELECT id FROM ({grouped}) t GROUP BY id HAVING COUNT(*) >= 1"))

        assert world.inside() == [1, 3], made


WITH_WORDS = [
    ("seen_at NOT IN ('', 'never', '0000-00-00 00:00:00') AND seen_at < NOW() - INTERVAL 7 DAY", [1]),
    ("seen_at IN ('never', '2026-01-01 00:00:00')", [1, 2]),
    ("seen_at = 'never'", [2]),
    ("seen_at = '0000-00-00 00:00:00'", [3]),
    ("seen_at <> '0000-00-00 00:00:00' AND seen_at < NOW()", [1]),
    ("seen_at > '0000-00-00 00:00:00' AND seen_at < NOW()", [1]),
]


def test_what_stands_beside_a_word_is_compared_as_a_text(engine: Engine) -> None:
    world = make(engine, "VARCHAR(40)", "2026-01-01 00:00:00", "never", "0000-00-00 00:00:00", None)

    for day, (condition, inside) in enumerate(WITH_WORDS):
        sql = f"SELECT id FROM users WHERE {condition}"
        world.refresh(day, loop(sql.replace("NOW()", f"NOW() - INTERVAL {day} DAY")))

        assert world.inside() == inside, sql


ABOUT_ZERO_DATES = [
    ("seen_at = '0000-00-00 00:00:00'", [2]),
    ("seen_at <> '0000-00-00 00:00:00'", [1]),
    ("seen_at > '0000-00-00 00:00:00' AND seen_at < NOW()", [1]),
    ("NULLIF(seen_at, '0000-00-00 00:00:00') < NOW()", [1]),
    ("seen_at NOT IN ('0000-00-00 00:00:00')", [1]),
]


def test_a_zero_date_is_found_by_its_name(engine: Engine) -> None:
    world = make(engine, "DATETIME", "2026-01-01 00:00:00", "0000-00-00 00:00:00", None)

    for day, (condition, inside) in enumerate(ABOUT_ZERO_DATES):
        world.refresh(day, loop(f"SELECT id FROM users WHERE {condition}"))

        assert world.inside() == inside, condition


WRITTEN_AS = ["2026-2-22", "2026-02-22T00:00:00", "2026-02-22 00:00", "2026-2-22T0:0", "2026-02-22 00:00:00.0"]


@pytest.mark.parametrize("declared", ["DATETIME", "VARCHAR(40)"])
def test_a_date_may_be_written_in_each_form_that_servers_read(engine: Engine, declared: str) -> None:
    world = make(engine, declared, "2026-02-21 23:59:59", "2026-02-22 00:00:00")

    for day, written in enumerate(WRITTEN_AS):
        world.refresh(2 * day, loop(f"SELECT id FROM users WHERE seen_at < '{written}'"))
        assert world.inside() == [1], written
        world.refresh(2 * day + 1, loop(f"SELECT id FROM users WHERE seen_at = '{written}'"))
        assert world.inside() == [2], written


@pytest.mark.parametrize("written", ["20260222", "20260222000000", "2026/02/22", "2026.2.22", "2026-02-22 00"])
def test_a_date_that_sqlite_cannot_tell_from_a_text_needs_a_server(engine: Engine, written: str) -> None:
    world = make(engine, "DATETIME", "2026-02-21 23:59:59", "2026-02-22 00:00:00")
    sql = f"SELECT id FROM users WHERE seen_at < '{written}'"

    if not is_sqlite(engine):
        assert selected(world, sql) == [1]
        return
    with pytest.raises(QueryRejected) as refused:
        world.refresh(0, loop(sql))

    assert refused.value.message == (
        f"The condition needs TiDB: A date that is written as '{written}', not as '2026-11-23' or "
        "'2026-11-23 09:00:00', needs TiDB."
    )


@pytest.mark.parametrize(
    "written",
    ["2026-02-22T09:00:00Z", "2026-02-22 11:00:00+02:00", "2026-02-22T03:30:00.000-0530", "2026-02-22 09:00 UTC"],
)
def test_a_date_that_names_its_offset_is_refused_with_the_same_in_utc(written: str) -> None:
    with pytest.raises(QueryRejected) as refused:
        loop(f"SELECT id FROM users\nWHERE seen_at < '{written}'")

    assert "names its offset from UTC" in refused.value.message
    assert refused.value.advice == "Moments are in UTC here. Write '2026-02-22 09:00:00'."


def test_an_index_serves_a_comparison_again_where_no_value_is_bad(engine: Engine) -> None:
    world = make(engine, "DATETIME", "2026-01-01 00:00:00", "2026-03-01 00:00:00")
    world.do("CREATE INDEX seen ON users (seen_at)")
    plan = loop(AWAY)
    settings = replace(load(Path(), {}), users=world.users)

    answer = reading(engine, lambda c: conditions.answer(c, plan, plan.steps[0], settings, FIRST))

    assert is_sqlite(engine) or "WHERE seen_at < CAST(:as_of AS DATETIME(6))" in answer.sql
    assert selected(world, AWAY) == [1]


def test_a_zero_date_in_an_indexed_column_counts_as_null(engine: Engine) -> None:
    world = make(engine, "DATETIME", "2026-01-01 00:00:00", "0000-00-00 00:00:00")
    world.do("CREATE INDEX seen ON users (seen_at)")

    assert selected(world, AWAY) == [1]
    assert counted(world, AWAY) == ["users.seen_at: 1 value is not a date or time, and counts as NULL."]


# The edge is 2026-02-22 09:00 UTC.
WRITTEN = {
    "2026-02-22T08:59:59Z": True,
    "2026-02-22T09:00:00Z": False,
    "2026-02-22 10:59:59+02:00": True,
    "2026-02-22 11:00:00+02:00": False,
    "2026-02-22T03:29:59.999-0530": True,
    "2026-02-22T03:30:00.000-0530": False,
    "2026-02-21 23:59:59-09": True,
    "2026-02-22 00:00:00-09": False,
    "2026-02-22 08:59 UTC": True,
    "2026-2-22 9:00": False,
    "2026-02-22": True,
    "2026-02-22 08:59:59.999999999": True,
    "2024-02-29T12:00:00+00:00": True,
    "2026-12-31T23:59:59z": False,
}


def test_a_text_is_the_moment_that_it_says_at_whichever_offset(engine: Engine) -> None:
    world = make(engine, "VARCHAR(40)", *WRITTEN)

    before = selected(world, AWAY)

    assert {text: number in before for number, text in enumerate(WRITTEN, 1)} == WRITTEN
    assert counted(world, AWAY) == []


def test_the_last_of_several_texts_is_the_last_moment(engine: Engine) -> None:
    world = make(engine, "VARCHAR(40)", None)
    world.do("CREATE TABLE orders (user_id BIGINT, at VARCHAR(40))")
    # In letters the second is the later one; it is not.
    world.do("INSERT INTO orders VALUES (1, '2026-02-22T08:30:00-01:00'), (1, '2026-02-22 10:00:00+02:00')")
    sql = "SELECT user_id FROM orders GROUP BY user_id HAVING MAX(at) {} NOW() - INTERVAL 7 DAY"

    late, early = selected(world, sql.format(">=")), selected(replace_segment(world), sql.format("<"))

    assert (late, early) == ([1], [])


def replace_segment(world: World) -> World:
    """The same world, whose segment was never refreshed."""
    world.do("DELETE FROM skene_segment_members")
    world.do("DELETE FROM skene_segments")
    return world


def test_two_columns_are_compared_as_the_moments_that_they_are(engine: Engine) -> None:
    world = make(engine, "VARCHAR(40)", "2026-02-22T09:00:00+02:00", "2026-02-22T09:00:00Z", "never")
    world.do("ALTER TABLE users ADD COLUMN paid_at DATETIME NULL")
    world.do("UPDATE users SET paid_at = '2026-02-22 08:00:00'")

    assert selected(world, "SELECT id FROM users WHERE seen_at < paid_at") == [1]
