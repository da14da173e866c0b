"""A row triggers a step of a loop about accounts: a row that names its account, one of a user of it, or an event."""

from datetime import timedelta
from pathlib import Path

import pytest
from accounts_world import AccountsWorld, make_accounts, orders
from delivery_world import LIVE, OUTBOX
from sqlalchemy import Engine, insert

from skene_dagster.delivery.ledger import reconsider, scope_of
from skene_dagster.delivery.rehearsal import Stage, rehearse
from skene_dagster.errors import SettingsError
from skene_dagster.store.engine import transaction
from skene_dagster.store.tables import events

DAILY = '{type: schedule, cron: "0 9 * * *"}'
ORDERS = "{type: database, table: orders, event: insert"
TITLE = "{{account.title}}"
EVERYBODY = ("recipient: owner", "recipient: everybody")
CAPPED = "limits: {caps: [{count: 1, within: 2d}]}\n"


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> AccountsWorld:
    return make_accounts(engine, tmp_path)


def use(world: AccountsWorld, trigger: str, *pairs: tuple[str, str], settings: str = "") -> None:
    """Write a loop that rows trigger; history triggers nothing: the first tick finds where it ends."""
    world.rewrite((DAILY, trigger), *pairs, settings=settings)
    world.tick()
    world.now += timedelta(minutes=1)


def order(world: AccountsWorld, number: int, *, user: int | None = None, workspace: str | None = None) -> None:
    row = {"id": number, "user_id": user, "workspace": workspace, "amount": 5, "created_at": world.now}
    with world.engine.begin() as connection:
        connection.execute(insert(orders), [row])


def happened(world: AccountsWorld, identity: str, user: int) -> None:
    row = {"event_id": identity, "user_id": user, "name": "invited", "occurred_at": world.now, "received_at": world.now}
    with world.engine.begin() as connection:
        connection.execute(insert(events), [row])


def said(world: AccountsWorld) -> list[str]:
    return sorted(message.subject for messages in world.provider.accepted.values() for message in messages)


def test_a_row_of_a_user_mails_the_owner_of_their_account_once(world: AccountsWorld) -> None:
    use(world, ORDERS + "}")
    world.workspace("w1", [1, 2])
    world.workspace("w2", [3])
    order(world, 1, user=2)

    for _ in range(3):
        world.tick()
        world.now += timedelta(minutes=1)

    assert said(world) == ["Hello User 1 of Workspace w1"]
    assert world.decided() == {"w1": ["mailed"]}


def test_a_row_that_names_its_account_mails_the_owner_of_that(world: AccountsWorld) -> None:
    use(world, ORDERS + ", account: workspace}")
    world.workspace("w1", [1])
    world.workspace("w2", [2])
    order(world, 1, user=1, workspace="w2")

    world.tick()

    assert said(world) == ["Hello User 2 of Workspace w2"]


def test_a_row_of_the_accounts_table_is_about_that_account(world: AccountsWorld) -> None:
    use(world, "{type: database, table: workspaces, event: insert, at: updated_at}")
    world.workspace("w1", [1, 2])
    world.change_workspace("w1", updated_at=world.now)

    world.tick()

    assert said(world) == ["Hello User 1 of Workspace w1"]


def test_an_account_that_changes_again_is_mailed_again_and_what_set_writes_is_no_change(world: AccountsWorld) -> None:
    accounts = "accounts: {table: workspaces, user_column: workspace, owner: owner_id"
    world.map_settings((accounts, f"{accounts}, updated_at: updated_at"))
    world.replan(
        (DAILY, "{type: database, table: workspaces, event: update}"),
        (f'{TITLE}"}}', f'{TITLE}"}}\n      set: {{reminded: true}}'),
    )
    world.tick(LIVE)
    world.now += timedelta(minutes=1)
    world.workspace("w1", [1, 2])
    for _ in range(2):
        world.change_workspace("w1", updated_at=world.now)
        for _ in range(2):
            world.tick(LIVE)
            world.now += timedelta(minutes=1)

    assert said(world) == ["Hello User 1 of Workspace w1"] * 2
    assert world.workspaces("reminded") == {"w1": True}


def test_an_event_of_a_user_mails_the_owner_of_their_account(world: AccountsWorld) -> None:
    use(world, "{type: event, name: invited}")
    world.workspace("w1", [1, 2])
    world.workspace("w2", [3])
    happened(world, "an event whose key is as long as the ledger takes, which is 64 x", 2)

    for _ in range(2):
        world.tick()
        world.now += timedelta(minutes=1)

    assert said(world) == ["Hello User 1 of Workspace w1"]


def test_each_row_is_an_email_of_its_own_also_to_one_owner(world: AccountsWorld) -> None:
    use(world, ORDERS + "}")
    world.workspace("w1", [1, 2])
    world.workspace("w2", [3], owner=1)
    for number, user in enumerate((1, 2, 3), start=1):
        order(world, number, user=user)

    world.tick()

    assert said(world) == ["Hello User 1 of Workspace w1"] * 2 + ["Hello User 1 of Workspace w2"]


