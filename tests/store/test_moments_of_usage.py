"""What users do, and rows that trigger, of a product that writes its moments as numbers or as texts of any kind."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine
from test_triggers import MINUTE, make_shop, started
from usage_world import DAY, START, World, at, on

from skene_dagster.behaviour import adoption
from skene_dagster.checks import event_sources, unreadable
from skene_dagster.documents import Document
from skene_dagster.errors import SettingsError
from skene_dagster.loops.triggers import Rows
from skene_dagster.segments.triggers import trigger_windows
from skene_dagster.settings import Events, Users
from skene_dagster.store.engine import is_sqlite, reading

EPOCH = datetime(1970, 1, 1)


@dataclass(frozen=True)
class Form:
    """How a product writes its moments."""

    declared: str
    unit: str | None
    write: Callable[[datetime], object]
    never: object
    """What it writes where there is no moment."""


def in_zone(hours: float, separator: str) -> Callable[[datetime], str]:
    zone = timezone(timedelta(hours=hours))
    return lambda moment: moment.replace(tzinfo=timezone.utc).astimezone(zone).isoformat(separator)


FORMS = [
    pytest.param(Form("BIGINT", "seconds", lambda m: int((m - EPOCH).total_seconds()), -1), id="seconds"),
    pytest.param(
        Form("BIGINT", "milliseconds", lambda m: int((m - EPOCH) / timedelta(milliseconds=1)), 10**18),
        id="milliseconds",
    ),
    pytest.param(
        Form("DECIMAL(16, 6)", "seconds", lambda m: (m - EPOCH).total_seconds(), -1), id="seconds with fractions"
    ),
    pytest.param(Form("VARCHAR(40)", None, lambda m: f"{m.isoformat()}Z", "never"), id="texts in UTC"),
    pytest.param(Form("VARCHAR(40)", None, in_zone(-11, "T"), ""), id="texts far behind UTC"),
    pytest.param(Form("VARCHAR(40)", None, in_zone(14, " "), "0000-00-00"), id="texts far ahead of UTC"),
]


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest) -> Form:
    found: Form = request.param
    return found


def product(engine: Engine, form: Form, *, arrived: bool = True, mapped: bool = True) -> World:
    unit = {"unit": form.unit} if mapped else {}
    events = {"table": "actions", "at": {"column": "done_at", **unit}}
    if arrived:
        events["arrived"] = {"column": "written_at", **unit}
    users = Users.model_validate({"created_at": {"column": "created_at", **unit}})
    world = World(engine, events=Events.model_validate(events), users=users)
    declared = "" if is_sqlite(engine) else form.declared
    world.sql("DROP TABLE users")
    world.sql("DROP TABLE actions")
    world.sql(f"CREATE TABLE users (id BIGINT NOT NULL PRIMARY KEY, created_at {declared} NULL)")
    world.sql(
        "CREATE TABLE actions (id BIGINT NOT NULL PRIMARY KEY, user_id BIGINT NULL, name VARCHAR(200), "
        f"done_at {declared} NULL, written_at {declared} NULL, size BIGINT)"
    )
    world.sql("CREATE INDEX actions_user ON actions (user_id, done_at)")
    return world


def add(world: World, form: Form, key: int, created: datetime | None) -> None:
    value = form.never if created is None else form.write(created)
    world.sql("INSERT INTO users VALUES (:id, :at)", {"id": key, "at": value})


def did(world: World, form: Form, key: int, *moments: datetime | None, written: datetime | None = None) -> None:
    for moment in moments:
        world._last_id += 1
        world.sql(
            "INSERT INTO actions VALUES (:id, :user, 'export', :at, :by, 0)",
            {
                "id": world._last_id,
                "user": key,
                "at": form.never if moment is None else form.write(moment),
                "by": form.write(written or world.now),
            },
        )


def test_levels_features_and_milestones_are_those_of_the_moments(engine: Engine, form: Form) -> None:
    world = product(engine, form)
    for key in (1, 2):
        add(world, form, key, START)
    add(world, form, 3, at(28, 0))
    add(world, form, 4, None)
    # The last is a moment before midnight, and another day at most offsets.
    did(world, form, 1, at(0), at(1), at(2), at(40, 23.9))
    did(world, form, 2, at(0), None)

    world.roll(at(41, 0))

    days = {(user, day): n for user, day, _, n, *_ in world.days()}
    assert days == {(1, on(0)): 1, (1, on(1)): 1, (1, on(2)): 1, (1, on(40)): 1, (2, on(0)): 1}
    assert {key: level for key, (level, *_) in world.level().items()} == {1: "resurrected", 2: "dormant"}
    assert world.reached() == {("month", 1): on(30), ("month", 2): on(30), ("streak", 1): on(2)}
    assert untried(world, at(41, 0), None) == [3, 4]
    assert untried(world, at(41, 0), 7 * DAY) == [3]
    # An empty text is missing, as it is in an email.
    bad = reading(engine, lambda c: unreadable.of_usage(c, world.settings))
    assert [(one.column, one.values) for one in bad] == ([("created_at", 1), ("done_at", 1)] if form.never else [])


@pytest.mark.parametrize("arrived", [True, False], ids=["with arrived", "without arrived"])
def test_new_and_late_events_are_counted_on_their_days(engine: Engine, form: Form, arrived: bool) -> None:
    world = product(engine, form, arrived=arrived)
    did(world, form, 1, at(0))
    world.roll(at(5))
    did(world, form, 1, at(3, 0), at(4, 23.99), at(5, 11))
    world.roll(at(5, 12.5))
    did(world, form, 1, at(6, 1))

    world.roll(at(6, 2))

    assert [(day, n) for _, day, _, n, *_ in world.days()] == [
        (on(0), 1), (on(3), 1), (on(4), 1), (on(5), 1), (on(6), 1)
    ]  # fmt: skip


def test_rows_trigger_at_their_moments(engine: Engine, tmp_path: Path, form: Form) -> None:
    shop = make_shop(engine, tmp_path)
    declared = "" if is_sqlite(shop.world.engine) else form.declared
    shop.do("DROP TABLE orders")
    shop.do(f"CREATE TABLE orders (id BIGINT PRIMARY KEY NOT NULL, user_id BIGINT, created_at {declared} NULL)")
    unit = f", unit: {form.unit}" if form.unit else ""
    moment = f"at: {{column: created_at{unit}}}"
    trigger = "table: orders, event: insert"
    insert = "INSERT INTO orders VALUES (:id, :user, :at)"
    started(shop, ORDERS.replace(trigger, f"{trigger}, {moment}"))
    shop.do(insert, id=1, user=1, at=form.write(shop.world.now))
    shop.do(insert, id=2, user=2, at=form.never)
    shop.do(insert, id=3, user=3, at=form.write(shop.world.now + timedelta(minutes=2)))
    rows = shop.world.plan.steps[0].trigger
    assert isinstance(rows, Rows)

    found = [shop.tick()]
    newest = reading(
        shop.world.engine,
        lambda c: trigger_windows.newest(c, rows, shop.world.now - MINUTE, shop.world.now + 2 * MINUTE),
    )
    shop.world.now += timedelta(minutes=2)
    found.append(shop.tick())

    assert found == [1, 1]
    assert newest == shop.world.now
    assert shop.found() == [(1, "1"), (3, "3")]


ORDERS = """\
type: activation
steps:
  - trigger: {type: database, table: orders, event: insert}
    condition: {type: query, query: SELECT user_id FROM orders WHERE id = $1, timeout: 1h}
    action: {type: email, template: hello, personalization: {name: "{{user.name}}"}}
