"""A segment says who is inside, since when, and who left and why; whatever the condition returns."""

from dataclasses import dataclass
from datetime import datetime

import pytest
from segment_world import ELSEWHERE, SEGMENT, World, loop, tick
from sqlalchemy import Engine

from skene_dagster.errors import SegmentError, StoreError
from skene_dagster.segments import members
from skene_dagster.segments.clearance import Clearance


@dataclass(frozen=True)
class Keys:
    """A type of key, and five keys of it in its own order."""

    server: str
    sqlite: str
    five: tuple[object, ...]

    def of(self, engine: Engine) -> str:
        return self.sqlite if engine.dialect.name == "sqlite" else self.server


BIGINT = Keys("BIGINT", "BIGINT", (-7, 42, 2**53, 2**53 + 1, 2**63 - 1))
UNSIGNED = Keys("BIGINT UNSIGNED", "INTEGER", (1, 2, 3, 2**53 + 1, 2**62))
INT = Keys("INT", "INTEGER", (1, 2, 3, 4, 2**31 - 1))
BIN = Keys("VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", "VARCHAR(40)", ("10", "9", "A", "a", "é"))
CI = Keys(
    "VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci",
    "VARCHAR(40) COLLATE NOCASE",
    ("10", "9", "a", "B", "c"),
)
BINARY = Keys("BINARY(16)", "BINARY(16)", tuple(bytes([n]) * 15 + b"'" for n in (0x00, 0x27, 0x5C, 0x80, 0xFF)))

each_kind_of_key = pytest.mark.parametrize(
    "keys",
    [
        pytest.param(BIGINT, id="bigint"),
        pytest.param(UNSIGNED, id="bigint unsigned"),
        pytest.param(INT, id="int"),
        pytest.param(BIN, id="varchar that tells case and accents apart"),
        pytest.param(CI, id="varchar that does not"),
        pytest.param(BINARY, id="binary(16)"),
    ],
)
each_source = pytest.mark.parametrize("elsewhere", [False, True], ids=["from users", "from another table"])


@each_source
@each_kind_of_key
def test_people_enter_leave_and_come_back(engine: Engine, keys: Keys, *, elsewhere: bool) -> None:
    world = World(engine, keys.of(engine))
    a, b, c, d, e = keys.five
    world.add(*keys.five)
    plan = ELSEWHERE if elsewhere else loop()

    for day, inside in enumerate([(a, b, c, d), (a, d, e), (a, b, c, d, e), ()]):
        world.only(inside)
        world.answer(*inside)
        world.refresh(day, plan, chunk=2)

    assert world.history() == [
        (a, 0, 3, "left"),
        *[(b, 0, 1, "left"), (b, 2, 3, "left")],
        *[(c, 0, 1, "left"), (c, 2, 3, "left")],
        (d, 0, 3, "left"),
        (e, 1, 3, "left"),
    ]


def test_a_refresh_reports_what_it_found(engine: Engine) -> None:
    world = World(engine)
    world.add(1, 2, 3)
    world.refresh(0)
    world.only([2, 3])
    world.add(4, 5)

    refreshed = world.refresh(1)

    assert (refreshed.segment, refreshed.as_of) == (SEGMENT, tick(1))
    assert (refreshed.members, refreshed.entered, refreshed.exited, refreshed.unknown_keys) == (4, 2, 1, 0)
    assert "dormant" in refreshed.sql


def test_no_staging_table_is_left(engine: Engine) -> None:
    world = World(engine)
    world.add(1)

    world.refresh(0)

    assert world.tables() == []


def test_the_same_as_of_again_is_already_done(engine: Engine) -> None:
    world = World(engine)
    world.add(1, 2)
    first = world.refresh(0)
    world.wake(1)

    second = world.refresh(0, run_id="another")

    assert second.already
    assert (second.members, second.entered, second.exited) == (first.members, first.entered, first.exited)
    assert world.inside() == [1, 2]


