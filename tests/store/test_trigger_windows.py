"""Which rows lie in a tick's window: above its beginning, up to and with its end, of the names that are asked for."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from delivery_world import OUTBOX, World, make_world, planned
from sqlalchemy import Engine, insert, text

from skene_dagster.loops.triggers import After, Calls, Manual, Rows
from skene_dagster.segments.triggers import trigger_windows
from skene_dagster.segments.triggers.trigger_windows import LATE, Window
from skene_dagster.settings import Events, MomentColumn
from skene_dagster.store.engine import is_sqlite
from skene_dagster.store.tables import sends

TICK = timedelta(microseconds=1)
HOUR = timedelta(hours=1)
LOW, HIGH = datetime(2026, 3, 2, 8), datetime(2026, 3, 2, 9)

LOOP = """\
type: activation
steps:
  - trigger: {type: database, table: orders, event: insert, at: paid_at}
    condition: {type: query, query: "SELECT id FROM users WHERE id > 0"}
    action: {type: email, template: hello, transactional: true}
"""
ORDERS = Rows("orders", "id", "user_id", MomentColumn(column="paid_at"), changes=False, name=None)


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    world = make_world(engine, tmp_path)
    world.plan = planned(tmp_path, world.settings, LOOP)
    moment = "DATETIME" if is_sqlite(engine) else "DATETIME(6)"
    with engine.begin() as connection:
        connection.execute(
            text(f"CREATE TABLE orders (id INTEGER PRIMARY KEY, user_id BIGINT, paid_at {moment}, kind VARCHAR(20))")
        )
    return world


def order(world: World, *moments: datetime, kinds: Sequence[str] = ()) -> None:
    rows = [
        {"id": n, "at": at.isoformat(" ", "microseconds"), "kind": kinds[n - 1] if kinds else ""}
        for n, at in enumerate(moments, start=1)
    ]
    with world.engine.begin() as connection:
        connection.execute(text("INSERT INTO orders VALUES (:id, 7, :at, :kind)"), rows)


def found(world: World, within: Window, trigger: Rows = ORDERS) -> list[int]:
    step = replace(world.step, trigger=trigger)
    with world.engine.connect() as connection:
        query = trigger_windows.rows(connection, world.plan, step, OUTBOX.name, within)
        return sorted(row[0] for row in connection.execute(query))


def test_a_window_begins_behind_its_beginning_and_ends_with_its_end(world: World) -> None:
    order(world, LOW - TICK, LOW, LOW + TICK, HIGH - TICK, HIGH, HIGH + TICK)

    assert found(world, Window(LOW, HIGH, None)) == [3, 4, 5]


def test_rows_that_would_trigger_still_are_those_from_the_first_moment_to_the_last(world: World) -> None:
    order(world, LOW - TICK, LOW, HIGH, HIGH, HIGH + TICK)

    with world.engine.connect() as connection:
        query = trigger_windows.still_there(
            connection,
            world.plan,
            replace(world.step, trigger=ORDERS),
            OUTBOX.name,
            occurrences=["1", "2", "3", "5"],
            keys=[7],
            between=(LOW, HIGH),
        )
        keys = sorted(row[0] for row in connection.execute(query))

    assert keys == [2, 3]


@pytest.mark.parametrize(
    ("moments", "newest"),
    [
        pytest.param([LOW], None, id="as old as what was seen"),
        pytest.param([LOW + TICK], LOW + TICK, id="newer"),
        pytest.param([HIGH - HOUR / 2, HIGH, HIGH - TICK], HIGH, id="of now"),
        pytest.param([HIGH - TICK, HIGH + TICK], HIGH - TICK, id="still to come"),
        pytest.param([], None, id="none"),
    ],
)
def test_the_newest_row_came_after_a_moment_and_by_now(
    world: World, moments: list[datetime], newest: datetime | None
) -> None:
    if moments:
        order(world, *moments)

    with world.engine.connect() as connection:
        assert trigger_windows.newest(connection, ORDERS, LOW, HIGH) == newest


def test_the_newest_row_is_of_the_name_that_is_asked_for(world: World) -> None:
    order(world, LOW + TICK, HIGH, kinds=["paid", "refunded"])

    with world.engine.connect() as connection:
        assert trigger_windows.newest(connection, replace(ORDERS, name=("kind", "paid")), LOW, HIGH) == LOW + TICK


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        pytest.param("paid", [1], id="a name"),
        pytest.param("paid*", [1, 2], id="what begins so"),
        pytest.param("p_id*", [3], id="a letter that LIKE takes for any"),
        pytest.param("100%*", [4], id="one that it takes for many"),
        pytest.param("a!b*", [5], id="the one that escapes"),
        pytest.param("*", [1, 2, 3, 4, 5], id="any"),
    ],
)
def test_rows_are_of_the_names_that_are_asked_for(world: World, name: str, keys: list[int]) -> None:
    kinds = ["paid", "paid late", "p_id", "100% paid", "a!b"]
    order(world, *[HIGH] * 5, kinds=kinds)

    assert found(world, Window(LOW, HIGH, None), replace(ORDERS, name=("kind", name))) == keys


def test_a_row_that_changes_is_another_occurrence_each_time(world: World) -> None:
    order(world, HIGH)

    with world.engine.connect() as connection:
        once = trigger_windows._of_a_table(connection, ORDERS, Window(LOW, HIGH, None))
        each = trigger_windows._of_a_table(connection, replace(ORDERS, changes=True), Window(LOW, HIGH, None))
        occurrences = [connection.execute(query).one()[3] for query in (once, each)]

    assert occurrences[0] == "1"
    assert occurrences[1].startswith("1@2026-03-02 09:00:00")


@pytest.mark.parametrize(
    ("last", "first", "low"),
    [
        pytest.param(None, None, HIGH, id="at the first tick"),
        pytest.param(LOW, None, HIGH, id="of a first tick that nobody knows"),
        pytest.param(LOW, LOW - 1000 * HOUR, None, id="as long before the last one as rows may wait and be late"),
        pytest.param(LOW, LOW - HOUR / 60, LOW - HOUR / 60, id="no earlier than the first one"),
    ],
)
def test_a_tick_looks_back_as_far_as_rows_may_wait(
    world: World, last: datetime | None, first: datetime | None, low: datetime | None
) -> None:
    step = world.step

    window = trigger_windows.window(step, HIGH, last=last, first=first, at=HIGH)

    expected = LOW - step.timeout - timedelta(minutes=10) if low is None else low
    assert (window.low, window.high) == (expected, HIGH)
    assert window.looked_at == (None if low == HIGH else HIGH - LATE)


WAIT = timedelta(days=2)
FOLLOWED = """\
type: activation
steps:
  - name: other
    trigger: {type: schedule, cron: "0 9 * * *"}
    condition: {type: query, query: SELECT id FROM users}
    action: {type: email, template: hello}
  - name: first
    trigger: {type: schedule, cron: "0 9 * * *"}
    condition: {type: query, query: SELECT id FROM users}
    action: {type: email, template: hello}
