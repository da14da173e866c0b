"""What `skene-dagster status` knows of a step: that all is well is said only where it is."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from delivery_world import LIVE, World, make_world
from sqlalchemy import Connection, Engine, event

from skene_dagster.delivery import controls, ledger
from skene_dagster.delivery.health import GRACE, LookedAt, StepCounts, StepHealth, closed_accounts, counts, health
from skene_dagster.delivery.providers.base import Fatal, Throttled, Unknown
from skene_dagster.errors import ProviderFatal, ProviderUnavailable
from skene_dagster.loops.triggers import Schedule
from skene_dagster.store.engine import transaction
from skene_dagster.ticks import last_tick


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    return make_world(engine, tmp_path)


def look(world: World) -> StepHealth:
    assert isinstance(world.step.trigger, Schedule)
    due = last_tick(world.step.trigger, world.now - GRACE)
    return transaction(world.engine, lambda c: health(c, [LookedAt(world.plan, world.step, due)], "live", world.now)[0])


def number(world: World) -> StepCounts:
    return transaction(world.engine, lambda c: counts(c, world.plan, world.step, "live", world.now))


def test_many_steps_are_looked_at_in_as_many_statements_as_one(world: World) -> None:
    world.add(1)
    world.tick(LIVE)
    plans = [world.plan, *(replace(world.plan, name=f"other_{number}") for number in range(30))]
    steps = [LookedAt(plan, step) for plan in plans for step in plan.steps]
    seen: list[str] = []

    def look_at(connection: Connection, some: list[LookedAt]) -> list[StepHealth]:
        event.listen(connection, "before_cursor_execute", lambda *told: seen.append(told[2]))
        return health(connection, some, "live", world.now)

    one = transaction(world.engine, lambda c: look_at(c, steps[:1]))
    few = len(seen)
    seen.clear()
    many = transaction(world.engine, lambda c: look_at(c, steps))

    assert few == len(seen) == 4
    assert many[:1] == one
    assert [one.as_of is None for one in many] == [False] + [True] * (len(steps) - 1)


def test_orders_hold_for_the_steps_that_they_are_about(world: World) -> None:
    other, third = replace(world.plan, name="other"), replace(world.plan, name="third")
    steps = [LookedAt(plan, plan.steps[0]) for plan in (world.plan, other, third)]

    def look_at_all() -> list[tuple[str, ...]]:
        found = transaction(world.engine, lambda c: health(c, steps, "live", world.now))
        alone = transaction(world.engine, lambda c: [controls.orders(c, *one.name) for one in steps])
        assert [one.paused_as for one in found] == [one.paused_as for one in alone]
        return [one.paused_as for one in found]

    transaction(world.engine, lambda c: controls.pause(c, "other", world.now))
    assert look_at_all() == [(), ("other",), ()]

    transaction(world.engine, lambda c: controls.pause(c, None, world.now))
    assert look_at_all() == [("*",), ("other", "*"), ("*",)]


def test_emails_that_a_failed_run_left_behind_are_stuck_after_an_hour(world: World) -> None:
    world.add(1, 2)
    world.provider.answers.append(lambda *_: Fatal("API key is invalid"))
    with pytest.raises(ProviderFatal):
        world.tick(LIVE)
    at_once = look(world)
    world.now += timedelta(minutes=61)

    later = look(world)

    assert (at_once.stuck, number(world).waiting) == (0, 2)
    assert (later.stuck, later.late) == (2, False)


def test_emails_are_not_stuck_while_a_run_works_on_the_step(world: World) -> None:
    world.add(*range(1, 151))
    world.refresh()
    world.reserve(LIVE)
    world.now += timedelta(minutes=61)
    (first, _) = transaction(
        world.engine, lambda c: ledger.due(c, ledger.StepScope("live", "retention", "main"), world.now)
    )

    nobody = look(world).stuck
    transaction(world.engine, lambda c: ledger.claim(c, first.batch_id, "a run", world.now))
    held = look(world).stuck

    assert (nobody, held) == (150, 0)


def test_an_attempt_without_answer_counts_after_an_hour(world: World) -> None:
    world.add(1)
    world.provider.answers.append(lambda *_: Unknown("no route to host"))
    with pytest.raises(ProviderUnavailable):
        world.tick(LIVE)
    at_once = look(world).unresolved
    world.now += timedelta(minutes=61)

    assert (at_once, look(world).unresolved) == (0, 1)


def test_who_left_the_segment_waits_for_nothing_any_more(world: World) -> None:
    world.settings = replace(world.settings, limits=world.settings.limits.model_copy(update={"first_wave": 1}))
    world.add(1, 2, 3)
    world.tick(LIVE)
    before = number(world).deferred, look(world).unapproved
    world.change(3, dormant=False)
    world.days_pass(1)
    world.refresh()

    after = number(world).deferred, look(world).unapproved

    assert before == ({"first_wave": 3}, 3)
    assert after == ({"first_wave": 2}, 2)


def test_a_wave_that_is_approved_waits_for_nobody(world: World) -> None:
    world.settings = replace(world.settings, limits=world.settings.limits.model_copy(update={"first_wave": 1}))
    world.add(1, 2)
    world.tick(LIVE)

    transaction(world.engine, lambda c: controls.approve(c, "retention", "main", world.now))

    assert look(world).unapproved == 0


def test_a_quota_that_is_used_up_is_told_until_its_end(world: World) -> None:
    world.add(1)
    world.provider.account = "one"
    world.provider.answers.append(lambda *_: Throttled(3600.0, "daily_quota_exceeded"))
    world.tick(LIVE)
    end = world.now + timedelta(hours=1)

    assert transaction(world.engine, lambda c: closed_accounts(c, world.now)) == [(end, "daily_quota_exceeded")]
    assert transaction(world.engine, lambda c: closed_accounts(c, end)) == []


def test_a_tick_counts_as_missed_after_a_quarter_of_an_hour(world: World) -> None:
    world.add(1)
    world.tick(LIVE)
    world.days_pass(1)
    world.now += timedelta(minutes=14)
    within = look(world)
    world.now += timedelta(minutes=2)

    assert (within.late, look(world).late) == (False, True)
