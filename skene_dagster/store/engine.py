"""Connections and transactions: one engine for SQLite, TiDB and other databases that speak MySQL's protocol.

Every connection uses UTC, compares literals by utf8mb4_bin, refuses values that do not fit, and sees what is committed
when each statement starts.
"""

import os
import random
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import (
    URL,
    ColumnElement,
    Connection,
    Engine,
    TableClause,
    create_engine,
    event,
    literal_column,
    or_,
    select,
)
from sqlalchemy.exc import DBAPIError

from skene_dagster.errors import CommitUnknown, SettingsError, StoreError, StoreUnavailable
from skene_dagster.settings import Keyed
from skene_dagster.store.failures import in_words, is_busy, is_lost, translated
from skene_dagster.store.names import named
from skene_dagster.store.server import urls
from skene_dagster.store.server.connections import open_server
from skene_dagster.store.sqlite import functions
from skene_dagster.store.tables import Moment

Clock: TypeAlias = Callable[[], datetime]
"""Real time, as a naive datetime in UTC."""

CLOCKS_DIFFER = timedelta(minutes=5)
"""How far apart correct clocks may be: a past moment that is further ahead than this was written by a wrong clock."""

Result = TypeVar("Result")

ATTEMPTS = 6
"""How often a transaction is tried that conflicts with others."""

SQLITE_BUSY_SECONDS = 30

_WRITES = "skene_writes"
_BACK_OFF = "skene_back_off"


def back_off(tries: int) -> None:
    """Wait after so many tries, as PingCAP recommends; the jitter keeps two that collided from colliding again."""
    time.sleep(min(5.0, (1.5**tries + random.random()) * 0.1))  # noqa: S311 - no secret


def open_engine(
    url: str,
    *,
    read_only: bool = False,
    must_exist: bool = False,
    patience: float | None = None,
    back_off: Callable[[int], None] = back_off,
) -> Engine:
    """Describe the database at `url`; nothing is connected, and no file or folder is made, until it is used.

    Args:
        read_only: an SQLite file is opened read-only, and never created. (A server has its rights; TiDB has no
            read-only transactions.)
        must_exist: a missing SQLite file is a mistake; it is not created.
        patience: seconds after which a connection without an answer is given up; for short statements that do no harm
            if they happened after all. Without it a statement may take as long as it needs.
        back_off: waits, after so many tries of a transaction, for those that were in its way.

    Raises:
        SettingsError: the URL is not valid, or names a database that is not supported.
    """
    parsed = urls.parse(url)
    if parsed.drivername in urls.SQLITE:
        patience = patience or SQLITE_BUSY_SECONDS
        engine = _open_sqlite(parsed, read_only=read_only, must_exist=must_exist or read_only, patience=patience)
    else:
        engine = open_server(parsed.set(drivername="mysql+pymysql"), patience)
    engine.update_execution_options(**{_BACK_OFF: back_off})
    return engine


def is_sqlite(database: Engine | Connection) -> bool:
    """Whether this is the embedded database, not a server."""
    return database.dialect.name == "sqlite"


def transaction(
    engine: Engine, work: Callable[[Connection], Result], *, resolve: Callable[[Connection], Result] | None = None
) -> Result:
    """Do `work` in one transaction and commit it. After a conflict with others, all of it is tried again.

    Args:
        resolve: done instead of `work` if the connection broke during COMMIT: it looks up by its keys whether the work
            was committed, and does it if not. If the work is idempotent, `resolve` is `work` itself.

    Raises:
        CommitUnknown: the connection broke during COMMIT, and there is no `resolve`.
        StoreUnavailable: the conflicts went on, or the connection broke earlier; nothing was committed.
        StoreTooLarge: it is too much for one transaction.
        StoreError: the database refused.
        IntegrityError: a duplicate key, as SQLAlchemy raised it.
    """
    unknown = False
    for attempt in range(1, ATTEMPTS):
        try:
            return _once(engine, work)
        except CommitUnknown:
            if resolve is None:
                raise
            work, unknown = resolve, True
        except StoreUnavailable as refused:
            # A server that dropped a COMMIT may need a moment before it, or another one, answers again.
            if not (unknown or is_busy(refused)):
                raise
        engine.get_execution_options().get(_BACK_OFF, back_off)(attempt)
    return _once(engine, work)


def _once(engine: Engine, work: Callable[[Connection], Result]) -> Result:
    with translated(), engine.connect() as plain:
        connection = plain.execution_options(**{_WRITES: True})
        begun = connection.begin()
        result = work(connection)
        try:
            begun.commit()
        except DBAPIError as error:
            if is_lost(error):
                raise CommitUnknown(
                    f"The connection broke during COMMIT ({in_words(error).message.rstrip('.')}); "
                    "it is unknown whether the transaction was committed.",
                    advice="Run it again: what was done is found, and is not done twice.",
                ) from None
            raise
        return result


