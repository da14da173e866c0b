"""Who has reached a loop's goal by themselves is not mailed any more, and stays in their arm."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from delivery_world import LIVE, LOOP, World, make_world, planned
from neighbours import own
from sqlalchemy import Engine, select, text

from skene_dagster.store.engine import is_sqlite
from skene_dagster.store.tables import arms, user_days

PAID = LOOP + "goal: {query: 'SELECT user_id, paid_at AS at FROM invoices', within: 7d}\n"


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    made = make_world(engine, tmp_path)
    moment = "DATETIME" if is_sqlite(engine) else "DATETIME(6)"
    with engine.begin() as connection:
        connection.execute(text(f"CREATE TABLE invoices (user_id BIGINT, paid_at {moment})"))
    made.settings = replace(made.settings, limits=made.settings.limits.model_copy(update={"least_change": 100}))
    made.plan = planned(tmp_path, made.settings, PAID)
    return made


def pay(world: World, user: int, at: datetime) -> None:
    with world.engine.begin() as connection:
        row = {"user": user, "at": at.isoformat(" ", "microseconds")}
        connection.execute(text("INSERT INTO invoices VALUES (:user, :at)"), row)


def wait_for_an_address(world: World, *users: int) -> None:
    """Let users enter who cannot be mailed yet."""
    world.add(*users, email=None)
    world.tick(LIVE)
    world.change(*users, email="ada@example.com")


def test_who_reached_it_since_they_entered_is_skipped_when_they_are_decided_about(world: World) -> None:
    wait_for_an_address(world, 1)
    pay(world, 1, world.now + timedelta(hours=3))
    world.days_pass(1)
    world.tick(LIVE)

    assert world.states() == {1: "skipped:goal_reached"}


def test_what_came_before_they_entered_is_not_what_the_loop_was_for(world: World) -> None:
    pay(world, 1, world.now - timedelta(hours=3))
    wait_for_an_address(world, 1)
    world.days_pass(1)
    world.tick(LIVE)

    assert world.states() == {1: "accepted"}


def test_what_is_still_to_come_has_not_been_reached(world: World) -> None:
    wait_for_an_address(world, 1)
    pay(world, 1, world.now + timedelta(days=5))
    world.days_pass(1)
    world.tick(LIVE)

    assert world.states() == {1: "accepted"}


def test_another_entry_is_another_chance(world: World) -> None:
    wait_for_an_address(world, 1)
    pay(world, 1, world.now + timedelta(hours=3))
    world.days_pass(1)
    world.tick(LIVE)
    world.change(1, dormant=False)
    world.days_pass(1)
    world.tick(LIVE)
    world.change(1, dormant=True)
    world.days_pass(1)
    world.tick(LIVE)

    assert world.states() == {1: "accepted"}


def test_who_reaches_it_between_the_decision_and_the_email_is_skipped_and_stays_in_their_arm(world: World) -> None:
    world.add(1, 2)
    world.refresh()
    world.reserve(LIVE)
    pay(world, 1, world.now + timedelta(minutes=10))
    world.now += timedelta(hours=1)
    world.deliver(LIVE)

    assert world.states() == {1: "skipped:goal_reached", 2: "accepted"}
    with world.engine.connect() as connection:
        drawn = connection.execute(select(arms.c.user_id, arms.c.arm).where(own(arms)))
        assert {row.user_id: row.arm for row in drawn} == {1: "mailed", 2: "mailed"}


def test_what_is_not_counted_stops_no_email(world: World) -> None:
    world.plan = planned(world.root, world.settings, LOOP + "goal: {returns_within: 7d}\n")
    wait_for_an_address(world, 1)
    world.days_pass(1)
    world.tick(LIVE)

    assert world.states() == {1: "accepted"}
    with world.engine.connect() as connection:
        assert connection.execute(select(user_days)).all() == []
