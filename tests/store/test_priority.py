"""A loop leaves a last place under a cap to one of higher priority that wants the user, too: once, for a day."""

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from delivery_world import LIVE, LOOP, World, make_world, planned
from loops_at_once import LOOPS, decide_at_once
from neighbours import own
from sqlalchemy import Engine, select

from skene_dagster.delivery import controls, ledger
from skene_dagster.delivery.ledger import StepScope
from skene_dagster.delivery.rehearsal import Stage, rehearse
from skene_dagster.loops.plan import LoopPlan
from skene_dagster.settings import Cap, Fresh
from skene_dagster.store.engine import transaction
from skene_dagster.store.tables import sends

A_DAY = timedelta(days=1)
AT_EIGHT, AT_NINE = datetime(2026, 3, 2, 8), datetime(2026, 3, 2, 9)


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    world = make_world(engine, tmp_path)
    capped(world, 1)
    return world


def capped(world: World, count: int) -> None:
    changed = {"caps": (Cap(count=count, within="7d"),), "least_change": 500}  # type: ignore[arg-type]
    world.settings = replace(world.settings, limits=world.settings.limits.model_copy(update=changed))


def loop(world: World, name: str, priority: int = 0, cron: str = "0 9 * * *", column: str = "dormant") -> LoopPlan:
    text = LOOP.replace("0 9 * * *", cron).replace("dormant = true", f"{column} = true")
    return planned(world.root, world.settings, f"name: {name}\npriority: {priority}\n{text}")


def two(world: World, cron: str = "0 8 * * *", higher: str = "0 9 * * *") -> tuple[LoopPlan, LoopPlan]:
    """Two loops about the same users; the second one has the higher priority, and comes later."""
    low, high = loop(world, "low", cron=cron), loop(world, "high", 5, higher)
    world.others = [low, high]
    return low, high


def refreshed(world: World, plan: LoopPlan, at: datetime) -> None:
    """Users enter a loop's segment; nobody is decided yet."""
    world.plan, world.now = plan, at
    world.refresh()


def tick(world: World, plan: LoopPlan, at: datetime) -> dict[str, int]:
    refreshed(world, plan, at)
    return world.reserve(LIVE).counts


def mailed(world: World) -> list[tuple[int, str]]:
    mine = (own(sends), sends.c.state.in_(("reserved", "accepted")))
    query = select(sends.c.user_id, sends.c.loop).where(*mine).order_by(sends.c.user_id, sends.c.loop)
    with world.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(query)]


def test_the_last_place_is_left_to_a_loop_of_higher_priority_that_they_have_entered(world: World) -> None:
    low, high = two(world)
    world.add(1)
    refreshed(world, high, AT_EIGHT - timedelta(hours=1))

    assert tick(world, low, AT_EIGHT) == {"deferred:outranked": 1}
    assert tick(world, high, AT_NINE) == {"mail": 1}
    assert mailed(world) == [(1, "high")]
    assert tick(world, low, AT_EIGHT + A_DAY) == {"deferred:cap": 1}


def test_the_last_place_is_left_to_a_loop_of_higher_priority_that_has_deferred_them(world: World) -> None:
    low, high = two(world)
    world.add(1, verified=True)
    other = loop(world, "other", column="verified")
    tick(world, other, AT_NINE - 7 * A_DAY)
    world.deliver(LIVE)
    # Its cap has room again an hour before the lower one comes.
    assert tick(world, high, AT_NINE - A_DAY) == {"deferred:cap": 1}

    assert tick(world, low, AT_NINE + timedelta(minutes=1)) == {"deferred:outranked": 1}
    assert tick(world, high, AT_NINE + timedelta(minutes=2)) == {"mail": 1}


def test_a_place_is_left_to_a_loop_that_died_between_two_ticks_while_it_decided(world: World) -> None:
    world.settings = replace(world.settings, limits=world.settings.limits.model_copy(update={"daily": 3}))
    low, high = two(world)
    world.add(1, 2, 3, 4)
    refreshed(world, high, AT_NINE + timedelta(minutes=10))
    with pytest.raises(RuntimeError, match="dies"):
        world.reserve(LIVE, progress=_dies)

    assert tick(world, low, AT_NINE + timedelta(minutes=20)) == {"deferred:outranked": 4}


def _dies(_decided: int) -> None:
    raise RuntimeError("it dies")


def test_other_places_are_not_left(world: World) -> None:
    capped(world, 2)
    low, high = two(world)
    world.add(1)
    refreshed(world, high, AT_EIGHT - timedelta(hours=1))

    assert tick(world, low, AT_EIGHT) == {"mail": 1}
    assert tick(world, high, AT_NINE) == {"mail": 1}


