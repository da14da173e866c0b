"""Which versions of the loops and of skene.yaml have run: each is written down once, by whichever run has it first."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from delivery_world import World, make_world
from sqlalchemy import Engine

from skene_dagster.loops.plan import LoopPlan
from skene_dagster.store.engine import reading
from skene_dagster.versions import history

LOOPS = {"retention"}


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    return make_world(engine, tmp_path)


def noted(world: World, plan: LoopPlan, days: int) -> None:
    history.note(world.engine, plan, world.settings, world.now + timedelta(days=days))


def told(
    world: World, since: int = 0, *, loops: set[str] = LOOPS
) -> list[tuple[str, int, tuple[tuple[str, str], ...]]]:
    """What is on record: of what, after how many days, and in which words."""
    found = reading(world.engine, lambda c: history.read(c, world.now + timedelta(days=since), loops))
    return [(one.loop, (one.since - world.now).days, one.said) for one in found]


def test_a_version_is_written_down_by_the_first_run_that_has_it(world: World) -> None:
    for days, holdout in enumerate((0.0, 0.0, 0.1, 0.1, 0.0)):
        noted(world, replace(world.plan, holdout=holdout), days)

    assert told(world) == [
        ("skene.yaml", 0, ()),
        ("retention", 0, ()),
        ("retention", 2, (("", "holdout 0% → 10%"),)),
        ("retention", 4, (("", "holdout 10% → 0%"),)),
    ]
    assert [days for _, days, _ in told(world, since=3)] == [4]
    assert {loop for loop, _, _ in told(world, loops=set())} == {"skene.yaml"}


def test_runs_that_begin_at_once_write_it_down_once(world: World) -> None:
    noted(world, world.plan, 0)
    changed, start = replace(world.plan, priority=5), threading.Barrier(3)

    def run() -> None:
        start.wait()
        noted(world, changed, 1)

    with ThreadPoolExecutor(3) as pool:
        runs = [pool.submit(run) for _ in range(3)]
    for one in runs:
        one.result()

    assert told(world, since=1) == [("retention", 1, (("", "priority 0 → 5"),))]


def test_a_loop_that_is_gone_is_told_once_and_when_it_is_back(world: World) -> None:
    noted(world, world.plan, 0)

    for days in (1, 2):
        history.note_gone(world.engine, ["retention"], world.now + timedelta(days=days))
    for days in (3, 4):
        history.note_gone(world.engine, [], world.now + timedelta(days=days))
    noted(world, world.plan, 5)

    assert told(world, since=1) == [("retention", 3, (("", "gone"),)), ("retention", 5, (("", "back again"),))]


def test_steps_come_and_go(world: World) -> None:
    step = world.plan.steps[0]
    more = replace(world.plan, steps=(step, replace(step, name="again")))
    noted(world, world.plan, 0)
    noted(world, more, 1)
    noted(world, world.plan, 2)

    assert [said for _, _, said in told(world, since=1)] == [(("again", "new"),), (("again", "gone"),)]
