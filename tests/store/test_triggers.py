"""A row of the product triggers a step once: when its condition holds in time, for whom it selects, and never again."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from delivery_world import LIVE, OUTBOX, START, World, make_world, never_arrive, planned
from neighbours import own
from sqlalchemy import Connection, Engine, select, text

from skene_dagster.behaviour.rollup.roll_up import roll_up
from skene_dagster.compiler.starting import sensors
from skene_dagster.delivery import ledger
from skene_dagster.delivery.modes import Mode
from skene_dagster.delivery.rehearsal import Stage, rehearse
from skene_dagster.delivery.retention import Retained
from skene_dagster.delivery.retention import retain as retain_
from skene_dagster.errors import ProviderUnavailable, StoreError
from skene_dagster.loops.planning.usage import plan_usage
from skene_dagster.loops.triggers import After, Rows
from skene_dagster.segments.refresh import Refreshed
from skene_dagster.segments.triggers import finding, trigger_rows, trigger_windows
from skene_dagster.settings import Events, MomentColumn, Retention
from skene_dagster.store.engine import is_sqlite, transaction
from skene_dagster.store.tables import triggered as table

ORDERS = """\
type: activation
steps:
  - trigger: {type: database, table: orders, event: insert}
    condition:
      type: query
      query: SELECT user_id, amount FROM payments WHERE order_id = $1 AND paid = 1
      timeout: 1h
    action: {type: email, template: hello, personalization: {name: "{{user.name}}", paid: "{{row.amount}}"}}
"""
EVENTS = """\
type: activation
steps:
  - trigger: {type: event, name: exported}
    condition: {type: query, query: SELECT id FROM users WHERE dormant = true}
    action: {type: email, template: hello, personalization: {name: "{{user.name}}"}}
"""
FOLLOWED = """\
type: activation
steps:
  - name: first
    trigger: {type: schedule, cron: "0 9 * * *"}
    condition: {type: query, query: SELECT id FROM users WHERE dormant = true}
    action: {type: email, template: hello, personalization: {name: "{{user.name}}"}, repeat: once}
  - name: second
    trigger: {type: after, step: first, wait: 5d}
    condition: {type: query, query: SELECT id FROM users WHERE dormant = true}
    action: {type: email, template: hello, personalization: {name: "{{user.name}}"}}
"""
Found = TypeVar("Found")
MINUTE = timedelta(minutes=1)


@dataclass
class Shop:
    """A world whose users buy."""

    world: World
    orders: int = field(default=0)

    def do(self, sql: str, **values: object) -> None:
        with self.world.engine.begin() as connection:
            connection.execute(text(sql), values)

    def order(self, user: int, *, at: datetime | None = None) -> int:
        self.orders += 1
        self.do(
            "INSERT INTO orders (id, user_id, created_at, updated_at) VALUES (:id, :user, :at, :at)",
            id=self.orders,
            user=user,
            at=at or self.world.now,
        )
        return self.orders

    def pay(self, order: int, user: int, amount: int = 5) -> None:
        self.do("INSERT INTO payments VALUES (:order, :user, :amount, 1)", order=order, user=user, amount=amount)

    def happens(self, identity: str, user: int, name: str = "exported") -> None:
        self.do(
            "INSERT INTO skene_events (event_id, user_id, name, occurred_at, received_at) "
            "VALUES (:id, :user, :name, :at, :at)",
            id=identity,
            user=user,
            name=name,
            at=self.world.now.isoformat(" ", "microseconds"),
        )

    def plan(self, loop: str) -> None:
        self.world.plan = planned(self.world.root, self.world.settings, loop)

    def refresh(self, mode: Mode = OUTBOX, step: int = 0, run_id: str = "run") -> Refreshed:
        world = self.world
        return finding.refresh(
            world.engine,
            plan=world.plan,
            step=world.plan.steps[step],
            settings=world.settings,
            mode=mode.name,
            as_of=world.now,
            clock=world.clock,
            run_id=run_id,
        )

    def tick(self, mode: Mode = OUTBOX) -> int:
        """Refresh, reserve and deliver the loop's first step; say how many rows triggered."""
        found = self.refresh(mode)
        self.world.reserve(mode)
        self.world.deliver(mode)
        return found.entered

    def found(self) -> list[tuple[Any, str]]:
        query = select(table.c.user_id, table.c.occurrence).where(own(table))
        query = query.order_by(table.c.user_id, table.c.occurrence)
        with self.world.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(query)]


