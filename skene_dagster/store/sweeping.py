"""Delete what is old: the oldest first, so many rows to a transaction and no more.

TiDB's own DELETE … LIMIT does it, and MariaDB's; SQLite's does not.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Table, delete, func, select, tuple_

from skene_dagster.store.engine import is_sqlite


@dataclass(frozen=True)
class Swept:
    """What one transaction deleted."""

    rows: int
    last: Any
    """Where the next one begins; None when this was the last."""


def sweep(
    connection: Connection,
    rows: Table,
    moment: Column[Any],
    index: str,
    *where: ColumnElement[bool],
    before: datetime,
    since: datetime | None,
    size: int,
) -> Swept:
    """Delete at most `size` of the rows of which something is true and whose moment lies before another.

    Args:
        index: by which they are found.
        since: where to begin: what `last` said of the transaction before.
    """
    old = [*where, moment < before]
    ahead = old if since is None else [*old, moment >= since]
    hint = f"/*+ USE_INDEX({rows.name}, {index}) */"
    # What was deleted lies in the index until it is collected: who began with the oldest again would read it each time.
    oldest = connection.execute(select(func.min(moment)).prefix_with(hint, dialect="mysql").where(*ahead)).scalar()
    if oldest is None:
        return Swept(0, None)
    old.append(moment >= oldest)
    if is_sqlite(connection):
        keys = rows.primary_key.columns
        some = select(*keys).where(*old).order_by(moment).limit(size)
        statement = delete(rows).where(tuple_(*keys).in_(some))
    else:
        statement = delete(rows).where(*old).prefix_with(hint, dialect="mysql")
        statement = statement.with_dialect_options(mysql_limit=size)
    deleted = connection.execute(statement).rowcount
    return Swept(deleted, oldest if deleted == size else None)
