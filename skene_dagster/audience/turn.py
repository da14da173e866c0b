"""Whose turn it is to refresh a segment: one row of skene_segments, taken by compare-and-set, held by a lease.

The fence grows with every turn. Each transaction that writes a segment's history first asserts its fence on the row;
so a process that lost its turn, and wakes up again, writes nothing.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, insert, or_, select, update

from skene_dagster.errors import SegmentBusy, SegmentOvertaken
from skene_dagster.store.tables import segments

LEASE = timedelta(seconds=60)
"""How long a turn lasts without a sign of life. Each transaction of the refresh renews it, and `heartbeat` between."""


@dataclass(frozen=True)
class Turn:
    """The right to write a segment's history."""

    segment: str
    owner: str
    fence: int
    as_of: datetime
    is_first: bool
    """No refresh of this segment was ever completed."""
    is_untouched: bool
    """No refresh of this segment ever wrote."""
    repairs: bool
    """A refresh for this very as_of wrote some of its history and died."""


def state(connection: Connection, segment: str) -> Row[Any] | None:
    """Read a segment's row."""
    return connection.execute(select(segments).where(segments.c.segment == segment)).one_or_none()


def introduce(connection: Connection, segment: str) -> None:
    """Write the row of a segment that is new. Raises IntegrityError when another process just did."""
    none_yet = {"fence": 0, "members": 0, "entered": 0, "exited": 0, "unknown_keys": 0}
    connection.execute(insert(segments).values(segment=segment, **none_yet))


def take(
    connection: Connection, segment: str, *, owner: str, as_of: datetime, now: datetime, lease: timedelta
) -> Turn | None:
    """Take the turn to refresh a segment; None when it is refreshed for this as_of already.

    A run may take its turn over from itself: it was started again because its first process died.

    Raises:
        SegmentOvertaken: a refresh for a newer as_of has written.
        SegmentBusy: another run holds the turn.
    """
    taken = connection.execute(
        update(segments)
        .where(
            segments.c.segment == segment,
            or_(segments.c.as_of.is_(None), segments.c.as_of < as_of),
            or_(segments.c.writing_as_of.is_(None), segments.c.writing_as_of <= as_of),
            or_(segments.c.owner.is_(None), segments.c.owner == owner, segments.c.lease_until < now),
        )
        .values(fence=segments.c.fence + 1, owner=owner, lease_until=now + lease)
    ).rowcount
    row = connection.execute(select(segments).where(segments.c.segment == segment)).one()
    if taken:
        return Turn(
            segment,
            owner,
            row.fence,
            as_of,
            is_first=row.as_of is None,
            is_untouched=row.writing_as_of is None,
            repairs=row.writing_as_of == as_of,
        )
    if row.as_of == as_of and row.writing_as_of == as_of:
        return None
    newer = [moment for moment in (row.as_of, row.writing_as_of) if moment is not None and moment > as_of]
    if newer:
        raise SegmentOvertaken(
            f"Segment {segment} was refreshed for {max(newer)} UTC, which is after {as_of}; nothing was written.",
            advice="History is only written forwards: run the newest tick.",
        )
    raise SegmentBusy(
        f"Segment {segment} is being refreshed by run {row.owner}, until {row.lease_until} UTC at most.",
        advice="Wait for that run, or stop it.",
    )


def keep(connection: Connection, turn: Turn, now: datetime, *, writes: bool = False) -> None:
    """Assert the turn and renew its lease; first of all in every transaction of a refresh.

    Raises:
        SegmentBusy: another run has taken over.
    """
    values: dict[str, object] = {"lease_until": now + LEASE}
    if writes:
        values["writing_as_of"] = turn.as_of
    _mine(connection, turn, values)


def complete(
    connection: Connection, turn: Turn, now: datetime, *, members: int, entered: int, exited: int, unknown_keys: int
) -> None:
    """Write that the segment is refreshed, which is the licence to send; and end the turn.

    Raises:
        SegmentBusy: another run has taken over.
    """
    _mine(
        connection,
        turn,
        {
            "as_of": turn.as_of,
            "writing_as_of": turn.as_of,
            "first_as_of": func.coalesce(segments.c.first_as_of, turn.as_of),
            "members": members,
            "entered": entered,
            "exited": exited,
            "unknown_keys": unknown_keys,
            "refreshed_at": now,
            "owner": None,
            "lease_until": None,
        },
    )


def release(connection: Connection, turn: Turn) -> None:
    """End the turn without a result; nothing happens if it is another's by now."""
    connection.execute(update(segments).where(_is_mine(turn)).values(owner=None, lease_until=None))


def _mine(connection: Connection, turn: Turn, values: dict[str, Any]) -> None:
    # MySQL counts the rows that match, changed or not: SQLAlchemy asks for that.
    if not connection.execute(update(segments).where(_is_mine(turn)).values(values)).rowcount:
        raise SegmentBusy(
            f"Another run has taken over the refresh of segment {turn.segment}; this one wrote no further.",
            advice="Wait for that run.",
        )


def _is_mine(turn: Turn) -> Any:
    return (segments.c.segment == turn.segment) & (segments.c.owner == turn.owner) & (segments.c.fence == turn.fence)
