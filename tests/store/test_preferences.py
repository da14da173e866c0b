"""What recipients say themselves: a "no" stops at once, a "yes" lets through again, and both are kept."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import prepared_tables
import pytest
from sqlalchemy import Connection, Engine, func, select, text

from skene_dagster.consent import preferences, suppressions
from skene_dagster.consent.preferences import Said
from skene_dagster.consent.suppressions import Suppression
from skene_dagster.consent.tokens import Signer
from skene_dagster.errors import StoreError
from skene_dagster.settings import Users
from skene_dagster.store import schema, tables

NOW = datetime(2026, 3, 2, 9)
A_DAY = timedelta(days=1)
ADA = ("1:ada", "u:ada")
TIPS, NEWS = suppressions.topic_scope("tips"), suppressions.topic_scope("news")


@pytest.fixture
def migrated(engine: Engine) -> Engine:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE users (id BIGINT NOT NULL PRIMARY KEY)"))
    prepared_tables.make(engine, Users())
    return engine


@pytest.fixture
def connection(migrated: Engine) -> Iterator[Connection]:
    with migrated.begin() as connection:
        yield connection


def said(at: datetime = NOW) -> Said:
    return Said(at, "a test", "0" * 64)


def stopped(connection: Connection, now: datetime, *scopes: str) -> set[str]:
    return set(suppressions.stopped(connection, ADA, scopes, now))


def test_a_no_to_a_topic_stops_that_topic_for_the_address_and_the_user(connection: Connection) -> None:
    preferences.say_no(connection, ADA, TIPS, said(), NOW)

    assert stopped(connection, NOW, TIPS) == set(ADA)
    assert stopped(connection, NOW, NEWS, "marketing", "all") == set()
    assert preferences.answers(connection, ADA[:1], [TIPS, NEWS]) == {TIPS: "no"}


def test_a_yes_lifts_what_they_stopped_and_nothing_else(connection: Connection) -> None:
    dead = Suppression(ADA[0], "all", NOW, "bounce", "a test")
    suppressions.suppress(connection, [dead], NOW)
    for scope in (TIPS, "marketing"):
        preferences.say_no(connection, ADA, scope, said(), NOW)

    preferences.say_yes(connection, ADA, TIPS, said(NOW + A_DAY), NOW + A_DAY)

    assert stopped(connection, NOW + A_DAY, TIPS) == set()
    assert stopped(connection, NOW + A_DAY, "marketing") == set(ADA)
    assert stopped(connection, NOW + A_DAY, "all") == {ADA[0]}
    assert preferences.answers(connection, ADA, [TIPS, "marketing"]) == {TIPS: "yes", "marketing": "no"}


def test_a_no_after_a_yes_stops_again(connection: Connection) -> None:
    preferences.say_no(connection, ADA, TIPS, said(), NOW)
    preferences.say_yes(connection, ADA, TIPS, said(NOW + A_DAY), NOW + A_DAY)

    preferences.say_no(connection, ADA, TIPS, said(NOW + 2 * A_DAY), NOW + 2 * A_DAY)

    assert stopped(connection, NOW + 2 * A_DAY, TIPS) == set(ADA)


def test_a_no_that_is_delivered_after_a_later_yes_stops_nothing(connection: Connection) -> None:
    preferences.say_yes(connection, ADA, TIPS, said(NOW + A_DAY), NOW + A_DAY)

    preferences.say_no(connection, ADA, TIPS, said(), NOW + 2 * A_DAY)

    assert stopped(connection, NOW + 2 * A_DAY, TIPS) == set()
    assert preferences.answers(connection, ADA, [TIPS]) == {TIPS: "yes"}


def test_the_same_no_may_be_delivered_twice(connection: Connection) -> None:
    for late in (timedelta(), A_DAY):
        preferences.say_no(connection, ADA, TIPS, said(), NOW + late)

    assert connection.execute(select(func.count()).select_from(tables.preferences)).scalar_one() == 2
    assert connection.execute(select(func.count()).select_from(tables.suppressions)).scalar_one() == 2


def test_of_two_answers_at_one_moment_the_no_counts(connection: Connection) -> None:
    preferences.say_no(connection, ADA[:1], TIPS, said(), NOW)
    preferences.say_yes(connection, ADA[1:], TIPS, said(), NOW)

    assert preferences.answers(connection, ADA, [TIPS]) == {TIPS: "no"}


def test_a_migrated_database_has_a_key_that_signs(migrated: Engine) -> None:
    with migrated.connect() as connection:
        keys = Signer.of(connection).keys
    with migrated.begin() as connection:
        connection.execute(text("UPDATE skene_schema_version SET version_num = '0010'"))

    schema.upgrade(migrated, Users())

    with migrated.connect() as connection:
        assert Signer.of(connection).keys == keys
    assert [len(key) for key in keys] == [64]


def test_lost_keys_are_told_and_not_made_anew(connection: Connection) -> None:
    connection.execute(text("DELETE FROM skene_meta WHERE name LIKE 'signing_key_%'"))

    with pytest.raises(StoreError, match="no key to sign"):
        Signer.of(connection)
