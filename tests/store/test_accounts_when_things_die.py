"""A second email about an account is one, whoever dies, runs at the same time, or owns the account meanwhile."""

import threading
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from accounts_world import AccountsWorld, make_accounts
from sqlalchemy import Engine
from usage_world import Died, dying

LOOP = """\
type: retention
per: account
recipient: owner
steps:
  - name: first
    trigger: {type: schedule, cron: "0 9 * * *"}
    condition: {type: query, query: SELECT id FROM workspaces WHERE dormant = true}
    action: {type: email, template: hello, personalization: {name: "{{account.title}}"}}
  - name: second
    trigger: {type: after, step: first, wait: 1d}
    condition: {type: query, query: SELECT id FROM workspaces WHERE dormant = true}
    action: {type: email, template: hello, personalization: {name: "{{account.title}} again"}}
"""
EVERYBODY = ("recipient: owner", "recipient: everybody")
SECOND = 1


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> AccountsWorld:
    world = make_accounts(engine, tmp_path)
    world.use(LOOP)
    return world


def again(world: AccountsWorld) -> list[str]:
    subjects = [message.subject for messages in world.provider.accepted.values() for message in messages]
    return sorted(subject for subject in subjects if "again" in subject)


def first_emails(world: AccountsWorld, number: int) -> None:
    """So many workspaces get their first email; the second is due at the next tick."""
    for n in range(number):
        world.workspace(f"v{n:02}", [100 + 2 * n, 101 + 2 * n])
    world.tick()
    world.days_pass(1)
    world.step_number = SECOND


def change_owners(world: AccountsWorld, number: int) -> None:
    for n in range(number):
        world.change_workspace(f"v{n:02}", owner_id=101 + 2 * n)


@pytest.mark.parametrize("commits", range(1, 16))
def test_wherever_a_run_dies_and_whoever_owns_the_account_then_it_gets_one_second_email(
    world: AccountsWorld, commits: int
) -> None:
    first_emails(world, 2)

    with suppress(Died), dying(world.engine, commits):
        world.refresh()
        world.reserve(page=1)
        world.deliver()
    change_owners(world, 2)
    for _ in range(3):
        world.now += timedelta(minutes=10)
        world.refresh()
        world.reserve()
        world.deliver()

    assert again(world) == ["Hello Workspace v00 again", "Hello Workspace v01 again"]


def test_runs_at_once_decide_about_each_row_of_an_account_once(world: AccountsWorld) -> None:
    world.use(LOOP, EVERYBODY)
    first_emails(world, 20)
    world.refresh()
    barrier, failures = threading.Barrier(3), list[BaseException]()

    def run(number: int) -> None:
        barrier.wait()
        try:
            if number == 2:
                change_owners(world, 20)
            world.reserve(page=3)
        except Exception as failed:  # noqa: BLE001 - the test says what it was
            failures.append(failed)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    world.deliver()

    assert failures == []
    assert len(again(world)) == 40
    assert set(map(tuple, world.decided("second").values())) == {("mailed",)}


def test_an_account_that_is_deleted_while_its_second_email_waits_gets_none(world: AccountsWorld) -> None:
    first_emails(world, 2)
    world.refresh()
    world.reserve()
    world.delete_workspace("v00")
    world.days_pass(0.1)
    world.deliver()
    world.refresh()
    world.reserve()
    world.deliver()

    assert again(world) == ["Hello Workspace v01 again"]


def test_an_owner_who_changes_to_and_fro_while_the_email_waits_gets_it_once(world: AccountsWorld) -> None:
    first_emails(world, 1)
    world.refresh()
    for owner in (101, 100, 101):
        world.reserve()
        world.change_workspace("v00", owner_id=owner)
        world.deliver()
        world.now += timedelta(minutes=1)
        world.refresh()
    world.reserve()
    world.deliver()

    assert again(world) == ["Hello Workspace v00 again"]
    assert world.decided("second") == {"v00": ["mailed"]}
