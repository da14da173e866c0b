"""One bad row fails alone, with a reason, is asked again when it is mended, and its value reaches no message."""

from dataclasses import replace
from pathlib import Path

import pytest
from delivery_world import LOOP, OUTBOX, World, make_world, planned
from neighbours import own
from sqlalchemy import Engine, func, select, text

from skene_dagster.delivery.email.templates import MissingValue, Templates, Unrenderable
from skene_dagster.delivery.rehearsal import Case, Stage, rehearse, rehearse_user, render
from skene_dagster.errors import SegmentError, StoreError
from skene_dagster.store.engine import is_sqlite
from skene_dagster.store.failures import translated
from skene_dagster.store.tables import deferred, sends

NO_TEXT = "not valid UTF-8"
OF_SQLITE = {"raw": "BLOB", "old": "TEXT", "four": "TEXT", "three": "TEXT", "bio": "TEXT"}
OF_SERVERS = {
    "raw": "VARBINARY(100)",
    "old": "VARCHAR(100) CHARACTER SET latin1 COLLATE latin1_bin",
    "four": "VARCHAR(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
    "three": "VARCHAR(100) CHARACTER SET utf8 COLLATE utf8_bin",
    "bio": "LONGTEXT",
}


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    world = make_world(engine, tmp_path)
    with engine.begin() as connection:
        for name, kind in OF_SQLITE.items() if is_sqlite(engine) else OF_SERVERS.items():
            connection.exec_driver_sql(f"ALTER TABLE users ADD COLUMN {name} {kind}")
    return world


def put(world: World, user: int, column: str, value: object) -> None:
    with world.engine.begin() as connection:
        connection.execute(text(f"UPDATE users SET {column} = :value WHERE id = {user}"), {"value": value})


def put_bytes_into_a_text(world: World, user: int, raw: bytes) -> None:
    with world.engine.begin() as connection:
        connection.execute(text(f"UPDATE users SET name = CAST(:raw AS TEXT) WHERE id = {user}"), {"raw": raw})


def plan_with(world: World, personalization: str, called: str = "name") -> None:
    """Plan the loop such that its condition has a column `called` of its own."""
    select = "SELECT id FROM users WHERE dormant = true"
    loop = LOOP.replace(select, f"'{select.replace('id', f'id, {called} AS called')}'")
    world.plan = planned(world.root, world.settings, loop.replace("{{user.name}}", personalization))


def greetings(world: World) -> dict[str, str]:
    return {
        message.to: message.subject.removeprefix("Hello ")
        for messages in world.provider.accepted.values()
        for message in messages
    }


def details(world: World) -> dict[int, str | None]:
    with world.engine.connect() as connection:
        query = select(deferred.c.user_id, deferred.c.detail).where(own(deferred))
        return dict(connection.execute(query).all())


def previewed(world: World, user: int) -> str:
    """What `preview` shows of a user's email: its subject, or why there is none."""
    stage = Stage(world.engine, world.plan, world.step, world.settings, OUTBOX, world.now)
    rehearse(stage, 100)
    person, case = rehearse_user(stage, str(user))
    assert person is not None
    assert isinstance(case, Case)
    try:
        return render(stage, Templates(world.settings.templates, world.root), user, person, case.row).subject
    except (MissingValue, Unrenderable) as bad:
        return str(bad)


def test_a_text_that_is_no_utf_8_stops_its_own_email_and_is_asked_again_once_it_is_mended(world: World) -> None:
    if not is_sqlite(world.engine):
        pytest.skip("a server takes no such text")
    world.add(1, 2, 3)
    put_bytes_into_a_text(world, 2, b"Ann\xff")

    world.tick()

    assert world.states() == {1: "accepted", 2: "deferred:unrenderable", 3: "accepted"}
    assert details(world) == {2: f"the column name is {NO_TEXT}"}
    assert previewed(world, 2) == f"the column name is {NO_TEXT}"
    world.change(2, name="Ann")
    world.days_pass(1)

    world.tick()

    assert world.states()[2] == "accepted"
    assert greetings(world)["u2@example.com"] == "Ann"


def test_who_has_no_name_is_mailed_as_soon_as_he_has_one(world: World) -> None:
    world.add(1)
    world.add(2, name="")
    world.tick()
    assert world.states() == {1: "accepted", 2: "deferred:missing_value"}
    world.days_pass(1)
    world.tick()
    assert world.states() == {1: "accepted", 2: "deferred:missing_value"}
    world.change(2, name="Ann")
    world.days_pass(1)

    world.tick()

    assert world.states() == {1: "accepted", 2: "accepted"}
    with world.engine.connect() as connection:
        assert connection.execute(select(func.count()).where(own(sends))).scalar() == 2


def test_a_name_in_bytes_is_read_as_utf_8_or_stops_its_own_email(world: World) -> None:
    world.add(1, 2)
    put(world, 1, "raw", "Zoë 🦊".encode())
    put(world, 2, "raw", b"Zo\xeb")
    plan_with(world, "{{user.raw}}")

    world.tick()

    assert greetings(world) == {"u1@example.com": "Zoë 🦊"}
    assert world.states()[2] == "deferred:unrenderable"
    assert previewed(world, 2) == f"the column raw is {NO_TEXT}"