def test_users_whom_the_other_loop_does_not_want_lose_nothing(world: World) -> None:
    low, high = loop(world, "low", cron="0 8 * * *"), loop(world, "high", 5, column="reminded")
    world.others = [low, high]
    world.add(1, 2, reminded=True)
    world.add(3)
    tick(world, high, AT_NINE - 9 * A_DAY)
    world.deliver(LIVE)
    world.add(4, reminded=True)
    refreshed(world, high, AT_EIGHT - timedelta(hours=1))

    # The other loop has mailed 1 and 2 long ago, and they have not entered again.
    assert tick(world, low, AT_EIGHT) == {"mail": 3, "deferred:outranked": 1}


def test_a_loop_that_has_decided_a_user_and_not_yet_all_is_left_nothing_more(world: World) -> None:
    capped(world, 2)
    low, high = two(world)
    world.add(1)
    tick(world, high, AT_EIGHT - timedelta(minutes=30))
    scope = StepScope("live", "high", "main")
    transaction(world.engine, lambda connection: ledger.look_at_everybody(connection, scope))

    assert tick(world, low, AT_EIGHT) == {"mail": 1}


@pytest.mark.parametrize("priority", [0, 5])
def test_a_loop_of_the_same_priority_or_a_lower_one_comes_when_it_comes(world: World, priority: int) -> None:
    one, other = loop(world, "one", 5, cron="0 8 * * *"), loop(world, "other", priority)
    world.others = [one, other]
    world.add(1)
    refreshed(world, other, AT_EIGHT - timedelta(hours=1))

    assert tick(world, one, AT_EIGHT) == {"mail": 1}


def test_a_loop_that_is_paused_is_left_nothing(world: World) -> None:
    low, high = two(world)
    world.add(1)
    refreshed(world, high, AT_EIGHT - timedelta(hours=1))
    transaction(world.engine, lambda connection: controls.pause(connection, "high", world.now))

    assert tick(world, low, AT_EIGHT) == {"mail": 1}


def test_a_loop_that_awaits_approval_is_left_nothing(world: World) -> None:
    limits = world.settings.limits.model_copy(update={"first_wave": 0})
    world.settings = replace(world.settings, limits=limits)
    low, high = two(world)
    world.add(1)
    transaction(world.engine, lambda connection: controls.approve(connection, "low", "main", world.now))
    refreshed(world, high, AT_EIGHT - timedelta(hours=1))

    assert tick(world, low, AT_EIGHT) == {"mail": 1}


@pytest.mark.parametrize(("is_let_through", "expected"), [(False, "mail"), (True, "deferred:outranked")])
def test_a_loop_that_a_gate_holds_is_left_nothing_until_a_person_lets_it_pass(
    world: World, expected: str, *, is_let_through: bool
) -> None:
    low, high = two(world)
    world.add(1, last_activity_at=AT_NINE - 9 * A_DAY)
    fresh = (Fresh(table="users", column="last_activity_at", within="1d"),)  # type: ignore[arg-type]
    world.settings = replace(world.settings, fresh=fresh)
    assert tick(world, high, AT_NINE - A_DAY) == {"deferred:fresh": 1}
    world.settings = replace(world.settings, fresh=())
    if is_let_through:
        scope = StepScope("live", "high", "main")
        transaction(world.engine, lambda connection: ledger.accept(connection, scope, ["fresh"]))

    assert tick(world, low, AT_EIGHT) == {expected: 1}


@pytest.mark.parametrize("known", [True, False])
def test_a_loop_that_was_approved_is_left_its_places(world: World, known: bool) -> None:
    limits = world.settings.limits.model_copy(update={"first_wave": 0})
    world.settings = replace(world.settings, limits=limits)
    low, high = two(world)
    world.add(1)
    refreshed(world, high, AT_EIGHT - timedelta(hours=1))
    if known:
        world.reserve(LIVE)
    for one in ("low", "high"):
        transaction(world.engine, partial(controls.approve, loop=one, step="main", now=world.now))

    assert tick(world, low, AT_EIGHT) == {"deferred:outranked": 1}


def test_a_loop_that_is_not_loaded_is_left_nothing(world: World) -> None:
    low, high = two(world)
    world.add(1)
    refreshed(world, high, AT_EIGHT - timedelta(hours=1))
    world.others = [low]

    assert tick(world, low, AT_EIGHT) == {"mail": 1}


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        pytest.param("0 8 * * *", "deferred:outranked", id="in a day exactly"),
        pytest.param("30 8 3 * *", "mail", id="in a day and half an hour"),
        pytest.param("0 9 * * 6", "mail", id="on Saturday"),
    ],
)
def test_a_loop_is_left_a_place_if_it_ticks_within_a_day(world: World, cron: str, expected: str) -> None:
    low, high = two(world, higher=cron)
    # It has done its tick of today.
    tick(world, high, AT_EIGHT)
    world.add(1)
    refreshed(world, high, AT_EIGHT + timedelta(minutes=1))

    assert tick(world, low, AT_EIGHT + timedelta(minutes=2)) == {expected: 1}


