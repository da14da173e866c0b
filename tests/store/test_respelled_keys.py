"""Under the collation of the users key `ada` and `ADA` may be one user: then it is one, in the ledger, too."""

from dataclasses import replace
from pathlib import Path

import pytest
from neighbours import own
from segment_world import World, loop, tick
from sqlalchemy import Engine, update

from skene_dagster.delivery.decide import facts
from skene_dagster.delivery.decide.reserve import Reserved, reserve
from skene_dagster.delivery.modes import Mode
from skene_dagster.loops.plan import Email, LoopPlan
from skene_dagster.settings import load
from skene_dagster.store.engine import transaction
from skene_dagster.store.tables import sends

OUTBOX = Mode("outbox", "a test")


def every_entry() -> LoopPlan:
    plan = loop()
    step = plan.steps[0]
    assert isinstance(step.action, Email)
    return replace(plan, steps=(replace(step, action=replace(step.action, repeat="every_entry")),))


@pytest.fixture
def world(engine: Engine) -> World:
    server = "VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci"
    world = World(engine, "VARCHAR(40) COLLATE NOCASE" if engine.dialect.name == "sqlite" else server)
    world.do("ALTER TABLE users ADD COLUMN email VARCHAR(100) DEFAULT 'someone@example.com'")
    world.add("ada", "bob")
    for name in ("ada", "bob"):
        world.do(f"UPDATE users SET email = '{name}@example.com' WHERE id = '{name}'")
    return world


def decide(world: World, plan: LoopPlan, day: int, root: Path) -> Reserved:
    return reserve(
        world.engine,
        plan=plan,
        step=plan.steps[0],
        settings=load(root, {}),
        mode=OUTBOX,
        as_of=tick(day),
        clock=world.clock,
    )


def test_who_returns_under_another_spelling_is_decided_about_anew(world: World, tmp_path: Path) -> None:
    plan = every_entry()
    world.refresh(0, plan)
    decide(world, plan, 0, tmp_path)
    with world.engine.begin() as connection:
        connection.execute(update(sends).where(own(sends)).values(state="accepted"))
    world.only([])
    world.refresh(1, plan)
    world.do("UPDATE users SET id = 'ADA', dormant = 1 WHERE id = 'ada'")
    world.do("UPDATE users SET id = 'BOB', dormant = 1 WHERE id = 'bob'")
    world.refresh(2, plan)

    reserved = decide(world, plan, 2, tmp_path)

    assert world.inside() == ["ADA", "BOB"]
    assert reserved.counts == {"mail": 2}


def test_who_is_respelled_while_inside_is_mailed(world: World, tmp_path: Path) -> None:
    plan = every_entry()
    world.refresh(0, plan)
    world.do("UPDATE users SET id = 'ADA' WHERE id = 'ada'")

    reserved = decide(world, plan, 0, tmp_path)

    assert reserved.counts == {"mail": 2}


def test_a_user_is_found_under_the_spelling_that_was_asked(world: World) -> None:
    found = transaction(
        world.engine,
        lambda connection: facts.read(connection, world.users, ["ADA", "bob", "nobody"], ["id"], as_of=tick(0)),
    )

    assert {key: person.columns["id"] for key, person in found.items()} == {"ADA": "ada", "bob": "bob"}