@pytest.mark.parametrize("column", ["raw", "SUBSTRING(raw, 1, 50)"])
def test_a_conditions_own_column_of_bytes_is_read_in_the_same_way(world: World, column: str) -> None:
    if is_sqlite(world.engine) and column != "raw":
        pytest.skip("SUBSTRING of the embedded database gives a text")
    world.add(1, 2, 3)
    put(world, 1, "raw", "Zoë 🦊".encode())
    put(world, 2, "raw", b"Zo\xeb")
    plan_with(world, "{{row.called}}", column)

    world.tick()

    assert greetings(world) == {"u1@example.com": "Zoë 🦊"}
    assert world.states() == {1: "accepted", 2: "deferred:unrenderable", 3: "deferred:missing_value"}
    assert previewed(world, 1) == "Hello Zoë 🦊"
    assert previewed(world, 2) == f"the column called is {NO_TEXT}"


@pytest.mark.parametrize("called", ["name", "TRIM(name)", 'COALESCE(NULLIF(name, ""), "x")'])
def test_a_conditions_own_column_that_is_no_utf_8_stops_its_own_email(world: World, called: str) -> None:
    if not is_sqlite(world.engine):
        pytest.skip("a server takes no such text")
    world.add(1, 2)
    put_bytes_into_a_text(world, 2, b"Ann\xff")
    plan_with(world, "{{row.called}}", called)

    world.tick()

    assert world.states() == {1: "accepted", 2: "deferred:unrenderable"}
    assert previewed(world, 2) == f"the column called is {NO_TEXT}"


def test_a_function_that_cannot_read_a_text_says_why(world: World) -> None:
    if not is_sqlite(world.engine):
        pytest.skip("a server takes no such text")
    world.add(1, 2)
    put_bytes_into_a_text(world, 2, b"Ann\xff")
    plan_with(world, "{{row.called}}", "UPPER(name)")

    with pytest.raises(SegmentError, match="such as text that is not UTF-8") as refused:
        world.refresh()

    assert "Ann" not in str(refused.value)


def test_a_conditions_own_column_that_is_too_large_stops_its_own_email(world: World) -> None:
    world.add(1, 2)
    put(world, 1, "bio", "é" * 20_000)
    put(world, 2, "bio", "é" * 40_000)
    plan_with(world, "{{row.called|length}}", "bio")

    world.tick()

    assert greetings(world) == {"u1@example.com": "20000"}
    assert details(world) == {2: "the column called is not a plain value but TooLarge"}
    assert previewed(world, 2) == "the column called is not a plain value but TooLarge"


def test_sixty_thousand_bytes_of_a_conditions_own_columns_are_kept(world: World) -> None:
    # `{"called":"…"}`, to which a server adds a blank.
    names = len('{"called":""}') if is_sqlite(world.engine) else len('{"called": ""}')
    world.add(1, 2)
    put(world, 1, "bio", "b" * (60_000 - names))
    put(world, 2, "bio", "b" * (60_001 - names))
    plan_with(world, "{{row.called|length}}", "bio")

    world.tick()

    assert greetings(world) == {"u1@example.com": str(60_000 - names)}
    assert details(world) == {2: "the column called is not a plain value but TooLarge"}


def test_five_megabytes_of_text_stop_their_own_email(world: World) -> None:
    world.add(1, 2)
    put(world, 1, "bio", "Ann")
    put(world, 2, "bio", "x" * 5_000_000)
    plan_with(world, "{{user.bio}}")

    world.tick()

    assert world.states() == {1: "accepted", 2: "deferred:unrenderable"}
    assert details(world)[2] == "an expression gives more than 300,000 characters"


@pytest.mark.parametrize("of", ["user.four or user.three or user.old", "row.called"])
def test_each_character_set_arrives_as_it_was_written(world: World, of: str) -> None:
    world.add(1, 2, 3)
    put(world, 1, "old", "Zoë")
    put(world, 2, "three", "Zoë ☂")
    put(world, 3, "four", "Zoë 👩‍👩‍👧")
    plan_with(world, f"{{{{{of}}}}}", "COALESCE(four, three, old)")

    world.tick()

    assert greetings(world) == {"u1@example.com": "Zoë", "u2@example.com": "Zoë ☂", "u3@example.com": "Zoë 👩‍👩‍👧"}


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        pytest.param("a" * 65 + "@example.com", "invalid_address", id="65 letters before the @"),
        pytest.param("ann@example.com\u202e", "invalid_address", id="an override behind it"),
        pytest.param("ann@example.com\r\nBcc: bob@example.com", "invalid_address", id="a header behind it"),
        pytest.param("ann@example.com, bob@example.com", "invalid_address", id="two"),
        pytest.param("", "no_address", id="an empty text"),
        pytest.param("   ", "no_address", id="white space"),
    ],
)
def test_an_address_that_is_none_is_deferred_alone(world: World, address: str, reason: str) -> None:
    world.add(1)
    world.add(2, email=address)

    world.tick()

    assert world.states() == {1: "accepted", 2: f"deferred:{reason}"}


@pytest.mark.parametrize(
    ("address", "becomes"),
    [
        pytest.param(b"ann@example.com", "accepted", id="bytes"),
        pytest.param(b"ann\xff@example.com", "deferred:invalid_address", id="bytes that are no UTF-8"),
    ],
)
def test_an_address_in_bytes_is_read_or_deferred_alone(world: World, address: bytes, becomes: str) -> None:
    world.add(1, 2)
    put(world, 1, "raw", b"u1@example.com")
    put(world, 2, "raw", address)
    world.settings = replace(world.settings, users=world.settings.users.model_copy(update={"email": "raw"}))

    world.tick()

    assert world.states() == {1: "accepted", 2: becomes}


def test_a_value_that_the_database_refuses_is_not_repeated_by_its_error(world: World) -> None:
    if is_sqlite(world.engine):
        pytest.skip("SQLite's errors name columns, not values")
    world.add(1)
    with pytest.raises(StoreError) as refused, translated(), world.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE users SET last_activity_at = 'ann''s secret'")

    assert "secret" not in str(refused.value)
