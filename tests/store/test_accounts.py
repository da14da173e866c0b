"""A loop about accounts: somebody of each is mailed, once for an occurrence of the account, whoever that is by then."""

from datetime import timedelta
from pathlib import Path

import pytest
from accounts_world import AccountsWorld, make_accounts
from delivery_world import LIVE
from sqlalchemy import Engine

MOST_ACTIVE = ("recipient: owner", "recipient: most_recently_active")
EVERYBODY = ("recipient: owner", "recipient: everybody")
MAILED = ("mailed",)


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> AccountsWorld:
    return make_accounts(engine, tmp_path)


def subjects(world: AccountsWorld) -> list[str]:
    return sorted(message.subject for messages in world.provider.accepted.values() for message in messages)


def test_a_dormant_workspace_mails_its_owner_once(world: AccountsWorld) -> None:
    world.workspace("w1", [1, 2, 3], owner=2)
    world.workspace("w2", [4], dormant=False)

    for _ in range(3):
        world.tick()
        world.days_pass(1)

    assert world.provider.mailed == ["u2@example.com"]
    assert subjects(world) == ["Hello User 2 of Workspace w1"]
    assert world.decided() == {"w1": ["mailed"]}


def test_a_change_of_owner_between_ticks_mails_nobody_else(world: AccountsWorld) -> None:
    world.workspace("w1", [1, 2])
    world.tick()
    world.change_workspace("w1", owner_id=2)
    world.days_pass(1)

    world.tick()

    assert world.provider.mailed == ["u1@example.com"]


def test_a_change_of_owner_before_the_email_is_made_mails_the_new_one(world: AccountsWorld) -> None:
    world.workspace("w1", [1, 2])
    world.refresh()
    world.reserve()
    world.change_workspace("w1", owner_id=2)

    world.deliver()
    waits = world.decided()
    world.days_pass(1)
    world.tick()

    assert waits == {"w1": ["deferred:new_recipient"]}
    assert world.provider.mailed == ["u2@example.com"]
    assert world.decided() == {"w1": ["mailed"]}


def test_a_workspace_that_enters_again_is_mailed_again_when_repeat_has_passed(world: AccountsWorld) -> None:
    world.workspace("w1", [1, 2])
    world.tick()
    world.days_pass(1)
    world.change_workspace("w1", dormant=False, owner_id=2)
    world.tick()
    world.days_pass(1)
    world.change_workspace("w1", dormant=True)
    world.tick()
    early = (world.provider.mailed, world.decided())
    world.days_pass(30)

    world.tick()

    assert early == (["u1@example.com"], {"w1": ["mailed", "deferred:repeat"]})
    assert world.provider.mailed == ["u1@example.com", "u2@example.com"]
    assert world.decided() == {"w1": ["mailed", "mailed"]}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        pytest.param({"email": ""}, "deferred:no_address", id="no address"),
        pytest.param({"verified": False}, "deferred:not_mailable", id="not mailable"),
    ],
)
def test_an_owner_who_cannot_be_mailed_is_waited_for(world: AccountsWorld, change: dict[str, object], why: str) -> None:
    world.workspace("w1", [1, 2])
    world.change(1, **change)
    world.tick()
    waits = world.decided()
    world.change(1, email="u1@example.com", verified=True)
    world.days_pass(1)

    world.tick()

    assert waits == {"w1": [why]}
    assert world.provider.mailed == ["u1@example.com"]


def test_a_workspace_without_an_owner_waits_for_one(world: AccountsWorld) -> None:
    world.workspace("w1", [1, 2])
    world.change_workspace("w1", owner_id=None)
    world.workspace("w2", [3], owner=999)
    world.tick()
    waits = world.decided()
    world.change_workspace("w1", owner_id=1)
    world.days_pass(1)

    world.tick()

    assert waits == {"w1": ["deferred:no_recipient"], "w2": ["deferred:not_mailable"]}
    assert world.provider.mailed == ["u1@example.com"]


