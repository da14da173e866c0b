"""A tick that is late mails nobody who came back since it was due, and drops nobody out of a window of its own day."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from delivery_world import OUTBOX, START, Script, World, make_world, planned
from neighbours import own
from sqlalchemy import Engine, event, text, update

from skene_dagster.behaviour.rollup.roll_up import roll_up
from skene_dagster.delivery.email.message import Message
from skene_dagster.delivery.modes import Mode
from skene_dagster.delivery.providers.base import Accepted
from skene_dagster.errors import SegmentTimeout
from skene_dagster.loops.planning.usage import plan_usage
from skene_dagster.segments import conditions
from skene_dagster.segments.triggers import finding
from skene_dagster.settings import Feature, Milestone
from skene_dagster.store.tables import batches

HOUR, DAY = timedelta(hours=1), timedelta(days=1)

MAIL = 'action: {type: email, template: hello, personalization: {name: "{{user.name}}"}, repeat: every_entry}'

STEP = """\
type: retention
steps:
  - trigger: {{type: schedule, cron: "0 9 * * *"}}
    condition: {condition}
    {mail}
"""

AWAY = "SELECT id FROM users WHERE last_activity_at < NOW() - INTERVAL 7 DAY"

SHARED = Feature.model_validate({"title": "Sharing", "events": ["share"], "adopted_uses": 2, "adopted_days": 1})
SHARED_BY_SQL = SHARED.model_copy(update={"events": [], "sql": "name = 'share' AND properties LIKE '%link%'"})


@dataclass
class Product:
    """A world whose users do things, and whose ticks a test runs late."""

    world: World
    told: int = 0

    def loop(self, condition: str) -> None:
        self.steps(STEP.format(condition=condition, mail=MAIL))

    def query(self, sql: str) -> None:
        self.loop(f'{{type: query, query: "{sql}"}}')

    def steps(self, loop: str) -> None:
        self.world.plan = planned(self.world.root, self.world.settings, loop)

    def settings(self, **changes: object) -> None:
        self.world.settings = replace(self.world.settings, **changes)  # type: ignore[arg-type]  # by its field's name

    def do(self, sql: str, **values: object) -> None:
        with self.world.engine.begin() as connection:
            connection.execute(text(sql), values)

    def did(self, user: int, at: datetime, name: str = "visit", properties: str | None = None) -> None:
        """Something that a user does is told when it happens."""
        self.told += 1
        moment = at.isoformat(" ", "microseconds")
        self.do(
            "INSERT INTO skene_events (event_id, user_id, name, occurred_at, received_at, properties) "
            "VALUES (:id, :user, :name, :at, :at, :properties)",
            id=f"e{self.told}",
            user=user,
            name=name,
            at=moment,
            properties=properties,
        )

    def roll_up(self, as_of: datetime) -> None:
        world = self.world
        plan = plan_usage(world.settings)
        roll_up(world.engine, plan=plan, users=world.settings.users, as_of=as_of, clock=world.clock, run_id="run")

    def decide(self, as_of: datetime) -> None:
        """Roll up, refresh and reserve for a tick: a run of it that dies before it delivers, or has to wait."""
        self.roll_up(as_of)
        self.world.refresh()
        self.world.reserve()

    @property
    def mailed(self) -> list[int]:
        return sorted(int(to[1:].partition("@")[0]) for to in self.world.provider.mailed)


@pytest.fixture
def product(engine: Engine, tmp_path: Path) -> Product:
    product = Product(make_world(engine, tmp_path))
    # One of one who leaves is no collapse here.
    product.settings(limits=product.world.settings.limits.model_copy(update={"least_change": 1000}))
    return product


def ago(world: World, days: float) -> datetime:
    return world.now - timedelta(days=days)


def waits(world: World, by: timedelta) -> None:
    world.now += by


# Each kind of condition: what is set up, who comes back after the tick, and how.


def query(product: Product) -> None:
    product.query(AWAY)
    product.world.change(1, 2, last_activity_at=ago(product.world, 8))


def is_active_in_the_users_table(product: Product) -> None:
    product.world.change(1, last_activity_at=product.world.now)


def dormant(product: Product) -> None:
    product.loop("{type: level, is: dormant}")
    for user in (1, 2):
        product.did(user, ago(product.world, 40))


def slipping_for_days(product: Product) -> None:
    # In three days this user would be dormant, by the clock of now.
    product.loop("{type: level, is: slipping, for: 10d}")
    for user in (1, 2):
        product.did(user, ago(product.world, 29))


def visits(product: Product) -> None:
    product.did(1, product.world.now)


def untried(product: Product) -> None:
    product.settings(features={"share": SHARED})
    product.loop("{type: feature, name: share, state: untried}")


def lapsed(product: Product) -> None:
    product.settings(features={"share": SHARED})
    product.loop("{type: feature, name: share, state: lapsed}")
    for user in (1, 2):
        for minute in (1, 2):
            product.did(user, ago(product.world, 40) + timedelta(minutes=minute), "share")


def tried(product: Product) -> None:
    product.settings(features={"share": SHARED_BY_SQL})
    product.loop("{type: feature, name: share, state: tried, for: 1d}")
    for user in (1, 2):
        product.did(user, ago(product.world, 2), "share", '{"by": "link"}')


def shares(product: Product) -> None:
    product.did(1, product.world.now, "share", '{"by": "link"}')


def used_up(product: Product) -> None:
    product.settings(users=product.world.settings.users.model_copy(update={"plan": "name"}))
    product.loop("{type: usage, limit: {free: 2}, period: 30d}")
    product.world.change(1, 2, name="free")
    for user in (1, 2):
        for day in (1, 2):
            product.did(user, ago(product.world, day))


def upgrades(product: Product) -> None:
    product.world.change(1, name="pro")


def in_a_union(product: Product) -> None:
    # It cannot be asked about some users alone.
    sql = f"{AWAY} UNION SELECT id FROM users WHERE dormant = false AND reminded = true"
    product.query(sql)
    product.world.change(1, 2, last_activity_at=ago(product.world, 8))


CONDITIONS = pytest.mark.parametrize(
    ("set_up", "comes_back"),
    [
        pytest.param(query, is_active_in_the_users_table, id="a query"),
        pytest.param(in_a_union, is_active_in_the_users_table, id="a query that cannot be asked about some users"),
        pytest.param(dormant, visits, id="a level"),
        pytest.param(slipping_for_days, visits, id="a level, for so long"),
        pytest.param(untried, shares, id="a feature that was never tried"),
        pytest.param(lapsed, shares, id="a feature that lapsed"),
        pytest.param(tried, shares, id="a feature by SQL, tried and not adopted"),
        pytest.param(used_up, upgrades, id="a limit of use"),
    ],
)


@CONDITIONS
def test_a_tick_that_is_days_late_mails_who_still_qualifies_and_nobody_who_came_back(
    product: Product, set_up: Callable[[Product], None], comes_back: Callable[[Product], None]
) -> None:
    product.world.add(1, 2)
    set_up(product)
    product.decide(START)
    waits(product.world, HOUR)
    comes_back(product)
    waits(product.world, 2.9 * DAY)

    product.world.deliver()

    assert product.mailed == [2]
    assert product.world.states() == {1: "deferred:left_segment", 2: "accepted"}


@CONDITIONS
def test_a_run_that_begins_hours_late_asks_as_well_what_its_rollup_for_the_tick_cannot_know(
    product: Product, set_up: Callable[[Product], None], comes_back: Callable[[Product], None]
) -> None:
    world = product.world
    world.add(1, 2)
    set_up(product)
    waits(world, HOUR)
    comes_back(product)
    waits(world, HOUR)

    product.roll_up(START)
    refresh_late(product, START)
    world.reserve(as_of=START)
    world.deliver()

    assert product.mailed == [2]


def refresh_late(product: Product, as_of: datetime) -> None:
    world = product.world
    now, world.now = world.now, as_of
    world.refresh()
    world.now = now


@pytest.mark.parametrize(
    ("set_up", "late"),
    [
        pytest.param("last_activity_at >= NOW() - INTERVAL 1 DAY", 30 * HOUR, id="a window of hours"),
        pytest.param(
            "last_activity_at >= CURDATE() - INTERVAL 1 DAY AND last_activity_at < CURDATE() + INTERVAL 1 DAY",
            60 * HOUR,
            id="a window of days",
        ),
    ],
)
def test_a_window_does_not_move_while_its_tick_is_late(product: Product, set_up: str, late: timedelta) -> None:
    product.query(f"SELECT id FROM users WHERE {set_up}")
    product.world.add(1, last_activity_at=START - HOUR)
    product.decide(START)
    waits(product.world, late)

    product.world.deliver()

    assert product.mailed == [1]


@pytest.mark.parametrize(
    ("level", "last_seen", "late"),
    [
        pytest.param("slipping", 29, 2.5 * DAY, id="who would be dormant by now"),
        pytest.param("new", 13, 2.5 * DAY, id="who would not be new by now"),
    ],
)
def test_a_level_is_asked_with_the_clock_of_the_tick(
    product: Product, level: str, last_seen: int, late: timedelta
) -> None:
    product.loop(f"{{type: level, is: {level}}}")
    product.world.add(1)
    product.did(1, ago(product.world, last_seen))
    product.decide(START)
    waits(product.world, late)
    # What is rolled up for a later tick says what the user is then.
    product.roll_up(product.world.now)

    product.world.deliver()

    assert product.mailed == [1]


def test_what_arrives_late_and_was_done_before_the_tick_counts(product: Product) -> None:
    midnight = START.replace(hour=0)
    product.world.now = midnight
    product.loop("{type: level, is: dormant}")
    product.world.add(1)
    product.did(1, ago(product.world, 40))
    product.decide(midnight)
    product.did(1, midnight - timedelta(minutes=2))
    waits(product.world, HOUR)

    product.world.deliver()

    assert product.world.states() == {1: "deferred:left_segment"}


def test_a_milestone_was_reached_however_late_its_tick_is(product: Product) -> None:
    reached = {"third": Milestone.model_validate({"title": "Third", "event": "visit", "count": 3})}
    product.settings(milestones=reached)
    product.loop("{type: milestone, name: third}")
    product.world.add(1)
    product.roll_up(START - DAY)
    for minute in (1, 2, 3):
        product.did(1, START - timedelta(minutes=minute))
    product.decide(START)
    waits(product.world, 2 * DAY)
    product.did(1, product.world.now)

    product.world.deliver()

    assert product.mailed == [1]


# What becomes of who came back.


def test_who_came_back_and_leaves_again_is_mailed_when_they_enter_again(product: Product) -> None:
    product.query(AWAY)
    world = product.world
    world.add(1, last_activity_at=ago(world, 8))
    product.decide(START)
    waits(world, HOUR)
    world.change(1, last_activity_at=world.now)
    waits(world, HOUR)
    world.deliver()
    world.now = START + DAY
    world.tick()
    back = world.states()

    world.now = START + 9 * DAY
    world.tick()

    assert (back, world.states()) == ({1: "skipped:left_segment"}, {1: "accepted"})


def test_who_came_back_and_left_again_between_two_ticks_is_mailed_at_the_next(product: Product) -> None:
    product.query("SELECT id FROM users WHERE dormant = true")
    world = product.world
    world.add(1)
    product.decide(START)
    waits(world, HOUR)
    world.change(1, dormant=False)
    waits(world, HOUR)
    world.deliver()
    world.change(1, dormant=True)

    again = world.reserve(as_of=START).counts
    world.now = START + DAY
    world.tick()

    assert again == {}
    assert world.states() == {1: "accepted"}
    assert product.mailed == [1]


def last_did(bound: str) -> str:
    return (
        "SELECT id FROM users u WHERE (SELECT MAX(occurred_at) FROM skene_events e "
        f"WHERE e.user_id = u.id{bound}) < NOW() - INTERVAL 7 DAY"
    )


@pytest.mark.parametrize(
    ("sql", "mailed"),
    [
        pytest.param(
            "SELECT id FROM users WHERE last_activity_at NOT BETWEEN NOW() - INTERVAL 7 DAY AND NOW()",
            [1, 2],
            id="between two moments",
        ),
        pytest.param(AWAY, [2], id="before a moment"),
        pytest.param(last_did(" AND occurred_at <= NOW()"), [1, 2], id="the last event up to the tick"),
        pytest.param(last_did(""), [2], id="the last event"),
    ],
)
def test_what_a_query_bounds_by_now_does_not_see_who_came_back(product: Product, sql: str, mailed: list[int]) -> None:
    world = product.world
    product.query(sql)
    world.add(1, 2, last_activity_at=ago(world, 8))
    for user in (1, 2):
        product.did(user, ago(world, 8))
    product.decide(START)
    waits(world, HOUR)
    is_active_in_the_users_table(product)
    visits(product)
    waits(world, HOUR)

    world.deliver()

    assert product.mailed == mailed


# When it is asked, and how often.


@contextmanager
def questions(engine: Engine) -> Iterator[list[str]]:
    """List the statements that ask a condition about sends."""
    asked: list[str] = []

    def hear(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "skene_sends" in statement and ("last_activity_at" in statement or "skene_events" in statement):
            asked.append(statement)

    event.listen(engine, "before_cursor_execute", hear)
    try:
        yield asked
    finally:
        event.remove(engine, "before_cursor_execute", hear)


@contextmanager
def look_ups(engine: Engine) -> Iterator[list[str]]:
    """List the statements that ask what a column holds."""
    asked: list[str] = []

    def hear(_connection: object, _cursor: object, statement: str, values: object, *_: object) -> None:
        told = f"{statement} {values}"
        if "last_activity_at" in told and "skene_sends" not in told:
            asked.append(told)

    event.listen(engine, "before_cursor_execute", hear)
    try:
        yield asked
    finally:
        event.remove(engine, "before_cursor_execute", hear)


@pytest.mark.parametrize("set_up", [pytest.param(query, id="a query"), pytest.param(dormant, id="a level")])
def test_a_tick_that_is_not_late_asks_nothing_a_second_time(
    product: Product, set_up: Callable[[Product], None]
) -> None:
    product.world.add(1, 2)
    set_up(product)
    product.decide(START)
    waits(product.world, timedelta(minutes=15))

    with questions(product.world.engine) as asked:
        product.world.deliver()

    assert (product.mailed, asked) == ([1, 2], [])


@pytest.mark.parametrize(
    ("sql", "times"),
    [
        pytest.param(AWAY, 3, id="once for each batch, about its people alone"),
        pytest.param(f"{AWAY} UNION {AWAY}", 1, id="once for all where it cannot be asked about some"),
    ],
)
def test_a_late_tick_asks(product: Product, sql: str, times: int) -> None:
    product.query(sql)
    product.world.add(*range(1, 251), last_activity_at=ago(product.world, 8))
    product.decide(START)
    waits(product.world, HOUR)

    with questions(product.world.engine) as asked:
        product.world.deliver()

    assert (len(product.mailed), len(asked)) == (250, times)


def test_what_kind_of_columns_a_condition_reads_is_looked_up_once_for_all_batches(product: Product) -> None:
    product.query(AWAY)
    product.world.add(*range(1, 251), last_activity_at=ago(product.world, 8))
    product.decide(START)
    waits(product.world, HOUR)
    world = product.world
    with look_ups(world.engine) as once:
        conditions.answer(world.engine, world.plan, world.plan.steps[0], world.settings, START)

    with look_ups(world.engine) as asked:
        world.deliver()

    assert len(product.mailed) == 250
    assert once
    assert asked == once


def test_what_cannot_be_asked_about_some_is_asked_again_when_its_answer_is_as_old_as_a_tick_may_be(
    product: Product,
) -> None:
    product.query(f"{AWAY} UNION {AWAY}")
    world = product.world
    world.add(*range(1, 201), last_activity_at=ago(world, 8))
    product.decide(START)
    waits(world, HOUR)

    def come_back_while_it_is_worked_on(provider: Script, messages: Sequence[Message], key: str) -> Accepted:
        world.change(*range(1, 201), last_activity_at=world.now)
        waits(world, timedelta(minutes=16))
        return provider.accept(messages, key)

    world.provider.answers.append(come_back_while_it_is_worked_on)
    world.deliver()

    assert sorted(world.states().values()) == ["accepted"] * 100 + ["deferred:left_segment"] * 100


def test_simulated_time_is_not_late_for_what_comes_after_it_has_not_happened_yet(product: Product) -> None:
    product.loop("{type: level, is: dormant}")
    product.world.add(1)
    product.did(1, ago(product.world, 40))
    product.decide(START)
    product.did(1, START + HOUR)
    waits(product.world, 300 * DAY)

    # As a run does whose tick is of long ago: its batch was reserved just now.
    with product.world.engine.begin() as connection:
        connection.execute(update(batches).where(own(batches)).values(reserved_at=product.world.now))
    product.world.deliver()

    assert product.mailed == [1]


def test_a_condition_that_takes_too_long_sends_nothing_and_says_so(product: Product) -> None:
    product.query(AWAY)
    world = product.world
    world.add(1, last_activity_at=ago(world, 8))
    product.decide(START)
    waits(world, HOUR)
    world.plan = replace(world.plan, steps=(replace(world.step, timeout=timedelta(0)),))

    with pytest.raises(SegmentTimeout, match="took longer than its timeout"):
        world.deliver()

    assert (product.mailed, world.states()) == ([], {1: "reserved"})


# Steps that rows trigger.

ORDERS = f"""\
type: activation
steps:
  - trigger: {{type: database, table: orders, event: insert}}
    condition: {{type: query, query: SELECT user_id FROM carts WHERE order_id = $1 AND is_open = 1}}
    {MAIL}