@pytest.fixture
def shop(engine: Engine, tmp_path: Path) -> Shop:
    return make_shop(engine, tmp_path)


def make_shop(engine: Engine, tmp_path: Path) -> Shop:
    """A world with orders and payments, and three users."""
    world = make_world(engine, tmp_path)
    shop = Shop(world)
    shop.do(
        "CREATE TABLE orders (id BIGINT PRIMARY KEY NOT NULL, user_id BIGINT NOT NULL, created_at DATETIME NOT NULL, "
        "updated_at DATETIME NOT NULL)"
    )
    shop.do("CREATE TABLE payments (order_id BIGINT, user_id BIGINT, amount INTEGER, paid INTEGER)")
    world.add(1, 2, 3)
    return shop


def started(shop: Shop, loop: str = ORDERS) -> None:
    """The loop, after the tick that says where history ends."""
    shop.plan(loop)
    assert shop.tick() == 0
    shop.world.now += MINUTE


def test_what_was_there_before_the_first_tick_triggers_nothing(shop: Shop) -> None:
    shop.pay(shop.order(1, at=START - MINUTE), 1)
    shop.pay(shop.order(2), 2)

    started(shop)
    shop.tick()

    assert shop.world.provider.mailed == []


def test_each_row_is_mailed_about_once_however_often_ticks_look_at_it(shop: Shop) -> None:
    started(shop)
    for order in (shop.order(1), shop.order(1)):
        shop.pay(order, 1)
    shop.pay(shop.order(2), 2)

    found = [shop.tick()]
    for _ in range(3):
        shop.world.now += MINUTE
        found.append(shop.tick())

    assert found == [3, 0, 0, 0]
    assert shop.world.provider.mailed == ["u1@example.com", "u1@example.com", "u2@example.com"]


def test_the_recipient_is_whom_the_condition_selects_and_its_columns_are_the_email_s(shop: Shop) -> None:
    started(shop)
    # Ordered by the one, paid by the other.
    shop.pay(shop.order(1), 2, amount=42)

    shop.tick()

    ((_, (message,)),) = shop.world.provider.tried
    assert message.to == "u2@example.com"
    assert shop.found() == [(2, "1")]


@pytest.mark.parametrize("user", ["who", {"column": "who", "is": "tracking_id"}], ids=["the key", "another column"])
def test_an_event_that_names_its_user_by_a_text_triggers_for_that_user_alone(shop: Shop, user: object) -> None:
    shop.do("ALTER TABLE users ADD COLUMN tracking_id VARCHAR(40)")
    shop.do("CREATE UNIQUE INDEX users_tracking ON users (tracking_id)")
    shop.do("UPDATE users SET tracking_id = '2' WHERE id = 1")
    shop.do("CREATE TABLE told (id BIGINT PRIMARY KEY, who VARCHAR(40), name VARCHAR(40), created_at DATETIME)")
    events = Events.model_validate({"table": "told", "user": user})
    shop.world.settings = replace(shop.world.settings, events=events)
    started(shop, EVENTS.replace("dormant = true", "id > 0"))
    for number, who in enumerate(("2", "02", "2x", " 2", "")):
        now = shop.world.now.replace(microsecond=0)
        shop.do("INSERT INTO told VALUES (:id, :who, 'exported', :at)", id=number, who=who, at=now)

    shop.tick()

    assert shop.found() == [(2 if user == "who" else 1, "0")]


def test_a_row_waits_for_its_condition_as_long_as_the_timeout_says(shop: Shop) -> None:
    started(shop)
    in_time, too_late = shop.order(1), shop.order(2)
    shop.tick()
    shop.world.now += timedelta(minutes=50)
    shop.pay(in_time, 1)
    shop.tick()
    shop.world.now += timedelta(hours=2)
    shop.tick()
    shop.pay(too_late, 2)
    shop.world.now += MINUTE

    shop.tick()

    assert shop.world.provider.mailed == ["u1@example.com"]


