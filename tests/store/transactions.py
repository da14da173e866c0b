"""What is done in each transaction, statement by statement, with how many rows it wrote or found."""

import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, event


@dataclass(frozen=True)
class Statement:
    """One statement of a transaction."""

    sql: str
    rows: int

    def writes(self, table: str) -> bool:
        """Whether it changes rows of a table, or of those whose names begin so."""
        return re.match(rf"(INSERT INTO|UPDATE|DELETE FROM) {table}", self.sql) is not None


@contextmanager
def transactions(engine: Engine) -> Iterator[list[list[Statement]]]:
    """Yield the transactions that are begun meanwhile, each with its statements."""
    done: list[list[Statement]] = []
    current: dict[int, list[Statement]] = defaultdict(list)

    def begin(connection: Connection) -> None:
        done.append([])
        current[id(connection.connection.dbapi_connection)] = done[-1]

    def note(connection: Connection, cursor: Any, statement: str, *_: object) -> None:
        sql = re.sub(r"/\*.*?\*/ ?", "", statement)
        current[id(connection.connection.dbapi_connection)].append(Statement(sql, cursor.rowcount))

    event.listen(engine, "begin", begin)
    event.listen(engine, "after_cursor_execute", note)
    try:
        yield done
    finally:
        event.remove(engine, "begin", begin)
        event.remove(engine, "after_cursor_execute", note)
