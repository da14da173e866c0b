"""What is told about users is written once, in their key's very type; what cannot be stored is refused in words."""

import json
import threading
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from enum import Enum, IntEnum
from pathlib import Path
from typing import Any

import pytest
from event_rows import make_users, nested, rows
from sqlalchemy import Engine, text

from skene_dagster.behaviour.event import DEEPEST, Event, new_event
from skene_dagster.behaviour.events import SETTLED_WITHIN, Fitted, Journal, open_journal, write
from skene_dagster.behaviour.rollup.passes import OVERLAP
from skene_dagster.errors import EventRefused, SchemaOutdated, StoreError, WrongEnvironment
from skene_dagster.settings import Settings, load
from skene_dagster.store import environment
from skene_dagster.store.engine import database_time, is_sqlite, transaction

AT = datetime(2026, 3, 14, 9, 26, 53, 589793)
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
on_servers = pytest.mark.parametrize("database_url", ["mariadb", "tidb"], indirect=True)


class Rank(IntEnum):
    ONE = 1


class Colour(str, Enum):
    RED = "red"


@pytest.fixture
def settings(engine: Engine, tmp_path: Any) -> Settings:
    return load(tmp_path, {"SKENE_DATABASE_URL": engine.url.render_as_string(hide_password=False)})


@pytest.fixture
def journal(engine: Engine, settings: Settings) -> Iterator[Journal]:
    make_users(engine)
    journal = open_journal(settings)
    yield journal
    journal.close()


def fitted(journal: Journal, *told: Event) -> list[Fitted]:
    now = journal.now()
    return [journal.fit(event, now) for event in told]


def test_an_event_is_stored_as_it_was_told(engine: Engine, journal: Journal) -> None:
    properties = {"plan": "Größe L", "n": 3, "deep": [{"a": None}], "emoji": "👩‍👩‍👧"}

    journal.store(fitted(journal, new_event(7, "Signed Up", properties, at=AT, event_id="e-1")))

    (row,) = rows(engine)
    assert json.loads(row.pop("properties")) == properties
    del row["received_at"]
    assert row == {"event_id": "e-1", "user_id": 7, "name": "Signed Up", "occurred_at": AT}


def test_who_reads_by_arrival_looks_back_further_than_a_row_may_take_to_be_committed() -> None:
    assert SETTLED_WITHIN < OVERLAP


def test_the_same_id_told_again_changes_nothing(engine: Engine, journal: Journal) -> None:
    journal.store(fitted(journal, new_event(7, "first", at=AT, event_id="e-1")))
    before = rows(engine)

    again = [new_event(8, "second", event_id="e-1"), new_event(9, "other", event_id="e-2")]
    journal.store(fitted(journal, *again, *again))

    assert rows(engine)[:1] == before
    assert [(row["event_id"], row["user_id"]) for row in rows(engine)] == [("e-1", 7), ("e-2", 9)]


