"""Events name users in another type than the key has, or by another unique column: exactly them, and nobody else."""

import pytest
from query_plans import plans_of
from sqlalchemy import Engine
from usage_world import ACTIONS, World, at

from skene_dagster.errors import SettingsError
from skene_dagster.product.named_users import naming
from skene_dagster.settings import Events
from skene_dagster.store.engine import is_sqlite

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
on_servers = pytest.mark.parametrize("database_url", ["mariadb", "tidb"], indirect=True)

EXACT = 2**53 + 1
"""A number that floating point takes for the one before it."""
NOBODY = [
    "42abc",
    " 42",
    "42 ",
    "042",
    "+42",
    "42.0",
    "4.2e1",
    "",
    "-0",
    "NULL",
    "9" * 19,
    "1" + "0" * 30,
]
"""Texts that a database may take for a number, and that are nobody's key."""


def counted(world: World) -> list[tuple[object, int]]:
    """Who was active, and how often."""
    return [(row[0], row[3]) for row in world.days()]


def test_a_text_names_the_user_whose_number_it_is_and_nobody_else(engine: Engine) -> None:
    world = World(engine, "BIGINT", "VARCHAR(64)")
    world.add(0, 42, EXACT - 1, EXACT, -7, 2**63 - 1)
    for written in ("42", str(EXACT), "-7", str(2**63 - 1), "43", *NOBODY):
        world.did(written, at(0))

    world.roll(at(1))
    world.did("42", at(0, 13), at(0, 14))
    world.did("042", at(0, 13))
    world.roll(at(2))

    assert counted(world) == [(-7, 1), (42, 3), (EXACT, 1), (2**63 - 1, 1)]


@on_servers
def test_a_text_names_a_user_whose_number_only_unsigned_integers_hold(engine: Engine) -> None:
    world = World(engine, "BIGINT UNSIGNED", "VARCHAR(64)")
    world.add(2**64 - 2, 2**64 - 1)
    for written in (str(2**64 - 1), str(2**64), "-1"):
        world.did(written, at(0))

    world.roll(at(1))

    assert counted(world) == [(2**64 - 1, 1)]


def test_a_number_names_the_user_whose_text_it_is_and_nobody_else(engine: Engine) -> None:
    world = World(engine, "VARCHAR(64)", "BIGINT")
    world.add("42", "042", "42abc", " 7", "0", str(EXACT - 1))
    world.did(42, at(0))
    world.did(7, at(0))
    world.did(EXACT, at(0))

    world.roll(at(1))
    world.did(42, at(0, 13))
    world.roll(at(2))

    assert counted(world) == [("42", 2)]


@pytest.mark.parametrize("wider", ["BIGINT", "BIGINT UNSIGNED", "SMALLINT"])
def test_a_number_of_another_width_names_the_user_of_that_number(engine: Engine, wider: str) -> None:
    world = World(engine, "INT", wider)
    world.add(1, 2)
    world.did(1, at(0))

    world.roll(at(1))
    world.did(1, at(0, 13))
    world.roll(at(2))

    assert counted(world) == [(1, 2)]


@on_servers
def test_texts_of_two_collations_name_a_user_where_both_take_them_for_equal(engine: Engine) -> None:
    world = World(
        engine,
        "VARCHAR(36) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        "VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci",
    )
    world.add("ada", "Ben", "\u00e9va")
    for written in ("ada", "ADA", "ben", "Ben", "eva", "\u00e9va"):
        world.did(written, at(0))

    world.roll(at(1))

    assert counted(world) == [("Ben", 1), ("ada", 1), ("\u00e9va", 1)]


@pytest.mark.parametrize("kind", ["VARCHAR(40)", "BIGINT"])
def test_another_unique_column_of_the_users_names_them(engine: Engine, kind: str) -> None:
    world = by_tracking_id(engine, kind)
    world.add(1, 2, 3)
    world.sql("UPDATE users SET tracking_id = :it WHERE id = :id", {"it": "71", "id": 1}, {"it": "72", "id": 2})
    for written in ("71", "3", "1", None):
        world.did(written, at(0))

    world.roll(at(1))
    world.did("72", at(0, 13))
    world.roll(at(2))

    assert counted(world) == [(1, 1), (2, 1)]


@on_sqlite
def test_events_of_users_are_found_by_their_index_however_they_are_named(engine: Engine) -> None:
    world = World(engine, "BIGINT", "VARCHAR(64)")
    world.add(42)
    world.did("42", at(0))
    world.roll(at(1))
    world.did("42", at(0, 13))

    with plans_of(engine, "INSERT INTO skene_user_days") as plans:
        world.roll(at(2))

    assert plans
    assert not [line for plan in plans for line in plan if line.startswith("SCAN actions")]
    assert [line for plan in plans for line in plan if "SEARCH actions USING INDEX actions_user" in line]


def test_a_column_that_several_users_may_share_names_nobody(engine: Engine) -> None:
    world = by_tracking_id(engine, "VARCHAR(40)")
    world.sql("DROP INDEX users_tracking ON users" if not is_sqlite(engine) else "DROP INDEX users_tracking")

    with pytest.raises(SettingsError, match=r"users\.tracking_id is not unique by any index"):
        world.roll(at(1))


@pytest.mark.parametrize("kind", ["DOUBLE", "DECIMAL(20, 2)"])
def test_a_column_that_nothing_compares_exactly_is_refused(engine: Engine, kind: str) -> None:
    world = World(engine)
    world.sql(f"CREATE TABLE odd (id BIGINT PRIMARY KEY, who {kind})")

    with engine.connect() as connection, pytest.raises(SettingsError, match="would mistake some users for others"):
        naming(connection, world.users, "odd", "who")


def by_tracking_id(engine: Engine, kind: str) -> World:
    """Make a product whose events name users by `users.tracking_id`."""
    events = Events.model_validate(
        ACTIONS.model_dump(by_alias=True) | {"user": {"column": "user_id", "is": "tracking_id"}}
    )
    world = World(engine, "BIGINT", "VARCHAR(64)", events=events)
    world.sql(f"ALTER TABLE users ADD COLUMN tracking_id {kind}")
    world.sql("CREATE UNIQUE INDEX users_tracking ON users (tracking_id)")
    return world