def test_an_account_is_mailed_about_one_row_of_a_tick_if_it_is_to_be_mailed_once(world: AccountsWorld) -> None:
    use(world, ORDERS + "}", (f'{TITLE}"}}', f'{TITLE}"}}\n      repeat: once'))
    world.workspace("w1", [1, 2])
    for number, user in enumerate((1, 2), start=1):
        order(world, number, user=user)
    world.tick()
    world.now += timedelta(minutes=1)
    order(world, 3, user=1)

    world.tick()

    assert said(world) == ["Hello User 1 of Workspace w1"]
    assert world.decided() == {"w1": ["mailed", "skipped:once", "skipped:once"]}


def test_the_query_may_say_whose_a_row_is(world: AccountsWorld) -> None:
    query = "{type: query, query: SELECT id FROM workspaces WHERE dormant = true}"
    asks = '{type: query, query: "SELECT workspace AS account_id, amount FROM orders WHERE id = $1"}'
    use(world, ORDERS + "}", (query, asks), (TITLE, "{{row.amount}}"))
    world.workspace("w1", [1])
    world.workspace("w2", [2])
    order(world, 1, user=1, workspace="w2")

    world.tick()

    assert said(world) == ["Hello User 2 of 5"]


def test_a_row_that_nobody_can_be_mailed_about_waits_and_expires(world: AccountsWorld) -> None:
    use(world, ORDERS + "}")
    world.workspace("w1", [1, 2])
    world.workspace("w2", [3])
    world.change(1, 3, verified=False)
    order(world, 1, user=2)
    order(world, 2, user=3)
    world.tick()
    waits = world.decided()
    world.change(1, verified=True)
    world.days_pass(1)
    world.tick()
    world.change(3, verified=True)
    world.days_pass(3)

    world.tick()

    assert waits == {"w1": ["deferred:not_mailable"], "w2": ["deferred:not_mailable"]}
    assert said(world) == ["Hello User 1 of Workspace w1"]
    assert world.decided() == {"w1": ["mailed"], "w2": ["skipped:too_late"]}


def test_everybody_is_mailed_about_a_row_once_also_those_who_have_to_wait(world: AccountsWorld) -> None:
    use(world, ORDERS + "}", EVERYBODY, settings=CAPPED)
    world.workspace("w1", [3])
    world.workspace("w2", [1, 2])
    world.change(3, email="u2@example.com")
    order(world, 1, user=3)
    order(world, 2, user=1)
    for _ in range(4):
        world.tick()
        world.days_pass(1)

    assert world.provider.mailed == ["u1@example.com", "u2@example.com", "u2@example.com"]
    assert world.decided() == {"w1": ["mailed"], "w2": ["mailed"]}


def test_a_cap_counts_what_an_account_gets_about_two_rows_of_a_tick(world: AccountsWorld) -> None:
    use(world, ORDERS + "}", ("recipient: owner", "recipient: most_recently_active"), settings=CAPPED)
    world.workspace("w1", [1, 2])
    world.were_active(2, 1)
    order(world, 1, user=1)
    order(world, 2, user=2)

    world.tick()

    assert len(said(world)) == 1
    assert world.decided() == {"w1": ["mailed", "deferred:cap"]}


def test_a_preview_decides_about_rows_of_accounts(world: AccountsWorld) -> None:
    use(world, ORDERS + "}")
    world.workspace("w1", [1, 2])
    order(world, 1, user=2)
    stage = Stage(world.engine, world.plan, world.step, world.settings, OUTBOX, world.now)

    found = rehearse(stage, 10)

    assert found.counts == {"mail": 1}
    assert [(case.account_id, case.user_id) for case in found.sample] == [("w1", 1)]


def test_rows_that_were_skipped_are_reconsidered(world: AccountsWorld) -> None:
    use(world, ORDERS + "}", (f'{TITLE}"}}', f'{TITLE}"}}\n      repeat: once'))
    world.workspace("w1", [1])
    order(world, 1, user=1)
    order(world, 2, user=1)
    world.tick()
    world.rewrite((DAILY, ORDERS + "}"))
    scope = scope_of(OUTBOX.name, world.plan, world.step)

    number = transaction(world.engine, lambda connection: reconsider(connection, scope, by_row=True))
    world.now += timedelta(minutes=1)
    world.tick()

    assert number == 1
    assert said(world) == ["Hello User 1 of Workspace w1"] * 2


def test_a_late_email_about_a_row_that_is_gone_is_not_made(world: AccountsWorld) -> None:
    world.rewrite((DAILY, ORDERS + "}"))
    world.tick(LIVE)
    world.now += timedelta(minutes=1)
    world.workspace("w1", [1])
    world.workspace("w2", [2])
    order(world, 1, user=1)
    order(world, 2, user=2)
    world.refresh(LIVE)
    world.reserve(LIVE)
    world.delete_order(1)
    world.days_pass(0.1)

    world.deliver(LIVE)

    assert said(world) == ["Hello User 2 of Workspace w2"]


def test_rows_that_name_accounts_by_a_type_that_is_not_exact_are_refused(world: AccountsWorld) -> None:
    world.rewrite((DAILY, ORDERS + ", account: created_at}"))

    with pytest.raises(SettingsError, match=r"orders\.created_at is .* would mistake some accounts for others"):
        world.tick()
