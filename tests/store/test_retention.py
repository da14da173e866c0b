"""What is old, and what no rule reads any more, is deleted; what is so now stays, and so does what was counted."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import delivery_world
import neighbours
import pytest
import segment_world
from segment_world import loop, tick
from sqlalchemy import Engine, func, insert, select
from usage_world import OWN_FEATURES, Died, World, at, dying, on, own_events

from skene_dagster.delivery.retention import Retained, retain
from skene_dagster.errors import RollupBusy
from skene_dagster.loops.plan import LoopPlan
from skene_dagster.loops.planning.usage import plan_usage
from skene_dagster.settings import Feature, Retention, load
from skene_dagster.store.engine import transaction
from skene_dagster.store.leasing import leases
from skene_dagster.store.tables import OPEN, deferred, entitlements, events

# History


def without_history(engine: Engine, now: datetime) -> Retained:
    """Keep 30 days of history, three rows to a transaction."""
    usage = plan_usage(load(Path("/nowhere"), {}))
    kept = Retention.model_validate({"history": "30d"})
    return retain(engine, retention=kept, usage=usage, plans=[loop()], are_all=False, clock=lambda: now, chunk=3)


def test_who_left_long_ago_is_forgotten_and_who_is_inside_stays(engine: Engine) -> None:
    world = segment_world.World(engine)
    world.add(*range(1, 12))
    world.refresh(0)
    world.only(range(8, 12))
    world.refresh(1)
    world.only([1, 9, 10, 11])
    world.refresh(20)

    deleted = without_history(engine, tick(32))

    assert deleted.rows["skene_segment_members"] == 7
    assert world.history() == [
        (1, 20, None, None),
        (8, 0, 20, "left"),
        *[(key, 0, None, None) for key in (9, 10, 11)],
    ]


def test_a_refresh_that_died_long_ago_is_still_done_again_as_if_nothing_had_been_deleted(engine: Engine) -> None:
    world = segment_world.World(engine)
    world.add(*range(1, 12))
    world.refresh(0)
    world.only([10, 11])
    with dying(engine, 8), suppress(Died):
        world.refresh(1)
    half_written = world.history()
    world.now = tick(60)
    without_history(engine, world.now)
    world.only(range(1, 12))

    world.refresh(1)

    assert {row[2] for row in half_written} == {1, None}
    assert world.history() == [(key, 0, None, None) for key in range(1, 12)]


# Who waits for a step that is gone


@pytest.fixture
def deferring(engine: Engine, tmp_path: Path) -> delivery_world.World:
    """Two users of five have no address, and wait for one; the neighbours' loops are gone, too."""
    world = delivery_world.make_world(engine, tmp_path)
    neighbours.forget()
    world.add(1, 2, 3)
    world.add(4, 5, email=None)
    world.tick(delivery_world.LIVE)
    world.now += timedelta(days=31)
    return world


def retained(world: delivery_world.World, plans: Sequence[LoopPlan] = (), *, are_all: bool = True) -> int:
    """Keep 30 days of history, one row to a transaction; return how many who wait were forgotten."""
    kept, usage = Retention.model_validate({"history": "30d"}), plan_usage(world.settings)
    done = retain(world.engine, retention=kept, usage=usage, plans=plans, are_all=are_all, clock=world.clock, chunk=1)
    with world.engine.begin() as connection:
        mine = deferred.c.loop == world.plan.name, deferred.c.mode == "live"
        left = connection.execute(select(func.count()).select_from(deferred).where(*mine)).scalar_one()
    assert left <= 2
    assert done.rows.get("skene_deferred", 0) >= 2 - left
    return 2 - left


def test_who_waits_for_a_loop_that_is_gone_is_forgotten_and_found_again_should_it_come_back(
    deferring: delivery_world.World,
) -> None:
    assert retained(deferring) == 2
    for user in (4, 5):
        deferring.change(user, email=f"u{user}@example.com")

    deferring.tick(delivery_world.LIVE)

    assert sorted(deferring.provider.mailed) == [f"u{n}@example.com" for n in range(1, 6)]


def test_who_waits_for_a_loop_that_is_there_or_whose_file_is_broken_is_not_forgotten(
    deferring: delivery_world.World,
) -> None:
    assert retained(deferring, [deferring.plan]) == 0
    assert retained(deferring, are_all=False) == 0


def test_who_was_to_be_decided_lately_is_not_forgotten(deferring: delivery_world.World) -> None:
    deferring.now -= timedelta(days=2)

    assert retained(deferring) == 0


def test_levels_that_were_left_long_ago_are_forgotten(engine: Engine) -> None:
    world = World(engine)
    world.did(1, at(0))
    for day in (1, 15, 31):
        world.roll(at(day))

    deleted = without_history(engine, at(50))

    assert deleted.rows["skene_engagement_levels"] == 1
    assert world.history(1) == [("slipping", at(14), at(30)), ("dormant", at(30), None)]


def test_blocks_that_were_lifted_long_ago_are_forgotten(engine: Engine) -> None:
    world = World(engine)
    lifted = {1: at(1), 2: OPEN, 3: at(30), 4: at(2), 5: OPEN, 6: at(3), 7: at(4)}
    rows = [
        {"mode": mode, "user_id": user, "loop": "freemium", "step": "main", "lifted_at": moment}
        | {"blocked_at": at(0), "message": "Upgrade"}
        for mode in ("live", "outbox")
        for user, moment in lifted.items()
    ]
    transaction(engine, lambda connection: connection.execute(insert(entitlements), rows))

    deleted = without_history(engine, at(40))

    assert deleted.rows["skene_entitlements"] == 8
    assert sorted(world.rows(entitlements, "mode", "user_id")) == [
        (mode, user) for mode in ("live", "outbox") for user in (2, 3, 5)
    ]