def test_a_key_is_kept_as_the_users_table_spells_it(engine: Engine) -> None:
    world = World(engine, CI.of(engine))
    world.add("anna", "bea")
    world.answer("ANNA", "Bea")
    world.refresh(0, ELSEWHERE)
    world.answer("Anna", "BEA")

    refreshed = world.refresh(1, ELSEWHERE)

    assert (refreshed.entered, refreshed.exited) == (0, 0)
    assert world.history() == [("anna", 0, None, None), ("bea", 0, None, None)]


@pytest.mark.parametrize(
    ("keys", "twice"),
    [
        pytest.param(BIGINT, (2**53 + 1, 2**53 + 1), id="a number"),
        pytest.param(BIN, ("a", "a"), id="a string"),
        pytest.param(CI, ("a", "A"), id="a string in another case"),
        pytest.param(BINARY, (b"\xff" * 16, b"\xff" * 16), id="bytes"),
    ],
)
def test_a_user_twice_in_the_result_is_refused_with_an_example(
    engine: Engine, keys: Keys, twice: tuple[object, object]
) -> None:
    world = World(engine, keys.of(engine))
    world.add(twice[0])
    world.answer(*twice)
    example = twice[0].hex() if isinstance(twice[0], bytes) else str(twice[0])
    if isinstance(twice[0], str):
        example = f"the one whose key begins with '{twice[0]}'"

    with pytest.raises(SegmentError, match=rf"(?i)retention\.yaml:7(.|\n)*more than once, for example {example}"):
        world.refresh(0, ELSEWHERE)

    assert world.history() == []
    assert world.tables() == []


def test_an_example_that_is_an_address_is_masked(engine: Engine) -> None:
    world = World(engine, BIN.of(engine))
    world.answer("anna@example.com", "anna@example.com")

    with pytest.raises(SegmentError) as refused:
        world.refresh(0, ELSEWHERE)

    assert "the one whose key begins with 'a'" in str(refused.value)
    assert "anna" not in str(refused.value)


@each_kind_of_key
def test_keys_that_are_null_or_nobodys_are_counted_and_left_out(engine: Engine, keys: Keys) -> None:
    world = World(engine, keys.of(engine))
    known, *unknown = keys.five
    world.add(known)
    world.answer(known, *unknown, None, None)

    refreshed = world.refresh(0, ELSEWHERE)

    assert refreshed.unknown_keys == 4 + 2
    assert world.inside() == [known]


def test_another_column_of_the_users_table_may_name_nobody(engine: Engine) -> None:
    world = World(engine)
    world.do("ALTER TABLE users ADD COLUMN referrer BIGINT")
    world.add(1, 2, 3)
    world.do("UPDATE users SET referrer = CASE id WHEN 1 THEN 77 WHEN 2 THEN 3 END")

    refreshed = world.refresh(0, loop("SELECT referrer AS user_id FROM users", key="user_id"))

    assert world.inside() == [3]
    assert refreshed.unknown_keys == 2


def test_a_null_key_from_the_users_table_itself_is_left_out(engine: Engine) -> None:
    world = World(engine)
    world.add(1, 2, 3)
    friends = loop("SELECT f.id FROM users AS u LEFT JOIN users AS f ON f.id = u.id - 1")

    refreshed = world.refresh(0, friends)

    assert refreshed.unknown_keys == 1
    assert world.inside() == [1, 2]


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("'abc'", id="a text"),
        pytest.param("1.5e0", id="a floating-point number"),
    ],
)
def test_a_value_that_is_no_key_of_this_type_is_refused(engine: Engine, value: str) -> None:
    world = World(engine)
    world.add(1)
    plan = loop(f"SELECT {value} AS user_id FROM answers", key="user_id", tables=("answers",))
    world.answer(1)

    with pytest.raises(SegmentError, match=r"retention\.yaml:7"):
        world.refresh(0, plan)

    assert world.history() == []


