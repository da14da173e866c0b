"""Who has had as many emails as a frequency cap allows, and which loops' emails these are."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, or_, select

from skene_dagster.delivery.model import IN_FLIGHT, DeferReason
from skene_dagster.store.tables import OPEN, contacts, deferred, segment_members, segments, sends

_SAME = and_(*(contacts.c[name] == sends.c[name] for name in ("mode", "loop", "step", "user_id", "occurrence")))


@dataclass(frozen=True)
class AtCap:
    """Who has had as many emails as a cap allows."""

    people: int
    """By their addresses."""
    users: Sequence[object]
    """Some of them, with the most emails first."""


@dataclass(frozen=True)
class KeptFrom:
    """A loop's emails that keep another one, or the loop itself, from mailing somebody."""

    loop: str
    """Whose users wait."""
    by: str
    people: int
    """Of those who wait, to how many it applies."""
    emails: int
    """How many they had of it."""


@dataclass(frozen=True)
class Filling:
    """Emails that count for a cap now: they may still leave, or left after a moment."""

    mode: str
    since: datetime
    decided_after: datetime
    """Emails that were decided before it have left, or never will."""
    by_ticks: bool
    """They leave at their ticks, whenever those are run: their time is simulated."""


def at_cap(connection: Connection, filling: Filling, count: int, most: int) -> AtCap:
    """List the recipients of at least so many emails that count."""
    mails = func.count().label("mails")
    user_id = func.min(sends.c.user_id, type_=sends.c.user_id.type).label("user_id")
    full = _emails(filling, user_id, mails).group_by(contacts.c.recipient).having(mails >= count).subquery("full_")
    query = select(full.c.user_id, func.count().over()).order_by(full.c.mails.desc(), full.c.user_id).limit(most)
    rows = connection.execute(query).all()
    return AtCap(rows[0][1] if rows else 0, [row[0] for row in rows])


def kept_by_cap(connection: Connection, filling: Filling) -> list[KeptFrom]:
    """Say of each loop with users who wait for room under a cap whose emails fill it, the most first."""
    loop, user_id = sends.c.loop, sends.c.user_id
    had = _emails(filling, user_id, loop, func.count().label("mails")).group_by(user_id, loop).subquery("had")
    people, emails = func.count(deferred.c.user_id.distinct()), func.sum(had.c.mails)
    query = (
        select(deferred.c.loop, had.c.loop, people, emails)
        .select_from(deferred.join(had, had.c.user_id == deferred.c.user_id))
        .where(_waits(filling.mode, "cap"))
        .group_by(deferred.c.loop, had.c.loop)
        .order_by(deferred.c.loop, emails.desc(), had.c.loop)
    )
    return [KeptFrom(loop, by, people, int(mails)) for loop, by, people, mails in connection.execute(query)]


def outranked(connection: Connection, mode: str) -> list[tuple[str, str, int]]:
    """Count those who leave their last place to another loop, by the segments of all loops that they are in.

    Returns:
        The loop that waits, a segment, and how many of the one are in the other.
    """
    member = segment_members.c
    inside = and_(member.segment == segments.c.segment, member.exited_at == OPEN, member.user_id == deferred.c.user_id)
    each = deferred.c.loop, member.segment
    # No condition joins the two: every segment is asked for every one of them, of whom there are few.
    beside = deferred.join(segments, segments.c.segment != "").join(segment_members, inside)
    query = select(*each, func.count(deferred.c.user_id.distinct())).select_from(beside)
    rows = connection.execute(query.where(_waits(mode, "outranked")).group_by(*each).order_by(*each))
    return [(loop, segment, people) for loop, segment, people in rows]


def some_who_wait(connection: Connection, mode: str, loop: str, reason: DeferReason, most: int) -> list[object]:
    """List some users who wait in a loop for the same reason."""
    query = select(deferred.c.user_id).where(_waits(mode, reason), deferred.c.loop == loop).distinct()
    return list(connection.execute(query.order_by(deferred.c.user_id).limit(most)).scalars())


def _waits(mode: str, reason: DeferReason) -> ColumnElement[bool]:
    return and_(deferred.c.mode == mode, deferred.c.reason == reason)


def _emails(filling: Filling, *columns: ColumnElement[Any]) -> Select[Any]:
    may_leave = sends.c.state.in_((*IN_FLIGHT, "in_doubt"))
    left_at = sends.c.as_of if filling.by_ticks else sends.c.accepted_at
    has_left = and_(sends.c.state == "accepted", left_at > filling.since)
    return (
        select(*columns)
        .select_from(contacts.join(sends, _SAME))
        .prefix_with("/*+ INL_JOIN(skene_sends) */", dialect="mysql")
        .where(contacts.c.mode == filling.mode, contacts.c.decided_at > filling.decided_after)
        .where(or_(may_leave, has_left))
    )
