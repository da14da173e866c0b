"""Databases that refuse: a server on which nobody may write, and a user who may do little."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, text

from skene_dagster.store.engine import is_sqlite, open_engine


def do(engine: Engine, *statements: str) -> None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in statements:
            connection.execute(text(statement))


@contextmanager
def another_user(engine: Engine, *grants: str) -> Iterator[Engine]:
    """Connect to a server as a user who has these rights only; `{us}` is the user."""
    name = f"skene_{uuid.uuid4().hex[:8]}"
    do(engine, f"CREATE USER '{name}'@'%'", *(grant.replace("{us}", f"'{name}'@'%'") for grant in grants))
    theirs = open_engine(engine.url.set(username=name).render_as_string(hide_password=False))
    try:
        yield theirs
    finally:
        theirs.dispose()
        do(engine, f"DROP USER '{name}'@'%'")


@contextmanager
def read_only(engine: Engine) -> Iterator[Engine]:
    """Connect to the database while nobody may write it."""
    if is_sqlite(engine):
        yield open_engine(engine.url.render_as_string(), read_only=True)
        return
    with engine.connect() as connection:
        is_tidb = "TiDB" in connection.execute(text("SELECT VERSION()")).scalar_one()
    switch = "tidb_super_read_only" if is_tidb else "read_only"
    # On MariaDB root writes all the same.
    with another_user(engine, f"GRANT ALL ON {engine.url.database}.* TO {{us}}") as theirs:
        do(engine, f"SET GLOBAL {switch} = 1")
        try:
            yield theirs
        finally:
            do(engine, f"SET GLOBAL {switch} = 0")