@pytest.mark.parametrize("plain", [True, False], ids=["plain", "staged"])
def test_a_users_key_whose_type_has_changed_is_refused_for_it_would_name_others(engine: Engine, *, plain: bool) -> None:
    world = World(engine)
    world.do("DROP TABLE users")
    world.do("CREATE TABLE users (id VARCHAR(20) NOT NULL PRIMARY KEY, dormant INTEGER NOT NULL)")
    world.do("INSERT INTO users VALUES ('007', 1)")

    with pytest.raises(StoreError, match=r"The users key users\.id is .*, but the skene_\* tables have"):
        world.refresh(0, loop(plain=plain))

    assert world.history() == []
    assert world.clearance() is None


def test_a_condition_that_divides_by_zero_means_null(engine: Engine) -> None:
    world = World(engine)
    world.add(1, 2)
    world.wake(2)

    world.refresh(0, loop("SELECT id FROM users WHERE COALESCE(1 / dormant, 0) < 1"))

    assert world.inside() == [2]


def test_who_is_deleted_between_ticks_is_gone(engine: Engine) -> None:
    world = World(engine)
    world.add(1, 2, 3)
    world.refresh(0)
    world.wake(2)
    world.do("DELETE FROM users WHERE id = 1")

    world.refresh(1)

    assert world.history() == [(1, 0, 1, "gone"), (2, 0, 1, "left"), (3, 0, None, None)]


def test_who_is_deleted_is_gone_though_another_table_still_names_them(engine: Engine) -> None:
    world = World(engine)
    world.add(1, 2)
    world.answer(1, 2)
    world.refresh(0, ELSEWHERE)
    world.do("DELETE FROM users WHERE id = 1")

    refreshed = world.refresh(1, ELSEWHERE)

    assert refreshed.unknown_keys == 1
    assert world.history() == [(1, 0, 1, "gone"), (2, 0, None, None)]


def test_who_leaves_because_we_set_a_flag_left_for_that_reason(engine: Engine) -> None:
    world = World(engine)
    world.add(1, 2, 3)
    world.refresh(0)
    world.announce(1, 2)
    world.wake(1, 3)

    world.refresh(1)

    assert world.history() == [(1, 0, 1, "set"), (2, 0, None, None), (3, 0, 1, "left")]


def test_a_sample_has_the_first_members_by_key(engine: Engine) -> None:
    world = World(engine)
    world.add(*range(20, 0, -1))
    world.refresh(0)

    with engine.connect() as connection:
        rows = members.sample(connection, SEGMENT, limit=3)

    assert [tuple(row) for row in rows] == [(1, tick(0)), (2, tick(0)), (3, tick(0))]


def test_a_sample_has_ten_unless_others_are_asked_for(engine: Engine) -> None:
    world = World(engine)
    world.add(*range(11))
    world.refresh(0)

    with engine.connect() as connection:
        assert len(members.sample(connection, SEGMENT)) == 10


def test_a_user_who_comes_twice_only_as_the_keys_type_has_it_is_refused(engine: Engine) -> None:
    world = World(engine, INT.of(engine))
    world.do("CREATE TABLE spelled (user_id VARCHAR(9))")
    world.do("INSERT INTO spelled VALUES ('1'), ('01')")

    with pytest.raises(SegmentError, match=r"more than once, as its key's type has it: "):
        world.refresh(0, loop("SELECT user_id FROM spelled", key="user_id", tables=("spelled",)))


def test_a_sample_has_neither_people_who_left_nor_members_of_another_segment(engine: Engine) -> None:
    world = World(engine)
    world.add(1, 2, 3)
    world.refresh(0)
    world.wake(1)
    world.refresh(1)
    world.add(0)
    world.refresh(1, loop(name="welcome"))

    with engine.connect() as connection:
        rows = members.sample(connection, SEGMENT)

    assert [row.user_id for row in rows] == [2, 3]


def test_a_clearance_is_for_the_last_tick_that_was_completed(engine: Engine) -> None:
    world = World(engine)
    world.add(1)
    before = world.clearance()
    world.refresh(0)
    world.refresh(3)

    cleared = world.clearance()

    assert before is None
    assert cleared == Clearance(as_of=tick(3), first_as_of=tick(0), members=1)
    assert isinstance(cleared.as_of, datetime)
