"""A limit of time that holds in the database itself, for reads and writes alike.

No setting of a server does it: `max_execution_time` of TiDB ends a SELECT and lets an INSERT … SELECT run on; a client
that stops waiting leaves a statement behind that may still commit (both seen 2026-11).
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, literal_column, select, text
from sqlalchemy.exc import DBAPIError

from skene_dagster.durations import duration_text
from skene_dagster.errors import StoreError, StoreTimeout
from skene_dagster.store.engine import is_sqlite
from skene_dagster.store.failures import translated
from skene_dagster.store.server import labels
from skene_dagster.store.server.capabilities import capabilities

AGAIN = 1.0
"""Seconds after which it is killed once more: between two statements a kill is lost."""


@contextmanager
def limited(connection: Connection, limit: timedelta) -> Iterator[None]:
    """Have what the block executes stopped when it takes longer than this; its transaction is then rolled back.

    Raises:
        StoreTimeout: it did.
    """
    kill = stopper(connection)
    over, late = threading.Event(), threading.Event()

    def watch() -> None:
        wait = limit.total_seconds()
        while not over.wait(wait):
            late.set()
            # Whatever is in the way now: there is another try, and the statement's end.
            with suppress(StoreError):
                kill()
            wait = AGAIN

    thread = labels.thread(watch, "skene limit")
    thread.start()
    try:
        yield
    except DBAPIError as error:
        if not late.is_set():
            raise
        raise _too_long(limit) from error
    finally:
        over.set()
        thread.join()
        if late.is_set():
            # A kill that came too late may hit whoever is given this connection next.
            connection.invalidate()
    if late.is_set():
        raise _too_long(limit)


def stopper(connection: Connection) -> Callable[[], None]:
    """Return what stops the statement that a connection executes, from another thread; nothing if it executes none."""
    if is_sqlite(connection):
        driver: Any = connection.connection.driver_connection
        interrupt: Callable[[], None] = driver.interrupt
        return interrupt
    # Not PyMySQL's own number of the connection: TiDB's have 64 bits.
    number = int(connection.execute(select(literal_column("CONNECTION_ID()"))).scalar_one())

    def kill() -> None:
        with translated(), connection.engine.connect() as other:
            # TiDB 8.5.3, 2026-11: a KILL that meets an idle session whose transaction has written ends the whole server
            # (seen; pingcap/tidb#63956, and #69304 of the same in COMMIT). So only what runs is killed.
            if _is_running(other, number):
                # TiDB, 2026-11: the number has to be a literal.
                other.execute(text(f"KILL QUERY {number}"))

    return kill


def _is_running(connection: Connection, number: int) -> bool:
    # This connection may be to another server of a cluster than the one that is to be stopped.
    shown = (
        ["processlist", "cluster_processlist"] if capabilities(connection.engine).product == "TiDB" else ["processlist"]
    )
    for name in shown:
        asked = text(f"SELECT command FROM information_schema.{name} WHERE id = :number")
        command = connection.execute(asked, {"number": number}).scalar()
        if command is not None:
            return bool(command != "Sleep")
    return False


def _too_long(limit: timedelta) -> StoreTimeout:
    return StoreTimeout(f"It took longer than {duration_text(limit)} and was stopped; nothing was written.")
