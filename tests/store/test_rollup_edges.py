"""What a rollup finds at the very moment: nothing too early, nothing a tick too late, of however many users."""

from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import Engine
from usage_world import DAY, START, World, at, on

from skene_dagster.behaviour import engagement
from skene_dagster.store.tables import OPEN, engagement_levels

TICK = timedelta(microseconds=1)
MANY = range(1, 8)
"""Users, of whom three go into a chunk."""


@pytest.fixture
def world(engine: Engine) -> World:
    return World(engine)


def test_what_happens_at_the_tick_is_the_next_ones(world: World) -> None:
    world.now = at(0)
    world.did(1, at(1))

    world.roll(at(1))
    before = (world.days(), world.ahead())
    world.roll(at(1) + TICK)

    assert before == ([], [(1, on(1))])
    assert world.days() == [(1, on(1), "visit", 1, at(1), at(1))]


def test_what_a_tick_was_too_early_for_is_found_by_a_later_one_of_the_same_day(world: World) -> None:
    world.did(1, at(0))
    world.did(1, at(1, 15), written=at(1, 10))
    world.did(2, at(2, 15), written=at(1, 10))

    world.roll(at(1))
    too_early = world.days()
    world.roll(at(1, 18))

    assert [row[:2] for row in too_early] == [(1, on(0))]
    assert [row[:2] for row in world.days()] == [(1, on(0)), (1, on(1))]
    assert (2, on(2)) in world.ahead()
    world.roll(at(3))
    assert [row[:2] for row in world.days()] == [(1, on(0)), (1, on(1)), (2, on(2))]
    assert world.ahead() == []


def test_a_late_event_counts_its_whole_day_anew_and_no_other(world: World) -> None:
    moments = [at(0, 0) - TICK, at(0, 0), at(1, 0) - TICK, at(1, 0), at(2, 0) - TICK, at(2, 0)]
    world.did(1, *moments)
    world.did(2, at(0))
    world.roll(at(3))
    world.did(1, at(0, 6))

    world.roll(at(4))

    assert [(user, day, uses) for user, day, _, uses, *_ in world.days()] == [
        (1, on(-1), 1),
        (1, on(0), 3),
        (1, on(1), 2),
        (1, on(2), 1),
        (2, on(0), 1),
    ]


def test_what_is_said_to_have_happened_before_1970_is_no_event(world: World) -> None:
    world.did(1, datetime(1970, 1, 1) - TICK, datetime(1970, 1, 1))

    world.roll(at(1))
    world.did(1, datetime(1970, 1, 2))
    world.roll(at(2))

    assert [row[1] for row in world.days()] == [date(1970, 1, 1), date(1970, 1, 2)]


@pytest.mark.parametrize(
    ("silence", "level"),
    [
        pytest.param(14 * DAY - TICK, "new", id="a moment before"),
        pytest.param(14 * DAY, "slipping", id="at its moment"),
        pytest.param(30 * DAY - TICK, "slipping", id="a moment before the next"),
        pytest.param(30 * DAY, "dormant", id="at the next one's"),
    ],
)
def test_a_level_ends_by_mere_time_for_each_user_at_its_moment(world: World, silence: timedelta, level: str) -> None:
    for user in MANY:
        world.did(user, at(0))
    world.roll(at(1))

    world.roll(at(0) + silence)

    assert {name for name, _ in world.level().values()} == {level}
    assert len(world.level()) == len(MANY)


def test_users_are_counted_at_the_level_at_which_they_are(world: World) -> None:
    world.did(1, at(0))
    world.did(2, at(20))
    world.roll(at(1))
    world.roll(at(21))

    with world.engine.connect() as connection:
        sizes = engagement.sizes(connection)

    assert sizes == {"new": 1, "active": 0, "power": 0, "slipping": 1, "resurrected": 0, "dormant": 0}


@pytest.mark.parametrize(
    ("silence", "state"),
    [
        pytest.param(5 * DAY - TICK, "adopted", id="a moment before"),
        pytest.param(5 * DAY, "lapsed", id="at its moment"),
    ],
)
def test_a_feature_lapses_by_mere_time_for_each_user_at_its_moment(
    world: World, silence: timedelta, state: str
) -> None:
    for user in MANY:
        world.did(user, at(0, 11), at(0), name="share")
    world.did(99, at(0), name="share")
    world.roll(at(1))

    world.roll(at(0) + silence)

    since = at(0) if state == "adopted" else at(5)
    assert {user: found[-2:] for (user, _), found in world.adoption().items()} == {
        **dict.fromkeys(MANY, (state, since)),
        99: ("tried", at(0)),
    }


def test_features_of_different_moments_lapse_one_after_the_other(world: World) -> None:
    for user in MANY:
        world.did(user, at(0, user), at(0, user), name="share")
    world.roll(at(1))

    world.roll(at(5, 4))

    assert sorted(user for (user, _), found in world.adoption().items() if found[-2] == "lapsed") == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("as_of", "reached"),
    [
        pytest.param(START + 30 * DAY - TICK, {}, id="a moment before"),
        pytest.param(START + 30 * DAY, {("month", 1): on(30)}, id="at its moment"),
    ],
)
def test_an_anniversary_is_reached_at_its_moment(
    world: World, as_of: datetime, reached: dict[tuple[str, int], date]
) -> None:
    world.add(1)
    world.roll(at(1))

    world.roll(as_of)

    assert world.reached() == reached


def test_a_level_says_when_it_ends_if_nothing_happens(world: World) -> None:
    world.did(1, at(0))
    world.roll(at(1))
    world.did(1, at(2))
    world.roll(at(3))

    [(_, left, _, entered, changes)] = world.rows(engagement_levels)

    assert (left, entered, changes) == (OPEN, at(0), at(14))