def test_two_that_tell_the_same_at_once_write_it_once(engine: Engine, journal: Journal) -> None:
    told = fitted(journal, *(new_event(n, "used", event_id=f"e-{n:03}") for n in range(200)))
    barrier, failures = threading.Barrier(4), list[Exception]()

    def tell(turned: bool) -> None:
        barrier.wait()
        try:
            for start in range(0, 200, 20):
                part = told[start : start + 20]
                journal.store(part[::-1] if turned else part)
        except StoreError as error:
            failures.append(error)

    threads = [threading.Thread(target=tell, args=(n % 2 == 0,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert len(rows(engine)) == 200


def test_an_event_was_received_when_the_database_says(engine: Engine, journal: Journal) -> None:
    def asked() -> datetime:
        return transaction(engine, database_time)

    before = asked()
    journal.store(fitted(journal, new_event(7, "used", at=AT)))
    after = asked()

    assert before <= rows(engine)[0]["received_at"] <= after


@on_sqlite
def test_the_database_is_taken_to_have_told_its_time_in_the_middle_of_being_asked(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_users(engine)
    # SQLite has this machine's time, and was asked for twenty seconds.
    now = datetime.now(timezone.utc).replace(tzinfo=None)
    around = iter((now - timedelta(seconds=10), now + timedelta(seconds=10)))
    monkeypatch.setattr("skene_dagster.behaviour.events._utc_now", lambda: next(around))

    ahead = transaction(engine, lambda connection: write(connection, []))

    assert abs(ahead) < timedelta(seconds=2)


def test_an_event_that_lies_a_little_ahead_happened_when_it_was_received(engine: Engine, journal: Journal) -> None:
    ahead = journal.now() + timedelta(minutes=4)

    journal.store(fitted(journal, new_event(7, "used", at=ahead)))

    (row,) = rows(engine)
    assert row["occurred_at"] <= row["received_at"] + timedelta(seconds=1)


@pytest.mark.parametrize(
    ("away", "words"),
    [
        pytest.param(timedelta(minutes=6), "more than 5 minutes in the future", id="ahead"),
        pytest.param(-timedelta(days=3655), "more than 10 years in the past", id="long ago"),
    ],
)
def test_an_event_of_another_time_is_refused(journal: Journal, away: timedelta, words: str) -> None:
    now = journal.now()

    with pytest.raises(EventRefused, match=words):
        journal.fit(new_event(7, "used", at=now + away), now)


def test_a_row_that_the_database_refuses_holds_up_no_other(engine: Engine, journal: Journal) -> None:
    if is_sqlite(engine):
        with engine.begin() as connection:
            # SQLite takes any value by itself; a trigger stands for what a server's types refuse.
            connection.execute(
                text(
                    "CREATE TRIGGER strict BEFORE INSERT ON skene_events WHEN length(NEW.name) > 128 "
                    "BEGIN SELECT RAISE(ABORT, 'too long'); END"
                )
            )
    told = fitted(journal, *(new_event(n, "used", event_id=f"e-{n:02}") for n in range(20)))
    poison = {3, 11, 12}
    told = [
        Fitted(one.event_id, one.user_id, "n" * 200, one.occurred_at, None) if n in poison else one
        for n, one in enumerate(told)
    ]

    refused = journal.store(told)

    assert set(refused) == poison
    assert {row["event_id"] for row in rows(engine)} == {f"e-{n:02}" for n in set(range(20)) - poison}
    assert "nnn" not in str(refused[3])


def test_a_failure_that_is_no_rows_own_is_raised_and_leaves_nothing(engine: Engine, journal: Journal) -> None:
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE skene_events"))

    with pytest.raises(StoreError):
        journal.store(fitted(journal, new_event(7, "used"), new_event(8, "used")))


def test_what_took_too_long_is_not_committed(engine: Engine, journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skene_dagster.behaviour.events.SETTLED_WITHIN", timedelta(0))

    with pytest.raises(StoreError, match="too long"):
        transaction(engine, lambda connection: write(connection, fitted(journal, new_event(7, "used"))))

    assert rows(engine) == []


@pytest.mark.parametrize(
    ("key", "told", "stored"),
    [
        pytest.param("BIGINT", 2**63 - 1, 2**63 - 1, id="the largest number"),
        pytest.param("BIGINT", "-42", -42, id="digits for a number"),
        pytest.param("VARCHAR(40)", "Ada", "Ada", id="text"),
        pytest.param("BIGINT", Rank.ONE, 1, id="a number of an enum"),
        pytest.param("VARCHAR(40)", Colour.RED, "red", id="a text of an enum"),
        pytest.param("VARCHAR(40)", 42, "42", id="a number for a text"),
        pytest.param("VARCHAR(40)", uuid.UUID(int=5), str(uuid.UUID(int=5)), id="a UUID for a text"),
        pytest.param("BINARY(16)", uuid.UUID(int=5), uuid.UUID(int=5).bytes, id="a UUID for bytes"),
        pytest.param("BINARY(16)", str(uuid.UUID(int=5)), uuid.UUID(int=5).bytes, id="hex digits for bytes"),
        pytest.param("BINARY(16)", b"\0" * 15 + b"\x05", b"\0" * 15 + b"\x05", id="bytes"),
    ],
)
def test_a_users_id_is_stored_in_the_keys_type(
    engine: Engine, settings: Settings, key: str, told: object, stored: object
) -> None:
    make_users(engine, key)
    journal = open_journal(settings)

    journal.store(fitted(journal, new_event(told, "used")))
    journal.close()

    assert [row["user_id"] for row in rows(engine)] == [stored]


@on_servers
@pytest.mark.parametrize("key", ["INT UNSIGNED", "TINYINT", "MEDIUMINT", "VARCHAR(3)", "VARBINARY(3)"])
def test_what_fits_by_our_rules_fits_by_the_servers(engine: Engine, settings: Settings, key: str) -> None:
    make_users(engine, key)
    journal = open_journal(settings)
    ids = journal.user_ids
    # Only the one that is asked for: a text of as many letters as the largest INT UNSIGNED takes gigabytes.
    of_one: dict[str, str | bytes] = {"text": "ü", "binary": b"\xff"}
    largest = ids.most if ids.kind == "integer" else of_one[ids.kind] * ids.most

    refused = journal.store(fitted(journal, new_event(largest, "used")))
    journal.close()

    assert refused == {}
    assert [row["user_id"] for row in rows(engine)] == [largest]


@pytest.mark.parametrize(
    "properties",
    [
        pytest.param(nested(DEEPEST), id="as deep as may be"),
        pytest.param({"a": "{" * 100 + '\\"['}, id="brackets in a text"),
        pytest.param({"a": "9" * 400}, id="a long number in a text"),
        pytest.param({"a": list(range(50)), "b": [[]] * 30}, id="many brackets beside each other"),
        pytest.param({"a": "\0\x1f\u2028"}, id="control characters in a text"),
    ],
)
def test_properties_that_only_look_odd_are_stored_and_read_by_the_database(
    engine: Engine, journal: Journal, properties: dict[str, Any]
) -> None:
    journal.store(fitted(journal, new_event(7, "used", properties)))

    assert json.loads(rows(engine)[0]["properties"]) == properties
    with engine.connect() as connection:
        assert connection.execute(text("SELECT JSON_VALID(properties) FROM skene_events")).scalar_one() == 1


def test_tables_that_are_not_there_are_told(engine: Engine, settings: Settings) -> None:
    with pytest.raises(StoreError if is_sqlite(engine) else SchemaOutdated):
        open_journal(settings)


def test_a_database_of_another_environment_is_left_alone(engine: Engine, settings: Settings) -> None:
    make_users(engine)
    environment.adopt(engine, "production")

    with pytest.raises(WrongEnvironment):
        open_journal(settings)


@on_servers
def test_the_rights_that_the_documents_name_are_enough(engine: Engine, tmp_path: Path) -> None:
    make_users(engine)
    user = f"u{uuid.uuid4().hex[:20]}"
    read = ("users", "skene_meta", "skene_schema_version", "skene_segment_members")
    rights = [*(f"SELECT ON {table}" for table in read), "SELECT, INSERT, UPDATE ON skene_events"]
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"CREATE USER {user}@'%' IDENTIFIED BY 'secret'"))
        try:
            for right in rights:
                connection.execute(text(f"GRANT {right} TO {user}@'%'"))
            url = engine.url.set(username=user, password="secret").render_as_string(hide_password=False)
            journal = open_journal(load(tmp_path, {"SKENE_DATABASE_URL": url}))

            journal.store(fitted(journal, new_event(7, "used", event_id="e-1")))
            journal.store(fitted(journal, new_event(7, "used", event_id="e-1")))

            journal.close()
        finally:
            connection.execute(text(f"DROP USER {user}@'%'"))
    assert len(rows(engine)) == 1
