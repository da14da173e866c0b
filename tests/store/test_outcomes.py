"""Who reached a goal in the time that it gives them: asked as often as is needed, of both arms alike."""

import random
from datetime import datetime, timedelta

import pytest
from outcomes_world import BACK, MODE, PAID, World
from sqlalchemy import Engine, event, select
from usage_world import DAY, at

from skene_dagster.errors import NotCounted, QueryRejected
from skene_dagster.goals.arms import draw_anew
from skene_dagster.store.engine import is_sqlite
from skene_dagster.store.tables import outcomes

SECOND = timedelta(seconds=1)


@pytest.fixture
def world(engine: Engine) -> World:
    return World(engine)


def test_back_again_is_whoever_does_something_after_they_were_enrolled_and_in_time(world: World) -> None:
    moments = {
        1: [at(3), at(12)],
        2: [at(9), at(10) - SECOND],
        3: [at(10) + SECOND],
        4: [at(10) - SECOND, at(10, 20)],
        5: [at(17) + SECOND, at(18)],
        6: [at(17) - SECOND],
        7: [],
        8: [at(10)],
    }
    for user, when in moments.items():
        if when:
            world.usage.did(user, *when)
    world.enrol(*moments)
    world.measure(at(30))

    assert world.reached() == {
        1: at(12),
        2: None,
        3: at(10) + SECOND,
        4: at(10, 20),
        5: None,
        6: at(17) - SECOND,
        7: None,
        8: None,
    }


def test_an_event_is_one_of_its_name(world: World) -> None:
    world.goal = "{event: export, within: 7d}"
    world.usage.did(1, at(11), name="export")
    world.usage.did(2, at(11), name="visit")
    world.usage.did(3, at(9), name="export")
    world.enrol(1, 2, 3)
    world.measure(at(30))

    assert world.reached() == {1: at(11), 2: None, 3: None}


def test_a_feature_is_reached_when_it_is_adopted_even_if_it_has_lapsed_since(world: World) -> None:
    world.goal = "{feature: share, within: 7d}"
    world.usage.did(1, at(11), at(12), name="share")
    world.usage.did(2, at(8), at(11), name="share_link")
    world.usage.did(3, at(8), at(9), name="share")
    world.usage.did(4, at(2), at(3), at(13), name="share")
    world.usage.did(5, at(11), name="share")
    world.enrol(1, 2, 3, 4, 5)
    world.measure(at(60))

    # The third had adopted it before, and the fourth again after five days without.
    assert world.reached() == {1: at(12), 2: at(11), 3: None, 4: at(13), 5: None}


def test_a_level_is_reached_by_whoever_enters_it(world: World) -> None:
    world.goal = "{level: resurrected, within: 14d}"
    world.usage.did(1, at(-60), at(12))
    world.usage.did(2, at(-60))
    world.usage.did(3, at(-60), at(8))
    world.enrol(1, 2, 3)
    for day in range(5, 16):
        world.usage.roll(at(day, 1))
    world.measure(at(40))

    assert world.reached() == {1: at(12), 2: None, 3: None}


def test_a_query_says_when_and_what_it_is_worth_and_its_values_are_added_up(world: World) -> None:
    world.goal = PAID
    world.pay(1, at(11), at(12), amount=2.5)
    world.pay(2, at(9), at(18), amount=100)
    world.pay(3, at(16), amount=None)
    world.enrol(1, 2, 3, 4)
    world.measure(at(30), roll=False)

    assert world.outcomes() == {
        1: (at(11), 5.0, "final"),
        2: (None, None, "final"),
        3: (at(16), 0.0, "final"),
        4: (None, None, "final"),
    }


