"""Leases: the right to write, which is one row of a table, taken by compare-and-set.

There are leases to refresh a segment (`skene_segments`) and to roll up what users do (`skene_rollups`). The fencing
token grows with every lease. Each transaction that writes first asserts its token on the row, so a process that lost
its lease, and wakes up again, writes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, Connection, Engine, Row, Table, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from skene_dagster.errors import RollupBusy, RollupOvertaken, SegmentBusy, SegmentOvertaken
from skene_dagster.store.engine import CLOCKS_DIFFER, Clock, is_over, transaction
from skene_dagster.store.tables import rollups, segments

LEASE = timedelta(seconds=60)
"""How long a lease lasts without a sign of life. Each transaction of the writer renews it, and `heartbeat` between."""


@dataclass(frozen=True)
class Kind:
    """A kind of lease: the table with a row for each, and the words for it."""

    table: Table
    name: Column[str]
    finished: Column[datetime]
    at_first: Mapping[str, int]
    """What a new row contains, apart from its fencing token."""
    noun: str
    is_written: str
    was_written: str
    busy: type[SegmentBusy] | type[RollupBusy]
    overtaken: type[SegmentOvertaken] | type[RollupOvertaken]


SEGMENT = Kind(
    segments,
    segments.c.segment,
    segments.c.refreshed_at,
    dict.fromkeys(("members", "entered", "exited", "unknown_keys"), 0),
    "Segment",
    "is being refreshed",
    "was refreshed",
    SegmentBusy,
    SegmentOvertaken,
)
ROLLUP = Kind(
    rollups,
    rollups.c.rollup,
    rollups.c.finished_at,
    {},
    "Rollup",
    "is under way",
    "was done",
    RollupBusy,
    RollupOvertaken,
)


@dataclass(frozen=True)
class Lease:
    """The right to write."""

    name: str
    owner: str
    fence: int
    as_of: datetime
    is_first: bool
    """None was ever completed."""
    is_untouched: bool
    """None ever wrote."""
    repairs: bool
    """A lease for this same as_of wrote some of it and died."""
    kind: Kind = field(default=SEGMENT, repr=False)


def begin(
    engine: Engine, name: str, *, owner: str, as_of: datetime, clock: Clock, kind: Kind = SEGMENT
) -> tuple[Lease | None, Row[Any]]:
    """Take the lease, creating its row if necessary; return it (None: completed for this as_of) and the previous row.

    Raises:
        SegmentOvertaken, RollupOvertaken: one for a newer as_of has written.
        SegmentBusy, RollupBusy: another run holds the lease.
        StoreError: the database refused.
    """

    def take_it(connection: Connection) -> tuple[Lease | None, Row[Any]]:
        before = state(connection, name, kind)
        if before is None:
            introduce(connection, name, kind)
            before = state(connection, name, kind)
        assert before is not None
        return take(connection, name, owner=owner, as_of=as_of, now=clock(), lasts=LEASE, kind=kind), before

    try:
        # A run that has its lease may take it again.
        return transaction(engine, take_it, resolve=take_it)
    except IntegrityError:
        # Another process introduced it at the same moment.
        return transaction(engine, take_it, resolve=take_it)


def state(connection: Connection, name: str, kind: Kind = SEGMENT) -> Row[Any] | None:
    """Read the row."""
    return connection.execute(select(kind.table).where(kind.name == name)).one_or_none()


def introduce(connection: Connection, name: str, kind: Kind = SEGMENT) -> None:
    """Insert a new row. Raises IntegrityError if another process just did."""
    connection.execute(insert(kind.table).values({kind.name.name: name, "fence": 0, **kind.at_first}))


def take(
    connection: Connection,
    name: str,
    *,
    owner: str,
    as_of: datetime,
    now: datetime,
    lasts: timedelta,
    kind: Kind = SEGMENT,
) -> Lease | None:
    """Take the lease; None when it was completed for this as_of already.

    A run may take its lease over from itself: it was started again because its first process died.

    Raises:
        SegmentOvertaken, RollupOvertaken: one for a newer as_of has written.
        SegmentBusy, RollupBusy: another run holds the lease.
    """
    rows = kind.table.c
    taken = connection.execute(
        update(kind.table)
        .where(
            kind.name == name,
            or_(rows.as_of.is_(None), rows.as_of < as_of),
            or_(rows.writing_as_of.is_(None), rows.writing_as_of <= as_of),
            or_(rows.owner.is_(None), rows.owner == owner, is_over(rows.lease_until, LEASE, now)),
        )
        .values(fence=rows.fence + 1, owner=owner, lease_until=now + lasts)
    ).rowcount
    row = connection.execute(select(kind.table).where(kind.name == name)).one()
    if taken:
        return Lease(
            name,
            owner,
            row.fence,
            as_of,
            is_first=row.as_of is None,
            is_untouched=row.writing_as_of is None,
            repairs=row.writing_as_of == as_of,
            kind=kind,
        )
    if row.as_of == as_of and row.writing_as_of == as_of:
        return None
    newer = [moment for moment in (row.as_of, row.writing_as_of) if moment is not None and moment > as_of]
    if newer:
        raise kind.overtaken(
            f"{kind.noun} {name} {kind.was_written} for {max(newer)} UTC, which is after {as_of}; nothing was written.",
            advice="History is only written forwards; run the newest tick.",
        )
    raise kind.busy(
        f"{kind.noun} {name} {kind.is_written} by run {row.owner}, until {row.lease_until} UTC at most.",
        advice="Wait for that run, or stop it.",
    )


def keep(connection: Connection, lease: Lease, now: datetime, *, writes: bool = False) -> None:
    """Assert and renew the lease; the first thing in every transaction of its work.

    Raises:
        SegmentBusy, RollupBusy: another run has taken over.
    """
    values: dict[str, object] = {"lease_until": now + LEASE}
    if writes:
        values["writing_as_of"] = lease.as_of
    _mine(connection, lease, values)


def complete(connection: Connection, lease: Lease, now: datetime, **results: object) -> Row[Any]:
    """Write that the work is done for its as_of (of a segment: the clearance), with its results; end the lease.

    Returns:
        The row as it is then.

    Raises:
        SegmentBusy, RollupBusy: another run has taken over.
    """
    _mine(
        connection,
        lease,
        {
            "as_of": lease.as_of,
            "writing_as_of": lease.as_of,
            "first_as_of": func.coalesce(lease.kind.table.c.first_as_of, lease.as_of),
            lease.kind.finished.name: now,
            "owner": None,
            "lease_until": None,
            **results,
        },
    )
    row = state(connection, lease.name, lease.kind)
    assert row is not None
    return row


def completed(connection: Connection, lease: Lease) -> Row[Any] | None:
    """Read the row if it says that the work of this lease was completed; None if it was not."""
    row = state(connection, lease.name, lease.kind)
    return row if row is not None and row.fence == lease.fence and row.as_of == lease.as_of else None


def between(connection: Connection, name: str, now: datetime, kind: Kind = SEGMENT) -> Row[Any] | None:
    """Read the row if nobody has the lease and nothing is half-written; until this transaction ends nobody takes it.

    Whoever lost it and does not know it yet writes no more.
    """
    rows = kind.table.c
    free = or_(rows.owner.is_(None), is_over(rows.lease_until, LEASE, now))
    whole = rows.as_of == rows.writing_as_of
    rests = connection.execute(
        update(kind.table).where(kind.name == name, free, whole).values(fence=rows.fence + 1)
    ).rowcount
    return state(connection, name, kind) if rests else None


def doubt_the_watermark(connection: Connection, name: str, now: datetime) -> None:
    """Mark for recounting what was counted by a clock that was ahead: events that arrived until then were skipped.

    Once that moment is reached it would look right, so it must not stay.
    """
    ahead = rollups.c.watermark > now + CLOCKS_DIFFER
    connection.execute(update(rollups).where(rollups.c.rollup == name, ahead).values(watermark=None))


def release(connection: Connection, lease: Lease) -> None:
    """End the lease without a result; nothing happens if another process has it by now."""
    connection.execute(update(lease.kind.table).where(_is_mine(lease)).values(owner=None, lease_until=None))


def _mine(connection: Connection, lease: Lease, values: dict[str, Any]) -> None:
    # MySQL counts the rows that match, changed or not: SQLAlchemy asks for that.
    if not connection.execute(update(lease.kind.table).where(_is_mine(lease)).values(values)).rowcount:
        raise lease.kind.busy(
            f"Another run has taken over: {lease.kind.noun.lower()} {lease.name}; this one stopped writing.",
            advice="Wait for that run.",
        )


def _is_mine(lease: Lease) -> Any:
    rows = lease.kind.table.c
    return (lease.kind.name == lease.name) & (rows.owner == lease.owner) & (rows.fence == lease.fence)