def test_a_loop_that_does_not_come_again_within_a_day_leaves_none(world: World) -> None:
    low, high = two(world, cron="0 8 * * 1")
    world.add(1)
    refreshed(world, high, AT_EIGHT - timedelta(hours=1))

    assert tick(world, low, AT_EIGHT) == {"mail": 1}


def test_nobody_waits_for_longer_than_a_day_if_the_other_loop_does_not_mail_them(world: World) -> None:
    low, high = two(world)
    world.add(1)
    refreshed(world, high, AT_EIGHT - timedelta(hours=1))

    assert tick(world, low, AT_EIGHT) == {"deferred:outranked": 1}
    # Nobody has seen the other loop's run of nine o'clock.
    assert tick(world, low, AT_EIGHT + A_DAY) == {"mail": 1}


def test_of_two_loops_of_one_minute_the_higher_one_gets_the_place_whoever_is_first(world: World) -> None:
    low, high = two(world, cron="0 9 * * *")
    world.add(1)
    refreshed(world, high, AT_NINE)

    assert tick(world, low, AT_NINE) == {"deferred:outranked": 1}
    assert tick(world, high, AT_NINE) == {"mail": 1}


def test_nobody_waits_twice_for_one_entry_whatever_they_waited_for_in_between(world: World) -> None:
    low, high = two(world, cron="0 * * * *", higher="30 * * * *")
    world.add(1)
    refreshed(world, high, AT_EIGHT - timedelta(hours=1))
    assert tick(world, low, AT_EIGHT) == {"deferred:outranked": 1}
    world.change(1, email=None)
    assert tick(world, low, AT_EIGHT + timedelta(hours=1)) == {"deferred:no_address": 1}
    world.change(1, email="ada@example.com")

    assert tick(world, low, AT_EIGHT + timedelta(hours=2)) == {"mail": 1}


def test_an_email_that_could_not_be_made_had_its_place(world: World) -> None:
    low, high = two(world, cron="0 * * * *", higher="30 * * * *")
    world.add(1, name=None)
    assert tick(world, low, AT_EIGHT) == {"mail": 1}
    world.deliver(LIVE)
    assert world.states() == {1: "deferred:missing_value"}
    refreshed(world, high, AT_EIGHT + timedelta(minutes=30))
    world.change(1, name="Ada")

    assert tick(world, low, AT_EIGHT + timedelta(hours=1)) == {"mail": 1}


def test_who_enters_again_may_wait_again(world: World) -> None:
    low, high = two(world)
    world.add(1)
    refreshed(world, high, AT_EIGHT - timedelta(hours=1))
    tick(world, low, AT_EIGHT)
    tick(world, low, AT_EIGHT + A_DAY)
    world.deliver(LIVE)
    for dormant, day in ((False, 2), (True, 40)):
        world.change(1, dormant=dormant)
        refreshed(world, high, AT_EIGHT + day * A_DAY - timedelta(hours=1))
        refreshed(world, low, AT_EIGHT + day * A_DAY)

    assert world.reserve(LIVE).counts == {"deferred:outranked": 1}


def test_a_preview_tells_what_a_run_decides(world: World) -> None:
    low, high = two(world)
    world.add(1, 2, 3)
    world.change(3, email="u2@example.com")
    refreshed(world, high, AT_EIGHT - timedelta(hours=1))
    world.add(4)
    stage = Stage(world.engine, low, low.steps[0], world.settings, LIVE, AT_EIGHT, world.others)

    told = rehearse(stage, 5).counts

    assert told == tick(world, low, AT_EIGHT) == {"mail": 1, "deferred:outranked": 3}


def test_twenty_loops_at_once_are_exact_and_the_highest_get_the_places(world: World) -> None:
    capped(world, 2)
    world.add(*range(1, 21))
    plans = [loop(world, f"loop_{number:02}", priority=number) for number in range(LOOPS)]
    counts = sum((Counter(one.counts) for one in decide_at_once(world, plans, plans)), Counter[str]())

    got = Counter(user for user, _ in mailed(world))
    assert counts["mail"] == sum(got.values()) == 40
    assert set(got.values()) == {2}
    # One place goes to whoever comes first, the last one to the highest of all.
    assert {user for user, name in mailed(world) if name == "loop_19"} == set(range(1, 21))
