"""What would change is judged before history is written: a segment that collapses or explodes waits for a person."""

from datetime import timedelta

import pytest
from segment_world import SEGMENT, World, loop, tick
from sqlalchemy import Engine

from skene_dagster.errors import SegmentImplausible
from skene_dagster.segments import clearance
from skene_dagster.segments.clearance import Clearance
from skene_dagster.segments.members import expect_exits
from skene_dagster.settings import Limits
from skene_dagster.store.engine import transaction

LIMITS = Limits(collapse=0.5, explosion=3.0, least_change=4)


def test_a_source_that_is_empty_for_one_tick_changes_nothing(engine: Engine) -> None:
    world = World(engine, limits=LIMITS)
    world.add(*range(10))
    world.refresh(0)
    before = world.history()
    world.only([])

    with pytest.raises(
        SegmentImplausible, match=r"would lose 10 of its 10 members(.|\n)*skene-dagster accept retention --step main"
    ):
        world.refresh(1)
    cleared = world.clearance()
    world.only(range(10))
    restored = world.refresh(2)

    assert cleared == Clearance(tick(0), tick(0), members=10)
    assert (restored.entered, restored.exited) == (0, 0)
    assert world.history() == before


def test_a_change_of_few_is_never_implausible(engine: Engine) -> None:
    world = World(engine, limits=LIMITS)
    world.add(1, 2, 3)
    world.refresh(0)
    world.only([])
    world.refresh(1)
    world.only([1, 2, 3])

    world.refresh(2)

    assert world.history() == [row for key in (1, 2, 3) for row in [(key, 0, 1, "left"), (key, 2, None, None)]]


@pytest.mark.parametrize(
    ("stay", "is_right"),
    [
        pytest.param(5, True, id="half of them leave"),  # 5 of 10 is not more than 0.5
        pytest.param(4, False, id="more than half leave"),
    ],
)
def test_a_segment_that_loses_more_than_its_share_stops(engine: Engine, stay: int, *, is_right: bool) -> None:
    world = World(engine, limits=LIMITS)
    world.add(*range(10))
    world.refresh(0)
    world.only(range(stay))

    if is_right:
        world.refresh(1)
    else:
        with pytest.raises(SegmentImplausible):
            world.refresh(1)

    assert len(world.inside()) == (stay if is_right else 10)


@pytest.mark.parametrize(
    ("more", "is_right"),
    [
        pytest.param(6, True, id="thrice as many enter"),  # 6 is not more than 3.0 x 2
        pytest.param(7, False, id="more than thrice as many enter"),
    ],
)
def test_a_segment_that_gains_more_than_its_multiple_stops(engine: Engine, more: int, *, is_right: bool) -> None:
    world = World(engine, limits=LIMITS)
    world.add(1, 2)
    world.refresh(0)
    world.add(*range(10, 10 + more))

    if is_right:
        world.refresh(1)
    else:
        with pytest.raises(SegmentImplausible, match="has 2 members and would gain 7"):
            world.refresh(1)

    assert len(world.inside()) == (2 + more if is_right else 2)


def test_exits_that_our_own_set_caused_are_no_collapse(engine: Engine) -> None:
    world = World(engine, limits=LIMITS)
    world.add(*range(10))
    world.refresh(0)
    world.announce(*range(7))
    world.only([])

    refreshed = world.refresh(1)  # 7 were announced; the other 3 are fewer than 4

    assert refreshed.exited == 10


def test_a_set_that_made_nobody_leave_hides_no_later_collapse(engine: Engine) -> None:
    world = World(engine, limits=LIMITS)
    world.add(*range(10))
    world.refresh(0)
    world.announce(*range(10))
    world.now += timedelta(minutes=1)
    world.refresh(1)  # all stay, though `set` was written
    world.only([])

    with pytest.raises(SegmentImplausible, match="would lose 10 of its 10 members"):
        world.refresh(2)


