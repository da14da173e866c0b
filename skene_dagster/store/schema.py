"""The skene_* tables' release: is it this one, and making it so."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Column, Connection, Engine, MetaData, String, Table, func, inspect, literal_column, select

from skene_dagster.errors import SchemaOutdated, StoreUnavailable
from skene_dagster.settings import Accounts, Users
from skene_dagster.store.engine import is_sqlite, transaction
from skene_dagster.store.failures import translated
from skene_dagster.store.keys import KeyType, common_key, key_of, users_key
from skene_dagster.store.migrations import account_tables
from skene_dagster.store.migrations.offline_sql import held_back
from skene_dagster.store.server.capabilities import refuse_an_old_server

if TYPE_CHECKING:
    from alembic.config import Config

RELEASES = (
    "0001",
    "0002",
    "0003",
    "0004",
    "0005",
    "0006",
    "0007",
    "0008",
    "0009",
    "0010",
    "0011",
    "0012",
    "0013",
    "0014",
    "0015",
    "0016",
    "0017",
    "0018",
    "0019",
    "0020",
    "0021",
    "0022",
    "0023",
    "0025",
    "0026",
    "0032",
)
"""The revisions of the tables, the oldest first, as the files in `migrations` name them.

They stand here so that a run, which only compares, need not load Alembic: 0.1 s of every process.
"""

_FOLDER = Path(__file__).parent / "migrations"

_LOCK_SECONDS = 60

_version = Table(
    "skene_schema_version",
    MetaData(),
    Column("version_num", String(32), primary_key=True),
    mysql_engine="InnoDB",
    mysql_charset="utf8mb4",
    mysql_collate="utf8mb4_bin",
)
"""Alembic's table; it would make the same one, but in the database's default collation."""


def upgrade(engine: Engine, users: Users, accounts: Accounts | None = None) -> None:
    """Bring the skene_* tables to this release; what is there already stays. Several at once do no harm.

    Raises:
        SettingsError: the users table or its key is not what skene.yaml says.
        SchemaOutdated: the tables are of a newer release.
        StoreUnavailable: another process is migrating for too long.
        StoreError: the database refused.
    """
    if is_sqlite(engine):
        transaction(engine, lambda connection: _upgrade(connection, users, accounts))
        return
    with _alone(engine) as connection:
        _upgrade(connection, users, accounts)


def upgrade_as_sql(engine: Engine, users: Users, accounts: Accounts | None = None) -> str:
    """Write down what `upgrade` would execute now on a server; change nothing.

    Returns:
        SQL for the server's own client: statements that end with a semicolon, below a comment that says from which
        release to which. Only the comment, where nothing is due.

    Raises:
        SettingsError, SchemaOutdated, StoreUnavailable, StoreError: as `upgrade` does.
    """
    with _alone(engine) as connection, held_back(connection) as statements:
        current = _current(connection)
        _upgrade(connection, users, accounts)
    return _as_sql(str(engine.url.database), current, statements)


def ready(engine: Engine, users: Users, accounts: Accounts | None = None) -> None:
    """Make sure that the skene_* tables are of this release and fit the users table.

    SQLite's are made or upgraded here; a server's never.

    Raises:
        SchemaOutdated: they are missing, older or newer; the message says what to run.
        SettingsError: the users table, the accounts table or its key is not what skene.yaml says.
        StoreError: the database refused, or its users key or accounts key has changed its type.
    """
    with translated(), engine.connect() as connection:
        current = _current(connection)
        if current == RELEASES[-1]:
            common_key(connection, users)
            if account_tables.fit(connection, accounts):
                return
        _not_newer(current)
    if is_sqlite(engine):
        upgrade(engine, users, accounts)
        return
    raise _outdated(current)


def is_ready(engine: Engine) -> bool:
    """Whether the skene_* tables are there and of this release; changes nothing.

    Raises:
        SchemaOutdated: they are of a newer release: it is this installation that is too old.
        StoreError: the database refused.
    """
    with translated(), engine.connect() as connection:
        current = _current(connection)
    _not_newer(current)
    return current == RELEASES[-1]


def _upgrade(connection: Connection, users: Users, accounts: Accounts | None) -> None:
    current = _current(connection)
    _not_newer(current)
    key = users_key(connection, users) if current is None else common_key(connection, users)
    if not is_sqlite(connection):
        refuse_an_old_server(connection)
    _version.create(connection, checkfirst=True)
    from alembic import command  # noqa: PLC0415 - see RELEASES

    if current == RELEASES[-1] and accounts is not None and not account_tables.fit(connection, accounts):
        account_tables.make_anew(connection, accounts, users)
        return
    account_key = key if accounts is None else key_of(connection, accounts)
    command.upgrade(_config(connection, key.type, account_key.type), "head")


def _current(connection: Connection) -> str | None:
    if not inspect(connection).has_table(_version.name):
        return None
    return connection.execute(select(_version.c.version_num)).scalar_one_or_none()


def _as_sql(database: str, current: str | None, statements: Sequence[str]) -> str:
    tables = f"-- skene-dagster migrate: the skene_* tables in {database}"
    if not statements:
        return f"{tables} are of release {current}; nothing is due.\n"
    since = f"release {current}" if current else "nothing"
    head = f"{tables}, from {since} to release {RELEASES[-1]}.\n"
    return "".join((head, *(f"\n{statement};\n" for statement in statements)))


def _outdated(current: str | None) -> SchemaOutdated:
    state = f"of release {current}, and this one needs {RELEASES[-1]}" if current else "not in the database"
    if current == RELEASES[-1]:
        state = "not yet made for the accounts of skene.yaml, whose key has another type"
    return SchemaOutdated(f"The skene_* tables are {state}.", advice="Run: skene-dagster migrate")


def _not_newer(current: str | None) -> None:
    if current is not None and current not in RELEASES:
        raise SchemaOutdated(
            f"The skene_* tables are of release {current}, which is newer than this installation.",
            advice="Upgrade it: pip install --upgrade skene-dagster",
        )


def _config(connection: Connection, user_id: KeyType, account_id: KeyType) -> "Config":
    from alembic.config import Config  # noqa: PLC0415 - see RELEASES

    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes.update(connection=connection, user_id=user_id, account_id=account_id, version_table=_version.name)
    return config


@contextmanager
def _alone(engine: Engine) -> Iterator[Connection]:
    """Connect to a server, and let one process at a time migrate this database."""
    database = hashlib.sha1(str(engine.url.database).encode(), usedforsecurity=False).hexdigest()
    name = f"skene_migrate_{database}"
    # A number in the text, so that the guard over emitted SQL sees it: TiDB bends what is not 1 to 3600.
    waited = func.get_lock(name, literal_column(str(_LOCK_SECONDS)))
    with translated(), engine.connect() as plain:
        # TiDB and MySQL commit at each DDL statement; a transaction around them would only pretend.
        connection = plain.execution_options(isolation_level="AUTOCOMMIT")
        if not connection.execute(select(waited)).scalar_one():
            raise StoreUnavailable(
                f"Another process has been migrating this database for {_LOCK_SECONDS} s.", advice="Try again."
            )
        try:
            yield connection
        finally:
            connection.execute(select(func.release_lock(name)))