"""


def test_numbers_without_a_unit_are_refused_and_the_line_is_shown(engine: Engine) -> None:
    form = Form("BIGINT", "milliseconds", lambda m: int((m - EPOCH) / timedelta(milliseconds=1)), 0)
    world = product(engine, form, mapped=False)
    add(world, form, 1, START)
    did(world, form, 1, at(0))
    document = Document("skene.yaml", {}, {("events", "at"): 9})

    errors = reading(engine, lambda c: event_sources.check_events(c, world.settings, document))
    with pytest.raises(SettingsError) as refused:
        world.roll(at(1))

    look_like = "They look like milliseconds since 1970. Write:"
    assert [(str(error.place), error.advice) for error in errors] == [
        ("skene.yaml:9  events.at", f"{look_like} `at: {{column: done_at, unit: milliseconds}}`"),
        ("skene.yaml  events.arrived", f"{look_like} `arrived: {{column: written_at, unit: milliseconds}}`"),
    ]
    assert refused.value.message.startswith("actions.done_at holds numbers")


def test_a_unit_of_what_are_no_numbers_is_refused(engine: Engine) -> None:
    form = Form("VARCHAR(40)", "seconds", lambda m: f"{m}", "never")
    world = product(engine, form)
    did(world, form, 1, at(0))

    with pytest.raises(SettingsError, match="does not hold numbers"):
        world.roll(at(1))


def untried(world: World, as_of: datetime, for_: timedelta | None) -> list[object]:
    def look(connection: Connection) -> list[object]:
        asked = adoption.in_state(connection, "export", "untried", as_of=as_of, for_=for_, users=world.users)
        return sorted(connection.execute(asked).scalars())

    return reading(world.engine, look)