@pytest.mark.parametrize("goal", [BACK, "{event: visit, within: 7d}", PAID])
def test_everybody_is_asked_about_their_own_span_as_a_reader_of_the_rules_would(world: World, goal: str) -> None:
    """A thousand histories, and the rule in plain Python."""
    draw = random.Random(5)
    world.goal = goal
    expected: dict[object, datetime | None] = {}
    for user in range(1, 101):
        enrolled = at(draw.randrange(5, 25), draw.randrange(24))
        moments = sorted(
            at(draw.randrange(40), draw.randrange(24)) + timedelta(seconds=draw.randrange(3600)) for _ in range(6)
        )
        # A day keeps its first and its last moment: of the day of the enrolment the rule reads these two.
        first = [moment for moment in moments if moment.date() == enrolled.date()]
        kept = [moment for moment in moments if moment not in first or moment in (first[0], first[-1])]
        (world.pay if goal == PAID else world.usage.did)(user, *kept)
        world.enrol(user, when=enrolled, arm=draw.choice(["mailed", "held_out"]))
        inside = [moment for moment in kept if enrolled < moment <= enrolled + 7 * DAY]
        expected[user] = min(inside, default=None)
    world.measure(at(60), chunk=30)

    assert world.reached() == expected


def test_an_open_window_is_asked_again_until_events_may_not_come_any_more_and_then_never(world: World) -> None:
    world.goal = PAID
    world.enrol(1, 2)

    assert world.measure(at(11), roll=False).asked == 2
    assert world.outcomes() == {1: (None, None, "open"), 2: (None, None, "open")}
    world.pay(1, at(12))
    world.measure(at(13), roll=False)
    assert world.outcomes()[1] == (at(12), 1.0, "open")
    # It is over, but what happened in it may still be written.
    world.measure(at(19), roll=False)
    assert {found[2] for found in world.outcomes().values()} == {"open"}
    world.pay(2, at(16))
    world.measure(at(20), roll=False)
    assert world.outcomes() == {1: (at(12), 1.0, "final"), 2: (at(16), 1.0, "final")}

    world.pay(2, at(15))
    assert world.measure(at(21), roll=False).asked == 0
    assert world.outcomes()[2] == (at(16), 1.0, "final")


def test_what_happens_later_than_asked_does_not_count(world: World) -> None:
    world.goal = PAID
    world.enrol(1)
    world.pay(1, at(13))
    world.measure(at(12), roll=False)

    assert world.reached() == {1: None}


def test_no_window_is_final_before_what_users_did_in_it_is_counted(world: World) -> None:
    world.enrol(1)
    world.usage.roll(at(12))
    world.usage.did(1, at(13))

    world.measure(at(40), roll=False)
    assert world.outcomes() == {1: (None, None, "open")}
    world.measure(at(41))
    assert world.outcomes() == {1: (at(13), None, "final")}


def test_a_goal_that_was_never_counted_is_asked_of_nobody(world: World) -> None:
    world.enrol(1)

    with pytest.raises(NotCounted, match="who reached this goal"):
        world.measure(at(12), roll=False)
    assert world.outcomes() == {}


def test_a_goal_that_is_added_today_is_measured_for_last_months_people(world: World) -> None:
    world.goal = f"[{BACK}]"
    world.usage.did(1, at(12))
    world.enrol(1, 2)
    world.measure(at(30))
    world.pay(2, at(13))

    world.goal = f"[{BACK}, {PAID}]"
    world.measure(at(60), 1)
    assert world.reached(1) == {1: None, 2: at(13)}
    assert world.reached(0) == {1: at(12), 2: None}


def test_who_is_enrolled_late_by_a_late_tick_is_asked_all_the_same(world: World) -> None:
    world.goal = PAID
    world.enrol(1)
    world.measure(at(20), roll=False)
    # Everybody who was enrolled before the tenth day is final; a tick of two days before is run now.
    world.enrol(2, when=at(8))
    world.pay(2, at(9))
    world.measure(at(21), roll=False)

    assert world.outcomes()[2] == (at(9), 1.0, "final")


def test_what_is_open_ends_unasked_when_its_goal_is_gone_and_what_is_final_stays(world: World) -> None:
    world.goal = PAID
    world.enrol(1)
    world.enrol(2, 3, 4, when=at(19))
    world.measure(at(20), roll=False)
    asked = world.plan

    assert world.give_up(asked) == 0
    world.goal = BACK
    assert world.give_up(world.plan) == 3
    assert {user: state for user, (_, _, state) in world.outcomes(plan=asked).items()} == {
        1: "final",
        2: "not_asked",
        3: "not_asked",
        4: "not_asked",
    }
    assert world.give_up() == 0