def test_who_owns_several_workspaces_is_mailed_about_one_of_them_at_a_tick(world: AccountsWorld) -> None:
    world.workspace("w1", [1])
    world.workspace("w2", [2], owner=1)
    world.tick()
    first = (world.provider.mailed, world.decided())
    world.days_pass(1)

    world.tick()

    assert first == (["u1@example.com"], {"w1": ["mailed"], "w2": ["deferred:other_account"]})
    assert subjects(world) == ["Hello User 1 of Workspace w1", "Hello User 1 of Workspace w2"]


def test_the_most_recently_active_user_is_mailed(world: AccountsWorld) -> None:
    world.rewrite(MOST_ACTIVE)
    world.workspace("w1", [1, 2, 3])
    world.were_active(3, 2)

    world.tick()

    assert world.provider.mailed == ["u3@example.com"]


def test_where_the_most_recently_active_cannot_be_mailed_the_next_one_is(world: AccountsWorld) -> None:
    world.rewrite(MOST_ACTIVE)
    world.workspace("w1", [1, 2, 3, 4])
    world.were_active(4, 3, 2)
    world.change(4, verified=False)
    world.change(3, email="not an address")

    world.tick()

    assert world.provider.mailed == ["u2@example.com"]


def test_where_nobody_was_ever_active_somebody_is_mailed_all_the_same(world: AccountsWorld) -> None:
    world.rewrite(MOST_ACTIVE)
    world.workspace("w1", [2, 1])
    world.were_active()

    world.tick()

    assert world.provider.mailed == ["u1@example.com"]


def test_who_becomes_the_most_active_after_the_decision_is_not_mailed_as_well(world: AccountsWorld) -> None:
    world.rewrite(MOST_ACTIVE)
    world.workspace("w1", [1, 2])
    world.were_active(1, 2)
    world.refresh()
    world.reserve()
    world.days_pass(0.01)
    world.were_active(2, 1, at=world.now + timedelta(days=1))

    world.deliver()
    world.days_pass(1)
    world.tick()

    assert world.provider.mailed == ["u1@example.com"]


def test_everybody_of_a_workspace_is_mailed_once(world: AccountsWorld) -> None:
    world.rewrite(EVERYBODY)
    world.workspace("w1", [1, 2, 3])
    world.workspace("w2", [4])
    world.change(3, verified=False)

    for _ in range(2):
        world.tick()
        world.days_pass(1)

    assert world.provider.mailed == ["u1@example.com", "u2@example.com", "u4@example.com"]
    assert world.decided() == {"w1": ["mailed"], "w2": ["mailed"]}


def test_whoever_of_everybody_cannot_be_mailed_yet_is_mailed_later_for_the_same_occurrence(
    world: AccountsWorld,
) -> None:
    world.rewrite(EVERYBODY, settings="limits: {caps: [{count: 1, within: 2d}]}\n")
    world.workspace("w1", [1, 2])
    world.workspace("w2", [3])
    world.change(3, email="u2@example.com")
    world.tick()
    first = (world.provider.mailed, world.decided())

    for _ in range(3):
        world.days_pass(1)
        world.tick()

    assert first == (["u1@example.com", "u2@example.com"], {"w1": ["mailed"], "w2": ["deferred:cap"]})
    assert world.provider.mailed == ["u1@example.com", "u2@example.com", "u2@example.com"]
    assert world.decided() == {"w1": ["mailed"], "w2": ["mailed"]}


def test_a_workspace_that_left_before_its_email_was_made_mails_nobody(world: AccountsWorld) -> None:
    world.workspace("w1", [1])
    world.refresh()
    world.reserve(LIVE)
    world.change_workspace("w1", dormant=False)
    world.days_pass(0.5)

    world.deliver(LIVE)

    assert world.provider.mailed == []
    assert world.decided() == {"w1": ["deferred:left_segment"]}
