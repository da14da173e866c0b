"""What became of a step's emails is counted, machines apart from people; when who opened what is known for 400 days."""

from datetime import timedelta
from pathlib import Path

import pytest
from delivery_world import World, make_world
from feedback_world import BLOCKED, HARD, SOFT, about, mailed, read, receipt
from sqlalchemy import Engine

from skene_dagster.delivery import ledger
from skene_dagster.delivery.ledger import Outcomes, StepScope
from skene_dagster.feedback.keeping import OPENS_KEPT, prune
from skene_dagster.store.engine import reading

SCOPE = StepScope("live", "retention", "main")
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    return make_world(engine, tmp_path)


def counted(world: World, days: int = 7) -> Outcomes:
    since = world.now - days * DAY
    return reading(world.engine, lambda c: ledger.outcomes(c, SCOPE, since))


def test_each_outcome_is_counted_in_its_place(world: World) -> None:
    mailed(world, *range(1, 11))

    read(
        world,
        *(about(world, user, "delivered") for user in (1, 2, 3)),
        about(world, 3, "complained"),
        about(world, 4, "bounced", **HARD),
        about(world, 5, "bounced", **BLOCKED),
        about(world, 6, "bounced", **SOFT),
        about(world, 2, "bounced", **SOFT),
        about(world, 7, "failed"),
        about(world, 8, "rejected"),
        about(world, 9, "unsubscribed"),
    )
    world.now += 90 * SECOND
    read(world, about(world, 1, "opened"), about(world, 1, "clicked"))

    assert counted(world) == Outcomes(
        accepted=10,
        delivered=3,
        bounced=1,
        bounced_softly=1,
        blocked=1,
        failed=2,
        complained=1,
        said_no=1,
        opened=1,
        clicked=1,
    )
    assert counted(world).rate("delivered") == 0.3
    assert Outcomes().rate("delivered") == 0


@pytest.mark.parametrize(
    ("seconds", "opened", "by_machines"),
    [
        pytest.param([0], 0, 1, id="at once"),
        pytest.param([10], 0, 1, id="within seconds"),
        pytest.param([2, 9, 10], 0, 1, id="several times within seconds"),
        pytest.param([10.001], 1, 0, id="later"),
        pytest.param([2, 3600], 1, 0, id="at once, and again later"),
        pytest.param([-5], 0, 1, id="before the delivery was told, by another clock"),
    ],
)
def test_what_is_opened_within_seconds_of_delivery_is_a_machines(
    world: World, seconds: list[float], opened: int, by_machines: int
) -> None:
    mailed(world, 1)
    delivered_at = world.now
    world.days_pass(1)
    read(world, *(about(world, 1, "opened", at=delivered_at + at * SECOND, event_id=f"at {at}") for at in seconds))
    assert counted(world).opened == 1

    read(world, about(world, 1, "delivered", at=delivered_at))

    assert (counted(world).opened, counted(world).by_machines) == (opened, by_machines)


def test_only_recent_emails_of_the_step_and_the_mode_are_counted(world: World) -> None:
    mailed(world, 1)
    world.days_pass(7)

    assert (counted(world).accepted, counted(world, 8).accepted) == (1, 1)
    world.now += SECOND
    assert counted(world) == Outcomes()


def test_when_emails_were_opened_is_forgotten_after_400_days_and_nothing_else(world: World) -> None:
    mailed(world, 1, 2, 3)
    read(
        world,
        *(about(world, user, kind) for user in (1, 2, 3) for kind in ("delivered", "opened", "clicked")),
    )
    first = world.now
    world.days_pass(1)
    mailed(world, 4)
    read(world, about(world, 4, "opened"))

    world.now = first + OPENS_KEPT
    assert prune(world.engine, world.clock, chunk=2).opens == 0
    world.now += SECOND
    pruned = prune(world.engine, world.clock, chunk=2)

    assert (pruned.opens, pruned.events) == (3, 0)
    assert [set(receipt(world, user)) for user in (1, 2, 3)] == [{"delivered_at"}] * 3
    assert set(receipt(world, 4)) == {"opened_at", "last_opened_at"}
    assert prune(world.engine, world.clock, chunk=2).opens == 0


def test_a_month_of_events_is_deleted(world: World) -> None:
    mailed(world, 1)
    read(world, about(world, 1, "delivered"))
    world.days_pass(31)

    assert prune(world.engine, world.clock).events == 1
