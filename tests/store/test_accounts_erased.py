"""Who is erased was the recipient of an email about an account, or is named by what is kept of one."""

from pathlib import Path

import pytest
from accounts_world import AccountsWorld, make_accounts
from delivery_world import LIVE, lose_the_answer, never_arrive
from neighbours import own
from sqlalchemy import Engine, select

from skene_dagster.erasing.erase import Erased, erase
from skene_dagster.erasing.person import find
from skene_dagster.erasing.waiting import go_on
from skene_dagster.store.engine import reading
from skene_dagster.store.tables import account_members, account_sends

QUERY = "query: SELECT id FROM workspaces WHERE dormant = true"
NAMES = 'query: "SELECT w.id, u.email AS contact FROM workspaces w JOIN users u ON u.id = w.owner_id WHERE w.dormant"'
EVERYBODY = ("recipient: owner", "recipient: everybody")


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> AccountsWorld:
    return make_accounts(engine, tmp_path)


def erased(world: AccountsWorld, user: int) -> Erased:
    """Delete them from the product, with another owner for what they owned, and then erase them."""
    world.change_workspace("w7", owner_id=12)
    world.delete_user(user)
    person = reading(world.engine, lambda connection: find(connection, world.settings.users, str(user)))
    assert person is not None
    return erase(world.engine, world.settings, person, world.clock)


def linked(world: AccountsWorld) -> list[object]:
    query = select(account_sends.c.user_id).where(own(account_sends))
    with world.engine.connect() as connection:
        return list(connection.execute(query).scalars())


def test_an_email_that_nobody_had_tried_to_send_is_the_next_owner_s(world: AccountsWorld) -> None:
    world.workspace("w7", [11, 12])
    world.refresh()
    world.reserve(LIVE)

    erased(world, 11)
    waits = world.decided()
    world.days_pass(1)
    world.tick(LIVE)

    assert waits == {"w7": ["deferred:new_recipient"]}
    assert world.provider.mailed == ["u12@example.com"]
    assert world.decided() == {"w7": ["mailed"]}


def test_an_email_that_was_accepted_is_the_account_s_mail_and_nobody_else_gets_one(world: AccountsWorld) -> None:
    world.workspace("w7", [11, 12])
    world.tick(LIVE)

    erased(world, 11)
    world.days_pass(1)
    world.tick(LIVE)

    assert world.provider.mailed == ["u11@example.com"]
    assert world.decided() == {"w7": ["mailed"]}
    assert 11 not in linked(world)


@pytest.mark.parametrize(
    ("answer", "mailed"),
    [
        pytest.param(lose_the_answer, ["u11@example.com"], id="that had arrived"),
        pytest.param(never_arrive, [], id="that had not"),
    ],
)
def test_an_email_that_may_have_arrived_is_the_account_s_until_it_is_known(
    world: AccountsWorld, answer: object, mailed: list[str]
) -> None:
    world.workspace("w7", [11, 12])
    world.tick_without_answer(answer)  # type: ignore[arg-type]

    erased(world, 11)
    decided = world.decided()
    world.days_pass(0.02)
    world.refresh()
    world.reserve(LIVE)

    assert decided == {"w7": ["mailed"]}
    assert world.provider.mailed == mailed
    assert world.decided() == {"w7": ["mailed"]}
    assert 11 not in linked(world)


def test_an_erasure_that_had_to_wait_for_an_email_about_an_account_ends(world: AccountsWorld) -> None:
    world.workspace("w7", [11, 12])
    world.tick_without_answer(never_arrive)
    erased(world, 11)
    world.days_pass(9)

    go_on(world.engine, world.settings, world.clock)
    waiting = go_on(world.engine, world.settings, world.clock).waiting

    assert waiting == 0
    assert 11 not in linked(world)


def test_of_everybody_the_others_are_mailed(world: AccountsWorld) -> None:
    world.rewrite(EVERYBODY)
    world.workspace("w7", [11, 12, 13])
    world.refresh()
    world.reserve(LIVE)

    erased(world, 11)
    world.deliver(LIVE)
    world.days_pass(1)
    world.tick(LIVE)

    assert world.provider.mailed == ["u12@example.com", "u13@example.com"]
    assert world.decided() == {"w7": ["mailed"]}


def test_a_recipient_who_is_deleted_before_the_email_is_made_leaves_it_to_the_next_owner(world: AccountsWorld) -> None:
    world.workspace("w7", [11, 12])
    world.refresh()
    world.reserve()
    world.delete_user(11)
    world.change_workspace("w7", owner_id=12)

    world.deliver()
    world.days_pass(1)
    world.tick()

    assert world.provider.mailed == ["u12@example.com"]


def test_what_is_kept_of_an_account_does_not_name_them_any_more(world: AccountsWorld) -> None:
    world.rewrite((QUERY, NAMES), ("{{account.title}}", "{{row.contact}}"))
    world.workspace("w7", [11, 12])
    world.workspace("w8", [13])
    world.tick()

    found = erased(world, 11)

    query = select(account_members.c.account_id, account_members.c.attributes).where(own(account_members))
    with world.engine.connect() as connection:
        kept = dict(connection.execute(query).all())
    assert found.rows["skene_account_members"] == 1
    assert kept["w7"] is None
    assert kept["w8"] is not None
    assert "u13@example.com" in kept["w8"]
