"""Who is mailed about which row, or about which account: the rows that triggered a step, and for which its condition
held. They stay until no rule needs them any more; who was mailed is in the ledger for ever.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, or_, select, tuple_

from skene_dagster.store.subjects import USERS, Subject
from skene_dagster.store.sweeping import Swept, sweep
from skene_dagster.store.tables import triggered


def page(  # noqa: PLR0913 - what it needs, each by its name
    connection: Connection,
    mode: str,
    segment: str,
    which: ColumnElement[bool],
    *,
    since: datetime | None,
    as_of: datetime,
    after: tuple[object, str] | None,
    limit: int,
    subject: Subject = USERS,
) -> Sequence[Row[Any, Any, Any]]:
    """List the next rows that were found up to a tick, by user and occurrence.

    Args:
        which: a condition on the rows of the subject.
        since: only what was found after that; None: all.

    Returns:
        user_id (or the account's key), occurrence, entered_at
    """
    columns = subject.triggered.c
    query = select(columns.user_id, columns.occurrence, columns.entered_at).where(
        columns.mode == mode, columns.segment == segment, columns.entered_at <= as_of, which
    )
    if since is not None:
        query = query.where(columns.entered_at > since)
    if after is not None:
        user_id, occurrence = after
        same_user = and_(columns.user_id == user_id, columns.occurrence > occurrence)
        query = query.where(or_(columns.user_id > user_id, same_user))
    return connection.execute(query.order_by(columns.user_id, columns.occurrence).limit(limit)).all()


def sample(
    connection: Connection, mode: str, segment: str, limit: int = 10, *, subject: Subject = USERS
) -> Sequence[Row[Any, Any]]:
    """List the rows that were found last: user_id, entered_at."""
    columns = subject.triggered.c
    query = select(columns.user_id, columns.entered_at).where(columns.mode == mode, columns.segment == segment)
    return connection.execute(query.order_by(columns.entered_at.desc()).limit(limit)).all()


def kept(
    connection: Connection, mode: str, segment: str, keys: Sequence[tuple[object, str]], subject: Subject = USERS
) -> dict[tuple[object, str], str | None]:
    """Read the kept columns (JSON) of rows that were found, by user and occurrence."""
    columns = subject.triggered.c
    rows = connection.execute(
        select(columns.user_id, columns.occurrence, columns.attributes).where(
            columns.mode == mode,
            columns.segment == segment,
            tuple_(columns.user_id, columns.occurrence).in_(keys),
        )
    )
    return {(user_id, occurrence): found for user_id, occurrence, found in rows}


def forget(
    connection: Connection,
    mode: str,
    segment: str,
    *,
    before: datetime,
    since: datetime | None,
    size: int,
    subject: Subject = USERS,
) -> Swept:
    """Delete rows that were found before a moment.

    Only what no tick looks at, and no email waits for: one that is found again is decided in the ledger already.
    """
    table = subject.triggered
    mine = and_(table.c.mode == mode, table.c.segment == segment)
    index, found_at = f"{table.name}_entered", table.c.entered_at
    return sweep(connection, table, found_at, index, mine, before=before, since=since, size=size)


def found_for(
    connection: Connection, mode: str, segment: str, user_id: object, since: datetime | None, limit: int
) -> list[tuple[str, datetime]]:
    """List the newest rows of a user that were found: occurrence, and the tick that found it.

    Args:
        since: only what was found after that; None: all.
    """
    columns = triggered.c
    mine = [columns.mode == mode, columns.segment == segment, columns.user_id == user_id]
    if since is not None:
        mine.append(columns.entered_at > since)
    query = select(columns.occurrence, columns.entered_at).where(*mine)
    rows = connection.execute(query.order_by(columns.entered_at.desc(), columns.occurrence).limit(limit))
    return [(row.occurrence, row.entered_at) for row in rows]