"""


def sent(world: World, **rows: dict[str, object]) -> None:
    """Write emails into the ledger, accepted at their tick unless they say otherwise."""
    usual: dict[str, object] = {
        "mode": OUTBOX.name,
        "loop": world.plan.name,
        "step": "first",
        "occurrence": "",
        "state": "accepted",
        "decided_at": LOW,
        "as_of": HIGH - WAIT,
    }
    numbered = enumerate(rows.items(), start=1)
    told = [{"user_id": n, "send_id": name, **usual, **row} for n, (name, row) in numbered]
    with world.engine.begin() as connection:
        connection.execute(insert(sends), [{"accepted_at": row["as_of"], **row} for row in told])


def followed(world: World, within: Window) -> list[str]:
    trigger = After("first", WAIT)
    step = replace(world.step, trigger=trigger)
    with world.engine.connect() as connection:
        query = trigger_windows.rows(connection, world.plan, step, OUTBOX.name, within)
        found = sorted(row[0] for row in connection.execute(query))
        assert trigger_windows.is_due(connection, world.plan, trigger, OUTBOX.name, within) == bool(found)
    return found


@pytest.fixture
def mailing(world: World) -> World:
    world.plan = planned(world.root, world.settings, FOLLOWED)
    return world


def test_an_email_is_followed_in_the_window_in_which_its_wait_is_over(mailing: World) -> None:
    sent(
        mailing,
        before={"as_of": LOW - WAIT},
        soon={"as_of": LOW - WAIT + TICK},
        last={"as_of": HIGH - WAIT},
        later={"as_of": HIGH - WAIT + TICK},
    )

    assert followed(mailing, Window(LOW, HIGH, None)) == ["last", "soon"]


def test_an_email_that_was_accepted_late_is_followed_though_its_time_has_passed(mailing: World) -> None:
    sent(
        mailing,
        before={"as_of": LOW - WAIT, "accepted_at": LOW},
        since={"as_of": LOW - WAIT, "accepted_at": LOW + TICK},
        due={"as_of": HIGH - WAIT},
        early={"as_of": HIGH - WAIT + TICK, "accepted_at": HIGH},
    )

    assert followed(mailing, Window(LOW, HIGH, LOW)) == ["due", "since"]
    assert followed(mailing, Window(LOW, HIGH, None)) == ["due"]


def test_only_emails_of_the_step_that_left_are_followed(mailing: World) -> None:
    sent(
        mailing,
        mine={},
        rehearsed={"mode": "live"},
        of_another_loop={"loop": "freemium"},
        of_another_step={"step": "other"},
        refused={"state": "refused"},
        reserved={"state": "reserved"},
    )

    assert followed(mailing, Window(LOW, HIGH, None)) == ["mine"]


def test_emails_that_are_to_be_followed_still_are_those_of_the_users_and_occurrences(mailing: World) -> None:
    sent(mailing, asked={}, of_another_user={}, another={}, refused={"state": "refused"})

    with mailing.engine.connect() as connection:
        query = trigger_windows.still_there(
            connection,
            mailing.plan,
            replace(mailing.step, trigger=After("first", WAIT)),
            OUTBOX.name,
            occurrences=["asked", "of_another_user", "refused"],
            keys=[1, 3, 4],
            between=(LOW, HIGH),
        )
        assert [row[0] for row in connection.execute(query)] == ["asked"]


@pytest.mark.parametrize(
    ("said", "at"),
    [
        pytest.param({"at": "done_at"}, "done_at", id="when they happened"),
        pytest.param({"at": "done_at", "arrived": "written_at"}, "written_at", id="when they arrived"),
    ],
)
def test_calls_are_found_among_the_products_events_by_their_names(said: dict[str, str], at: str) -> None:
    events = Events.model_validate({"table": "clicks", "key": "nr", "user": "who", "name": "what", **said})

    rows = trigger_windows.of_calls(Calls("/api/export", "POST"), events)

    expected = Rows("clicks", "nr", "who", MomentColumn(column=at), changes=False, name=("what", "POST /api/export"))
    assert rows == expected


def test_a_schedule_is_about_no_rows(world: World) -> None:
    step = replace(world.step, trigger=Manual())
    nothing: list[str] = []

    with world.engine.connect() as connection:
        with pytest.raises(AssertionError, match="is not about rows"):
            trigger_windows.rows(connection, world.plan, step, OUTBOX.name, Window(LOW, HIGH, None))
        with pytest.raises(AssertionError, match="is not about rows"):
            trigger_windows.still_there(
                connection,
                world.plan,
                step,
                OUTBOX.name,
                occurrences=nothing,
                keys=nothing,
                between=(LOW, HIGH),
            )
