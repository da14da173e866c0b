"""A COMMIT whose answer never comes: the connection is cut before the server heard of it, or after it obeyed."""

import socket
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import OperationalError

from skene_dagster.store.engine import is_sqlite


def cut_off(connection: Connection) -> None:
    """Cut a connection to a server; not by KILL, by which TiDB may end as a whole (see `store.limits`)."""
    driver: Any = connection.connection.driver_connection
    driver._sock.shutdown(socket.SHUT_RDWR)


@dataclass
class BreaksOff:
    """How many transactions have been committed, and which of them is cut off."""

    at: int
    happens: bool
    """The server obeys before the connection is cut."""
    commits: int = 0


@contextmanager
def breaking_off(engine: Engine, *, at: int, happens: bool) -> Iterator[BreaksOff]:
    """Cut the connection off during the n-th COMMIT on an engine."""
    breaks = BreaksOff(at, happens)

    def cut(connection: Connection) -> None:
        breaks.commits += 1
        if breaks.commits != breaks.at:
            return
        driver: Any = connection.connection.driver_connection
        if breaks.happens:
            driver.commit()
        if is_sqlite(engine):
            # There is no connection to be cut: it is said to have been.
            driver.rollback()
            raise OperationalError("COMMIT", None, sqlite3.OperationalError("gone"), connection_invalidated=True)
        cut_off(connection)

    event.listen(engine, "commit", cut)
    try:
        yield breaks
    finally:
        event.remove(engine, "commit", cut)
