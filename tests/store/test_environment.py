"""A database belongs to the environment whose run came first, until a person says otherwise; its ledger has a name."""

import re
from collections.abc import Callable
from datetime import date

import prepared_tables
import pytest
from sqlalchemy import Engine, insert, select, text

from skene_dagster.behaviour import events
from skene_dagster.errors import WrongEnvironment
from skene_dagster.settings import Environment, Users
from skene_dagster.store import environment
from skene_dagster.store.engine import transaction
from skene_dagster.store.tables import meta


@pytest.fixture
def database(engine: Engine) -> Engine:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE users (id BIGINT NOT NULL PRIMARY KEY)"))
    prepared_tables.make(engine, Users())
    transaction(engine, lambda connection: events.let_go(connection, date(2026, 1, 1)))
    return engine


def known(engine: Engine) -> dict[str, str]:
    with engine.connect() as connection:
        return dict(connection.execute(select(meta.c.name, meta.c.value)).all())


def test_the_first_run_makes_a_database_its_environments_and_the_next_one_changes_nothing(database: Engine) -> None:
    environment.belong(database, "test")
    first = known(database)
    environment.belong(database, "test")

    assert known(database) == first
    assert (first["environment"], first["events_kept_since"]) == ("test", "2026-01-01")
    assert re.fullmatch("[0-9a-f]{32}", first["ledger"])


def test_who_only_looks_makes_it_nobodys(database: Engine) -> None:
    before = known(database)

    environment.check(database, "production")

    assert known(database) == before


@pytest.mark.parametrize("ask", [environment.belong, environment.check], ids=["a run", "a look"])
def test_a_database_of_another_environment_is_left_alone(
    database: Engine, ask: Callable[[Engine, Environment], None]
) -> None:
    environment.belong(database, "production")
    before = known(database)

    with pytest.raises(WrongEnvironment, match="belongs to production, but SKENE_ENV is development"):
        ask(database, "development")

    assert known(database) == before


@pytest.mark.parametrize("is_anybodys", [True, False], ids=["another's", "nobody's"])
def test_who_adopts_a_database_has_another_ledger_and_all_else_as_it_was(
    database: Engine, *, is_anybodys: bool
) -> None:
    if is_anybodys:
        environment.belong(database, "production")
    before = known(database)

    environment.adopt(database, "development")
    adopted = known(database)
    environment.belong(database, "development")
    after = known(database)

    rest = {name: value for name, value in before.items() if name != "ledger"}
    assert adopted == {**rest, "environment": "development"}
    assert after == {**adopted, "ledger": after["ledger"]}
    assert after["ledger"] != before.get("ledger")


def test_a_ledger_keeps_the_name_that_it_has(database: Engine) -> None:
    with database.begin() as connection:
        connection.execute(insert(meta).values(name="ledger", value="ours"))

    assert transaction(database, environment.ledger_id) == "ours"