def test_a_goals_end_that_dies_is_made_up_for(world: World) -> None:
    world.goal = PAID
    world.enrol(1, 2, 3, 4, when=at(19))
    world.measure(at(20), roll=False)
    left = 2

    def die(_connection: object) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise KeyboardInterrupt

    event.listen(world.engine, "commit", die)
    with pytest.raises(KeyboardInterrupt):
        world.give_up()
    event.remove(world.engine, "commit", die)
    world.engine.dispose()

    assert world.give_up() > 0
    assert {state for _, _, state in world.outcomes().values()} == {"not_asked"}


def test_a_goal_that_comes_back_is_measured_for_those_who_were_not_asked(world: World) -> None:
    world.goal = PAID
    world.enrol(2, 3, when=at(19))
    world.measure(at(20), roll=False)
    world.give_up()
    world.pay(2, at(21))
    world.measure(at(200), roll=False)

    assert world.outcomes() == {2: (at(21), 1.0, "final"), 3: (None, None, "final")}


def test_another_draw_is_another_comparison(world: World) -> None:
    world.goal = PAID
    world.enrol(1)
    world.pay(1, at(12))
    world.measure(at(13), roll=False)
    with world.engine.begin() as connection:
        assert draw_anew(connection, "retention") == 2
    world.enrol(1, when=at(14), draw=2)
    world.measure(at(15), roll=False)

    with world.engine.connect() as connection:
        of = outcomes.c
        rows = connection.execute(select(of.draw, of.reached_at, of.state).where(of.mode == MODE)).all()
    assert sorted(rows) == [(1, at(12), "open"), (2, None, "open")]
    assert world.give_up(world.plan) == 1


def test_a_run_that_dies_between_two_ranges_costs_nothing(world: World) -> None:
    world.goal = PAID
    world.enrol(*range(1, 11))
    world.pay(9, at(12))
    left = 3

    def die(_connection: object) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise KeyboardInterrupt

    event.listen(world.engine, "commit", die)
    with pytest.raises(KeyboardInterrupt):
        world.measure(at(13), roll=False)
    event.remove(world.engine, "commit", die)
    world.engine.dispose()
    world.measure(at(13), roll=False)

    assert world.reached() == {user: at(12) if user == 9 else None for user in range(1, 11)}


def test_keys_of_text_are_compared_as_the_product_spells_them(engine: Engine) -> None:
    world = World(engine, key_type="VARCHAR(20)")
    world.goal = PAID
    world.enrol("ada", "bob")
    world.pay("ada", at(12))
    world.measure(at(13), roll=False)

    assert world.reached() == {"ada": at(12), "bob": None}


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ("user_id, seconds AS at", "as `at` is not a date and time"),
        ("user_id, paid_at AS at, note AS value", "as `value` is not a number"),
        ("note AS user_id, paid_at AS at", "is not of the type of users.id"),
    ],
)
def test_a_column_of_another_type_is_refused_with_its_line(world: World, columns: str, words: str) -> None:
    world.enrol(1)
    world.usage.sql("INSERT INTO invoices VALUES (1, '2026-03-12 00:00:00', 1, 1773273600, 'paid')")
    world.goal = f'{{query: "SELECT {columns} FROM invoices", within: 7d}}'

    with pytest.raises(QueryRejected) as refused:
        world.measure(at(12), roll=False)
    assert words in str(refused.value)
    assert str(refused.value).startswith("loops/x.yaml:7  goal")


def test_a_text_that_is_no_moment_affects_nobody_else(world: World) -> None:
    if not is_sqlite(world.engine):
        pytest.skip("a server refuses a text as a moment")
    world.enrol(1, 2)
    world.usage.sql("INSERT INTO invoices VALUES (1, 'soon', 1, 1, 'x'), (2, '2026-03-12T01:00:00+01:00', 1, 1, 'x')")
    world.goal = PAID
    world.measure(at(30), roll=False)

    assert world.reached() == {1: None, 2: datetime(2026, 3, 12)}
