"""A loop leaves a last place under a cap to one about accounts, of higher priority, that would mail the same user."""

from datetime import timedelta
from pathlib import Path

import pytest
from accounts_world import LOOP, AccountsWorld, make_accounts
from delivery_world import LIVE, START, planned
from neighbours import own
from sqlalchemy import Engine, select

from skene_dagster.loops.plan import LoopPlan
from skene_dagster.store.tables import sends

USERS = """\
name: low
type: retention
steps:
  - trigger: {type: schedule, cron: "0 8 * * *"}
    condition: {type: query, query: SELECT id FROM users WHERE verified = true}
    action: {type: email, template: hello, personalization: {name: "{{user.name}}"}}
"""
AT_EIGHT = START - timedelta(hours=1)


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> AccountsWorld:
    world = make_accounts(engine, tmp_path)
    world.rewrite(settings="limits: {caps: [{count: 1, within: 7d}]}\n")
    return world


def two(world: AccountsWorld, recipient: str) -> tuple[LoopPlan, LoopPlan]:
    about = LOOP.replace("recipient: owner", f"recipient: {recipient}")
    low = planned(world.root, world.settings, USERS)
    high = planned(world.root, world.settings, f"name: high\npriority: 5\n{about}")
    world.others = [low, high]
    return low, high


def tick(world: AccountsWorld, plan: LoopPlan) -> dict[str, int]:
    world.plan = plan
    world.refresh()
    return world.reserve(LIVE).counts


def mailed(world: AccountsWorld) -> list[tuple[int, str]]:
    query = select(sends.c.user_id, sends.c.loop).where(own(sends), sends.c.state == "reserved")
    with world.engine.connect() as connection:
        return sorted((row.user_id, row.loop) for row in connection.execute(query))


@pytest.mark.parametrize(
    ("recipient", "wanted"),
    [("owner", [2]), ("most_recently_active", [3]), ("everybody", [1, 2, 3])],
)
def test_the_last_place_is_left_to_a_loop_about_accounts_that_would_mail_them(
    world: AccountsWorld, recipient: str, wanted: list[int]
) -> None:
    low, high = two(world, recipient)
    world.workspace("w1", [1, 2, 3], owner=2)
    world.workspace("w2", [4], dormant=False)
    world.were_active(3, 1)
    world.now, world.plan = AT_EIGHT - timedelta(minutes=30), high
    world.refresh()
    world.now = AT_EIGHT

    left = tick(world, low)
    world.now = START
    tick(world, high)

    assert left == {"mail": 4 - len(wanted), "deferred:outranked": len(wanted)}
    assert [user for user, loop in mailed(world) if loop == "high"] == wanted


def test_a_place_is_left_to_a_loop_whose_account_waits(world: AccountsWorld) -> None:
    low, high = two(world, "owner")
    world.workspace("w1", [1])
    world.change(1, verified=False)
    world.now = START - timedelta(days=1)
    waits = tick(world, high)
    world.change(1, verified=True)
    world.now = AT_EIGHT

    assert waits == {"deferred:not_mailable": 1}
    assert tick(world, low) == {"deferred:outranked": 1}


def test_nothing_is_left_to_a_loop_whose_accounts_are_decided(world: AccountsWorld) -> None:
    low, high = two(world, "owner")
    world.workspace("w1", [1, 2])
    world.now = START - timedelta(days=1)
    tick(world, high)
    world.now = AT_EIGHT

    assert tick(world, low) == {"mail": 1, "deferred:cap": 1}