def reading(engine: Engine, look: Callable[[Connection], Result]) -> Result:
    """Read in one transaction; if the connection breaks during COMMIT, reading again does no harm.

    Raises:
        StoreUnavailable, StoreError: as `transaction` does.
    """
    return transaction(engine, look, resolve=look)


def database_clock(engine: Engine) -> Clock:
    """Return the time by the database's clock: asked once, then this machine's clock plus the difference.

    Raises:
        StoreUnavailable, StoreError: the database cannot be queried.
    """
    if is_sqlite(engine):
        return _utc_now
    with translated(), engine.connect() as connection:
        before = _utc_now()
        there = database_time(connection)
        offset = there - (before + (_utc_now() - before) / 2)

    def clock() -> datetime:
        return _utc_now() + offset

    return clock


def database_time(connection: Connection) -> datetime:
    """Ask the database what time it is, in UTC."""
    if is_sqlite(connection):
        return _utc_now()
    now: datetime = connection.execute(select(literal_column("UTC_TIMESTAMP(6)", Moment))).scalar_one()
    return now


def is_over(lease_until: ColumnElement[datetime], lease: timedelta, now: datetime) -> ColumnElement[bool]:
    """Whether a lease has expired, or was taken by a wrong clock: further ahead than one that was just renewed."""
    return or_(lease_until < now, lease_until > now + 2 * lease)


def clocks(now: datetime) -> str:
    """Say what time it is by the database's clock, which is given, and by this machine's."""
    shown = "%Y-%m-%d %H:%M:%S"
    return f"It is {now:{shown}} UTC by the database's clock, and {_utc_now():{shown}} by this machine's."


def how_far_ahead(connection: Connection) -> timedelta:
    """Say how far this machine's clock is ahead of the database's."""
    return _utc_now() - database_time(connection)


def _utc_now() -> datetime:
    return datetime.now(timezone.utc).replace(tzinfo=None)


def users_table(users: Keyed, *columns: str) -> TableClause:
    """Return the product's users table, or that of the accounts, with its key and these columns, for statements."""
    return named(users.table, users.key, *columns)


def _open_sqlite(url: URL, *, read_only: bool, must_exist: bool, patience: float) -> Engine:
    if not url.database or ":memory:" in url.database or url.database.startswith("file:"):
        raise SettingsError("SKENE_DATABASE_URL names no file.", advice="Write sqlite:///path/to/file.db.")
    file = Path(url.database).absolute()
    engine = create_engine(url, connect_args={"timeout": patience}, hide_parameters=True)

    @event.listens_for(engine, "do_connect")
    def connect(dialect: Any, _record: object, cargs: Any, cparams: Any) -> Any:
        if os.path.exists(file) and not os.path.isfile(file):  # noqa: PTH110, PTH113 - these never raise
            raise StoreError(f"{file} is not a file.", advice="Check SKENE_DATABASE_URL.")
        if must_exist and not os.path.exists(file):  # noqa: PTH110
            raise StoreError(
                f"There is no database {file}.",
                advice="Set SKENE_DATABASE_URL to the product's database.",
            )
        if read_only:
            return dialect.loaded_dbapi.connect(f"{file.as_uri()}?mode=ro", *cargs[1:], **cparams, uri=True)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"The folder of the database, {file.parent}, cannot be created: {error.strerror}.",
                advice="Check SKENE_DATABASE_URL.",
            ) from None
        return None  # SQLAlchemy connects

    @event.listens_for(engine, "connect")
    def prepare(dbapi_connection: Any, _record: object) -> None:
        # The driver's own transactions begin too late (at the first write), and never for DDL.
        dbapi_connection.isolation_level = None
        # SQLite, 2026-11: a text may hold any bytes, and one that is not UTF-8 would fail the whole result, with its
        # value in the error. So each such byte arrives as half a surrogate pair: its row can be told from the others.
        dbapi_connection.text_factory = partial(str, encoding="utf-8", errors="surrogateescape")
        if not read_only:
            _use_wal(dbapi_connection)
        for pragma in ("synchronous = FULL", "foreign_keys = ON", "case_sensitive_like = ON"):
            dbapi_connection.execute(f"PRAGMA {pragma}")
        functions.install(dbapi_connection)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A transaction that reads first and writes later could not wait for another writer: writers say so up front.
        writes = connection.get_execution_options().get(_WRITES)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _use_wal(dbapi_connection: Any) -> None:
    # SQLite, 2026-11: two processes that open a new file at once; the change of mode does not wait for the other.
    deadline = time.monotonic() + SQLITE_BUSY_SECONDS
    while True:
        try:
            dbapi_connection.execute("PRAGMA journal_mode = WAL")
        except Exception as error:
            if not is_busy(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return
