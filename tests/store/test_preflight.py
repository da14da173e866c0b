"""What only the database knows about a loop is told once, at the line that its author has to change."""

from pathlib import Path

import pytest
from delivery_world import LOOP, World, make_world, planned
from sqlalchemy import Engine, text

from skene_dagster.checks.preflight import check_loop
from skene_dagster.documents import Document
from skene_dagster.store.engine import is_sqlite


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    return make_world(engine, tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        pytest.param("dormant = true", "dormannt = true", "The database refuses this SQL", id="a column that is not"),
        pytest.param(
            "SELECT id FROM users",
            "SELECT user_id FROM userz",
            "The database refuses this SQL",
            id="a table that is not",
        ),
        pytest.param(
            '{type: schedule, cron: "0 9 * * *"}',
            "{type: database, table: orderz, event: insert}",
            "Table 'orderz' is not in the database",
            id="a table whose rows trigger that is not",
        ),
        pytest.param(
            '{type: schedule, cron: "0 9 * * *"}',
            "{type: database, table: users, event: insert, user: id}",
            "Table 'users' has no column 'created_at'",
            id="a moment of those rows that is not",
        ),
        pytest.param("{{user.name}}", "{{user.nam}}", "Table 'users' has no column 'nam'", id="an email's column"),
        pytest.param("{reminded: true}", "{remindd: true}", "Table 'users' has no column 'remindd'", id="a set"),
    ],
)
def test_one_mistake_is_one_fault_at_its_line(world: World, old: str, new: str, says: str) -> None:
    loop = LOOP.replace(old, new)
    plan = planned(world.root, world.settings, loop)
    line = next(number for number, text in enumerate(loop.splitlines(), start=1) if new in text)

    with world.engine.connect() as connection:
        (fault,) = check_loop(connection, plan, world.settings, Document("skene.yaml", {}, {}), world.now)

    assert says in fault.message
    assert fault.place is not None
    assert fault.place.line == line


def test_a_table_of_ours_that_is_not_there_is_made_by_the_first_run_on_sqlite_alone(world: World) -> None:
    plan = planned(world.root, world.settings, LOOP.replace("SELECT id FROM users", "SELECT user_id FROM skene_events"))
    with world.engine.begin() as connection:
        connection.execute(text("DROP TABLE skene_events"))

    with world.engine.connect() as connection:
        faults = check_loop(connection, plan, world.settings, Document("skene.yaml", {}, {}), world.now)

    expected = [] if is_sqlite(world.engine) else ["The database refuses this SQL"]
    assert [fault.message.partition(":")[0] for fault in faults] == expected
