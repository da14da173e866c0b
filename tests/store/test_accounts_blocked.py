"""A step that blocks, of a loop about accounts: everybody of an account that is inside, unless it is held out."""

from dataclasses import replace
from pathlib import Path

import pytest
from accounts_world import LOOP, AccountsWorld, make_accounts
from delivery_world import OUTBOX
from neighbours import own
from sqlalchemy import Engine, select

from skene_dagster.delivery.blocking.entitlements import Entitled, entitle
from skene_dagster.store.tables import OPEN, entitlements

ACTION = LOOP[LOOP.index("    action:") :]
BLOCK = LOOP.replace(
    ACTION,
    """\
    action:
      type: block
      message: Upgrade to continue.
      upgrade_prompt: {type: email, template: hello, personalization: {name: "{{account.title}}"}}
""",
)
HALF = ("type: retention\n", "type: retention\nholdout: 50%\n")
ACCOUNTS = [f"w{number}" for number in range(1, 13)]


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> AccountsWorld:
    made = make_accounts(engine, tmp_path)
    made.use(BLOCK)
    return made


def tick(world: AccountsWorld) -> Entitled:
    world.refresh()
    plan, step, settings = world.plan, world.step, world.settings
    return entitle(
        world.engine, plan=plan, step=step, mode=OUTBOX, as_of=world.now, clock=world.clock, settings=settings
    )


def blocked(world: AccountsWorld) -> set[int]:
    columns = entitlements.c
    query = select(columns.user_id).where(own(entitlements), columns.lifted_at == OPEN)
    with world.engine.connect() as connection:
        return set(connection.execute(query).scalars())


def fill(world: AccountsWorld) -> dict[str, set[int]]:
    people = {key: {10 * number, 10 * number + 1} for number, key in enumerate(ACCOUNTS, 1)}
    for key, some in people.items():
        world.workspace(key, sorted(some))
    return people


def test_all_who_belong_to_an_account_are_blocked_and_its_owner_is_told(world: AccountsWorld) -> None:
    world.workspace("w1", [1, 2, 3], owner=2)
    world.workspace("w2", [4], dormant=False)
    world.change(3, verified=False)

    first = tick(world)
    world.reserve()
    world.deliver()

    assert first == Entitled(3, 0, paused=False)
    assert tick(world) == Entitled(0, 0, paused=False)
    assert blocked(world) == {1, 2, 3}
    assert world.provider.mailed == ["u2@example.com"]


def test_who_leaves_the_account_is_let_go_and_who_comes_is_blocked(world: AccountsWorld) -> None:
    world.workspace("w1", [1, 2])
    world.workspace("w2", [3], dormant=False)
    tick(world)
    world.days_pass(1)
    world.change(2, workspace="w2")
    world.change(3, workspace="w1")

    moved = tick(world)

    assert moved == Entitled(1, 1, paused=False)
    assert blocked(world) == {1, 3}


def test_when_the_account_leaves_all_of_it_are_let_go(world: AccountsWorld) -> None:
    world.workspace("w1", [1, 2])
    tick(world)
    world.days_pass(1)
    world.change_workspace("w1", dormant=False)

    assert tick(world) == Entitled(0, 2, paused=False)
    assert blocked(world) == set()


def test_of_an_account_that_is_held_out_nobody_is_blocked_and_nobody_told(world: AccountsWorld) -> None:
    world.use(BLOCK, HALF)
    people = fill(world)

    tick(world)
    world.reserve()
    world.deliver()

    mailed = {key for key, arm in world.drawn().items() if arm == "mailed"}
    assert 0 < len(mailed) < len(ACCOUNTS)
    assert blocked(world) == set().union(*(people[key] for key in mailed))
    assert sorted(world.provider.mailed) == sorted(f"u{min(people[key])}@example.com" for key in mailed)
    # Whom the block is about is compared: all who belong to it.
    assert world.with_which() == {user: key for key, some in people.items() for user in some}


def test_who_comes_to_an_account_later_shares_its_arm(world: AccountsWorld) -> None:
    world.use(BLOCK, HALF)
    people = fill(world)
    tick(world)
    held_out = next(key for key, arm in world.drawn().items() if arm == "held_out")
    mailed = next(key for key, arm in world.drawn().items() if arm == "mailed")
    gone, come = min(people[mailed]), min(people[held_out])
    world.days_pass(1)
    world.change(gone, workspace=held_out)
    world.change(come, workspace=mailed)

    moved = tick(world)

    assert moved == Entitled(1, 1, paused=False)
    assert come in blocked(world)
    assert gone not in blocked(world)
    assert world.with_which()[gone] == mailed


def test_who_is_held_out_of_all_loops_is_not_blocked_whenever_they_come(world: AccountsWorld) -> None:
    world.settings = replace(world.settings, holdout=0.5)
    people = fill(world)
    first = tick(world)
    later = range(500, 520)
    world.workspace("w99", list(later), dormant=False)
    world.change(*later, workspace=ACCOUNTS[0])
    world.days_pass(1)

    second = tick(world)

    assert 0 < first.blocked < sum(map(len, people.values()))
    assert 0 < second.blocked < len(later)
    assert tick(world) == Entitled(0, 0, paused=False)
