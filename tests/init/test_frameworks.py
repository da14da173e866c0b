"""The schemas of frameworks, and some of products: the right table, key, address, name, times and events of each."""

import re
from pathlib import Path

import pytest
from product_schemas import EXPECTED, Expected, as_expected, read
from sqlalchemy import Engine, inspect, text

from skene_dagster.cli.init.checking import faults_of
from skene_dagster.init.files import project_files
from skene_dagster.init.proposal import Asked, propose
from skene_dagster.init.reading import database
from skene_dagster.init.reading.ddl import tables_of
from skene_dagster.init.schema import NoRows, Schema
from skene_dagster.store.engine import is_sqlite


@pytest.mark.parametrize("name", EXPECTED)
def test_of_a_framework_s_ddl_each_column_is_found(name: str) -> None:
    schema = Schema(f"{name}.sql", tuple(tables_of(read(name))))

    found = propose(schema, NoRows(), Asked())

    assert as_expected(found, EXPECTED[name].aloud) == EXPECTED[name]
    assert found.doubts == ()


def test_of_a_framework_s_tables_on_a_server_each_column_is_found_and_validates(
    engine: Engine, database_url: str
) -> None:
    if is_sqlite(engine):
        return  # The DDL is MySQL's; tests/acceptance/test_init.py has Django's in SQLite.
    found: dict[str, Expected] = {}
    for name, expected in EXPECTED.items():
        _make(engine, name)
        proposal = propose(database.read(engine, name), database.DatabaseRows(engine), Asked())
        found[name] = as_expected(proposal, expected.aloud)
        assert faults_of(project_files(proposal, Path("shop")), database_url) == [], name
        _drop(engine)

    assert {name: (one.users, one.key, one.email, one.name) for name, one in found.items()} == {
        name: (one.users, one.key, one.email, one.name) for name, one in EXPECTED.items()
    }
    assert {name: (one.created, one.activity, one.mailable) for name, one in found.items()} == {
        name: (one.created, one.activity, one.mailable) for name, one in EXPECTED.items()
    }
    assert {name: one.events for name, one in found.items()} == {name: one.events for name, one in EXPECTED.items()}


def _make(engine: Engine, name: str) -> None:
    script = re.sub(r"--> statement-breakpoint|^--.*$", "", read(name), flags=re.MULTILINE)
    with engine.begin() as connection:
        connection.execute(text("SET SESSION foreign_key_checks = 0, sql_mode = ''"))
        for statement in script.split(";"):
            if statement.strip():
                connection.exec_driver_sql(statement)


def _drop(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("SET SESSION foreign_key_checks = 0"))
        for table in inspect(connection).get_table_names():
            connection.exec_driver_sql(f"DROP TABLE `{table}`")
