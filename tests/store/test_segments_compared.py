"""A plain condition is compared with those inside where it is: a refresh writes what changes, and nothing else."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from segment_world import FROM_USERS, World, loop, tick
from sqlalchemy import Engine, event

from skene_dagster.errors import SegmentTimeout
from skene_dagster.segments.clearance import Clearance
from skene_dagster.segments.refresh import LARGE

ALWAYS = -1
"""No segment is so small that its condition would be evaluated at once."""

each_way = pytest.mark.parametrize("plain", [True, False], ids=["plain", "staged"])
each_size = pytest.mark.parametrize("large", [LARGE, ALWAYS], ids=["at once", "by ranges"])
WITH_PLAN = "SELECT id, plan FROM users WHERE dormant = 1"


def test_of_a_plain_condition_only_what_changes_is_written(engine: Engine) -> None:
    world = World(engine)
    world.add(*range(1, 31))
    world.wake(30)
    world.refresh(0)
    world.wake(7, 8)
    world.do("UPDATE users SET dormant = 1 WHERE id = 30")

    with rows_written(engine) as written:
        world.refresh(1)
        unchanged = len(written)
        world.refresh(2)

    assert sorted(written[:unchanged]) == [
        ("INSERT INTO skene_segment_members", 1),
        ("INSERT INTO skene_staging", 3),
        ("UPDATE skene_segment_members", 2),
    ]
    assert written[unchanged:] == []


@each_size
@each_way
def test_who_enters_leaves_is_gone_or_was_expected_to_leave(engine: Engine, *, plain: bool, large: int) -> None:
    world = World(engine)
    world.add(*range(1, 11))
    world.wake(8, 9, 10)
    plan = loop(plain=plain)
    world.refresh(0, plan, large=large, chunk=2)
    world.announce(1, 2)
    world.do("DELETE FROM users WHERE id IN (4, 9)")
    world.only([2, 5, 7, 8, 10])

    refreshed = world.refresh(1, plan, large=large, chunk=2)

    assert (refreshed.members, refreshed.entered, refreshed.exited, refreshed.unknown_keys) == (5, 2, 4, 0)
    assert world.history() == [
        *[(1, 0, 1, "set"), (2, 0, None, None), (3, 0, 1, "left"), (4, 0, 1, "gone"), (5, 0, None, None)],
        *[(6, 0, 1, "left"), (7, 0, None, None), (8, 1, None, None), (10, 1, None, None)],
    ]
    assert world.tables() == []


@pytest.mark.parametrize(("tables", "staged"), [(("users",), 0), (("users", "answers"), 3)], ids=["alone", "beside"])
def test_the_first_members_are_staged_only_if_their_condition_asks_another_table(
    engine: Engine, tables: tuple[str, ...], staged: int
) -> None:
    world = World(engine)
    world.add(1, 2, 3)

    with rows_written(engine) as written:
        world.refresh(0, loop(tables=tables))

    assert sum(rows for what, rows in written if what.endswith("staging")) == staged
    assert world.inside() == [1, 2, 3]


@each_size
@each_way
def test_attributes_follow_those_who_stay_and_come_with_those_who_enter(
    engine: Engine, *, plain: bool, large: int
) -> None:
    world = World(engine)
    world.add(1, 2, 3, 4, 5)
    world.do("UPDATE users SET plan = 'é \"x\"'")
    world.wake(5)
    plan = loop(WITH_PLAN, row_columns=("plan",), plain=plain)
    world.refresh(0, plan, large=large, chunk=2)
    world.only([1, 2, 3, 5])
    world.do("UPDATE users SET plan = NULL WHERE id IN (2, 5)")

    with rows_written(engine) as written:
        refreshed = world.refresh(1, plan, large=large, chunk=2)

    assert world.attributes() == {
        **dict.fromkeys((1, 3), world.kept(plan='é "x"')),
        **dict.fromkeys((2, 5), world.kept(plan=None)),
    }
    assert (refreshed.members, refreshed.entered, refreshed.exited) == (4, 1, 1)
    assert sum(rows for what, rows in written if what.endswith("members")) == 3


@each_size
def test_a_plain_condition_has_its_time_and_no_more(engine: Engine, large: int) -> None:
    world = World(engine)
    world.add(1, 2, 3)
    world.refresh(0)
    world.wake(1)
    before = world.history()
    hasty = loop(FROM_USERS)
    hasty = replace(hasty, steps=(replace(hasty.steps[0], timeout=timedelta(microseconds=1)),))

    with pytest.raises(SegmentTimeout, match="took longer than its timeout"):
        world.refresh(1, hasty, large=large)

    assert world.history() == before
    assert world.clearance() == Clearance(tick(0), tick(0), members=3)
    assert world.tables() == []


def test_a_users_key_that_is_null_is_counted_and_left_out_at_each_refresh(engine: Engine) -> None:
    world = World(engine)
    if not world.is_sqlite:
        pytest.skip("a server's primary key is never NULL")
    world.do("DROP TABLE users")
    world.do("CREATE TABLE users (id BIGINT PRIMARY KEY, dormant INTEGER NOT NULL)")
    world.add(1, 2, None)

    unknown = [world.refresh(day).unknown_keys for day in (0, 1)]

    assert unknown == [1, 1]
    assert world.inside() == [1, 2]


@pytest.mark.parametrize("database_url", ["mariadb", "tidb"], indirect=True)
@each_way
def test_long_keys_that_differ_only_at_their_end_are_told_apart(engine: Engine, *, plain: bool) -> None:
    world = World(engine, "VARBINARY(2000)")
    keys = [b"k" * 1500 + b"%03d" % number for number in range(60)]
    world.add(*keys)
    plan = loop(plain=plain)
    world.refresh(0, plan, chunk=100)
    world.wake(keys[3])

    refreshed = world.refresh(1, plan, chunk=100)

    assert (refreshed.members, refreshed.entered, refreshed.exited) == (59, 0, 1)


@contextmanager
def rows_written(engine: Engine) -> Iterator[list[tuple[str, int]]]:
    """Yield what the refreshes write that are done meanwhile: the beginning of each statement, and how many rows."""
    written: list[tuple[str, int]] = []

    def note(_connection: object, cursor: Any, statement: str, *_: object) -> None:
        found = re.match(r"(INSERT INTO|UPDATE) skene_(staging|segment_members)", re.sub(r"/\*.*?\*/ ?", "", statement))
        if found and cursor.rowcount:
            written.append((found[0], cursor.rowcount))

    event.listen(engine, "after_cursor_execute", note)
    try:
        yield written
    finally:
        event.remove(engine, "after_cursor_execute", note)
