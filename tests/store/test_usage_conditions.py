"""Who did things and is no user any more is in no segment of what users do; who is one is, and long enough."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from delivery_world import START, World, make_world, planned
from neighbours import own
from sqlalchemy import Engine, insert, select

from skene_dagster.behaviour.rollup.roll_up import roll_up
from skene_dagster.loops.planning.usage import plan_usage
from skene_dagster.settings import Feature, Milestone
from skene_dagster.store.tables import OPEN, events, segment_members

DAY = timedelta(days=1)
GONE = 99

LOOP = """\
type: retention
steps:
  - trigger: {{type: schedule, cron: "0 9 * * *"}}
    condition: {condition}
    action: {{type: email, template: hello}}
"""
FEATURES = {
    "share": Feature.model_validate({"title": "Sharing", "events": ["share"], "adopted_uses": 2, "adopted_days": 1}),
    "export": Feature.model_validate({"title": "Exports", "events": ["export"], "adopted_uses": 2}),
}
MILESTONES = {"second": Milestone.model_validate({"title": "Two", "event": "share", "count": 2})}


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    world = make_world(engine, tmp_path)
    world.settings = replace(world.settings, features=FEATURES, milestones=MILESTONES)
    return world


def did(world: World, user: int, name: str, *days_ago: float) -> None:
    told: list[dict[str, Any]] = [
        {
            "event_id": f"{user}-{name}-{days}",
            "user_id": user,
            "name": name,
            "occurred_at": START - days * DAY,
            "received_at": START - days * DAY,
        }
        for days in days_ago
    ]
    with world.engine.begin() as connection:
        connection.execute(insert(events), told)


def inside(world: World, condition: str) -> list[int]:
    """Roll up, refresh, and list who is in the segment."""
    world.plan = planned(world.root, world.settings, LOOP.format(condition=condition))
    usage = plan_usage(world.settings)
    # What was reached before the first rollup is the past, and not celebrated.
    for as_of in (START - 5 * DAY, START):
        roll_up(world.engine, plan=usage, users=world.settings.users, as_of=as_of, clock=world.clock, run_id="run")
    world.refresh()
    query = select(segment_members.c.user_id).where(own(segment_members), segment_members.c.exited_at == OPEN)
    with world.engine.connect() as connection:
        return sorted(connection.execute(query).scalars())


@pytest.mark.parametrize(
    "condition",
    [
        pytest.param("{type: level, is: new}", id="at a level"),
        pytest.param("{type: feature, name: share, state: adopted}", id="with a feature"),
        pytest.param("{type: feature, name: export, state: tried}", id="with a feature that was tried"),
        pytest.param("{type: milestone, name: second}", id="at a milestone"),
    ],
)
def test_who_is_no_user_any_more_is_in_no_segment_of_what_users_do(world: World, condition: str) -> None:
    world.add(1, 2)
    for user in (1, GONE):
        did(world, user, "share", 2, 1)
        did(world, user, "export", 1)

    assert inside(world, condition) == [1]


def test_who_never_tried_a_feature_is_each_user_who_did_not(world: World) -> None:
    world.add(1, 2, 3)
    did(world, 1, "share", 2)
    did(world, 2, "export", 2)
    did(world, GONE, "export", 2)

    assert inside(world, "{type: feature, name: share, state: untried}") == [2, 3]


@pytest.mark.parametrize(
    ("condition", "users"),
    [
        pytest.param("{type: level, is: new, for: 2d}", [1], id="at a level"),
        pytest.param("{type: feature, name: export, state: tried, for: 2d}", [1], id="with a feature"),
    ],
)
def test_who_has_been_there_for_long_enough_has_been_so_to_the_moment(
    world: World, condition: str, users: list[int]
) -> None:
    world.add(1, 2)
    did(world, 1, "export", 2)
    did(world, 2, "export", 2 - 1e-9)

    assert inside(world, condition) == users
