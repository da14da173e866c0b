"""What loops about accounts share with all others: orders, the budget of a day, what a person is told of themselves."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from accounts_world import AccountsWorld, make_accounts
from delivery_world import LIVE, OUTBOX
from neighbours import own
from restored import backup
from sqlalchemy import Connection, Engine, event, func, inspect, select, text

from skene_dagster.delivery import controls, ledger
from skene_dagster.delivery.backup_recovery import recover
from skene_dagster.delivery.rehearsal.rehearse import rehearse
from skene_dagster.delivery.rehearsal.stage import Stage
from skene_dagster.errors import SchemaOutdated
from skene_dagster.explain.explaining import explain
from skene_dagster.explain.model import Explained
from skene_dagster.explain.scope import Asked
from skene_dagster.settings import Accounts, Users
from skene_dagster.store import schema
from skene_dagster.store.engine import is_sqlite, reading, transaction
from skene_dagster.store.tables import account_decisions, account_deferred, account_members, account_sends, batches

ABOUT_ACCOUNTS = (account_members, account_decisions, account_deferred, account_sends)
EVERYBODY = ("recipient: owner", "recipient: everybody")


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> AccountsWorld:
    return make_accounts(engine, tmp_path)


def cancelled(world: AccountsWorld) -> int:
    def order(connection: Connection) -> int:
        controls.cancel(connection, world.plan.name, world.now)
        return ledger.cancel(connection, world.plan.name, world.now, world.now)

    return transaction(world.engine, order)


def reconsidered(world: AccountsWorld) -> int:
    scope = ledger.scope_of("outbox", world.plan, world.step)

    def order(connection: Connection) -> int:
        ledger.lock(connection, scope)
        ledger.look_at_everybody(connection, scope)
        return ledger.reconsider(connection, scope, by_row=False)

    return transaction(world.engine, order)


def explained(world: AccountsWorld, key: object) -> Explained:
    asked = Asked(world.settings, [world.plan], OUTBOX.name, world.now, lambda _schedule, since: since, world.plan.name)
    found = reading(world.engine, lambda connection: explain(connection, asked, key))
    assert found is not None
    return found


def test_accounts_whose_emails_were_cancelled_are_decided_again_once_a_person_says_so(world: AccountsWorld) -> None:
    world.workspace("w1", [1])
    world.refresh()
    world.reserve()
    assert cancelled(world) == 1

    again = reconsidered(world)
    world.days_pass(1)
    world.tick()

    assert again == 1
    assert world.provider.mailed == ["u1@example.com"]
    assert world.decided() == {"w1": ["mailed"]}


def test_an_owner_who_takes_back_their_no_is_mailed_once_a_person_says_so(world: AccountsWorld) -> None:
    world.workspace("w1", [1])
    world.workspace("w2", [2])
    world.refresh()
    world.reserve()
    world.change(1, verified=False)
    world.deliver()
    assert world.sent_about() == [(1, "skipped"), (2, "accepted")]
    world.change(1, verified=True)

    again = reconsidered(world)
    world.days_pass(1)
    world.tick()

    assert again == 1
    assert sorted(world.provider.mailed) == ["u1@example.com", "u2@example.com"]


def test_of_an_account_whose_everybody_is_reconsidered_nobody_is_mailed_twice(world: AccountsWorld) -> None:
    world.rewrite(EVERYBODY)
    world.workspace("w1", [1, 2])
    world.refresh()
    world.reserve()
    world.change(2, verified=False)
    world.deliver()
    assert world.provider.mailed == ["u1@example.com"]
    world.change(2, verified=True)

    again = reconsidered(world)
    world.days_pass(1)
    world.tick()

    assert again == 1
    assert world.provider.mailed == ["u1@example.com", "u2@example.com"]
    assert world.decided() == {"w1": ["mailed"]}
    with world.engine.connect() as connection:
        about = connection.execute(select(account_sends.c.user_id).where(own(account_sends))).scalars()
        assert sorted(about) == [1, 2]


def test_accounts_that_wait_for_room_are_expected_to_need_it(world: AccountsWorld) -> None:
    world.rewrite(settings="limits: {daily: 2}\n")
    for n in range(3):
        world.workspace(f"w{n}", [n + 1])

    world.tick()

    waiting = reading(world.engine, lambda connection: ledger.waiting_for_room(connection, "outbox"))
    assert waiting == {(world.plan.name, world.step.ledger_name): 1}


def test_who_was_mailed_because_of_an_account_is_told_of_which(world: AccountsWorld) -> None:
    world.workspace("w1", [1])
    world.workspace("w2", [2])
    world.tick()

    (mailed,) = explained(world, 1).happened

    assert (mailed.outcome, mailed.account) == ("accepted", "w1")


class Died(Exception):
    pass


@contextmanager
def dies_before_statement(engine: Engine, number: int) -> Iterator[None]:
    """Let the process die that makes the tables about accounts, before one of the statements by which it does."""
    seen = 0

    def execute(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        nonlocal seen
        if "skene_account_" in statement and re.search(r"(?<!SHOW )(DROP|CREATE) (TABLE|INDEX)", statement):
            seen += 1
            if seen == number:
                raise Died

    event.listen(engine, "before_cursor_execute", execute)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", execute)


def types_of_accounts(engine: Engine) -> dict[str, str]:
    found = inspect(engine)
    return {
        table.name: str(next(one["type"] for one in found.get_columns(table.name) if one["name"] == "account_id"))
        for table in ABOUT_ACCOUNTS
    }


def indexes_of_accounts(engine: Engine) -> set[str | None]:
    return {one["name"] for table in ABOUT_ACCOUNTS for one in inspect(engine).get_indexes(table.name)}


@pytest.mark.parametrize("statement", [2, 5, 6, 9, 11])
def test_tables_for_accounts_that_were_half_made_anew_are_finished(engine: Engine, statement: int) -> None:
    users, accounts = Users(), Accounts(table="workspaces")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE users (id BIGINT NOT NULL PRIMARY KEY)"))
        connection.execute(text("CREATE TABLE workspaces (id VARCHAR(36) NOT NULL PRIMARY KEY)"))
    schema.upgrade(engine, users)
    indexes = indexes_of_accounts(engine)
    with dies_before_statement(engine, statement), pytest.raises(Died):
        schema.upgrade(engine, users, accounts)
    if not is_sqlite(engine):
        with pytest.raises(SchemaOutdated, match="not yet made for the accounts"):
            schema.ready(engine, users, accounts)

    schema.upgrade(engine, users, accounts)

    schema.ready(engine, users, accounts)
    assert {one.upper().partition(" ")[0] for one in types_of_accounts(engine).values()} == {"VARCHAR(36)"}
    assert indexes_of_accounts(engine) == indexes


def test_printed_statements_make_the_tables_for_accounts_with_their_indexes(engine: Engine) -> None:
    if is_sqlite(engine):
        pytest.skip("SQLite's are made by the program itself")
    users, accounts = Users(), Accounts(table="workspaces")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE users (id BIGINT NOT NULL PRIMARY KEY)"))
        connection.execute(text("CREATE TABLE workspaces (id VARCHAR(36) NOT NULL PRIMARY KEY)"))
    schema.upgrade(engine, users)
    indexes = indexes_of_accounts(engine)

    printed = schema.upgrade_as_sql(engine, users, accounts)
    with engine.begin() as connection:
        for statement in printed.split(";\n"):
            if sql := "\n".join(line for line in statement.splitlines() if not line.startswith("--")).strip():
                connection.execute(text(sql))

    schema.ready(engine, users, accounts)
    assert indexes_of_accounts(engine) == indexes


def test_the_budget_of_a_day_bounds_what_everybody_of_an_account_gets(world: AccountsWorld) -> None:
    world.rewrite(EVERYBODY, settings="limits: {daily: 2}\n")
    world.workspace("w1", [1, 2, 3, 4, 5])
    world.tick()
    first = list(world.provider.mailed)
    world.days_pass(1)

    world.tick()

    assert first == ["u1@example.com", "u2@example.com"]
    assert world.provider.mailed == [f"u{n}@example.com" for n in (1, 2, 3, 4)]


def test_a_large_wave_to_everybody_of_few_accounts_leaves_in_slices(world: AccountsWorld) -> None:
    world.rewrite(EVERYBODY, settings="limits: {first_wave: 5000}\n")
    world.workspace("w1", range(1, 601))
    world.workspace("w2", range(601, 1202))
    world.refresh()

    world.reserve(LIVE)

    with world.engine.connect() as connection:
        moments = select(batches.c.not_before, func.sum(batches.c.size)).where(own(batches))
        rows = connection.execute(moments.group_by(batches.c.not_before).order_by(batches.c.not_before))
        assert [int(number) for _, number in rows] == [500, 701]


@pytest.mark.parametrize("chosen", ["owner", "most_recently_active"])
def test_after_a_backup_whoever_was_mailed_about_an_account_is_decided_again(world: AccountsWorld, chosen: str) -> None:
    world.rewrite(("recipient: owner", f"recipient: {chosen}"))
    world.were_active()
    world.workspace("w0", [9])
    world.tick(LIVE)
    restore = backup(world)
    world.days_pass(1)
    world.workspace("w1", [1, 2], owner=1)
    world.were_active(1)
    world.tick(LIVE)
    restore()
    world.change_workspace("w1", owner_id=2)
    world.were_active(2)
    recover(world.session(LIVE), ["resend"])
    world.days_pass(1)

    world.tick(LIVE)

    assert world.provider.mailed == ["u1@example.com", "u9@example.com"]
    assert world.decided() == {"w0": ["mailed"], "w1": ["mailed"]}
    assert world.sent_about() == [(1, "accepted"), (9, "accepted")]


def test_an_account_that_enters_again_while_some_of_it_wait_mails_everybody_again(world: AccountsWorld) -> None:
    each_time = ("template: hello", "template: hello\n      repeat: every_entry")
    world.rewrite(EVERYBODY, each_time, settings="limits: {daily: 1}\n")
    world.workspace("w1", [1, 2])
    world.tick()
    assert world.provider.mailed == ["u1@example.com"]
    world.days_pass(1)
    world.change_workspace("w1", dormant=False)
    world.refresh()
    world.days_pass(1)
    world.change_workspace("w1", dormant=True)
    world.tick()
    for _ in range(3):
        world.days_pass(1)
        world.tick()

    assert world.provider.mailed == ["u1@example.com", "u1@example.com", "u2@example.com"]
    assert world.decided() == {"w1": ["mailed", "mailed"]}


def test_a_preview_counts_everybody_of_an_account_for_the_first_wave(world: AccountsWorld) -> None:
    world.rewrite(EVERYBODY, settings="limits: {first_wave: 3}\n")
    world.workspace("w1", [1, 2, 3, 4])
    stage = Stage(world.engine, world.plan, world.step, world.settings, LIVE, world.now)

    said = rehearse(stage, 1).held

    world.refresh()
    hold = world.reserve(LIVE).hold
    assert hold is not None
    assert said == hold.said


def test_what_a_gate_measured_is_the_emails_that_everybody_of_an_account_gets(world: AccountsWorld) -> None:
    world.rewrite(EVERYBODY)
    world.workspace("w1", [1, 2, 3, 4])
    world.refresh()

    gates = {gate.name: gate.measured for gate in world.reserve(LIVE).gates}

    assert gates["first_wave"]["first_wave"] == 4