def test_a_row_that_is_committed_late_is_found(shop: Shop) -> None:
    started(shop)
    written_at = shop.world.now
    shop.world.now += timedelta(minutes=5)
    shop.pay(shop.order(2), 2)
    shop.tick()
    shop.world.now += MINUTE
    shop.pay(shop.order(1, at=written_at), 1)

    shop.tick()

    assert shop.world.provider.mailed == ["u1@example.com", "u2@example.com"]


def test_a_condition_that_holds_twice_for_a_row_is_one_email(shop: Shop) -> None:
    started(shop)
    order = shop.order(1)
    shop.pay(order, 1, amount=5)
    shop.pay(order, 1, amount=7)

    shop.tick()

    assert shop.world.provider.mailed == ["u1@example.com"]


def test_the_same_tick_again_is_already_done(shop: Shop) -> None:
    started(shop)
    shop.pay(shop.order(1), 1)
    first = shop.refresh()
    shop.pay(shop.order(2), 2)

    again = shop.refresh(run_id="another")

    assert (first.already, again.already) == (False, True)
    assert (again.entered, again.as_of) == (first.entered, first.as_of) == (1, shop.world.now)
    assert shop.found() == [(1, "1")]


def test_a_refresh_of_rows_that_fails_lets_another_run_go_on_at_once(shop: Shop) -> None:
    started(shop)
    shop.pay(shop.order(1), 1)
    shop.do("ALTER TABLE payments RENAME TO elsewhere")
    with pytest.raises(StoreError, match="payments"):
        shop.refresh()
    shop.do("ALTER TABLE elsewhere RENAME TO payments")

    assert shop.refresh(run_id="another").entered == 1


def test_of_many_rows_ten_are_shown_unless_others_are_asked_for(shop: Shop) -> None:
    started(shop)
    for _ in range(11):
        shop.pay(shop.order(1), 1)
    shop.refresh()

    assert len(look(shop, lambda c: trigger_rows.sample(c, "outbox", "activation.main"))) == 10


def test_a_sensor_starts_what_follows_an_email_at_first_and_when_one_is_due(shop: Shop) -> None:
    shop.plan(FOLLOWED)
    world = shop.world

    def wakes() -> bool:
        before = sensors.Cursor(world.now, world.now)
        step = world.plan.steps[1]
        found = look(shop, lambda c: sensors.look(c, world.plan, step, world.settings, before, world.now))
        assert found in (None, before)
        return found is not None

    at_first = wakes()
    followed(shop, 0)
    before = wakes()
    world.days_pass(5)
    due = wakes()

    assert (at_first, before, due) == (True, False, True)


def test_a_sample_has_the_rows_of_this_step_that_were_found_last(shop: Shop) -> None:
    started(shop)
    for user in (1, 2, 3):
        shop.pay(shop.order(user), user)
        shop.tick()
        shop.world.now += MINUTE

    sample = look(shop, lambda c: trigger_rows.sample(c, "outbox", "activation.main", limit=2))

    assert [row.user_id for row in sample] == [3, 2]


def test_each_row_is_decided_about_on_one_page(shop: Shop) -> None:
    started(shop)
    for user in (1, 1, 1, 2, 3):
        shop.pay(shop.order(user), user)
    shop.refresh()
    pages: list[int] = []

    reserved = shop.world.reserve(progress=pages.append, page=2)

    assert (reserved.counts, pages) == ({"mail": 5}, [2, 2, 1])


def test_a_preview_counts_the_rows_that_the_next_tick_finds_and_shows_some_who_would_be_mailed(shop: Shop) -> None:
    started(shop)
    shop.world.change(3, verified=False)
    for user in (1, 2, 3):
        shop.pay(shop.order(user), user)
    world = shop.world

    found = rehearse(Stage(world.engine, world.plan, world.step, world.settings, OUTBOX, world.now), 1)

    assert (found.entering, found.counts) == (3, {"mail": 2, "deferred:not_mailable": 1})
    assert len(found.sample) == 1
    assert shop.tick() == found.entering


def test_who_is_no_user_is_left_out(shop: Shop) -> None:
    started(shop)
    shop.pay(shop.order(1), 99)

    assert shop.tick() == 0


