"""Statements that are collected instead of executed, so that somebody else may execute them."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, event

_READS = re.compile(r"\s*(?:SELECT|SHOW|DESCRIBE)\b", re.IGNORECASE)

_EVENTS = ("do_execute", "do_executemany")


@contextmanager
def held_back(connection: Connection) -> Iterator[list[str]]:
    """Execute statements that read; yield the list of all others, exactly as the server would get them.

    What is held back changes nothing that is read later: a table that would have been made is not there.
    """
    statements: list[str] = []

    def hold(cursor: Any, _signed: str, parameters: Any, context: Any) -> bool:
        if context.root_connection is not connection or _READS.match(context.statement):
            return False
        rows = parameters if context.executemany else [parameters]
        statements.extend(cursor.mogrify(context.statement, row).strip() for row in rows)
        # SQLAlchemy looks for a new row's number, and Alembic makes sure that its UPDATE has found the one release.
        cursor.lastrowid, cursor.rowcount = 0, len(rows)
        return True

    for name in _EVENTS:
        event.listen(connection.engine, name, hold)
    try:
        yield statements
    finally:
        for name in _EVENTS:
            event.remove(connection.engine, name, hold)
