"""A rollup writes in parts: each transaction asserts the lease before it writes."""

from sqlalchemy import Engine
from transactions import Statement, transactions
from usage_world import DAY, START, World, at

WRITTEN = (
    *("skene_user_days", "skene_user_activity", "skene_feature_adoption", "skene_engagement_levels"),
    *("skene_milestones", "skene_events_ahead", "skene_definitions", "skene_staging_"),
)


def test_each_part_of_a_rollup_asserts_the_lease_first(engine: Engine) -> None:
    world = World(engine)
    world.add(*range(1, 11))
    for user in range(1, 11):
        world.did(user, at(0), at(1), at(9), name="export")
        world.did(user, at(0), at(0), name="share")
    with transactions(engine) as done:
        world.roll(START + 2 * DAY)
        first = len(done)
        world.roll(START + 40 * DAY)

    for part in (*parts(done[:first]), *parts(done[first:])):
        assert part[0].writes("skene_rollups SET"), part[0].sql
        assert "fence =" in part[0].sql
    assert len(parts(done[:first])) > len(WRITTEN) / 2
    written = {table for table in WRITTEN for part in done for statement in part if statement.writes(table)}
    assert written == {*WRITTEN}


def parts(done: list[list[Statement]]) -> list[list[Statement]]:
    """What was written in each transaction that wrote anything of a rollup's."""
    written = [[statement for statement in part if statement.writes("skene_")] for part in done]
    return [part for part in written if any(statement.writes(table) for table in WRITTEN for statement in part)]