@pytest.mark.parametrize(("repeat", "mailed"), [("", 2), (", repeat: once", 1), (", repeat: 7d", 1)])
def test_repeat_holds_between_rows_of_one_user_only_where_it_is_written(shop: Shop, repeat: str, mailed: int) -> None:
    started(shop, ORDERS.replace('"{{row.amount}}"}', '"{{row.amount}}"}' + repeat))
    for _ in range(2):
        shop.pay(shop.order(1), 1)

    shop.tick()

    assert shop.world.provider.mailed == ["u1@example.com"] * mailed
    states = sorted(shop.world.states().items())
    assert states == [(1, "accepted" if mailed == 2 else states[0][1])]


def test_an_email_that_has_not_left_yet_counts_for_repeat_between_rows(shop: Shop) -> None:
    started(shop, ORDERS.replace('"{{row.amount}}"}', '"{{row.amount}}"}, repeat: 7d'))
    for _ in range(2):
        shop.pay(shop.order(1), 1)
        shop.refresh()
        shop.world.reserve()
        shop.world.now += MINUTE

    shop.world.deliver()

    assert shop.world.provider.mailed == ["u1@example.com"]
    assert shop.world.states() == {1: "skipped:repeat"}


def test_a_row_is_mailed_about_as_soon_as_its_user_may_be_mailed_and_not_after_it_has_expired(shop: Shop) -> None:
    started(shop)
    shop.world.change(1, 2, verified=False)
    for user in (1, 2):
        shop.pay(shop.order(user), user)
    shop.tick()
    waiting = shop.world.states()
    shop.world.change(1, verified=True)
    shop.world.days_pass(1)
    shop.tick()
    shop.world.change(2, verified=True)
    shop.world.days_pass(3)

    shop.tick()

    assert waiting == {1: "deferred:not_mailable", 2: "deferred:not_mailable"}
    assert shop.world.states() == {1: "accepted", 2: "skipped:too_late"}


def test_an_event_of_the_name_triggers_and_another_does_not(shop: Shop) -> None:
    started(shop, EVENTS)
    shop.happens("a", 1)
    shop.happens("b", 1, name="imported")
    shop.happens("c", 2)

    shop.tick()

    assert shop.found() == [(1, "a"), (2, "c")]


def test_a_condition_without_the_row_must_hold_for_the_row_s_user(shop: Shop) -> None:
    started(shop, EVENTS)
    shop.world.change(2, dormant=False)
    shop.happens("a", 1)
    shop.happens("c", 2)

    shop.tick()

    assert shop.world.provider.mailed == ["u1@example.com"]


def test_a_changed_row_triggers_each_time_it_changes(shop: Shop) -> None:
    order = shop.order(1)
    shop.pay(order, 1)
    started(shop, ORDERS.replace("event: insert", "event: update"))
    for _ in range(2):
        shop.do("UPDATE orders SET updated_at = :at", at=shop.world.now)
        shop.tick()
        shop.world.now += MINUTE

    assert shop.world.provider.mailed == ["u1@example.com"] * 2


def test_what_a_rehearsal_has_seen_is_seen_anew_when_emails_leave(shop: Shop) -> None:
    started(shop)
    shop.pay(shop.order(1), 1)
    shop.tick()
    shop.world.now += MINUTE

    shop.tick(LIVE)

    assert shop.world.provider.mailed == ["u1@example.com"] * 2


def followed(shop: Shop, days: float) -> None:
    """A tick of the first step and of the one that follows it, some days after the last."""
    world = shop.world
    world.days_pass(days)
    world.refresh()
    world.reserve()
    world.deliver()
    shop.refresh(step=1)
    world.step_number = 1
    world.reserve()
    world.deliver()
    world.step_number = 0


def test_an_email_is_followed_by_another_after_the_wait_for_whom_the_condition_still_holds(shop: Shop) -> None:
    shop.plan(FOLLOWED)
    followed(shop, 0)
    shop.world.change(2, dormant=False)
    followed(shop, 4)
    before = list(shop.world.provider.mailed)
    followed(shop, 1)

    followed(shop, 1)

    assert before == ["u1@example.com", "u2@example.com", "u3@example.com"]
    assert sorted(shop.world.provider.mailed) == sorted([*before, "u1@example.com", "u3@example.com"])


