"""A refresh writes in parts: each transaction asserts the lease before it writes, and writes no more than its part."""

from collections.abc import Callable
from datetime import datetime

import pytest
from segment_world import FIRST, World, loop
from sqlalchemy import Engine
from transactions import Statement, transactions

PART = 3
MEMBERS = "skene_segment_members"


class Died(BaseException):
    """The process is gone; nothing of ours catches it."""


def entries(world: World) -> None:
    world.add(*range(1, 11))


def exits(world: World) -> None:
    entries(world)
    world.refresh(0)
    world.only([1])


def exits_of_who_is_gone(world: World) -> None:
    entries(world)
    world.refresh(0)
    world.do("DELETE FROM users WHERE id > 1")


def exits_that_our_own_set_explains(world: World) -> None:
    exits(world)
    world.announce(*range(1, 11))


def repair(world: World) -> None:
    """Ten entered and none is written down as done."""
    entries(world)
    looks = iter(range(5))

    def clock() -> datetime:
        if next(looks, None) is None:
            raise Died
        return FIRST

    with pytest.raises(Died):
        world.refresh(1, clock=clock, chunk=PART)
    assert len(world.inside()) > PART


@pytest.mark.parametrize("change", [entries, exits, exits_of_who_is_gone, exits_that_our_own_set_explains, repair])
def test_a_change_is_written_in_parts_each_of_which_asserts_the_lease_first(
    engine: Engine, change: Callable[[World], None]
) -> None:
    world = World(engine)
    change(world)

    with transactions(engine) as done:
        world.refresh(1, chunk=PART)

    parts = [part for part in done if any(statement.writes(MEMBERS) for statement in part)]
    assert len(parts) > 1
    assert max(statement.rows for part in parts for statement in part if statement.writes(MEMBERS)) == PART
    assert all(asserts_the_lease_first(part) for part in parts)


def test_new_attributes_are_written_in_parts(engine: Engine) -> None:
    world = World(engine)
    entries(world)
    plan = loop("SELECT id, plan FROM users WHERE dormant = 1", row_columns=("plan",))
    world.refresh(0, plan)
    world.do("UPDATE users SET plan = 'pro'")

    with transactions(engine) as done:
        world.refresh(1, plan, chunk=PART)

    written = [statement.rows for part in done for statement in part if statement.writes(MEMBERS)]
    assert written == [3, 3, 3, 1]


def test_who_is_no_user_is_left_out_in_parts(engine: Engine) -> None:
    world = World(engine)
    world.add(1)
    world.answer(*range(1, 11))

    with transactions(engine) as done:
        world.refresh(0, loop("SELECT user_id FROM answers", key="user_id", tables=("answers",)), chunk=PART)

    parts = [part for part in done if any(statement.sql.startswith("DELETE FROM skene_staging") for statement in part)]
    assert [statement.rows for part in parts for statement in part if statement.writes("skene_staging")] == [2, 3, 3, 1]
    assert all(asserts_the_lease_first(part) for part in parts)


def asserts_the_lease_first(part: list[Statement]) -> bool:
    first = next(statement for statement in part if statement.writes("skene_"))
    return first.writes("skene_segments SET") and "fence =" in first.sql
