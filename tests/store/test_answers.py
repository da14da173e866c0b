"""What is known of a condition's answer before it is evaluated: what its keys are, and whether they are users'."""

from dataclasses import replace
from pathlib import Path

import pytest
from segment_world import FROM_USERS, World, loop, tick
from sqlalchemy import Connection, Engine, Subquery, column, text

from skene_dagster.errors import SegmentError
from skene_dagster.segments import conditions, staging
from skene_dagster.segments.staging import Answer
from skene_dagster.settings import load
from skene_dagster.store.engine import is_sqlite


def rows_of(sql: str) -> Subquery:
    return text(sql).columns(column("id")).subquery("q")


def described(connection: Connection, sql: str) -> Answer:
    return staging.describe(connection, rows_of(sql))


@pytest.mark.parametrize(
    ("key", "may_be_null", "is_float"),
    [
        pytest.param("id", False, False, id="a primary key"),
        pytest.param("NULLIF(id, 7)", True, False, id="what may be NULL"),
        pytest.param("id + 0e0", None, True, id="a double"),
        pytest.param("CAST(id AS DECIMAL(20))", None, False, id="a decimal"),
        pytest.param("plan", True, False, id="a text"),
    ],
)
def test_the_key_of_an_answer_is_described(
    engine: Engine, key: str, *, may_be_null: bool | None, is_float: bool
) -> None:
    World(engine)

    with engine.connect() as connection:
        found = described(connection, f"SELECT {key} AS id FROM users")

    if is_sqlite(engine):
        assert found == Answer(may_be_null=True, is_float=False), "it tells no type of a result"
    else:
        assert found.is_float == is_float
        # TiDB, 2026-11: cannot rule it out of a decimal.
        assert may_be_null in (None, found.may_be_null)


def test_a_condition_is_described_without_being_evaluated(engine: Engine) -> None:
    world = World(engine)
    if not world.is_sqlite:
        pytest.skip("a server has no functions of ours, by which it would be noticed")
    world.add(1)
    evaluated: list[object] = []
    with engine.connect() as connection:
        driver = connection.connection.dbapi_connection
        assert driver is not None
        driver.create_function("noticed", 1, evaluated.append)

        described(connection, "SELECT noticed(id) AS id FROM users")

    assert evaluated == []


def test_of_those_that_come_twice_a_key_is_named_and_not_that_some_are_null(engine: Engine) -> None:
    world = World(engine)
    world.add(1, 2)
    world.answer(1, 2, 2, None, None)

    with engine.connect() as connection:
        assert staging.twice(connection, rows_of("SELECT user_id AS id FROM answers")) == 2
        assert staging.twice(connection, rows_of("SELECT id FROM users")) is None


@pytest.mark.parametrize(
    ("sql", "tables", "plain", "key", "only_users"),
    [
        pytest.param(FROM_USERS, ("users",), True, "id", True, id="plain"),
        pytest.param(FROM_USERS, ("users", "answers"), True, "id", True, id="plain, and another table is asked"),
        pytest.param("SELECT id FROM users LIMIT 5", ("users",), False, "id", True, id="their own key"),
        pytest.param("SELECT user_id FROM users", ("users",), False, "user_id", False, id="another column of theirs"),
        pytest.param("SELECT id FROM answers", ("answers",), False, "id", False, id="another table's"),
        pytest.param("SELECT id FROM users", ("users", "answers"), False, "id", False, id="beside another table"),
    ],
)
def test_only_the_users_tables_own_key_need_not_be_asked_whether_it_is_a_users(
    engine: Engine, sql: str, tables: tuple[str, ...], key: str, *, plain: bool, only_users: bool
) -> None:
    plan = loop(sql, tables=tables, plain=plain, key=key)

    answer = conditions.answer(engine, plan, plan.steps[0], load(Path(), {}), tick(0))

    assert (answer.only_users, answer.plain, answer.by_key) == (only_users, plain, True)
    assert answer.users_alone == (plain and tables == ("users",))
    assert answer.sql == sql


def test_a_key_that_is_a_double_is_refused_where_the_users_key_is_a_whole_number(engine: Engine) -> None:
    world = World(engine)
    if world.is_sqlite:
        pytest.skip("SQLite tells no type of a result")
    world.add(1)

    with pytest.raises(SegmentError, match="is a floating-point number, which is not exact"):
        world.refresh(0, loop("SELECT id + 0e0 AS id FROM users", plain=False))


def test_a_step_may_be_any_of_its_loop(engine: Engine) -> None:
    plan = loop()
    second = replace(plan.steps[0], name="second", timeout=plan.steps[0].timeout * 2)
    plan = replace(plan, steps=(*plan.steps, second))

    with engine.connect() as connection:
        assert conditions.looked_up(connection, plan, second) == (plan, second)
    assert conditions.place_of(plan, second).part == "step 2, condition.query"
