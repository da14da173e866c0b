"""Two runs that decide about the same people: what the one wrote down, the other does not undo."""

from functools import partial
from pathlib import Path

import pytest
from delivery_world import OUTBOX, World, make_world
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from skene_dagster.delivery import ledger
from skene_dagster.delivery.decide.candidates import CandidateDecision, new_decisions
from skene_dagster.delivery.decide.send_audience import SendAudience
from skene_dagster.store.engine import transaction


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    return make_world(engine, tmp_path)


def found(world: World) -> list[CandidateDecision]:
    """What a run decides about everybody who is due now; it is still to be written."""
    tick = SendAudience(world.plan, world.step, world.settings, OUTBOX, world.now)
    rules = tick.rules_without_orders(world.now)
    return transaction(world.engine, lambda c: tick.decide(c, tick.due(c), rules, world.now))


def test_what_was_deferred_when_it_was_read_and_was_mailed_since_is_not_decided_again(world: World) -> None:
    world.add(1, verified=False)
    world.tick()
    world.change(1, verified=True)
    world.days_pass(1)
    world.refresh()
    late = found(world)
    world.reserve()
    world.deliver()
    audience = SendAudience(world.plan, world.step, world.settings, OUTBOX, world.now)
    scope, planned = audience.scope, audience.planned(world.now)

    made = new_decisions(late, world.now)
    write = partial(ledger.decide, scope=scope, made=made, as_of=world.now, now=world.now, size=100, planned=planned)

    with pytest.raises(IntegrityError):
        transaction(world.engine, write)

    world.deliver()
    assert world.provider.mailed == ["u1@example.com"]
    assert world.states() == {1: "accepted"}


def test_each_member_is_decided_about_on_one_page(world: World) -> None:
    world.add(*range(1, 6))
    world.refresh()
    pages: list[int] = []

    reserved = world.reserve(progress=pages.append, page=2)

    assert (reserved.counts, reserved.batches, pages) == ({"mail": 5}, 3, [2, 2, 1])
    world.deliver()
    assert world.provider.mailed == [f"u{n}@example.com" for n in range(1, 6)]


def test_who_enters_at_a_later_tick_is_not_decided_about_at_an_earlier_one(world: World) -> None:
    world.add(1)
    world.refresh()
    earlier = SendAudience(world.plan, world.step, world.settings, OUTBOX, world.now)
    rules = earlier.rules_without_orders(world.now)
    world.add(2)
    world.days_pass(1)
    world.refresh()

    with world.engine.connect() as connection:
        decided = earlier.decide(connection, earlier.entered(connection, None, None), rules, world.now)

    assert [one.candidate.user_id for one in decided] == [1]
