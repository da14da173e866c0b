"""The skene_* tables as `skene-dagster migrate` leaves them, migrated once and then copied: a fifth of the time."""

from sqlalchemy import Connection, Engine, inspect, select, text

from skene_dagster.settings import Accounts, Users
from skene_dagster.store import schema
from skene_dagster.store.engine import is_sqlite
from skene_dagster.store.keys import key_of, users_key
from skene_dagster.store.tables import meta

VERSION = "skene_schema_version"

_statements: dict[tuple[str, ...], list[str]] = {}
"""What makes the tables, by the server, the users key and the accounts key, on which alone they depend."""


def make(engine: Engine, users: Users, accounts: Accounts | None = None) -> None:
    """Make the skene_* tables in a database that has none, beside its users table, and its accounts table if any."""
    with engine.connect() as connection:
        kind = (
            connection.engine.url.drivername + str(connection.dialect.server_version_info),
            users_key(connection, users).sql,
            key_of(connection, accounts).sql if accounts else "",
        )
    if kind in _statements:
        with engine.begin() as connection:
            for statement in _statements[kind]:
                connection.exec_driver_sql(statement)
        return
    schema.upgrade(engine, users, accounts)
    with engine.connect() as connection:
        rows = [f"INSERT INTO {VERSION} VALUES ('{schema.RELEASES[-1]}')"]
        kept = connection.execute(select(meta))
        rows += [f"INSERT INTO {meta.name} VALUES ('{row.name}', '{row.value}')" for row in kept]
        _statements[kind] = [*_definitions(connection), *rows]


def _definitions(connection: Connection) -> list[str]:
    if is_sqlite(connection.engine):
        made = "SELECT sql FROM sqlite_master WHERE tbl_name LIKE 'skene\\_%' ESCAPE '\\' AND sql IS NOT NULL"
        return list(connection.execute(text(made)).scalars())
    tables = [name for name in inspect(connection).get_table_names() if name.startswith("skene_")]
    return [connection.execute(text(f"SHOW CREATE TABLE {name}")).one()[1] for name in tables]