"""

CALLED = f"""\
type: activation
steps:
  - trigger: {{type: event, name: exported}}
    condition: {{type: query, query: SELECT id FROM users WHERE dormant = true}}
    {MAIL}
"""

AT_A_LEVEL = CALLED.replace("{type: query, query: SELECT id FROM users WHERE dormant = true}", "{type: level, is: new}")
UNTRIED = AT_A_LEVEL.replace("{type: level, is: new}", "{type: feature, name: share, state: untried}")

FOLLOWED = f"""\
type: activation
steps:
  - name: first
    trigger: {{type: schedule, cron: "0 9 * * *"}}
    condition: {{type: query, query: SELECT id FROM users WHERE dormant = true}}
    {MAIL}
  - name: second
    trigger: {{type: after, step: first, wait: 5d}}
    condition: {{type: query, query: SELECT id FROM users WHERE dormant = true}}
    {MAIL}
"""


def found(product: Product, mode: Mode = OUTBOX, as_of: datetime | None = None) -> int:
    world = product.world
    return finding.refresh(
        world.engine,
        plan=world.plan,
        step=world.step,
        settings=world.settings,
        mode=mode.name,
        as_of=as_of or world.now,
        clock=world.clock,
        run_id="run",
    ).entered


def ordered(product: Product, loop: str = ORDERS) -> None:
    """Three orders trigger at one tick."""
    product.world.add(1, 2, 3)
    product.do(
        "CREATE TABLE orders (id BIGINT PRIMARY KEY NOT NULL, user_id BIGINT NOT NULL, created_at DATETIME NOT NULL, "
        "updated_at DATETIME NOT NULL)"
    )
    product.do("CREATE TABLE carts (order_id BIGINT, user_id BIGINT, is_open INTEGER)")
    product.steps(loop)
    assert found(product) == 0
    for order in (1, 2, 3):
        waits(product.world, timedelta(minutes=1))
        product.do(
            "INSERT INTO orders VALUES (:id, :id, :at, :at)", id=order, at=product.world.now.isoformat(" ", "seconds")
        )
        product.do("INSERT INTO carts VALUES (:id, :id, 1)", id=order)
    waits(product.world, timedelta(minutes=1))
    assert found(product) == 3
    product.world.reserve()


@pytest.mark.parametrize(
    "happens",
    [
        pytest.param("UPDATE carts SET is_open = 0 WHERE order_id = 2", id="its condition holds no more"),
        pytest.param("DELETE FROM carts WHERE order_id = 2", id="what its condition reads is gone"),
        pytest.param("DELETE FROM orders WHERE id = 2", id="it was deleted"),
    ],
)
def test_nobody_is_mailed_late_about_a_row_that_would_not_trigger_any_more(product: Product, happens: str) -> None:
    ordered(product)
    product.do(happens)
    waits(product.world, 2 * HOUR)

    product.world.deliver()

    assert product.mailed == [1, 3]
    assert product.world.states() == {1: "accepted", 2: "skipped:left_segment", 3: "accepted"}


def test_a_row_that_changed_meanwhile_is_mailed_about_once_for_its_last_change(product: Product) -> None:
    ordered(product, ORDERS.replace("event: insert", "event: update"))
    waits(product.world, 2 * HOUR)
    product.do("UPDATE orders SET updated_at = :at WHERE id = 1", at=product.world.now.isoformat(" ", "seconds"))
    waits(product.world, timedelta(minutes=1))

    product.world.deliver()
    at_first = product.mailed
    again = found(product)
    product.world.reserve()
    product.world.deliver()

    assert (at_first, again, product.mailed) == ([2, 3], 1, [1, 2, 3])


@pytest.mark.parametrize(
    ("loop", "changes", "mailed"),
    [
        pytest.param(CALLED, "UPDATE users SET dormant = FALSE WHERE id = 1", [2], id="a query"),
        pytest.param(CALLED, "DELETE FROM skene_events WHERE user_id = 1", [2], id="an event that was erased"),
        pytest.param(AT_A_LEVEL, "UPDATE users SET dormant = FALSE WHERE id = 1", [1, 2], id="a level"),
        pytest.param(UNTRIED, "UPDATE skene_events SET name = 'share' WHERE event_id = 'e3'", [2], id="a feature"),
    ],
)
def test_an_event_is_asked_about_again_when_its_email_is_late(
    product: Product, loop: str, changes: str, mailed: list[int]
) -> None:
    world = product.world
    world.add(1, 2)
    product.settings(features={"share": SHARED})
    product.steps(loop)
    product.roll_up(world.now)
    found(product)
    waits(world, timedelta(minutes=1))
    for user in (1, 2):
        product.did(user, world.now, "exported")
    waits(world, timedelta(minutes=1))
    product.roll_up(world.now)
    assert found(product) == 2
    world.reserve()
    waits(world, HOUR)
    product.did(1, world.now)
    product.do(changes)
    waits(world, HOUR)

    world.deliver()

    assert product.mailed == mailed


def test_a_step_that_follows_asks_its_own_condition_again(product: Product) -> None:
    product.steps(FOLLOWED)
    world = product.world
    world.add(1, 2)
    world.tick()
    world.step_number = 1
    found(product)
    world.now += 5 * DAY
    assert found(product) == 2
    world.reserve()
    waits(world, HOUR)
    world.change(1, dormant=False)
    waits(world, HOUR)

    world.deliver()

    assert sorted(world.states().values()) == ["accepted", "skipped:left_segment"]
    assert product.mailed == [1, 2, 2]
