"""Who is inside a segment now, for deciding and rendering, by pages of keys: users, or accounts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, case, func, select, update

from skene_dagster.segments.difference import Segment, inside
from skene_dagster.store.server.limits import limited
from skene_dagster.store.subjects import USERS, Subject
from skene_dagster.store.tables import OPEN, segment_members, segments

_MOST = 1_000
"""Past memberships of a user that are looked at."""


def page(
    connection: Connection,
    segment: str,
    which: ColumnElement[bool],
    *,
    since: datetime | None,
    as_of: datetime,
    after: object,
    limit: int,
    subject: Subject = USERS,
) -> Sequence[Row[Any, Any]]:
    """List the next who entered up to a tick and are inside, by key, from behind `after` (None: from the first).

    A refresh of a later tick may commit in the meantime; that tick decides about users who enter by it.

    Args:
        which: a condition on the subject's members.
        since: only who entered after that; None: all.

    Returns:
        user_id (or the account's key), entered_at
    """
    member = subject.members.c
    query = select(member.user_id.label("user_id"), member.entered_at).where(
        member.segment == segment,
        member.exited_at == OPEN,
        member.entered_at <= as_of,
        which,
    )
    if since is not None:
        query = query.where(member.entered_at > since)
    if after is not None:
        query = query.where(member.user_id > after)
    return connection.execute(query.order_by(member.user_id).limit(limit)).all()


def moved_since(
    connection: Connection, segments: Sequence[str], at: datetime, subject: Subject = USERS
) -> dict[str, tuple[int, int, int]]:
    """Count who entered each segment after a moment, who left it after that, and who is inside.

    A segment in which nobody was is left out.
    """
    member = subject.members.c
    inside = case((member.exited_at == OPEN, 1), else_=0)
    query = (
        select(
            member.segment,
            func.sum(case((member.entered_at > at, 1), else_=0)),
            func.count() - func.sum(inside),
            func.sum(inside),
        )
        .where(member.segment.in_(segments), member.exited_at > at)
        .group_by(member.segment)
    )
    return {segment: (int(came), int(left), int(there)) for segment, came, left, there in connection.execute(query)}


def entered(
    connection: Connection, segment: str, keys: Sequence[object], subject: Subject = USERS
) -> dict[object, datetime]:
    """Say when each of the users who are inside now entered, by key."""
    member = subject.members.c
    query = select(member.user_id, member.entered_at).where(
        member.segment == segment,
        member.user_id.in_(keys),
        member.exited_at == OPEN,
    )
    return dict(connection.execute(query).all())


def kept(
    connection: Connection, segment: str, keys: Sequence[object], subject: Subject = USERS
) -> dict[object, str | None]:
    """Read the kept columns (JSON) of those of the users who are inside now, by key."""
    member = subject.members.c
    query = select(member.user_id, member.attributes).where(
        and_(
            member.segment == segment,
            member.user_id.in_(keys),
            member.exited_at == OPEN,
        )
    )
    return dict(connection.execute(query).all())


def all_segments(connection: Connection) -> Sequence[Row[Any, Any, Any]]:
    """List every segment that ever existed: segment, as_of, writing_as_of."""
    return connection.execute(select(segments.c.segment, segments.c.as_of, segments.c.writing_as_of)).all()


def steps_of(connection: Connection, loop: str) -> list[str]:
    """Name the steps of a loop that ever had a segment, in any version of its file."""
    names = connection.execute(select(segments.c.segment)).scalars()
    return [step for name in names for owner, _, step in [name.partition(".")] if owner == loop]


def sample(
    connection: Connection, segment: str, limit: int = 10, *, subject: Subject = USERS
) -> Sequence[Row[Any, Any]]:
    """List the first members by key: user_id, entered_at."""
    member = subject.members.c
    key = member.user_id
    which = inside(Segment(segment, subject.members))
    return connection.execute(select(key, member.entered_at).where(which).order_by(key).limit(limit)).all()


def expect_exits(
    connection: Connection, segment: str, keys: Sequence[object], now: datetime, subject: Subject = USERS
) -> None:
    """Record that our own `set` was written for those of a batch: leaving at the next refresh is no collapse."""
    table = subject.members
    connection.execute(
        update(table).where(inside(Segment(segment, table)), table.c.user_id.in_(keys)).values(set_at=now)
    )


def inside_of(connection: Connection, names: Sequence[str], user_id: object) -> dict[str, datetime]:
    """Say when a user entered each of some segments that they are inside now."""
    query = select(segment_members.c.segment, segment_members.c.entered_at).where(
        segment_members.c.segment.in_(names),
        segment_members.c.exited_at == OPEN,
        segment_members.c.user_id == user_id,
    )
    return dict(connection.execute(query).all())


@dataclass(frozen=True)
class Left:
    """A user's last membership of a segment, when it is over."""

    entered_at: datetime
    exited_at: datetime
    reason: str | None
    """left | gone | set; as in skene_segment_members."""


def left_by(connection: Connection, names: Sequence[str], user_id: object, limit: timedelta) -> dict[str, Left]:
    """Say when and why a user left each of some segments last.

    No index has a user's past memberships, for each refresh would pay for it: the history of these segments is read, a
    million rows of it in 0.2 s (SQLite and MariaDB, 2026-11).

    Raises:
        StoreTimeout: it took longer than the limit; the transaction is over.
    """
    member = segment_members.c
    query = (
        select(member.segment, member.entered_at, member.exited_at, member.exit_reason)
        .where(member.segment.in_(names), member.exited_at < OPEN, member.user_id == user_id)
        .order_by(member.exited_at.desc())
        .limit(_MOST)
    )
    with limited(connection, limit):
        rows = connection.execute(query).all()
    return {row.segment: Left(*row[1:]) for row in reversed(rows)}
