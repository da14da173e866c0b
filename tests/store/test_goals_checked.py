"""A goal's query is checked against the database by `validate`, before the first outcome is measured by it."""

from pathlib import Path

import pytest
from delivery_world import LOOP, World, make_world, planned
from sqlalchemy import Engine, text

from skene_dagster import settings as settings_module
from skene_dagster.errors import SkeneError
from skene_dagster.goals.preflight import check_goals
from skene_dagster.loops.planning.goals import plan_all_loops

RIGHT = "SELECT user_id, paid_at AS at, amount AS value FROM invoices"


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    world = make_world(engine, tmp_path)
    world.add(1)
    with engine.begin() as connection:
        connection.execute(
            text(
                "CREATE TABLE invoices (id BIGINT PRIMARY KEY, user_id BIGINT, payer VARCHAR(40), paid_at DATETIME, "
                "paid_seconds BIGINT, amount DECIMAL(10, 2))"
            )
        )
        row = "INSERT INTO invoices VALUES (1, 1, 'Ada', '2026-03-02 09:00:00', 1772442000, 12.5)"
        connection.execute(text(row))
    return world


def goal(sql: str) -> str:
    """Write a goal; its query is the fourth line."""
    return f"goal:\n  within: 14d\n  query: |\n    {sql}\n"


def faults(world: World, sql: str) -> list[SkeneError]:
    plan = planned(world.root, world.settings, goal(sql) + LOOP)
    with world.engine.connect() as connection:
        return check_goals(connection, plan, world.settings)


def test_a_goal_s_query_that_fits_has_no_fault(world: World) -> None:
    assert faults(world, RIGHT) == []


@pytest.mark.parametrize(
    ("old", "new", "says", "advice"),
    [
        pytest.param("paid_at", "payd_at", "The database refuses this SQL", "Did you mean 'paid_at'?", id="a column"),
        pytest.param("invoices", "invoicez", "The database refuses this SQL", "Did you mean 'invoices'?", id="a table"),
        pytest.param(
            "SELECT user_id", "SELECT payer AS user_id", "is not of the type of users.id", "the users key", id="the key"
        ),
        pytest.param(
            "paid_at AS at", "paid_seconds AS at", "`at` is not a date and time", "FROM_UNIXTIME", id="the moment"
        ),
        pytest.param("amount AS value", "payer AS value", "`value` is not a number", "DECIMAL", id="the value"),
    ],
)
def test_a_mistake_is_one_fault_at_its_line(world: World, old: str, new: str, says: str, advice: str) -> None:
    (fault,) = faults(world, RIGHT.replace(old, new))

    assert says in fault.message
    assert advice in fault.advice
    assert fault.place is not None
    assert fault.place.line == 4


def test_the_goal_of_all_loops_is_checked_at_its_line_of_skene_yaml(world: World) -> None:
    file = world.root / "skene.yaml"
    file.write_text(file.read_text(encoding="utf-8") + goal(RIGHT.replace("paid_at", "payd_at")), encoding="utf-8")
    settings = settings_module.load(world.root, {})
    plan = plan_all_loops(settings, settings_module.read_settings(world.root))

    with world.engine.connect() as connection:
        (fault,) = check_goals(connection, plan, settings)

    assert fault.place is not None
    assert (fault.place.file, fault.place.line) == ("skene.yaml", len(file.read_text(encoding="utf-8").splitlines()))
