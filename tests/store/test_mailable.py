"""`users.mailable` says who may be mailed at all, by the users' own columns, other tables, and the tick's clock."""

from datetime import datetime
from functools import partial

import pytest
from sqlalchemy import Engine, text

from skene_dagster.delivery.decide import facts
from skene_dagster.errors import SettingsError
from skene_dagster.settings import Users
from skene_dagster.store.engine import reading

AS_OF = datetime(2026, 11, 23, 9)


@pytest.fixture
def product(engine: Engine) -> Engine:
    with engine.begin() as connection:
        for statement in (
            "CREATE TABLE users (id INTEGER PRIMARY KEY, email VARCHAR(99), snoozed_until DATETIME, tag VARCHAR(9))",
            "INSERT INTO users VALUES (1, 'ann@example.com', NULL, '50%')",
            r"INSERT INTO users VALUES (2, 'bob@example.com', '2026-11-23 08\:59\:59', '\:x')",
            r"INSERT INTO users VALUES (3, 'eve@example.com', '2026-11-23 09\:00\:01', '50%')",
            "INSERT INTO users VALUES (4, 'staff@example.org', NULL, NULL)",
            "CREATE TABLE staff (user_id INTEGER)",
            "INSERT INTO staff VALUES (4)",
        ):
            connection.execute(text(statement))
    return engine


def mailable(engine: Engine, sql: str) -> set[object]:
    people = reading(engine, partial(facts.read, users=Users(mailable=sql), keys=[1, 2, 3, 4], as_of=AS_OF))
    return {key for key, person in people.items() if person.mailable}


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        pytest.param("1 = 1", {1, 2, 3, 4}, id="all"),
        pytest.param("snoozed_until IS NULL OR snoozed_until < NOW()", {1, 2, 4}, id="the tick's time"),
        pytest.param("id NOT IN (SELECT user_id FROM staff)", {1, 2, 3}, id="another table"),
        pytest.param("users.email NOT LIKE '%@example.org' -- staff", {1, 2, 3}, id="a comment, a percent sign"),
        pytest.param("tag = ':x' OR tag = '50%'", {1, 2, 3}, id="a colon, a percent sign"),
        pytest.param("snoozed_until < NOW()", {2}, id="who has no answer may not"),
    ],
)
def test_who_may_be_mailed_is_what_the_settings_say(sql: str, expected: set[object], product: Engine) -> None:
    assert mailable(product, sql) == expected


def test_sql_that_could_do_more_never_reaches_the_database(product: Engine) -> None:
    with pytest.raises(SettingsError) as caught:
        mailable(product, "1 = 1) THEN 1 ELSE 0 END, SLEEP(1), CASE WHEN (1 = 1")

    assert caught.value.message == "A parenthesis is closed that was never opened."
    assert str(caught.value.place) == "skene.yaml  users.mailable"
