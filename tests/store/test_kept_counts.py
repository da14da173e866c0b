"""Final outcomes are counted once, and what is kept of them is always what a count from scratch would find."""

import random
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from outcomes_world import MODE, PAID, World
from sqlalchemy import Engine, func, select, update
from usage_world import at

from skene_dagster.goals.arms import draw_anew
from skene_dagster.goals.kept import forget
from skene_dagster.outcomes import windows
from skene_dagster.outcomes.comparisons import LoopOutcome, outcomes_of
from skene_dagster.store.tables import arms, goals, outcome_counts

LATE = timedelta(days=3)
"""As in the settings of this world."""


@pytest.fixture
def world(engine: Engine) -> World:
    return World(engine, goal=PAID)


def lived(world: World, begin: int, end: int, *, seed: int = 5) -> None:
    """Enrol people on each of some days, in all kinds of arms, and let some of them pay; measure in between."""
    draw = random.Random(seed)
    for day in range(begin, end):
        when = at(day, draw.choice([0, 9, 23]))
        for user in range(day * 10, day * 10 + 10):
            arm = draw.choice(["mailed", "mailed", "held_out"])
            world.enrol(
                user,
                when=when,
                arm=arm,
                share=draw.choice([0.0, 0.25, 0.5]),
                level=draw.choice([None, "active", "dormant"]),
                variant=draw.choice([None, "plain", "warm"]) if arm == "mailed" else None,
            )
            if draw.random() < 0.4:
                world.pay(user, when + timedelta(days=draw.choice([1, 6, 8])), amount=draw.choice([0.5, 20]))
        if day % 7 == 0:
            world.measure(at(day, 12), roll=False, chunk=1000)


def compared(world: World, as_of: datetime) -> tuple[LoopOutcome, ...]:
    """Compare the arms; and again with nothing kept, which finds the same."""
    with world.engine.connect() as connection:
        quick = outcomes_of(connection, world.plan, MODE, as_of=as_of, late=LATE)
        connection.execute(update(goals).values(counted_before=None))
        assert outcomes_of(connection, world.plan, MODE, as_of=as_of, late=LATE) == quick
        connection.rollback()
    return quick


def counted(world: World) -> tuple[datetime | None, int]:
    """Before when they were enrolled who are counted, and how many they are."""
    with world.engine.connect() as connection:
        before = connection.execute(select(goals.c.counted_before)).scalar_one()
        people = connection.execute(select(func.sum(outcome_counts.c.people))).scalar_one()
        return before, int(people or 0)


def test_day_after_day_it_is_what_a_count_from_scratch_finds(world: World) -> None:
    lived(world, 1, 60)

    for as_of in (at(60), at(63), at(66, 5), at(92)):
        world.measure(as_of, roll=False, chunk=1000)
        found = compared(world, as_of)[0]
        # Seven days and three make them final, three and one is how late a tick may enrol somebody.
        before = as_of.replace(hour=0, minute=0) - timedelta(days=14)
        assert counted(world) == (before, min((before - at(1, 0)).days, 59) * 10)
    assert found.mailed.closed == found.mailed.people


def test_the_middle_of_a_day_may_be_the_end_of_a_month(world: World) -> None:
    world.goal = PAID.replace("7d", "180h")
    lived(world, 1, 60)
    world.measure(at(70), roll=False, chunk=1000)

    assert compared(world, at(70))[0].has_news


def test_who_is_erased_is_counted_no_more(world: World) -> None:
    lived(world, 1, 30)
    world.measure(at(60), roll=False, chunk=1000)
    people = compared(world, at(60))[0]
    _, before = counted(world)
    for user in (*range(10, 40), 295):
        with world.engine.begin() as connection:
            rows = forget(connection, user)
            assert rows == {"skene_arms": 1, "skene_outcomes": 1}
            assert not forget(connection, user).total()
    after = compared(world, at(60))[0]

    assert counted(world)[1] == before - 31
    assert after.mailed.people + after.held_out.people < people.mailed.people + people.held_out.people
    assert after.mailed.reached + after.held_out.reached < people.mailed.reached + people.held_out.reached
    world.measure(at(61), roll=False, chunk=1000)
    compared(world, at(61))


def test_who_is_erased_before_they_are_counted_never_is(world: World) -> None:
    lived(world, 1, 30)
    with world.engine.begin() as connection:
        assert forget(connection, 295)["skene_arms"] == 1
    world.measure(at(60), roll=False, chunk=1000)
    compared(world, at(60))

    assert counted(world)[1] == 289


def test_a_new_draw_is_counted_by_itself(world: World) -> None:
    lived(world, 1, 30)
    world.measure(at(60), roll=False, chunk=1000)
    with world.engine.begin() as connection:
        draw_anew(connection, "retention")
    world.enrol(1, 2, draw=2, when=at(31))
    world.measure(at(60), roll=False, chunk=1000)

    assert compared(world, at(60))[0].mailed.people == 2


def test_who_a_tick_may_still_enrol_is_not_counted_ahead_of_it(world: World) -> None:
    lived(world, 1, 30)
    world.measure(at(43), roll=False, chunk=1000)
    assert counted(world)[0] == at(29, 0)
    patient = world.settings.limits.model_copy(update={"expires_after": timedelta(days=20)})
    settings = replace(world.settings, limits=patient)
    plan = world.plan

    windows.measure(world.engine, plan=plan, goal=plan.goals[0], settings=settings, mode=MODE, as_of=at(44))
    assert counted(world) == (at(13, 0), 120)
    world.enrol(900, when=at(14))
    world.pay(900, at(15))
    windows.measure(world.engine, plan=plan, goal=plan.goals[0], settings=settings, mode=MODE, as_of=at(45))

    assert counted(world) == (at(14, 0), 130)
    compared(world, at(45))


def test_a_goal_that_was_gone_for_a_while_is_counted_on(world: World) -> None:
    lived(world, 1, 30)
    world.measure(at(30), roll=False, chunk=1000)
    plan = world.plan
    world.goal = ""
    world.give_up(world.plan)
    world.goal = PAID
    assert compared(world, at(30))[0].mailed.closed
    world.measure(at(40), roll=False, chunk=1000)

    compared(world, at(40))
    assert counted(world)[0] == at(26, 0)
    assert plan.goals == world.plan.goals


def test_only_who_came_since_is_read(world: World) -> None:
    lived(world, 1, 30)
    world.measure(at(60), roll=False, chunk=1000)
    with world.engine.connect() as connection:
        as_of = at(60)
        found = outcomes_of(connection, world.plan, MODE, as_of=as_of, late=LATE)
        # Of the one day whose middle may be the end of a month, at most, people are looked at by themselves.
        connection.execute(update(arms).where(arms.c.enrolled_at < at(10)).values(arm="held_out"))
        again = outcomes_of(connection, world.plan, MODE, as_of=as_of, late=LATE)
        connection.rollback()

    assert replace(again[0], worth=None) == replace(found[0], worth=None)
