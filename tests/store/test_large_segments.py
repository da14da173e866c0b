"""What is too large for one transaction is evaluated and written in parts, and is the same as if it were not."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pymysql
import pytest
from segment_world import FROM_USERS, World, loop
from sqlalchemy import Engine, event

from skene_dagster.errors import SegmentError, SegmentTimeout, StoreTooLarge
from skene_dagster.store.engine import is_sqlite

on_tidb = pytest.mark.parametrize("database_url", ["tidb"], indirect=True)
on_mariadb = pytest.mark.parametrize("database_url", ["mariadb"], indirect=True)

ALWAYS = -1
"""No segment is so small that its condition would be evaluated at once."""

UNION = loop("SELECT id FROM users WHERE id < 50 UNION SELECT id FROM users WHERE dormant = 1", by_key=False)
WIDE = loop("SELECT id, REPEAT('x', 2000) AS plan FROM users", row_columns=("plan",), by_key=False)


@pytest.mark.parametrize(
    ("key_type", "keys", "other"),
    [
        pytest.param("BIGINT", [-5, 0, 3, 2**53 + 1, 2**53 + 2, 2**62, 9, 10], 7, id="numbers"),
        pytest.param("VARCHAR(20) COLLATE utf8mb4_bin", ["b", "a", "B", "ab", "ä", "", "z", "zz"], "no", id="strings"),
        pytest.param(
            "VARBINARY(20)", [b"\x00", b"\xff", b"a", b"A", b"\x00\x01", b"z", b"zz", b"b"], b"no", id="binary"
        ),
    ],
)
def test_a_condition_in_parts_selects_whom_it_selects_at_once(
    engine: Engine, key_type: str, keys: list[Any], other: object
) -> None:
    on_sqlite = {"VARCHAR(20) COLLATE utf8mb4_bin": "VARCHAR(20)", "VARBINARY(20)": "BLOB"}
    world = World(engine, key_type=on_sqlite.get(key_type, key_type) if is_sqlite(engine) else key_type)
    world.add(*keys)
    world.add(other, dormant=False)

    refreshed = world.refresh(0, large=ALWAYS, chunk=3)

    assert refreshed.members == len(keys)
    assert set(world.inside()) == set(keys)


def test_a_condition_in_parts_keeps_what_its_emails_name(engine: Engine) -> None:
    world = World(engine)
    world.add(1, 2, 3)
    world.do("UPDATE users SET plan = 'free'")

    world.refresh(0, loop("SELECT id, plan FROM users", row_columns=("plan",)), large=ALWAYS, chunk=2)

    assert world.attributes() == dict.fromkeys((1, 2, 3), world.kept(plan="free"))


def test_all_parts_together_have_the_conditions_time(engine: Engine) -> None:
    world = World(engine)
    world.add(*range(1, 8))
    slow = loop(FROM_USERS)
    at_once = replace(slow, steps=(replace(slow.steps[0], timeout=timedelta(microseconds=1)),))

    with pytest.raises(SegmentTimeout, match="took longer than its timeout"):
        world.refresh(0, at_once, large=ALWAYS, chunk=2)

    assert world.history() == []
    assert world.tables() == []


@on_tidb
def test_an_answer_larger_than_a_transaction_may_be_is_had_by_ranges_of_the_users_key(engine: Engine) -> None:
    world = World(engine)
    many(world, 40_000)

    with quota(engine, megabytes=4):
        refreshed = world.refresh(0, chunk=5_000)

    assert refreshed.members == 40_000


@on_tidb
def test_an_answer_that_has_no_ranges_is_written_in_bulk(engine: Engine) -> None:
    world = World(engine)
    many(world, 40_000)

    # 80 MB, of which a transaction keeps twice as much; in bulk it is flushed by parts of 16 MB.
    with quota(engine, megabytes=100):
        refreshed = world.refresh(0, WIDE, chunk=5_000)

    assert refreshed.members == 40_000


@on_tidb
def test_a_history_larger_than_a_transaction_may_be_is_written_in_smaller_chunks(engine: Engine) -> None:
    world = World(engine)
    many(world, 40_000)

    with quota(engine, megabytes=4):
        world.refresh(0, chunk=40_000)
    world.do("UPDATE users SET dormant = 0 WHERE id <= 20000")
    with quota(engine, megabytes=4):
        refreshed = world.refresh(1, chunk=40_000)

    assert (refreshed.members, refreshed.exited) == (20_000, 20_000)


@on_mariadb
@pytest.mark.parametrize("code", [8175, 8001, 8004, 1206])
def test_chunks_shrink_until_the_database_takes_them(engine: Engine, code: int) -> None:
    world = World(engine)
    many(world, 3_000)

    with refusing(engine, "INSERT INTO skene_segment_members", code, above=500) as sizes:
        refreshed = world.refresh(0, chunk=2_000)

    assert refreshed.members == 3_000
    assert sizes == [2_000, *[500] * 6, 0]


@on_mariadb
def test_what_is_too_large_even_in_the_smallest_chunk_is_told_and_leaves_nothing(engine: Engine) -> None:
    world = World(engine)
    many(world, 300)

    with (
        refusing(engine, "INSERT INTO skene_segment_members", 8004, above=0),
        pytest.raises(StoreTooLarge, match=r"^This is too large for the database: too much \(8004\)\.$"),
    ):
        world.refresh(0, loop(plain=False), chunk=200)

    assert world.history() == []
    assert world.clearance() is None
    assert world.refresh(0).members == 300


@on_mariadb
def test_an_answer_that_can_be_had_in_no_parts_is_refused_with_what_to_do(engine: Engine) -> None:
    world = World(engine)
    many(world, 300)

    with (
        refusing(engine, "INSERT INTO skene_staging", 8175, above=100),
        pytest.raises(SegmentError, match=r"yaml:7  .*\n.*selects more than one transaction can hold.*without UNION"),
    ):
        world.refresh(0, UNION)

    assert world.tables() == []


def many(world: World, users: int) -> None:
    """Add dormant users 1, 2, 3 … fast."""
    world.add(1)
    there = 1
    while there < users:
        more = min(there, users - there)
        world.do(f"INSERT INTO users (id, dormant) SELECT id + {there}, 1 FROM users WHERE id <= {more}")
        there += more


@contextmanager
def quota(engine: Engine, *, megabytes: int) -> Iterator[None]:
    """Let each session of an engine have only so much memory."""

    def limit(dbapi_connection: Any, _record: object) -> None:
        with dbapi_connection.cursor() as cursor:
            cursor.execute(f"SET SESSION tidb_mem_quota_query = {megabytes << 20}")

    engine.dispose()
    event.listen(engine, "connect", limit)
    try:
        yield
    finally:
        event.remove(engine, "connect", limit)
        engine.dispose()


@contextmanager
def refusing(engine: Engine, beginning: str, code: int, *, above: int) -> Iterator[list[int]]:
    """Refuse statements, once they have written more rows than that, as a server does; yield how many each wrote."""
    sizes: list[int] = []

    def refuse(_connection: object, cursor: Any, statement: str, *_: object) -> None:
        if re.sub(r"/\*.*?\*/ ?", "", statement).startswith(beginning):
            sizes.append(cursor.rowcount)
            if cursor.rowcount > above:
                raise pymysql.err.OperationalError(code, "too much")

    event.listen(engine, "after_cursor_execute", refuse)
    try:
        yield sizes
    finally:
        event.remove(engine, "after_cursor_execute", refuse)
