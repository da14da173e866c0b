"""Reconcile closes what runs have left open, whatever became of their loop and of the others meanwhile."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from delivery_world import LIVE, LOOP, Script, World, make_world, planned
from sqlalchemy import Engine, select

from skene_dagster.delivery import controls
from skene_dagster.delivery.message import Message
from skene_dagster.delivery.providers.base import Answer, Unknown
from skene_dagster.delivery.reconcile import reconcile
from skene_dagster.errors import ProviderUnavailable
from skene_dagster.loops.plan import LoopPlan
from skene_dagster.store.engine import transaction
from skene_dagster.store.tables import sends


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    return make_world(engine, tmp_path)


def lose_the_answer(provider: Script, messages: Sequence[Message], key: str) -> Answer:
    provider.accept(messages, key)
    return Unknown("the connection was cut")


def left_without_answer(world: World, loop: str = "retention") -> LoopPlan:
    """Let a run of this loop lose the answer to its one batch; return the loop."""
    world.plan = planned(world.root, world.settings, f"name: {loop}\n{LOOP}")
    world.refresh()
    world.reserve(LIVE)
    world.provider.answers.append(lose_the_answer)
    with pytest.raises(ProviderUnavailable):
        world.deliver(LIVE)
    return world.plan


def states_of(world: World, loop: str) -> set[str]:
    with world.engine.connect() as connection:
        return set(connection.execute(select(sends.c.state).where(sends.c.loop == loop)).scalars())


def test_a_loop_that_is_paused_holds_up_no_other(world: World) -> None:
    world.add(1)
    first = left_without_answer(world, "paused_one")
    world.now += timedelta(seconds=1)
    plans = [first, left_without_answer(world, "other")]
    transaction(world.engine, lambda c: controls.pause(c, "paused_one", world.now))
    world.now += timedelta(minutes=3)

    found = reconcile(world.desk(LIVE, owner="reconcile"), plans)

    assert (states_of(world, "paused_one"), states_of(world, "other")) == ({"reserved"}, {"accepted"})
    assert found.parked == "paused"


def test_set_is_written_by_the_next_run_for_what_was_resolved_while_the_file_was_broken(world: World) -> None:
    world.add(1)
    left_without_answer(world)
    world.now += timedelta(minutes=3)

    reconcile(world.desk(LIVE, owner="reconcile"), [])
    world.deliver(LIVE)

    assert states_of(world, "retention") == {"accepted"}
    assert world.reminded() == {1}
