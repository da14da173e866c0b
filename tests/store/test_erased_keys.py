"""What stands in the place of an erased key is of its type, and nobody's."""

from collections.abc import Sequence
from typing import Any

import pytest
from segment_world import World
from sqlalchemy import Connection, Engine, insert, select

from skene_dagster.erasing import new_keys
from skene_dagster.erasing.person import find
from skene_dagster.errors import StoreError
from skene_dagster.settings import Users
from skene_dagster.store.engine import is_sqlite, transaction
from skene_dagster.store.tables import meta

HIGHEST = {"TINYINT": 127, "SMALLINT UNSIGNED": 65535, "INT": 2**31 - 1, "BIGINT UNSIGNED": 2**64 - 1}


def drawn(engine: Engine, times: int = 1) -> Sequence[Any]:
    return [transaction(engine, lambda c: new_keys.draw(c, Users())) for _ in range(times)]


@pytest.mark.parametrize("key", HIGHEST)
def test_of_numbers_it_is_the_highest_of_the_type_that_no_user_has(engine: Engine, key: str) -> None:
    highest = 2**63 - 1 if is_sqlite(engine) else HIGHEST[key]
    world = World(engine, key)
    world.add(1, highest - 1)

    assert drawn(engine, times=3) == [highest, highest - 2, highest - 3]


@pytest.mark.parametrize(
    ("key", "length"),
    [
        pytest.param("VARCHAR(40)", 32, id="long text"),
        pytest.param("CHAR(6)", 6, id="short text"),
        pytest.param("BINARY(16)", 16, id="bytes of one length"),
        pytest.param("VARBINARY(40)", 32, id="bytes"),
    ],
)
def test_of_texts_and_bytes_it_is_random_and_fits_the_column(engine: Engine, key: str, length: int) -> None:
    World(engine, key)

    first, second = drawn(engine, times=2)

    assert first != second
    if not is_sqlite(engine):
        assert len(first) == len(second) == length


def test_when_all_numbers_are_used_it_says_so(engine: Engine) -> None:
    World(engine, "TINYINT")
    lowest = -(2**63) if is_sqlite(engine) else -128

    def use_all(connection: Connection) -> None:
        connection.execute(insert(meta).values(name="erased_down_to", value=str(lowest)))

    transaction(engine, use_all)

    with pytest.raises(StoreError, match=r"No value of users\.id is free"):
        drawn(engine)
    with engine.connect() as connection:
        kept = select(meta.c.value).where(meta.c.name == "erased_down_to")
        assert connection.execute(kept).scalar_one() == str(lowest)


def test_a_text_that_is_a_key_is_taken_for_one_before_it_is_taken_for_an_address(engine: Engine) -> None:
    world = World(engine, "VARCHAR(40)")
    world.do("ALTER TABLE users ADD COLUMN email VARCHAR(100) DEFAULT 'someone@example.com'")
    world.add("ada@example.com", "bob")

    with engine.connect() as connection:
        by_key = find(connection, Users(), "ada@example.com")
        by_address = find(connection, Users(), "Someone@Example.com")
        nobody = find(connection, Users(), "cleo@example.com")

    assert by_key is not None
    assert by_key.users == ("ada@example.com",)
    assert by_address is not None
    assert sorted(map(str, by_address.users)) == ["ada@example.com", "bob"]
    assert nobody is None
