"""A tick decides about who is new to its step, and about who is due again; it does not look at anybody else."""

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from delivery_world import LIVE, OUTBOX, World, make_world
from neighbours import own
from sqlalchemy import Connection, Engine, select

from skene_dagster.delivery import controls, ledger
from skene_dagster.delivery.ledger import StepScope, complete
from skene_dagster.store.engine import transaction
from skene_dagster.store.tables import deferred, sends, steps

EVERY_ENTRY = "      set: {reminded: true}\n", "      set: {reminded: true}\n      repeat: every_entry\n"
A_WEEK = "      set: {reminded: true}\n", "      set: {reminded: true}\n      repeat: 7d\n"


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    made = make_world(engine, tmp_path)
    # All of the few who are inside leave, and come back.
    made.settings = replace(made.settings, limits=made.settings.limits.model_copy(update={"least_change": 20}))
    return made


def next_tick(world: World, days: float = 1) -> dict[str, int]:
    """A day later: what a tick decides."""
    world.days_pass(days)
    world.refresh()
    return world.reserve().counts


def pause(world: World) -> None:
    transaction(world.engine, lambda connection: controls.pause(connection, "retention", world.now))


def resume(world: World) -> None:
    transaction(world.engine, lambda connection: controls.resume(connection, "retention", world.now))


def occurrences(world: World) -> list[tuple[int, str, str]]:
    """Every decision: user, occurrence, and what became of it."""
    made = select(sends.c.user_id, sends.c.occurrence, sends.c.state).where(own(sends))
    waiting = select(deferred.c.user_id, deferred.c.occurrence, deferred.c.reason).where(own(deferred))
    with world.engine.connect() as connection:
        rows = [*connection.execute(made), *connection.execute(waiting)]
    return sorted((user, occurrence, became) for user, occurrence, became in rows)


def test_a_tick_to_which_nobody_came_decides_about_nobody(world: World) -> None:
    world.add(*range(1, 6))
    world.tick()

    assert next_tick(world) == {}


def test_a_tick_decides_about_those_who_entered_since_the_last(world: World) -> None:
    world.add(1, 2)
    world.tick()
    world.add(3)
    world.change(1, dormant=False)

    assert next_tick(world) == {"mail": 1}
    world.change(1, dormant=True)
    world.rewrite_loop(*EVERY_ENTRY)
    assert next_tick(world) == {"mail": 1}


def test_a_tick_that_nobody_decided_about_is_made_up_for_by_the_next(world: World) -> None:
    world.add(1)
    world.tick()
    world.add(2)
    world.days_pass(1)
    world.refresh()
    world.add(3)

    assert next_tick(world) == {"mail": 2}


def test_what_a_run_that_died_left_undecided_is_decided_by_the_next(world: World) -> None:
    class Died(Exception):
        pass

    def die(_decided: int) -> None:
        raise Died

    world.add(*range(1, 6))
    world.refresh()
    with pytest.raises(Died):
        world.reserve(progress=die, page=2)

    assert world.reserve(page=2).counts == {"decided_before": 2, "mail": 3}
    assert next_tick(world) == {}
    world.deliver()
    assert world.provider.mailed == [f"u{n}@example.com" for n in range(1, 6)]


def test_who_waits_for_repeat_is_decided_when_it_is_over_and_at_no_tick_before(world: World) -> None:
    world.rewrite_loop(*A_WEEK)
    world.add(1)
    world.tick()
    world.change(1, dormant=False)
    assert next_tick(world) == {}
    world.change(1, dormant=True)

    found = [next_tick(world) for _ in range(6)]

    assert found == [{"deferred:repeat": 1}, {}, {}, {}, {}, {"mail": 1}]
    assert occurrences(world) == [(1, "1", "accepted"), (1, "2", "reserved")]


def test_who_is_due_and_has_left_is_skipped(world: World) -> None:
    world.rewrite_loop(*A_WEEK)
    world.add(1)
    world.tick()
    for is_inside in (False, True, False):
        world.change(1, dormant=is_inside)
        next_tick(world)

    assert next_tick(world, 7) == {"skipped:left_segment": 1}
    assert occurrences(world) == [(1, "1", "accepted"), (1, "2", "skipped")]


