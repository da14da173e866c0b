"""What users do is rolled up incrementally, and is the same as if all of it were computed anew, in plain Python."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import usage_reference as reference
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from query_plans import plans_of
from sqlalchemy import Connection, Engine, Select
from usage_world import (
    ACTIONS,
    DAY,
    FEATURES,
    START,
    WITHOUT_ARRIVED,
    Died,
    World,
    at,
    dying,
    on,
    own_events,
)

from skene_dagster.behaviour import activity, adoption, engagement, milestones
from skene_dagster.errors import RollupBusy, SettingsError
from skene_dagster.settings import Milestone
from skene_dagster.store.engine import open_engine, reading
from skene_dagster.store.tables import (
    definitions,
    engagement_levels,
    events_ahead,
    feature_adoption,
    rollups,
    user_activity,
    user_days,
)
from skene_dagster.store.tables import milestones as milestones_table

ROLLED = (definitions, engagement_levels, events_ahead, feature_adoption, milestones_table, rollups, user_activity)


@pytest.fixture
def world(engine: Engine) -> World:
    return World(engine)


def computed_anew(world: World, as_of: datetime) -> dict[str, object]:
    """Forget everything and roll up from the start."""
    for table in (*ROLLED, user_days):
        world.sql(f"DELETE FROM {table.name}")
    world.roll(as_of)
    return world.all_of_it()


def counted_anew(world: World, as_of: datetime) -> dict[str, object]:
    """Have all days counted anew whose events are there."""
    world.sql("DELETE FROM skene_definitions WHERE name = 'events'")
    world.roll(as_of)
    return world.all_of_it()


# Days and activity


def test_a_day_is_counted_by_user_and_name(world: World) -> None:
    world.did(1, at(0, 8), at(0, 9), at(0, 23.5), name="export")
    world.did(1, at(0, 10))
    world.did(2, at(1))
    world.did(None, at(1))

    world.roll(at(2))

    assert world.days() == [
        (1, on(0), "export", 3, at(0, 8), at(0, 23.5)),
        (1, on(0), "visit", 1, at(0, 10), at(0, 10)),
        (2, on(1), "visit", 1, at(1), at(1)),
    ]


def test_a_late_event_counts_its_day_anew_and_adds_to_nothing_twice(world: World) -> None:
    world.did(1, at(0, 8))
    world.roll(at(1))
    world.did(1, at(0, 6))
    world.roll(at(2))
    world.roll(at(3))

    assert world.days() == [(1, on(0), "visit", 2, at(0, 6), at(0, 8))]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("indexed", [True, False])
def test_events_are_found_by_their_index_or_else_read_once(world: World, indexed: bool) -> None:
    if not indexed:
        world.sql("DROP INDEX actions_user")
    world.did(1, at(0, 8))
    world.roll(at(1))
    world.did(1, at(1, 6))

    with plans_of(world.engine, "INSERT INTO skene_user_days") as plans:
        world.roll(at(2))

    assert [day[1] for day in world.days()] == [on(0), on(1)]
    assert plans
    for plan in plans:
        by_index = any(step.startswith("SEARCH actions USING INDEX actions_user") for step in plan)
        read_once = plan[0].startswith("SCAN actions") or any("AUTOMATIC" in step for step in plan)
        assert (by_index, read_once) == (indexed, not indexed), plan


def test_a_tick_knows_nothing_of_what_comes_after_it(world: World) -> None:
    world.did(1, at(0), at(3))

    world.roll(at(1))
    before = world.days()
    world.roll(at(4))

    assert before == [(1, on(0), "visit", 1, at(0), at(0))]
    assert [row[1] for row in world.days()] == [on(0), on(3)]


def test_an_older_tick_writes_nothing_and_says_so(world: World) -> None:
    world.did(1, at(0))
    world.roll(at(2))
    world.did(1, at(0, 13))

    found = world.roll(at(1))

    assert found.newer == at(2)
    assert world.days()[0][3] == 1


def test_the_same_tick_again_changes_nothing(world: World) -> None:
    world.did(1, at(0))
    world.roll(at(2))
    before = world.all_of_it()

    found = world.roll(at(2))

    assert found.already
    assert world.all_of_it() == before


def test_two_rollups_at_once_are_one_that_is_told_to_wait(world: World) -> None:
    world.now = at(1)
    world.take_lease("another", at(1))

    with pytest.raises(RollupBusy, match="by run another"):
        world.roll(at(1), run_id="one")


def test_without_a_column_of_arrival_what_is_late_within_the_limit_is_found(engine: Engine) -> None:
    world = World(engine, events=WITHOUT_ARRIVED)
    world.did(1, at(0))
    world.roll(at(1))
    world.did(1, at(0, 1))

    world.roll(at(3))

    assert world.days() == [(1, on(0), "visit", 2, at(0, 1), at(0))]


def test_events_that_are_tracked_are_read_from_our_own_table(engine: Engine) -> None:
    world = own_events(engine, features={"export": FEATURES["export"]}, milestones={})
    world.sql(
        "INSERT INTO skene_events (event_id, user_id, name, occurred_at, received_at) "
        "VALUES ('a', 1, 'export', :at, :at)",
        {"at": at(0).isoformat(" ", "microseconds")},
    )

    world.roll(at(1))

    assert world.days() == [(1, on(0), "export", 1, at(0), at(0))]


def test_events_whose_users_are_of_a_type_that_is_not_exact_are_refused_in_words(engine: Engine) -> None:
    world = World(engine)
    world.sql("CREATE TABLE clicks (id BIGINT, user_id DOUBLE, name VARCHAR(20), created_at DATETIME)")
    at_ = ACTIONS.at.model_copy(update={"column": "created_at"})
    world.events = ACTIONS.model_copy(update={"table": "clicks", "at": at_, "arrived": None})

    with pytest.raises(SettingsError, match=r"clicks\.user_id is .*the database would mistake some users for others"):
        world.roll(at(1))


# Levels


@pytest.mark.parametrize(
    ("moments", "as_of", "level", "since"),
    [
        pytest.param([at(0)], at(0, 13), "new", at(0), id="new"),
        pytest.param([at(0), at(13)], at(14) - timedelta(microseconds=1), "new", at(0), id="new to the last moment"),
        pytest.param([at(0), at(13)], at(14), "active", at(14), id="no longer new"),
        pytest.param([at(0)], at(14), "slipping", at(14), id="slipping from the very moment"),
        pytest.param([at(0)], at(30), "dormant", at(30), id="dormant from the very moment"),
        pytest.param([at(0), at(29, 11)], at(30), "active", at(29, 11), id="back before he was dormant"),
        pytest.param([at(0), at(30)], at(31), "resurrected", at(30), id="back after he was dormant"),
        pytest.param([at(0), at(30), at(43)], at(44), "active", at(44), id="no longer resurrected"),
        pytest.param([at(n) for n in range(20)], at(20), "power", at(14), id="power once no longer new"),
        pytest.param([at(n) for n in range(11)], at(14), "active", at(14), id="a day less than power"),
    ],
)
def test_a_level_begins_and_ends_at_its_moment(
    world: World, moments: list[datetime], as_of: datetime, level: str, since: datetime
) -> None:
    world.did(1, *moments)

    world.roll(as_of)

    assert world.level() == {1: (level, since)}
    assert reference.level_since(reference.Rules(), moments, as_of) == (level, since)


def test_levels_change_by_mere_time_and_keep_their_history(world: World) -> None:
    world.did(1, at(0))
    for day in (1, 15, 31):
        world.roll(at(day))

    assert world.history(1) == [
        ("new", at(0), at(14)),
        ("slipping", at(14), at(30)),
        ("dormant", at(30), None),
    ]


def test_a_level_that_late_events_give_another_name_was_never_another(world: World) -> None:
    # Power from the moment at which they were no longer new, had all been known.
    world.did(1, *(at(day) for day in range(0, 20, 2)))
    world.roll(at(20))
    before = world.history(1)
    world.did(1, *(at(day) for day in range(1, 12, 2)))

    world.roll(at(21))

    assert before == [("active", at(14), None)]
    assert world.history(1) == [("power", at(14), None)]


def test_who_never_did_anything_has_no_level(world: World) -> None:
    world.add(1, 2)
    world.did(1, at(0))

    world.roll(at(1))

    assert world.level().keys() == {1}


def test_the_users_of_a_level_are_found_and_those_who_have_been_there_for_long(world: World) -> None:
    world.did(1, at(0))
    world.did(2, at(5))
    world.roll(at(40))

    every = world.ask(engagement.at_level("dormant", as_of=at(40)))
    long = world.ask(engagement.at_level("dormant", as_of=at(40), for_=8 * DAY))

    assert (every, long) == ([1, 2], [1])


def at_intervals(moments: list[datetime], start: datetime) -> str:
    """Name a user's week by PostHog's lifecycle: new, returning, resurrecting or dormant.

    https://posthog.com/docs/product-analytics/lifecycle, read 2026-11: new, the first event ever is in the interval;
    returning, active in this one and the one before; resurrecting, active in this one, not the one before, but
    earlier; dormant, not active in this one, but in the one before.
    """
    week = 7 * DAY
    now = any(start <= moment < start + week for moment in moments)
    before = any(start - week <= moment < start for moment in moments)
    if now:
        is_new = min(moments) >= start
        return "new" if is_new else "returning" if before else "resurrecting"
    return "dormant" if before else ""


@pytest.mark.parametrize(
    ("moments", "ours"),
    [
        ([at(15)], "new"),
        ([at(9), at(15)], "active"),
        ([at(0), at(15)], "resurrected"),
        ([at(8)], "dormant"),
    ],
)
def test_with_weeks_for_all_durations_our_levels_are_posthog_s(
    world: World, moments: list[datetime], ours: str
) -> None:
    week = 7 * DAY
    world.levels = world.levels.model_copy(
        update={"new": week, "dormant": week, "slipping": week - DAY, "resurrected": week, "power": 28}
    )
    world.did(1, *moments)

    world.roll(at(21, 0))

    names = {"new": "new", "returning": "active", "resurrecting": "resurrected", "dormant": "dormant"}
    assert names[at_intervals(moments, at(14, 0))] == ours
    assert world.level()[1][0] == ours


# Adoption


@pytest.mark.parametrize(
    ("uses", "as_of", "state", "since"),
    [
        pytest.param([at(0)], at(1), "tried", at(0), id="tried"),
        pytest.param([at(0, 1), at(0, 2), at(0, 3)], at(1), "tried", at(0, 1), id="often, on one day only"),
        pytest.param([at(0), at(1), at(2)], at(3), "adopted", at(2), id="adopted"),
        pytest.param([at(0), at(1, 8), at(1, 18)], at(3), "adopted", at(1, 18), id="adopted by the last use of a day"),
        pytest.param(
            [at(0, 1), at(0, 2), at(1, 8), at(1, 18)],
            at(3),
            "adopted",
            at(1, 8),
            id="adopted by the first use of a day",
        ),
        pytest.param([at(0), at(1), at(2)], at(32), "lapsed", at(32), id="lapsed from the very moment"),
        pytest.param([at(0), at(1), at(2), at(40)], at(41), "adopted", at(40), id="back"),
    ],
)
def test_adoption_goes_from_tried_to_adopted_to_lapsed_and_back(
    world: World, uses: list[datetime], as_of: datetime, state: str, since: datetime
) -> None:
    world.add(1, 2)
    world.did(1, *uses, name="export")

    world.roll(as_of)

    assert world.adoption()[1, "export"][-2:] == (state, since)
    assert untried(world, as_of) == [2]


@pytest.mark.parametrize("longer", [0, 1], ids=["as long as is kept", "longer"])
def test_of_an_event_s_name_128_letters_are_kept(world: World, longer: int) -> None:
    world.add(1)
    world.did(1, at(1), name="é" * (128 + longer))

    world.roll(at(2))

    assert [day[2] for day in world.days()] == ["é" * 128]


def test_a_feature_s_funnel_counts_each_user_once_and_nobody_who_is_no_user(world: World) -> None:
    world.add(1, 2, 3, 4, 5)
    world.did(1, at(1), name="share")  # tried: 2 uses are adoption
    world.did(2, at(7), at(7, 13), name="share")
    world.did(3, at(0), at(0, 13), name="share")  # lapsed: the last use is more than 5 days ago
    world.did(99, at(7), name="share")

    world.roll(at(8))

    with world.engine.connect() as connection:
        found = adoption.funnels(connection, world.plan.features, world.users)["share"]
    assert found == adoption.Funnel(untried=2, tried=1, adopted=1, lapsed=1)


def test_who_has_not_tried_a_feature_for_long_is_counted_from_his_sign_up(world: World) -> None:
    world.add(1, created_at=START)
    world.add(2, created_at=at(9, 0))
    world.roll(at(10, 0))

    found = untried(world, at(10, 0), 7 * DAY)

    assert found == [1]


def test_the_trend_counts_people_and_uses_of_today_and_yesterday(world: World) -> None:
    world.add(1, 2, 3)
    world.did(1, at(0), at(1, 8), name="export")
    world.did(1, at(1, 9), at(2, 8), at(2, 9), name="share")
    world.did(2, at(1, 8), name="export")
    world.did(1, at(2, 10), name="export")
    world.roll(at(2, 20))

    with world.engine.connect() as connection:
        found = activity.trend(connection, world.plan, at(2, 20))

    assert found == activity.Trend(users=2, active_today=1, uses_today=3, active_before=2, uses_before=3)


def test_a_feature_may_be_sql_over_the_events(world: World) -> None:
    world.did(1, at(0), size=10)
    world.did(2, at(0), size=9)
    world.did(3, at(0), size=99, name="idle")

    world.roll(at(1))

    assert [key for key in world.adoption() if key[1] == "big"] == [(1, "big")]


def test_what_time_alone_makes_of_adopters_is_written_by_the_next_rollup(world: World) -> None:
    world.did(1, at(0), at(1), at(2), name="export")
    world.roll(at(3))

    world.roll(at(33))

    assert world.adoption()[1, "export"][-2:] == ("lapsed", at(32))


# Milestones


def test_milestones_are_reached_on_their_day(world: World) -> None:
    world.add(1, 2, created_at=START)
    world.did(1, *(at(n) for n in (0, 1, 2, 3, 4)), *(at(5, n) for n in range(6)), name="export")
    world.did(2, at(27), at(28), at(29))

    world.roll(at(31, 0))

    assert world.reached() == {
        ("tenth_export", 1): on(5),
        ("streak", 1): on(2),
        ("streak", 2): on(29),
        ("month", 1): on(30),
        ("month", 2): on(30),
    }


def test_a_late_event_may_show_that_it_was_reached_earlier_and_it_is_reached_once(world: World) -> None:
    world.did(1, *(at(n) for n in range(1, 11)), name="export")
    world.roll(at(11))
    before = world.reached()["tenth_export", 1]
    world.did(1, at(0), name="export")

    world.roll(at(12))

    assert (before, world.reached()["tenth_export", 1]) == (on(10), on(9))


def test_the_past_is_recorded_and_not_celebrated(world: World) -> None:
    world.did(1, *(at(0, n) for n in range(10)), name="export")
    world.did(2, *(at(5, n) for n in range(9)), name="export")
    world.roll(at(5, 20))
    world.did(2, at(6), name="export")
    world.roll(at(7))
    milestone = world.milestones["tenth_export"]

    celebrated = world.ask(milestones.reached("tenth_export", milestone))
    since_ever = milestone.model_copy(update={"since": date(2020, 1, 1)})

    assert celebrated == [2]
    assert world.ask(milestones.reached("tenth_export", since_ever)) == [1, 2]


def test_a_milestone_that_is_new_finds_what_was_reached_before_it(world: World) -> None:
    world.did(1, at(0), name="export")
    world.roll(at(1))
    world.milestones = {**world.milestones, "first_export": Milestone(title="First", event="export")}

    world.roll(at(2))

    assert world.reached()["first_export", 1] == on(0)


# Incremental is the same as anew


@dataclass(frozen=True)
class Did:
    """An event, and how late it arrives."""

    user: int
    name: str
    hour: int
    late: int
    size: int

    @property
    def at(self) -> datetime:
        return START + timedelta(hours=self.hour, minutes=self.user)

    @property
    def written(self) -> datetime:
        return self.at + timedelta(hours=self.late)


HAPPENINGS = st.lists(
    st.builds(
        Did,
        user=st.integers(1, 7),
        name=st.sampled_from(["visit", "export", "share", "share_link", "idle"]),
        hour=st.integers(0, 24 * 90),
        late=st.sampled_from([0, 0, 0, 5, 30, 200]),
        size=st.sampled_from([0, 10]),
    ),
    min_size=1,
    max_size=60,
    unique_by=lambda did: (did.user, did.at),
)


@pytest.mark.long
@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(
    happenings=HAPPENINGS,
    ticks=st.lists(st.integers(1, 100), min_size=1, max_size=6, unique=True),
    dies_after=st.integers(1, 12),
    chunk=st.sampled_from([1, 3, 50]),
    retains=st.booleans(),
)
def test_any_order_of_arrival_and_any_crash_gives_what_is_computed_anew_and_in_plain_python(
    on_sqlite: Engine, happenings: list[Did], ticks: list[int], dies_after: int, chunk: int, retains: bool
) -> None:
    _empty(on_sqlite)
    world = own_events(on_sqlite) if retains else World(on_sqlite)
    world.add(*range(1, 8), created_at=START)
    _live(world, happenings, sorted(ticks), dies_after, chunk, retains=retains)
    last = at(110, 0)
    world.roll(last, chunk=chunk)

    incremental = world.all_of_it()

    again = counted_anew(world, at(110, 1)) if retains else computed_anew(world, last)
    assert incremental == again
    _compare(world, happenings, last)


@pytest.fixture
def on_sqlite(tmp_path: Path) -> Iterator[Engine]:
    """An engine for all examples, which compiles each statement once."""
    engine = open_engine(f"sqlite:///{tmp_path / 'database' / 'skene.db'}")
    yield engine
    engine.dispose()


def _empty(engine: Engine) -> None:
    engine.dispose()
    assert engine.url.database is not None
    for file in Path(engine.url.database).parent.glob("*"):
        file.unlink()


def _live(world: World, happenings: list[Did], ticks: list[int], dies_after: int, chunk: int, *, retains: bool) -> None:
    """Write what happens in the order in which it arrives, roll up at ticks, and die on the way in each of them.

    Args:
        retains: what is old is deleted after each, and who deletes dies on the way as well.
    """
    waiting = sorted(happenings, key=lambda did: did.written)
    for tick in [*(at(day, 0) for day in ticks), at(109, 0)]:
        while waiting and waiting[0].written < tick:
            did = waiting.pop(0)
            world.did(did.user, did.at, name=did.name, written=did.written, size=did.size)
        with dying(world.engine, dies_after):
            try:
                world.roll(tick, chunk=chunk)
            except Died:
                world.now += timedelta(minutes=2)
        if tick != at(109, 0):
            world.roll(tick, chunk=chunk)
        if retains:
            with dying(world.engine, dies_after), suppress(Died):
                world.retain(events="30d", history="30d")


def _compare(world: World, happenings: list[Did], as_of: datetime) -> None:
    by_user = reference.people([reference.Event(did.user, did.name, did.at, did.size) for did in happenings], as_of)
    levels = {}
    reached: dict[tuple[str, Any], date | None] = {}
    for user, found in by_user.items():
        moments = [one.at for one in found]
        levels[user] = reference.level_since(reference.Rules(), moments, as_of)
        reached["tenth_export", user] = reference.nth([one.at for one in found if one.name == "export"], 10)
        shares = [one.at for one in found if one.name in {"share", "share_link"}]
        reached["third_share", user] = reference.nth(shares, 3)
        reached["streak", user] = reference.streak(moments, 3)
    assert world.level() == levels
    anniversaries = {("month", user): on(30) for user in range(1, 8)}
    assert world.reached() == {key: day for key, day in reached.items() if day is not None} | anniversaries
    big = {one.user for found in by_user.values() for one in found if one.size >= 10 and one.name != "idle"}
    assert {user for user, feature in world.adoption() if feature == "big"} == big


@pytest.mark.parametrize("key_type", ["BIGINT", "VARCHAR(36)", "BINARY(16)"])
def test_every_kind_of_users_key_rolls_up(engine: Engine, key_type: str) -> None:
    world = World(engine, key_type=key_type)
    of_each_kind: dict[str, list[Any]] = {
        "BIGINT": [2**53 + 1, 2**53 + 2],
        "VARCHAR(36)": ["a1", "b2"],
        "BINARY(16)": [bytes(16), bytes([255]) * 16],
    }
    keys = of_each_kind[key_type]
    world.add(*keys)
    for number, key in enumerate(keys):
        world.did(key, *(at(day) for day in range(number + 1)), name="export")
    world.roll(at(1))
    world.did(keys[1], at(2), name="export")

    world.roll(at(3))

    activity = world.activity()
    assert {key: activity[key][2] for key in keys} == {keys[0]: 1, keys[1]: 3}


def untried(world: World, as_of: datetime, for_: timedelta | None = None) -> list[Any]:
    """Who has not tried the export, and for how long."""

    def look(connection: Connection) -> Select[Any]:
        return adoption.in_state(connection, "export", "untried", as_of=as_of, for_=for_, users=world.users)

    return world.ask(reading(world.engine, look))


def test_what_has_arrived_and_is_not_counted_yet_is_not_too_late_once_the_old_is_deleted(engine: Engine) -> None:
    world = own_events(engine)
    world.add(1, created_at=START)
    world.did(1, at(10))
    world.roll(at(74, 0))
    world.did(1, at(66), name="export", written=at(74, 12))
    # Rollups have failed for a month.
    world.now = at(109, 0)

    world.retain(events="30d")
    world.roll(at(110, 0))

    assert [row[1] for row in world.days()] == [on(10), on(66)]
