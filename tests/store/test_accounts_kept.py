"""What loops about accounts promise whatever happens: a "no", a cap, runs at once, runs that die, later migrations."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from accounts_world import LOOP, AccountsWorld, make_accounts
from delivery_world import LIVE, OUTBOX, Script, never_arrive, planned
from neighbours import own
from sqlalchemy import Connection, Engine, func, select, text

from skene_dagster.consent import suppressions
from skene_dagster.consent.recipient import Recipients
from skene_dagster.consent.suppressions import Scope, Suppression
from skene_dagster.delivery import controls, health, ledger
from skene_dagster.delivery.decide.reserve import reserve
from skene_dagster.delivery.email.message import Message
from skene_dagster.delivery.providers.base import Answer, Later
from skene_dagster.errors import NoClearance, NotCounted, ProviderUnavailable, SchemaOutdated, SettingsError, StoreError
from skene_dagster.settings import Accounts, Users
from skene_dagster.store import schema
from skene_dagster.store.engine import is_sqlite, transaction
from skene_dagster.store.keys import common_key
from skene_dagster.store.tables import account_sends, batches, sends

EVERYBODY = ("recipient: owner", "recipient: everybody")
MOST_ACTIVE = ("recipient: owner", "recipient: most_recently_active")
CAPS = "limits: {caps: [{count: 1, within: 7d}]}\n"


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> AccountsWorld:
    return make_accounts(engine, tmp_path)


def suppressed(world: AccountsWorld, key: str, scope: Scope = "marketing") -> None:
    def write(connection: Connection) -> None:
        name = Recipients.of(connection).account(key)
        suppressions.suppress(connection, [Suppression(name, scope, world.now, "manual", "a test")], world.now)

    transaction(world.engine, write)


def said_no(world: AccountsWorld, user_id: int) -> None:
    def write(connection: Connection) -> None:
        name = Recipients.of(connection).user(user_id)
        suppressions.suppress(connection, [Suppression(name, "marketing", world.now, "said_no", "a test")], world.now)

    transaction(world.engine, write)


def test_a_suppressed_account_is_not_decided_to_be_mailed(world: AccountsWorld) -> None:
    world.workspace("w1", [1])
    world.workspace("w2", [2])
    suppressed(world, "w1")

    world.tick(LIVE)

    assert world.decided() == {"w1": ["skipped:said_no"], "w2": ["mailed"]}
    assert world.provider.mailed == ["u2@example.com"]


def test_an_account_that_is_suppressed_after_the_decision_is_found_when_the_email_is_made(world: AccountsWorld) -> None:
    world.workspace("w1", [1])
    world.refresh()
    world.reserve(LIVE)
    suppressed(world, "w1")

    world.deliver(LIVE)

    assert world.provider.tried == []
    assert world.sent_about() == [(1, "skipped")]


def test_an_account_that_is_suppressed_before_an_attempt_begins_stops_it(world: AccountsWorld) -> None:
    world.workspace("w1", [1])
    world.workspace("w2", [2])

    def later(provider: Script, messages: Sequence[Message], key: str) -> Answer:
        del provider, messages, key
        return Later(60.0, "not now")

    world.refresh()
    world.reserve(LIVE)
    world.provider.answers.append(later)
    world.deliver(LIVE)
    suppressed(world, "w1")
    world.now += timedelta(minutes=2)

    world.deliver(LIVE)

    assert world.provider.mailed == ["u2@example.com"]
    assert world.sent_about() == [(1, "skipped"), (2, "accepted")]


def test_an_owner_who_said_no_ends_the_accounts_occurrence(world: AccountsWorld) -> None:
    world.workspace("w1", [1, 2])
    said_no(world, 1)

    world.tick(LIVE)

    assert world.provider.mailed == []
    assert world.decided() == {"w1": ["skipped:said_no"]}


def test_where_the_most_active_said_no_the_next_one_is_mailed(world: AccountsWorld) -> None:
    world.rewrite(MOST_ACTIVE)
    world.workspace("w1", [1, 2])
    world.were_active(1, 2)
    said_no(world, 1)

    world.tick(LIVE)

    assert world.provider.mailed == ["u2@example.com"]


def test_where_the_most_active_says_no_before_the_email_is_made_the_next_one_gets_it(world: AccountsWorld) -> None:
    world.rewrite(MOST_ACTIVE)
    world.workspace("w1", [1, 2])
    world.were_active(1, 2)
    world.refresh()
    world.reserve(LIVE)
    said_no(world, 1)
    world.deliver(LIVE)
    waits = world.decided()
    world.days_pass(1)

    world.tick(LIVE)

    assert waits == {"w1": ["deferred:new_recipient"]}
    assert world.provider.mailed == ["u2@example.com"]


def test_who_has_left_the_account_before_the_email_is_made_gets_none(world: AccountsWorld) -> None:
    world.rewrite(MOST_ACTIVE)
    world.workspace("w1", [1, 2])
    world.were_active(1, 2)
    world.refresh()
    world.reserve()
    world.change(1, workspace=None)
    world.deliver()
    world.days_pass(1)

    world.tick()

    assert world.provider.mailed == ["u2@example.com"]


def test_caps_count_what_an_account_gets_whoever_of_it_was_mailed(world: AccountsWorld) -> None:
    world.rewrite(("type: retention", "type: retention\nname: other"), settings=CAPS)
    world.workspace("w1", [1, 2])
    world.tick()
    world.rewrite(settings=CAPS)
    world.change_workspace("w1", owner_id=2)
    world.days_pass(1)
    world.tick()
    early = (world.provider.mailed, world.decided())
    world.days_pass(7)

    world.tick()

    assert early == (["u1@example.com"], {"w1": ["mailed", "deferred:cap"]})
    assert world.provider.mailed == ["u1@example.com", "u2@example.com"]


def test_runs_at_once_mail_one_person_of_each_account(world: AccountsWorld) -> None:
    world.rewrite(EVERYBODY)
    for n in range(30):
        world.workspace(f"w{n:02}", [2 * n + 1, 2 * n + 2])
    world.refresh()
    barrier, failures = threading.Barrier(3), list[BaseException]()

    def run() -> None:
        barrier.wait()
        try:
            world.reserve(page=7)
        except Exception as failed:  # noqa: BLE001 - the test says what it was
            failures.append(failed)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    world.deliver()

    assert failures == []
    assert world.provider.mailed == sorted(f"u{n}@example.com" for n in range(1, 61))
    assert set(map(tuple, world.decided().values())) == {("mailed",)}


def test_a_run_that_dies_between_pages_and_a_new_owner_mail_each_account_once(world: AccountsWorld) -> None:
    for n in range(4):
        world.workspace(f"w{n}", [2 * n + 1, 2 * n + 2])
    world.refresh()

    def dies(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        world.reserve(page=2, progress=dies)
    world.change_workspace("w0", owner_id=2)
    world.change_workspace("w3", owner_id=8)
    world.deliver()
    world.days_pass(0.001)
    world.tick()
    world.days_pass(1)
    world.tick()

    assert world.provider.mailed == ["u2@example.com", "u3@example.com", "u5@example.com", "u8@example.com"]
    assert world.decided() == {f"w{n}": ["mailed"] for n in range(4)}


def test_an_attempt_without_an_answer_is_the_accounts_mail(world: AccountsWorld) -> None:
    world.workspace("w1", [1, 2])
    world.refresh()
    world.reserve(LIVE)
    world.provider.answers.append(never_arrive)
    with pytest.raises(ProviderUnavailable):
        world.deliver(LIVE)
    world.change_workspace("w1", owner_id=2)
    world.days_pass(0.01)

    world.deliver(LIVE)

    assert world.provider.mailed == ["u1@example.com"]


def test_each_send_about_an_account_says_which_one_that_is(world: AccountsWorld) -> None:
    world.rewrite(EVERYBODY)
    world.workspace("w1", [1, 2])
    world.workspace("w2", [3])

    world.tick()

    query = select(account_sends.c.user_id, account_sends.c.account_id).where(own(account_sends))
    with world.engine.connect() as connection:
        assert sorted(tuple(row) for row in connection.execute(query)) == [(1, "w1"), (2, "w1"), (3, "w2")]
        assert connection.execute(select(func.count()).select_from(sends).where(own(sends))).scalar() == 3


def test_a_late_tick_asks_the_condition_again_about_accounts(world: AccountsWorld) -> None:
    world.workspace("w1", [1])
    world.workspace("w2", [2])
    world.refresh()
    world.reserve(LIVE)
    world.change_workspace("w1", dormant=False)
    world.days_pass(0.1)

    world.deliver(LIVE)

    assert world.provider.mailed == ["u2@example.com"]
    assert world.decided() == {"w1": ["deferred:left_segment"], "w2": ["mailed"]}


def test_a_step_that_was_about_users_is_refused(world: AccountsWorld) -> None:
    about_users = LOOP.replace("per: account\nrecipient: owner\n", "").replace(" of {{account.title}}", "")
    about_users = about_users.replace("SELECT id FROM workspaces WHERE dormant = true", "SELECT id FROM users")
    world.workspace("w1", [1])
    world.plan = planned(world.root, world.settings, about_users)
    world.tick()
    world.rewrite()
    world.days_pass(1)
    world.refresh()

    with pytest.raises(NoClearance, match=r"Step 'main' of 'retention' is about accounts, and what it decided before"):
        world.reserve()


def test_a_step_that_was_about_accounts_is_refused_as_one_about_users(world: AccountsWorld) -> None:
    about_users = LOOP.replace("per: account\nrecipient: owner\n", "").replace(" of {{account.title}}", "")
    about_users = about_users.replace("SELECT id FROM workspaces WHERE dormant = true", "SELECT id FROM users")
    world.workspace("w1", [1])
    world.tick()
    world.plan = planned(world.root, world.settings, about_users)
    world.days_pass(1)
    world.refresh()

    with pytest.raises(NoClearance, match=r"is about users, and what it decided before is about accounts\."):
        world.reserve()


def test_who_was_active_last_has_to_be_counted(world: AccountsWorld) -> None:
    world.rewrite(MOST_ACTIVE)
    world.workspace("w1", [1])
    world.refresh()

    with pytest.raises(NotCounted):
        world.reserve()


def test_an_owner_who_is_no_users_key_is_refused_with_the_place_in_skene_yaml(world: AccountsWorld) -> None:
    world.workspace("w1", [1])
    world.settings = replace(world.settings, accounts=owned_by("title"))
    world.refresh()

    with pytest.raises(SettingsError, match=r"accounts\.owner gives a str, but the users key is"):
        world.reserve()


def test_an_owner_of_a_column_that_there_is_not_is_refused_likewise(world: AccountsWorld) -> None:
    world.workspace("w1", [1])
    world.settings = replace(world.settings, accounts=owned_by("nobody"))
    world.refresh()

    with pytest.raises(SettingsError, match="The database refuses it") as refused:
        world.reserve()

    assert refused.value.place is not None
    assert refused.value.place.part == "accounts.owner"


def owned_by(owner: str) -> Accounts:
    return Accounts(table="workspaces", user_column="workspace", owner=owner)


def test_accounts_that_are_named_later_get_tables_of_their_keys_type(engine: Engine) -> None:
    users, accounts = Users(), Accounts(table="workspaces")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE users (id BIGINT NOT NULL PRIMARY KEY)"))
        connection.execute(text("CREATE TABLE workspaces (id VARCHAR(36) NOT NULL PRIMARY KEY)"))
    schema.upgrade(engine, users)
    if not is_sqlite(engine):
        with pytest.raises(SchemaOutdated, match="not yet made for the accounts"):
            schema.ready(engine, users, accounts)
        assert "CREATE TABLE" in schema.upgrade_as_sql(engine, users, accounts)

    schema.upgrade(engine, users, accounts)

    schema.ready(engine, users, accounts)
    with engine.connect() as connection:
        assert common_key(connection, accounts).sql.lower().startswith("varchar(36)")


def test_accounts_whose_key_has_changed_its_type_are_refused_once_there_are_decisions(world: AccountsWorld) -> None:
    world.workspace("w1", [1])
    world.tick(OUTBOX)
    with world.engine.begin() as connection:
        connection.execute(text("CREATE TABLE teams (id BIGINT NOT NULL PRIMARY KEY)"))

    with pytest.raises(StoreError, match=r"The accounts key teams\.id is .*, but the skene_\* tables have"):
        schema.ready(world.engine, world.settings.users, Accounts(table="teams"))


def test_pages_of_one_find_everybody(world: AccountsWorld) -> None:
    for n in range(5):
        world.workspace(f"w{n}", [n + 1])
    world.refresh()

    reserve(
        world.engine,
        plan=world.plan,
        step=world.step,
        settings=world.settings,
        mode=OUTBOX,
        as_of=world.now,
        clock=world.clock,
        page=1,
    )
    world.deliver()

    assert world.provider.mailed == [f"u{n}@example.com" for n in range(1, 6)]


def test_who_owns_an_account_may_be_asked_of_another_table(world: AccountsWorld) -> None:
    world.workspace("w1", [1, 2, 3], owner=1)
    world.workspace("w2", [4])
    owner = "(SELECT MAX(u.id) FROM users u WHERE u.workspace = workspaces.id)"
    world.settings = replace(world.settings, accounts=owned_by(owner))

    world.tick()

    assert world.provider.mailed == ["u3@example.com", "u4@example.com"]


def test_accounts_of_a_paused_loop_wait_and_are_counted(world: AccountsWorld) -> None:
    world.workspace("w1", [1])
    world.workspace("w2", [2])
    transaction(world.engine, lambda c: controls.pause(c, "retention", world.now))
    scope = ledger.scope_of("outbox", world.plan, world.step)
    world.refresh()
    held = world.reserve()
    waits = transaction(world.engine, lambda c: ledger.deferred(c, scope, by_row=False))
    transaction(world.engine, lambda c: controls.resume(c, "retention", world.now))
    world.days_pass(1)

    world.tick()

    assert held.counts == {"deferred:paused": 2}
    assert waits == {"paused": 2}
    assert world.provider.mailed == ["u1@example.com", "u2@example.com"]


def test_what_waits_of_accounts_is_counted_by_reason(world: AccountsWorld) -> None:
    world.workspace("w1", [1])
    world.workspace("w2", [2])
    world.change(2, email=None)
    suppressed(world, "w1")

    world.tick()

    scope = ledger.scope_of("outbox", world.plan, world.step)
    with world.engine.connect() as connection:
        assert ledger.counts(connection, scope) == {"deferred:no_address": 1, "skipped:said_no": 1}
        assert health.counts(connection, world.plan, world.step, "outbox", world.now).deferred == {"no_address": 1}


def test_accounts_that_were_skipped_are_decided_again_once_a_person_says_so(world: AccountsWorld) -> None:
    world.workspace("w1", [1])
    suppressed(world, "w1")
    world.tick()
    scope = ledger.scope_of("outbox", world.plan, world.step)

    def lift(connection: Connection) -> int:
        suppressions.lift(connection, [Recipients.of(connection).account("w1")], "a test", world.now)
        return ledger.reconsider(connection, scope, by_row=False)

    again = transaction(world.engine, lift)
    world.days_pass(1)
    world.tick()

    assert again == 1
    assert world.provider.mailed == ["u1@example.com"]
    assert world.decided() == {"w1": ["mailed"]}


def test_accounts_that_were_there_at_the_start_are_not_mailed_if_only_new_ones_are(world: AccountsWorld) -> None:
    world.rewrite(("type: retention", "type: retention\nstart: new_only"))
    world.workspace("w1", [1])
    world.tick()
    world.workspace("w2", [2])
    world.days_pass(1)

    world.tick()

    assert world.provider.mailed == ["u2@example.com"]


def test_an_account_that_is_gone_leaves_and_mails_nobody(world: AccountsWorld) -> None:
    world.workspace("w1", [1])
    world.refresh()
    world.reserve()
    with world.engine.begin() as connection:
        connection.execute(text("DELETE FROM workspaces"))

    world.deliver()

    assert world.provider.mailed == []
    assert world.sent_about() == [(1, "skipped")]


def test_the_budget_of_a_day_bounds_the_emails_about_accounts_too(world: AccountsWorld) -> None:
    world.rewrite(settings="limits: {daily: 2}\n")
    for n in range(3):
        world.workspace(f"w{n}", [n + 1])
    world.tick()
    first = (len(world.provider.mailed), sorted(world.decided().values()))
    world.days_pass(1)

    world.tick()

    assert first == (2, [["deferred:budget"], ["mailed"], ["mailed"]])
    assert world.provider.mailed == ["u1@example.com", "u2@example.com", "u3@example.com"]
    assert world.decided() == {f"w{n}": ["mailed"] for n in range(3)}


def test_the_budget_of_a_day_bounds_the_emails_to_everybody_of_one_account(world: AccountsWorld) -> None:
    world.rewrite(EVERYBODY, settings="limits: {daily: 2}\n")
    world.workspace("w1", [1, 2, 3, 4, 5])
    mailed = []
    for _ in range(3):
        world.tick()
        mailed.append(len(world.provider.mailed))
        world.days_pass(1)

    assert mailed == [2, 4, 5]
    assert sorted(world.provider.mailed) == [f"u{n}@example.com" for n in range(1, 6)]


def test_a_large_wave_to_everybody_of_few_accounts_leaves_in_slices(world: AccountsWorld) -> None:
    world.rewrite(EVERYBODY, settings="limits: {first_wave: 5000}\n")
    world.workspace("w1", range(1, 1_003))
    world.refresh()

    world.reserve(LIVE)

    query = select(func.sum(batches.c.size)).where(own(batches)).group_by(batches.c.not_before)
    with world.engine.connect() as connection:
        sizes = sorted(int(size) for size in connection.execute(query).scalars())
    assert sizes == [500, 502]


def test_accounts_that_wait_for_room_are_kept_room_for_as_users_are(world: AccountsWorld) -> None:
    world.rewrite(settings="limits: {daily: 1}\n")
    for n in range(3):
        world.workspace(f"w{n}", [n + 1])
    world.refresh()
    world.reserve(LIVE)

    waiting = transaction(world.engine, lambda connection: ledger.waiting_for_room(connection, LIVE.name))

    assert waiting == {(world.plan.name, world.step.ledger_name): 2}