def test_who_left_and_came_back_while_they_wait_waits_once(world: World) -> None:
    world.rewrite_loop(*A_WEEK)
    world.add(1)
    world.tick()
    for is_inside in (False, True, False, True):
        world.change(1, dormant=is_inside)
        next_tick(world)

    assert next_tick(world, 7) == {"mail": 1}
    assert occurrences(world) == [(1, "1", "accepted"), (1, "2", "reserved")]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param((A_WEEK[0], A_WEEK[1].replace("7d", "2d")), id="a shorter repeat"),
        pytest.param(EVERY_ENTRY, id="none"),
    ],
)
def test_where_a_rule_changes_all_who_wait_are_decided_again(world: World, change: tuple[str, str]) -> None:
    world.rewrite_loop(*A_WEEK)
    world.add(1, 2)
    world.tick()
    for is_inside in (False, True):
        world.change(1, 2, dormant=is_inside)
        next_tick(world)
    world.rewrite_loop(*change)

    assert next_tick(world) == {"mail": 2}


def test_an_address_that_is_none_is_looked_at_once_a_day(world: World) -> None:
    world.add(1, email="nobody")
    world.tick()

    found = [next_tick(world, 1 / 2) for _ in range(3)]
    world.change(1, email="ada@example.com")

    assert found == [{}, {"deferred:invalid_address": 1}, {}]
    assert next_tick(world, 1 / 2) == {"mail": 1}


@pytest.mark.parametrize(
    ("cannot", "can", "reason"),
    [
        pytest.param({"verified": False}, {"verified": True}, "not_mailable", id="who may not be mailed"),
        pytest.param({"email": None}, {"email": "ada@example.com"}, "no_address", id="who has no address"),
        pytest.param({"email": ""}, {"email": "ada@example.com"}, "no_address", id="whose address is empty"),
        pytest.param({"email": " "}, {"email": "ada@example.com"}, "no_address", id="whose address is blank"),
    ],
)
def test_who_cannot_be_mailed_is_left_alone_until_they_can(
    world: World, cannot: dict[str, object], can: dict[str, object], reason: str
) -> None:
    world.add(1, 2, **cannot)
    world.refresh()

    found = [world.reserve().counts, next_tick(world)]
    world.change(1, **can)
    found.append(next_tick(world))
    world.change(2, dormant=False)

    assert found == [{f"deferred:{reason}": 2}, {}, {"mail": 1}]
    assert next_tick(world) == {"skipped:left_segment": 1}


def test_a_pause_decides_about_nobody_says_how_many_wait_and_passes_nobody_over(world: World) -> None:
    world.add(1)
    world.tick()
    pause(world)
    world.add(2, 3)

    held = [next_tick(world) for _ in range(2)]
    resume(world)

    assert held == [{"deferred:paused": 2}] * 2
    assert occurrences(world) == [(1, "1", "accepted")]
    assert next_tick(world) == {"mail": 2}


def test_who_left_while_a_pause_lasted_is_not_mailed_after_it(world: World) -> None:
    pause(world)
    world.add(1, 2)
    next_tick(world)
    resume(world)
    world.change(1, dormant=False)

    assert next_tick(world) == {"mail": 1}
    assert occurrences(world) == [(2, "1", "reserved")]


def test_under_new_only_a_pause_from_the_start_mails_only_who_came_after_the_first_tick(world: World) -> None:
    world.rewrite_loop("type: retention\n", "type: retention\nstart: new_only\n")
    pause(world)
    world.add(1)
    at_first = next_tick(world)
    world.add(2)
    later = next_tick(world)
    resume(world)

    assert (at_first, later) == ({"skipped:there_at_start": 1}, {"deferred:paused": 1})
    assert next_tick(world) == {"mail": 1}
    assert occurrences(world) == [(2, "1", "reserved")]


def test_who_enters_again_while_their_email_is_on_its_way_is_mailed_once_it_has_arrived(world: World) -> None:
    world.rewrite_loop(*EVERY_ENTRY)
    world.add(1)
    world.refresh()
    world.reserve()
    for is_inside in (False, True):
        world.change(1, dormant=is_inside)
        found = next_tick(world)
    world.deliver()

    assert found == {"deferred:in_flight": 1}
    assert next_tick(world) == {"mail": 1}
    assert occurrences(world) == [(1, "1", "accepted"), (1, "2", "reserved")]


def test_who_waits_twice_gets_one_email_at_a_tick(world: World) -> None:
    world.rewrite_loop(*EVERY_ENTRY)
    world.add(1)
    world.refresh()
    world.reserve()
    for is_inside in (False, True):
        world.change(1, dormant=is_inside)
        next_tick(world)
    # The email that was on its way cannot be made, and waits as well.
    world.change(1, name=None)
    world.deliver()
    assert occurrences(world) == [(1, "1", "missing_value"), (1, "2", "in_flight")]
    world.change(1, name="Ada")

    found = [next_tick(world)]
    world.deliver()
    found.append(next_tick(world))

    assert found == [{"mail": 1, "deferred:in_flight": 1}, {"mail": 1}]


