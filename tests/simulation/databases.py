"""The database of a simulation: SQLite, or a server, where others may go on between statements, and COMMITs break.

SQLite has one writer, which would make all transactions serial, and hide every fault between what a transaction reads
and what it writes. So half of the histories run with late locks: the reads before the first write of a transaction
stand alone, and only the write takes the lock. That is READ COMMITTED, as on a server, for these reads.
"""

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, Protocol

import pymysql
from greenlet import getcurrent
from scheduler import Actor
from sqlalchemy import Connection, Engine, event, text

from skene_dagster.store.engine import open_engine
from skene_dagster.store.tables import metadata

GONE = "simulated: the connection is lost"


class Database(Protocol):
    """An engine for the actors, whose hooks give their turns away, and one for who only looks."""

    engine: Engine
    eyes: Engine

    def keep(self) -> None:
        """Keep the database as it is: each history begins so."""
        ...

    def reset(self) -> None:
        """Make it as it was kept."""
        ...


class Sqlite:
    """A file, written back for each history."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._bytes = b""
        self.engine = open_engine(f"sqlite:///{file}", patience=0.001, back_off=_back_off)
        self.eyes = open_engine(f"sqlite:///{file}", patience=0.001)
        self.late_locks = False
        _hook(self.engine, lambda: sqlite3.OperationalError(GONE))
        self.engine.dialect.is_disconnect = _is_simulated  # type: ignore[assignment]
        event.listen(self.engine, "before_cursor_execute", self._statement, retval=True)

    def keep(self) -> None:
        with self.eyes.connect() as connection:
            connection.connection.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # type: ignore[union-attr]
        self._close()
        self._bytes = self._file.read_bytes()

    def reset(self) -> None:
        self._close()
        for end in ("-wal", "-shm"):
            self._file.with_name(self._file.name + end).unlink(missing_ok=True)
        self._file.write_bytes(self._bytes)

    def _close(self) -> None:
        self.engine.dispose()
        self.eyes.dispose()

    def _statement(
        self, _connection: Connection, cursor: Any, sql: str, parameters: Any, *_: object
    ) -> tuple[str, Any]:
        actor = running()
        if actor is None:
            return sql, parameters
        scheduler = actor.scheduler
        if sql.startswith("BEGIN"):
            _begins(actor)
            actor.begins += 1
            if actor.begins == actor.busy_at:
                scheduler.say(actor.name, "finds the database locked")
                raise sqlite3.OperationalError("database is locked")
            if sql == "BEGIN":
                return sql, parameters
            if self.late_locks:
                actor.is_late = True
                return "SELECT 1", ()
            scheduler.lock()
        elif actor.is_late:
            scheduler.point("a read")
            if not sql.startswith("SELECT"):
                scheduler.lock()
                actor.is_late = False
                cursor.execute("BEGIN IMMEDIATE")
        else:
            scheduler.point("a statement", free=False)
        return sql, parameters


class Server:
    """A database on a server, emptied for each history.

    Args:
        waits: whether one that is locked out has to wait; else it is told at once that it was, and others may go on
            before each statement, not only before the first that writes.
    """

    kept: ClassVar = ("skene_meta", "skene_schema_version")

    def __init__(self, url: str, *, waits: bool) -> None:
        self.engine = open_engine(url, back_off=_back_off)
        self.eyes = open_engine(url)
        self._waits = waits
        _hook(self.engine, lambda: pymysql.err.OperationalError(2013, GONE))
        event.listen(self.engine, "connect", self._connected)
        event.listen(self.engine, "begin", self._begin)
        event.listen(self.engine, "before_cursor_execute", self._statement)

    def keep(self) -> None:
        """There is nothing to keep: the tables are empty."""

    def reset(self) -> None:
        with self.eyes.begin() as connection:
            names = connection.execute(text("SHOW TABLES")).scalars().all()
            for name in [name for name in names if name.startswith("skene_staging_")]:
                connection.execute(text(f"DROP TABLE {name}"))
            ours = [table.name for table in metadata.tables.values() if table.name not in self.kept]
            for name in ["users", "accounts", "loads", *ours]:
                connection.execute(text(f"DELETE FROM {name}"))
            connection.execute(text("DELETE FROM skene_meta WHERE name LIKE 'draws of %'"))

    def _connected(self, driver: Any, _record: object) -> None:
        if not self._waits:
            with driver.cursor() as cursor:
                cursor.execute("SET SESSION innodb_lock_wait_timeout = 0, lock_wait_timeout = 1")

    @staticmethod
    def _begin(_connection: Connection) -> None:
        actor = running()
        if actor is not None:
            _begins(actor)
            actor.is_late = True

    def _statement(self, _connection: object, _cursor: object, sql: str, *_: object) -> None:
        actor = running()
        if actor is None:
            return
        if actor.is_late and not sql.lstrip("/*").partition("*/")[2].lstrip().startswith("SELECT"):
            actor.scheduler.point("a write")
            actor.is_late = False
        else:
            actor.scheduler.point("a statement", free=actor.is_late or not self._waits, holds=not actor.is_late)


def running() -> Actor | None:
    """Say which actor has the turn; None: the simulation itself."""
    actor = getcurrent()
    return actor if isinstance(actor, Actor) else None


def _back_off(tries: int) -> None:
    actor = running()
    if actor is not None:
        actor.scheduler.sleep(min(5.0, (1.5**tries + 0.5) * 0.1))


def _begins(actor: Actor) -> None:
    actor.scheduler.point("BEGIN")
    if not actor.resolves:
        actor.looked_at = actor.scheduler.now


def _hook(engine: Engine, gone: Callable[[], Exception]) -> None:
    """Let others go on, and COMMITs fail, where an engine's connections commit, roll back and close."""
    dialect: Any = engine.dialect
    commit, close = dialect.do_commit, dialect.do_close

    def do_commit(driver: Any) -> None:
        actor = running()
        if actor is None:
            commit(driver)
            return
        scheduler = actor.scheduler
        scheduler.point("COMMIT", free=False)
        actor.commits += 1
        breaks = bool(actor.lost_commit) and actor.commits == (actor.lost_commit + 1) // 2
        if breaks and actor.lost_commit % 2 == 0:
            scheduler.say(actor.name, "loses its connection before COMMIT")
            actor.resolves = True
            raise gone()
        commit(driver)
        actor.committed()
        scheduler.unlock(actor)
        if breaks:
            scheduler.say(actor.name, "commits, and never hears of it")
            actor.resolves = True
            raise gone()
        actor.resolves = False
        scheduler.point("after COMMIT")

    def released(end: Callable[[Any], None]) -> Callable[[Any], None]:
        def do(driver: Any) -> None:
            if end == close:
                # A server hears of a closed connection later than of a ROLLBACK.
                with suppress(sqlite3.Error, pymysql.MySQLError):
                    driver.rollback()
            end(driver)
            actor = running()
            if actor is not None:
                actor.scheduler.unlock(actor)

        return do

    dialect.do_commit = do_commit
    dialect.do_rollback, dialect.do_close = released(dialect.do_rollback), released(close)


def _is_simulated(error: Exception, *_: object) -> bool:
    return GONE in str(error)
