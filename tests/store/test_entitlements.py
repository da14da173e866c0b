"""Who is blocked by a step is blocked by it once, until they leave its segment, whoever else blocks them."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from delivery_world import LOOP, OUTBOX, World, make_world, planned
from neighbours import own
from sqlalchemy import Engine, event, select

from skene_dagster.delivery import controls
from skene_dagster.delivery.blocking.entitlements import Entitled, blocked_now, entitle
from skene_dagster.errors import NoClearance
from skene_dagster.goals import arms
from skene_dagster.store.engine import transaction
from skene_dagster.store.tables import OPEN, entitlements

BLOCK = LOOP.partition("    action:")[0] + "    action: {type: block, message: Upgrade to continue.}\n"


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    world = make_world(engine, tmp_path)
    world.plan = planned(world.root, world.settings, BLOCK)
    return world


def tick(world: World) -> Entitled:
    world.refresh()
    return again(world)


def again(world: World) -> Entitled:
    """Do what a run does once more after the refresh."""
    plan, step, now = world.plan, world.step, world.now
    settings = world.settings
    return entitle(world.engine, plan=plan, step=step, mode=OUTBOX, as_of=now, clock=world.clock, settings=settings)


def test_who_is_held_out_is_not_blocked_and_neither_prompted(world: World) -> None:
    prompted = BLOCK.replace(
        "message: Upgrade to continue.",
        "message: Upgrade., upgrade_prompt: {type: email, template: hello, personalization: {name: x}}",
    )
    world.plan = planned(world.root, world.settings, f"{prompted}holdout: 50%\n")
    world.add(*range(1, 41))

    tick(world)
    world.reserve()

    blocked = {user for user, _ in blocks(world)}
    assert 5 < len(blocked) < 35
    by_state = world.states()
    assert {user for user, state in by_state.items() if state == "reserved"} == blocked
    assert {user for user, state in by_state.items() if state == "held_out"} == {*range(1, 41)} - blocked


def test_only_members_who_are_in_no_arm_are_looked_up(world: World) -> None:
    looked_up: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
        if "SELECT skene_arms.user_id, skene_arms.arm" in statement:
            looked_up.append(str(parameters))

    world.plan = planned(world.root, world.settings, f"{BLOCK}holdout: 50%\n")
    world.add(*range(1001, 1011))
    tick(world)
    world.add(1011)
    world.days_pass(1)
    event.listen(world.engine, "before_cursor_execute", note)

    tick(world)

    assert ["1011" in one and "1001" not in one for one in looked_up] == [True]


def test_who_is_held_out_of_all_loops_stays_so_at_each_tick(world: World) -> None:
    world.add(*range(1, 41))
    world.refresh()
    world.settings = replace(world.settings, holdout=0.5)

    first = again(world)

    assert 5 < first.blocked < 35
    assert again(world) == Entitled(0, 0, paused=False)


def test_who_is_drawn_into_the_other_arm_is_let_go(world: World) -> None:
    world.plan = planned(world.root, world.settings, f"{BLOCK}holdout: 50%\n")
    world.add(*range(1, 41))
    tick(world)
    before = {user for user, _ in blocks(world)}
    transaction(world.engine, lambda connection: arms.draw_anew(connection, world.plan.name))

    tick(world)

    now = {user for user, is_open in blocks(world) if is_open}
    assert before - now
    assert now - before
    assert {user for user, is_open in blocks(world) if not is_open} == before - now


def blocks(world: World) -> list[tuple[int, bool]]:
    """Who is or was blocked, and whether they are now."""
    columns = entitlements.c
    query = select(columns.user_id, columns.lifted_at == OPEN).where(own(entitlements))
    with world.engine.connect() as connection:
        rows = connection.execute(query.order_by(columns.user_id, columns.lifted_at)).all()
    return [(user, bool(open_)) for user, open_ in rows]


def test_each_member_is_blocked_once_however_often_the_tick_runs(world: World) -> None:
    world.add(1, 2)
    world.add(3, dormant=False)

    done = [tick(world), again(world)]

    assert done == [Entitled(2, 0, paused=False), Entitled(0, 0, paused=False)]
    assert blocks(world) == [(1, True), (2, True)]
    assert transaction(world.engine, lambda c: blocked_now(c, world.plan, world.step, OUTBOX)) == 2


def test_who_leaves_is_let_go_and_who_returns_is_blocked_again(world: World) -> None:
    world.add(1, 2)
    tick(world)
    world.days_pass(1)
    world.change(1, dormant=False)
    left = tick(world)
    world.days_pass(1)
    world.change(1, dormant=True)

    returned = tick(world)

    assert (left.lifted, returned.blocked) == (1, 1)
    assert blocks(world) == [(1, False), (1, True), (2, True)]


def test_a_block_that_was_lifted_keeps_its_moment_when_others_leave(world: World) -> None:
    world.add(1, 2, 3, 4)
    tick(world)
    for user in (1, 2):
        world.days_pass(1)
        world.change(user, dormant=False)
        tick(world)

    with world.engine.connect() as connection:
        query = select(entitlements.c.lifted_at).where(own(entitlements)).order_by(entitlements.c.user_id)
        lifted = connection.execute(query).scalars().all()
    assert lifted == [world.now - timedelta(days=1), world.now, OPEN, OPEN]


def test_a_paused_loop_blocks_nobody_and_lets_nobody_go(world: World) -> None:
    world.add(1, 2)
    tick(world)
    world.days_pass(1)
    world.change(1, dormant=False)
    world.add(3)
    world.refresh()
    transaction(world.engine, lambda c: controls.pause(c, "retention", world.now))

    assert again(world) == Entitled(0, 0, paused=True)
    assert blocks(world) == [(1, True), (2, True)]


@pytest.mark.parametrize("is_refreshed", [False, True], ids=["never refreshed", "refreshed for another tick"])
def test_nobody_is_blocked_by_a_segment_that_is_not_of_this_tick(world: World, is_refreshed: bool) -> None:
    world.add(1)
    if is_refreshed:
        world.refresh()
        world.days_pass(1)

    with pytest.raises(NoClearance, match="nobody is blocked"):
        again(world)

    assert blocks(world) == []