# Events


@pytest.fixture
def world(engine: Engine) -> World:
    return own_events(engine)


def happened_on(world: World) -> list[int]:
    """The days of the events that are there."""
    return [(moment.date() - on(0)).days for (moment,) in world.rows(events, "occurred_at")]


def lived(world: World, days: int = 40) -> World:
    """A user did something each day, and each day was rolled up."""
    world.add(1)
    for day in range(0, days, 5):
        world.now = at(day)
        world.did(1, *(at(day, hour) for hour in (1, 2)), name="export", size=10)
    world.roll(at(days, 0))
    return world


def test_events_are_deleted_by_whole_days_and_what_was_counted_stays(world: World) -> None:
    before = lived(world).all_of_it()
    world.now = at(40)

    deleted = world.retain(events="30d")
    world.did(1, at(40, 1))
    world.roll(at(41))

    assert (deleted.rows, deleted.events_since, deleted.waits_for) == ({"skene_events": 4}, on(10), "")
    assert happened_on(world) == [10, 10, 15, 15, 20, 20, 25, 25, 30, 30, 35, 35, 40]
    assert world.days()[:-1] == before["days"]


def test_who_dies_while_deleting_has_lost_nothing_that_counts_and_the_next_one_goes_on(world: World) -> None:
    before = lived(world, 70).all_of_it()
    world.now = at(70)
    with dying(world.engine, 4), suppress(Died):
        world.retain(events="30d")
    left = len(happened_on(world))
    world.sql("DELETE FROM skene_definitions WHERE name = 'events'")
    world.roll(at(70, 13))

    counted_anew = world.all_of_it()
    world.retain(events="30d")

    assert 12 < left < 28
    assert counted_anew["days"] == before["days"]
    assert len(happened_on(world)) == 12


def test_events_that_no_rollup_has_looked_at_stay(world: World) -> None:
    world.did(1, at(0), written=at(0))
    world.now = at(60)
    never = world.retain(events="30d")
    world.roll(at(5))
    world.sql("UPDATE skene_rollups SET watermark = as_of")
    long_ago = world.retain(events="30d")
    world.features = {**world.features, "big": OWN_FEATURES["big"].model_copy(update={"sql": "name = 'visit'"})}
    otherwise = world.retain(events="30d")

    assert (never.events_since, never.waits_for) == (None, "a rollup of what users do")
    assert (long_ago.events_since, long_ago.waits_for) == (on(5), "a rollup of what users do")
    assert (otherwise.events_since, otherwise.waits_for) == (on(5), "a rollup of what users do")


def test_events_wait_for_a_rollup_that_is_under_way_and_one_that_lost_its_turn_writes_no_more(world: World) -> None:
    lived(world)
    slow = world.take_lease("slow", at(40, 1))
    under_way = world.retain(events="30d")
    world.now += leases.LEASE + timedelta(seconds=1)

    over = world.retain(events="30d")

    assert (under_way.events_since, under_way.waits_for) == (None, "a rollup of what users do")
    assert over.events_since is not None
    with pytest.raises(RollupBusy, match="taken over"):
        transaction(world.engine, lambda connection: leases.keep(connection, slow, world.now))


def test_events_stay_while_a_rollup_is_half_written(world: World) -> None:
    lived(world)
    world.did(1, at(40), written=at(40))
    with dying(world.engine, 8), suppress(Died):
        world.roll(at(41))
    world.now = at(60)

    assert world.retain(events="30d").waits_for == "a rollup of what users do"


def test_an_event_that_comes_after_its_day_was_let_go_changes_no_count_and_is_told(world: World) -> None:
    lived(world)
    world.now = at(40)
    world.retain(events="30d")
    before = world.all_of_it()
    world.did(1, at(5, 3), at(5, 4), name="export")
    world.did(1, at(9, 3))

    found = world.roll(at(40, 13))

    assert found.too_late == 2
    assert world.days() == before["days"]


def test_an_event_of_the_first_day_that_is_kept_is_counted(world: World) -> None:
    lived(world)
    world.now = at(40)
    world.retain(events="30d")
    world.did(1, at(10, 0), name="export")

    found = world.roll(at(40, 13))

    assert found.too_late == 0
    assert [uses for _, day, event, uses, *_ in world.days() if (day, event) == (on(10), "export")] == [3]


def test_the_day_from_which_events_are_kept_never_moves_back(world: World) -> None:
    lived(world)
    world.now = at(40)
    world.retain(events="30d")

    assert world.retain(events="35d").events_since == on(10)


def test_a_feature_whose_sql_changes_is_counted_anew_since_the_events_are_there(world: World) -> None:
    lived(world)
    world.now = at(40)
    world.retain(events="30d")
    big = OWN_FEATURES["big"]
    world.features = {
        **OWN_FEATURES,
        "big": big.model_copy(update={"sql": "name = 'visit'"}),
        "loud": Feature.model_validate({"title": "Loud", "sql": "name = 'export'"}),
    }

    found = world.roll(at(40, 13))

    assert found.since == on(10)
    of = {
        name: [day for _, day, event, *_ in world.days() if event == name] for name in ("feature:big", "feature:loud")
    }
    assert of == {"feature:big": [on(0), on(5)], "feature:loud": [on(day) for day in range(10, 40, 5)]}
    assert world.adoption()[1, "export"][2:4] == (16, 8)


def test_a_feature_that_is_no_more_leaves_nothing_behind(world: World) -> None:
    lived(world)
    world.now = at(40)
    world.retain(events="30d")
    before = world.activity()
    world.features, world.milestones = {}, {}

    world.roll(at(40, 13))

    assert {event for _, _, event, *_ in world.days()} == {"export"}
    assert world.activity() == before
