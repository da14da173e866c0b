"""Whose work a statement is, as the server sees it."""

import pytest
from pymysql.cursors import RE_INSERT_VALUES
from sqlalchemy import Engine, text

from skene_dagster.store.engine import transaction
from skene_dagster.store.server.labels import labelled, signed, thread

on_servers = pytest.mark.parametrize("database_url", ["mariadb", "tidb"], indirect=True)
ME = text("SELECT info FROM information_schema.processlist WHERE id = CONNECTION_ID()")


def seen(engine: Engine) -> str:
    """The statement that asks, as the server has it."""
    return transaction(engine, lambda connection: str(connection.execute(ME).scalar_one()))


@on_servers
def test_each_statement_says_whose_it_is(engine: Engine) -> None:
    with labelled(loop="retention", step="main", run="8f14e45f"):
        told = seen(engine)

    assert told.startswith("/* skene_dagster loop=retention step=main run=8f14e45f */ SELECT info")
    assert seen(engine).startswith("/* skene_dagster */ SELECT info")


@on_servers
def test_a_thread_works_for_who_made_it(engine: Engine) -> None:
    told: list[str] = []

    with labelled(loop="retention"):
        worker = thread(lambda: told.append(seen(engine)), "worker")
        worker.start()
        worker.join()

    assert told[0].startswith("/* skene_dagster loop=retention */")


def test_what_could_end_the_comment_is_no_part_of_it() -> None:
    with labelled(loop="a */ DROP TABLE users; /*", step="50 %s", run=""):
        assert signed("SELECT 1") == "/* skene_dagster loop=a____DROP_TABLE_users____ step=50__s */ SELECT 1"


def test_rows_are_still_inserted_by_one_statement() -> None:
    with labelled(loop="retention"):
        told = signed("INSERT INTO t (a) VALUES (%(a)s) ON DUPLICATE KEY UPDATE a = a")

    assert told.startswith("INSERT /* skene_dagster loop=retention */ INTO t")
    assert RE_INSERT_VALUES.match(told)
