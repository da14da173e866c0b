"""`set` of a loop about accounts writes columns of the accounts table, once an email about the account was accepted."""

from pathlib import Path

import pytest
from accounts_world import AccountsWorld, make_accounts
from delivery_world import LIVE, OUTBOX, START, lose_the_answer, never_arrive
from neighbours import own
from sqlalchemy import Engine, select

from skene_dagster.checks.accounts import check_columns
from skene_dagster.errors import StoreError
from skene_dagster.store.tables import account_members

REMINDS = ('{{account.title}}"}', '{{account.title}}"}\n      set: {reminded: true}')
ONCE_REMINDED = ("WHERE dormant = true", "WHERE dormant = true AND NOT reminded")
EVERYBODY = ("recipient: owner", "recipient: everybody")


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> AccountsWorld:
    world = make_accounts(engine, tmp_path)
    world.rewrite(REMINDS)
    return world


def test_it_is_written_for_the_accounts_whose_email_was_accepted(world: AccountsWorld) -> None:
    world.workspace("w1", [1])
    world.workspace("w2", [2])
    world.workspace("w3", [3], dormant=False)
    world.change(2, verified=False)

    world.tick(LIVE)

    assert world.workspaces("reminded") == {"w1": True, "w2": False, "w3": False}


def test_a_rehearsal_writes_nothing(world: AccountsWorld) -> None:
    world.workspace("w1", [1])

    world.tick(OUTBOX)

    assert world.workspaces("reminded") == {"w1": False}


def test_it_is_written_for_an_account_whose_owner_changed_after_the_email_left(world: AccountsWorld) -> None:
    world.workspace("w1", [1, 2])
    world.tick_without_answer(lose_the_answer)
    world.change_workspace("w1", owner_id=2)
    before = world.workspaces("reminded")
    world.days_pass(0.01)

    world.deliver(LIVE)

    assert (before, world.workspaces("reminded")) == ({"w1": False}, {"w1": True})
    assert world.provider.mailed == ["u1@example.com"]


def test_it_is_not_written_while_nobody_knows_whether_the_email_arrived(world: AccountsWorld) -> None:
    world.workspace("w1", [1])

    world.tick_without_answer(never_arrive)

    assert world.workspaces("reminded") == {"w1": False}


def test_what_the_table_refuses_is_written_by_a_later_run_and_nobody_is_mailed_twice(world: AccountsWorld) -> None:
    world.rewrite(('{{account.title}}"}', '{{account.title}}"}\n      set: {reminded: null}'))
    world.workspace("w1", [1])

    with pytest.raises(StoreError, match="'workspaces' refuses what `set` writes"):
        world.tick(LIVE)
    world.rewrite(REMINDS)
    world.deliver(LIVE)

    assert world.workspaces("reminded") == {"w1": True}
    assert world.provider.mailed == ["u1@example.com"]


def test_no_email_leaves_where_it_cannot_be_written(world: AccountsWorld) -> None:
    world.rewrite(('{{account.title}}"}', '{{account.title}}"}\n      set: {recalled: true}'))
    world.workspace("w1", [1])

    with pytest.raises(StoreError, match=r"`set` could not be written \(recalled of workspaces\)"):
        world.tick(LIVE)

    assert world.provider.mailed == []


def test_validate_names_a_column_that_the_accounts_table_lacks(world: AccountsWorld) -> None:
    world.rewrite(('{{account.title}}"}', '{{account.title}}"}\n      set: {recalled: true}'))

    with world.engine.connect() as connection:
        (found,) = check_columns(connection, world.plan, world.settings)

    assert found.message == "Table 'workspaces' has no column 'recalled'."
    assert found.place is not None
    assert found.place.part == "step 1, action.set.recalled"


def test_an_account_that_leaves_because_it_was_written_left_for_that_reason(world: AccountsWorld) -> None:
    world.rewrite(REMINDS, ONCE_REMINDED)
    world.workspace("w1", [1])
    world.tick(LIVE)
    world.days_pass(1)

    world.tick(LIVE)

    left = select(account_members.c.account_id, account_members.c.exit_reason).where(own(account_members))
    with world.engine.connect() as connection:
        assert [tuple(row) for row in connection.execute(left)] == [("w1", "set")]


def test_everybody_who_is_mailed_about_an_account_writes_it(world: AccountsWorld) -> None:
    world.rewrite(REMINDS, EVERYBODY)
    world.workspace("w1", [1, 2, 3])
    world.workspace("w2", [4])

    world.tick(LIVE)

    assert world.workspaces("reminded") == {"w1": True, "w2": True}


def test_the_product_s_own_time_of_change_stays_as_it_is(world: AccountsWorld) -> None:
    world.rewrite(REMINDS, settings="")
    accounts = "accounts: {table: workspaces, user_column: workspace, owner: owner_id"
    world.map_settings((accounts, f"{accounts}, updated_at: updated_at"))
    world.workspace("w1", [1])
    world.change_workspace("w1", updated_at=START)
    if world.engine.dialect.name != "sqlite":
        with world.engine.begin() as connection:
            connection.exec_driver_sql(
                "ALTER TABLE workspaces MODIFY updated_at DATETIME NULL ON UPDATE CURRENT_TIMESTAMP"
            )

    world.tick(LIVE)

    assert world.workspaces("reminded") == {"w1": True}
    assert world.workspaces("updated_at") == {"w1": START}