def test_a_wait_of_days_is_over_at_the_same_hour_though_the_clocks_went_forward(shop: Shop) -> None:
    shop.plan(FOLLOWED.replace('cron: "0 9 * * *"', 'cron: "0 9 * * *", timezone: Europe/Berlin'))
    shop.world.now = datetime(2026, 3, 27, 8)  # 09:00 in Berlin
    followed(shop, 0)
    shop.world.now = datetime(2026, 3, 31, 7)  # 09:00 again, in summer time by now
    followed(shop, 0)
    before = len(shop.world.provider.mailed)
    shop.world.now = datetime(2026, 4, 1, 7)

    followed(shop, 0)

    assert (before, len(shop.world.provider.mailed)) == (3, 6)


def test_an_email_that_the_provider_took_late_is_followed_too(shop: Shop) -> None:
    shop.plan(FOLLOWED.replace("5d", "1d"))
    followed(shop, 0)
    shop.world.add(4)
    shop.world.days_pass(1)
    shop.world.refresh()
    shop.world.reserve()
    late = shop.world.now
    shop.world.days_pass(2)
    followed(shop, 0)

    followed(shop, 1)

    assert late < shop.world.now - timedelta(days=2)
    assert shop.world.provider.mailed.count("u4@example.com") == 2


def test_a_sensor_asks_for_the_newest_row_and_for_what_is_due(shop: Shop) -> None:
    started(shop)
    rows = shop.world.plan.steps[0].trigger
    assert isinstance(rows, Rows)
    before = look(shop, lambda c: trigger_windows.newest(c, rows, shop.world.now - MINUTE, shop.world.now))
    shop.order(1)
    after = look(shop, lambda c: trigger_windows.newest(c, rows, shop.world.now - MINUTE, shop.world.now))
    shop.plan(FOLLOWED)
    followed(shop, 0)
    due = After("first", timedelta(days=5))

    def is_due(days: float) -> bool:
        within = trigger_windows.Window(shop.world.now, shop.world.now + timedelta(days=days), None)
        return bool(look(shop, lambda c: trigger_windows.is_due(c, shop.world.plan, due, "outbox", within)))

    assert (before, after) == (None, shop.world.now)
    assert (is_due(4), is_due(6)) == (False, True)


def test_our_own_set_leaves_the_moment_of_change_alone(shop: Shop) -> None:
    world = shop.world
    # SQLite has no columns that note a change of their row by themselves.
    by_itself = "" if is_sqlite(world.engine) else " NULL ON UPDATE CURRENT_TIMESTAMP"
    shop.do(f"ALTER TABLE users ADD COLUMN updated_at DATETIME{by_itself}")
    shop.do("UPDATE users SET updated_at = :at", at=START)
    world.settings = replace(
        world.settings, users=world.settings.users.model_copy(update={"updated_at": MomentColumn(column="updated_at")})
    )
    world.tick(LIVE)

    with world.engine.connect() as connection:
        moments = set(connection.execute(text("SELECT CAST(updated_at AS CHAR(19)) FROM users")).scalars())
    assert world.reminded() == {1, 2, 3}
    assert moments == {f"{START}"[:19]}


def retain(shop: Shop, **kept: str) -> Retained:
    return retain_(
        shop.world.engine,
        retention=Retention.model_validate(kept),
        usage=plan_usage(shop.world.settings),
        plans=[shop.world.plan],
        are_all=False,
        clock=shop.world.clock,
        chunk=2,
    )


def test_what_triggered_long_ago_is_deleted_and_nobody_is_mailed_about_it_again(shop: Shop) -> None:
    started(shop)
    for user in (1, 2, 3):
        shop.pay(shop.order(user), user)
    shop.tick()
    shop.world.days_pass(40)
    shop.pay(shop.order(1), 1)
    shop.tick()
    mailed = list(shop.world.provider.mailed)

    deleted = retain(shop, payloads="30d")
    # The condition may wait longer now: the next tick looks at all of them again.
    shop.plan(ORDERS.replace("timeout: 1h", "timeout: 90d"))
    shop.world.now += MINUTE
    shop.tick()

    assert deleted.rows == {"skene_triggered": 3, "skene_account_triggered": 0}
    assert shop.world.provider.mailed == mailed
    assert len(mailed) == 4