def test_a_set_of_the_moment_of_the_last_refresh_explains_an_exit(engine: Engine) -> None:
    world = World(engine, limits=LIMITS)
    world.add(*range(10))
    world.refresh(0)
    transaction(engine, lambda connection: expect_exits(connection, SEGMENT, [*range(10)], world.now))
    world.only([])

    assert world.refresh(1).exited == 10


def test_a_set_of_a_column_that_the_condition_does_not_read_explains_no_exit(engine: Engine) -> None:
    world = World(engine, limits=LIMITS)
    world.add(*range(10))
    plan = loop(sets=("plan",))
    world.refresh(0, plan)
    world.announce(*range(10))
    world.only([])

    with pytest.raises(SegmentImplausible, match="would lose 10 of its 10 members"):
        world.refresh(1, plan)


def test_a_set_of_one_loop_explains_no_exit_from_another_loops_segment(engine: Engine) -> None:
    world = World(engine, limits=LIMITS)
    world.add(*range(10))
    world.refresh(0)
    world.refresh(0, loop(name="welcome"))
    world.announce(*range(10))
    world.only([])

    with pytest.raises(SegmentImplausible, match=r"welcome\.main would lose 10 of its 10 members"):
        world.refresh(1, loop(name="welcome"))


def test_a_set_leaves_the_reasons_of_past_exits_as_they_were(engine: Engine) -> None:
    world = World(engine, limits=LIMITS)
    world.add(1, 2)
    world.refresh(0)
    world.wake(1)
    world.refresh(1)
    world.announce(1, 2)
    world.wake(2)

    world.refresh(2)

    assert world.history() == [(1, 0, 1, "left"), (2, 0, 2, "set")]


def accept(world: World) -> bool:
    world.now += timedelta(minutes=1)
    return transaction(world.engine, lambda connection: clearance.accept(connection, SEGMENT, world.now))


def test_a_person_may_say_that_the_change_is_right(engine: Engine) -> None:
    world = World(engine, limits=LIMITS)
    world.add(*range(10))
    world.refresh(0)
    world.only([])
    with pytest.raises(SegmentImplausible):
        world.refresh(1)
    accepted = accept(world)

    refreshed = world.refresh(1)

    assert accepted
    assert (refreshed.members, refreshed.entered, refreshed.exited) == (0, 0, 10)
    assert world.clearance() == Clearance(tick(1), tick(0), members=0)


def test_what_a_person_accepts_is_the_next_refresh_and_no_later_one(engine: Engine) -> None:
    world = World(engine, limits=LIMITS)
    world.add(*range(10))
    world.refresh(0)
    accept(world)
    world.now += timedelta(minutes=1)
    world.refresh(1)
    world.only([])

    with pytest.raises(SegmentImplausible):
        world.refresh(2)


def test_accepting_one_segment_accepts_no_other(engine: Engine) -> None:
    world = World(engine, limits=LIMITS)
    world.add(*range(10))
    world.refresh(0)
    world.refresh(0, loop(name="welcome"))
    world.only([])
    accept(world)

    with pytest.raises(SegmentImplausible):
        world.refresh(1, loop(name="welcome"))


def test_nothing_is_accepted_of_a_segment_that_was_never_refreshed(engine: Engine) -> None:
    world = World(engine, limits=LIMITS)

    assert not accept(world)


def test_the_first_refresh_is_not_judged(engine: Engine) -> None:
    world = World(engine, limits=LIMITS)
    world.add(*range(10))

    assert world.refresh(0).entered == 10


def test_a_segment_that_began_empty_is_judged_like_any_other(engine: Engine) -> None:
    world = World(engine, limits=LIMITS)
    world.refresh(0)
    world.add(*range(4))

    with pytest.raises(SegmentImplausible, match="has 0 members and would gain 4"):
        world.refresh(1)


def test_what_stops_one_step_does_not_stop_another(engine: Engine) -> None:
    world = World(engine, limits=LIMITS)
    world.add(*range(10))
    world.refresh(0)
    world.only([])
    with pytest.raises(SegmentImplausible):
        world.refresh(1)

    refreshed = world.refresh(1, loop(name="welcome"))

    assert refreshed.segment == "welcome.main"