def test_each_mode_has_decided_as_far_as_it_has(world: World) -> None:
    world.add(1, 2)
    world.refresh()

    assert world.reserve(OUTBOX).counts == {"mail": 2}
    assert world.reserve(LIVE).counts == {"mail": 2}
    assert world.reserve(OUTBOX).counts == {}


def test_how_far_a_step_has_decided_never_goes_back(world: World) -> None:
    world.add(1)
    world.tick()
    scope = StepScope("outbox", "retention", "main")
    earlier = world.now - timedelta(days=1)

    transaction(world.engine, lambda connection: complete(connection, scope, earlier, world.now))

    assert decided_up_to(world) == world.now


def test_who_has_everybody_looked_at_while_a_run_decides_is_heard(world: World) -> None:
    world.add(1)
    world.tick()
    scope, before = StepScope("outbox", "retention", "main"), world.now
    transaction(world.engine, lambda connection: ledger.look_at_everybody(connection, scope))

    transaction(world.engine, lambda connection: complete(connection, scope, before + timedelta(days=1), before))

    assert decided_up_to(world) is None


def decided_up_to(world: World) -> datetime | None:
    with world.engine.connect() as connection:
        found: datetime | None = connection.execute(select(steps.c.reserved_as_of).where(own(steps))).scalar_one()
    return found


def reconsidered(world: World) -> int:
    scope = StepScope("outbox", "retention", "main")

    def work(connection: Connection) -> int:
        ledger.look_at_everybody(connection, scope)
        return ledger.reconsider(connection, scope, by_row=False)

    return transaction(world.engine, work)


def test_who_was_cancelled_is_mailed_after_all_once_a_person_has_it_decided_again(world: World) -> None:
    world.add(1, 2)
    world.refresh()
    world.reserve()
    order = partial(ledger.cancel, loop="retention", cancelled_at=world.now, now=world.now)
    transaction(world.engine, order)
    world.add(3)
    world.days_pass(1)
    world.tick()
    world.change(1, dormant=False)
    world.days_pass(1)
    world.refresh()

    found = reconsidered(world)

    assert (found, occurrences(world)) == (
        1,
        [(1, "1", "skipped"), (2, "1", "reconsidered"), (3, "1", "accepted")],
    )
    assert next_tick(world) == {"mail": 1, "decided_before": 2}
    world.deliver()
    assert world.provider.mailed == ["u2@example.com", "u3@example.com"]


def test_who_was_skipped_and_mailed_since_is_not_decided_again(world: World) -> None:
    world.rewrite_loop(A_WEEK[0], A_WEEK[1].replace("7d", "once"))
    world.add(1)
    world.tick()
    for is_inside in (False, True):
        world.change(1, dormant=is_inside)
        next_tick(world)
    world.rewrite_loop(*EVERY_ENTRY)
    for is_inside in (False, True):
        world.change(1, dormant=is_inside)
        next_tick(world)
    world.deliver()
    assert [became for *_, became in occurrences(world)] == ["accepted", "skipped", "accepted"]

    assert reconsidered(world) == 0
    assert next_tick(world) == {"decided_before": 1}


def test_who_was_there_at_the_start_is_mailed_once_everyone_is_and_a_person_has_it_decided_again(world: World) -> None:
    world.rewrite_loop("type: retention\n", "type: retention\nstart: new_only\n")
    world.add(1)
    world.tick()
    world.rewrite_loop("type: retention\n", "type: retention\nstart: everyone\n")
    before = next_tick(world)

    assert (before, reconsidered(world)) == ({}, 0)
    assert next_tick(world) == {"mail": 1}


def test_who_returns_twice_while_their_email_is_on_its_way_is_mailed_once(world: World) -> None:
    world.rewrite_loop(A_WEEK[0], A_WEEK[1].replace("7d", "once"))
    world.add(1)
    world.refresh()
    world.reserve()
    for is_inside in (False, True, False, True):
        world.change(1, dormant=is_inside)
        next_tick(world, 0.1)

    world.deliver()
    next_tick(world)
    world.deliver()

    assert occurrences(world) == [(1, "1", "accepted"), (1, "2", "skipped"), (1, "3", "skipped")]