def test_what_the_next_tick_looks_at_again_stays_however_old_it_is(shop: Shop) -> None:
    started(shop, ORDERS.replace("timeout: 1h", "timeout: 90d"))
    shop.pay(shop.order(1), 1)
    shop.tick()
    shop.world.days_pass(80)
    shop.tick()

    assert retain(shop, payloads="30d").rows == {"skene_triggered": 0, "skene_account_triggered": 0}


def test_what_an_email_in_doubt_was_written_from_stays_until_that_is_closed(shop: Shop) -> None:
    started(shop)
    shop.pay(shop.order(1), 1)
    shop.world.provider.answers = [never_arrive] * 9
    with pytest.raises(ProviderUnavailable):
        shop.tick()
    shop.world.days_pass(50)
    shop.refresh()
    shop.world.deliver()

    open_ = retain(shop, payloads="30d")
    (batch,) = look(shop, lambda c: ledger.in_doubt(c, "outbox"))
    look(shop, lambda c: ledger.give_up(c, batch.batch_id, shop.world.now))
    closed = retain(shop, payloads="30d")

    assert (open_.rows, closed.rows) == (
        {"skene_triggered": 0, "skene_account_triggered": 0},
        {"skene_triggered": 1, "skene_account_triggered": 0},
    )


def test_an_event_that_no_tick_has_looked_at_stays(shop: Shop) -> None:
    started(shop, EVENTS)
    shop.happens("a", 1)
    shop.world.days_pass(60)
    roll_up(
        shop.world.engine,
        plan=plan_usage(shop.world.settings),
        users=shop.world.settings.users,
        as_of=shop.world.now,
        clock=shop.world.clock,
        run_id="run",
    )

    before = retain(shop, events="30d")
    shop.tick()
    after = retain(shop, events="30d")

    assert (before.rows, before.waits_for) == ({"skene_events": 0}, "the step activation.main")
    assert (after.rows, after.waits_for) == ({"skene_events": 1}, "")
    assert shop.world.provider.mailed == ["u1@example.com"]


def look(shop: Shop, ask: Callable[[Connection], Found]) -> Found:
    return transaction(shop.world.engine, ask)


def test_rows_that_spell_one_user_in_two_ways_are_of_one_user(engine: Engine, tmp_path: Path) -> None:
    ignoring = "NOCASE" if is_sqlite(engine) else "utf8mb4_general_ci"
    key = f"VARCHAR(40) {'' if is_sqlite(engine) else 'CHARACTER SET utf8mb4 '}COLLATE {ignoring} NOT NULL"
    with engine.begin() as connection:
        flags = ", ".join(f"{name} BOOLEAN NOT NULL" for name in ("dormant", "verified", "reminded"))
        texts = "email VARCHAR(255), name VARCHAR(100), last_activity_at DATETIME"
        connection.execute(text(f"CREATE TABLE users (id {key} PRIMARY KEY, {texts}, {flags})"))
    shop = make_shop(engine, tmp_path)
    shop.do("DROP TABLE orders")
    shop.do("DROP TABLE payments")
    shop.do(f"CREATE TABLE orders (id BIGINT PRIMARY KEY NOT NULL, user_id {key}, created_at DATETIME NOT NULL)")
    shop.do(f"CREATE TABLE payments (order_id BIGINT, user_id {key}, amount INTEGER, paid INTEGER)")
    shop.do("UPDATE users SET id = 'ada' WHERE id = '1'")
    started(shop, ORDERS.replace("{type: email,", "{type: email, repeat: once,"))
    for number, spelled in enumerate(["ada", "ADA", "Ada"]):
        shop.do("INSERT INTO orders VALUES (:n, :user, :at)", n=number, user=spelled, at=shop.world.now)
        shop.do("INSERT INTO payments VALUES (:n, :user, 5, 1)", n=number, user=spelled)

    assert shop.tick() == 3
    assert shop.world.provider.mailed == ["u1@example.com"]
    assert list(shop.world.states().values()) == ["skipped:once"]
