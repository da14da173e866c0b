"""What a rollup reports: how many users there are of each level, feature and milestone, ever and by this tick."""

from typing import Any

import dagster as dg
import pytest
from sqlalchemy import Engine
from usage_world import DAY, START, World, at, own_events

from skene_dagster.behaviour import milestones
from skene_dagster.behaviour.milestones import Count
from skene_dagster.behaviour.rollup.counted import Counted, counted, counted_whole
from skene_dagster.behaviour.rollup.roll_up import RolledUp
from skene_dagster.compiler.jobs import rollup
from skene_dagster.errors import NotCounted
from skene_dagster.loops.plan import AtLevel, Condition, InState, Reached, UsedUp
from skene_dagster.settings import Levels
from skene_dagster.store.leasing import leases


@pytest.fixture
def world(engine: Engine) -> World:
    world = World(engine)
    world.add(1, 2, 3)
    for user in (1, 2):
        world.did(user, at(0), at(1), at(2), name="share")
    world.did(3, at(2), name="visit")
    return world


def reports(world: World, done: RolledUp) -> dict[str, dict[str, object]]:
    """What is told of each asset: plain values, and tables as their rows."""
    with world.engine.connect() as connection:
        found = rollup._reports(connection, world.plan, world.settings, done)
    return {key.path[-1]: {name: _plain(value) for name, value in told.items()} for key, told in found.items()}


def _plain(value: dg.MetadataValue) -> Any:
    return [record.data for record in value.records] if isinstance(value, dg.TableMetadataValue) else value.value


def test_a_rollup_tells_who_is_how_far_and_who_came_to_it_by_this_tick(world: World) -> None:
    world.roll(START + 2 * DAY)
    world.now += DAY

    done = world.roll(START + 3 * DAY)
    told = reports(world, done)

    assert told["user_activity"] | {"seconds": 0.0} == {
        "dagster/row_count": 3,
        "active_today": 0,
        "active_yesterday": 3,
        "uses_yesterday": 3,
        "as_of": "2026-03-04 00:00:00 UTC",
        "seconds": 0.0,
        "users_touched": 3,
        "days_counted": 3,
        "days_too_late": 0,
    }
    assert told["feature_adoption"]["share/adopted"] == 2
    assert told["feature_adoption"]["share/untried"] == 1
    assert {"feature": "export", "untried": 3, "tried": 0, "adopted": 0, "lapsed": 0} in _rows(told, "funnel")
    assert told["engagement_levels"]["new"] == 3
    assert {"level": "new", "users": 3} in _rows(told, "levels")
    assert told["milestones"]["third_share"] == 2
    assert {"milestone": "third_share", "ever": 2, "this_tick": 2} in _rows(told, "milestones")
    assert {"milestone": "tenth_export", "ever": 0, "this_tick": 0} in _rows(told, "milestones")


def _rows(told: dict[str, dict[str, object]], name: str) -> Any:
    return next(found[name] for found in told.values() if isinstance(found.get(name), list))


def test_what_was_reached_at_an_earlier_tick_is_not_this_ones(world: World) -> None:
    world.roll(START + 3 * DAY)
    world.roll(START + 4 * DAY)

    with world.engine.connect() as connection:
        first, second = (milestones.counts(connection, world.plan, START + n * DAY) for n in (3, 4))

    assert (first["third_share"], second["third_share"]) == (Count(2, 2), Count(2, 0))
    assert first["tenth_export"] == Count(0, 0)


def test_of_everybody_no_numbers_of_those_who_were_touched_are_told(world: World) -> None:
    done = world.roll(START + 3 * DAY)

    assert done.everybody
    assert not {"users_touched", "days_counted", "days_too_late"} & set(reports(world, done)["user_activity"])


CONDITIONS: list[Condition] = [
    AtLevel("new", None),
    InState("share", "tried", None),
    Reached("streak"),
    UsedUp((), DAY, None),
]
each = pytest.mark.parametrize("condition", CONDITIONS, ids=lambda given: type(given).__name__)


def ask(world: World, condition: Condition, *, whole: bool = False) -> Counted | None:
    with world.engine.connect() as connection:
        return (counted_whole if whole else counted)(connection, condition, world.settings)


@each
def test_what_was_never_counted_answers_no_condition(engine: Engine, condition: Condition) -> None:
    with pytest.raises(NotCounted, match=r"never counted in this database(.|\n)*Count it:\n  dagster job execute"):
        ask(own_events(engine), condition)


@each
def test_a_condition_is_answered_as_far_as_the_last_rollup_has_counted(world: World, condition: Condition) -> None:
    world.roll(START + 3 * DAY)

    assert ask(world, condition) == ask(world, condition, whole=True) == Counted(START + 3 * DAY, None)


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        pytest.param(CONDITIONS[0], "`levels`", id="a level"),
        pytest.param(CONDITIONS[1], "the feature 'share'", id="a feature"),
        pytest.param(CONDITIONS[2], "the milestone 'streak'", id="a milestone"),
        pytest.param(CONDITIONS[3], None, id="a limit"),
    ],
)
def test_a_definition_that_has_changed_answers_only_what_is_not_of_it(
    world: World, condition: Condition, words: str | None
) -> None:
    world.roll(START + 3 * DAY)
    world.levels = Levels.model_validate({"slipping": "20d"})
    world.features = {**world.features, "share": world.features["export"]}
    world.milestones = {**world.milestones, "streak": world.milestones["month"]}

    if words is None:
        assert ask(world, condition) is not None
    else:
        with pytest.raises(
            NotCounted, match=rf"\(Wed 04 Mar 2026, 00:00 UTC\), skene.yaml has changed {words}, so nobody knows"
        ):
            ask(world, condition)


@each
def test_where_events_are_read_otherwise_nothing_is_known(world: World, condition: Condition) -> None:
    world.roll(START + 3 * DAY)
    world.features = {**world.features, "big": world.features["big"].model_copy(update={"sql": "size >= 11"})}

    with pytest.raises(NotCounted, match="has changed how events are read"):
        ask(world, condition)


def test_a_count_that_is_under_way_is_told_and_no_whole_one(world: World) -> None:
    world.roll(START + 3 * DAY)
    lease = world.take_lease("another", START + 4 * DAY)
    with world.engine.begin() as connection:
        leases.keep(connection, lease, world.now, writes=True)
    condition = CONDITIONS[0]

    assert ask(world, condition) == Counted(START + 3 * DAY, START + 4 * DAY)
    with pytest.raises(NotCounted, match=r"up to Wed 04 Mar 2026, 00:00 UTC, and of some users up to Thu 05 Mar"):
        ask(world, condition, whole=True)
