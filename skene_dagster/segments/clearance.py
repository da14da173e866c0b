"""The clearance: whether a segment's members may be mailed at a tick; and a person's approval of a change."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, select, update

from skene_dagster.errors import NoClearance
from skene_dagster.store.leasing import leases
from skene_dagster.store.tables import segments


@dataclass(frozen=True)
class Clearance:
    """The segment is complete and checked for `as_of`: its members may be mailed."""

    as_of: datetime
    first_as_of: datetime
    """Of the segment's first refresh."""
    members: int


def of(connection: Connection, segment: str) -> Clearance | None:
    """Return the clearance to mail the segment's members; None before the first refresh, and while half-written."""
    row = leases.state(connection, segment)
    return None if row is None else _read(row)


def of_segments(connection: Connection) -> dict[str, Clearance]:
    """Return the clearance of every segment that has one."""
    read = {row.segment: _read(row) for row in connection.execute(select(segments))}
    return {segment: cleared for segment, cleared in read.items() if cleared is not None}


def _read(row: Row[Any]) -> Clearance | None:
    if row.as_of is None or row.writing_as_of != row.as_of:
        return None
    return Clearance(row.as_of, row.first_as_of, row.members)


def require(connection: Connection, segment: str, as_of: datetime, otherwise: str) -> Clearance:
    """Return the clearance for a tick.

    Args:
        otherwise: what is not done without it, to be told.

    Raises:
        NoClearance: the segment was not refreshed for this tick, or was refreshed for another one since.
    """
    cleared = of(connection, segment)
    if cleared is None or cleared.as_of != as_of:
        raise NoClearance(
            f"The segment {segment} was not refreshed for {as_of:%Y-%m-%d %H:%M:%S} UTC; {otherwise}.",
            advice="Run the job, not this asset alone.",
        )
    return cleared


def accept(connection: Connection, segment: str, now: datetime) -> bool:
    """Accept any change that the segment's next refresh finds. False: it was never refreshed, so nothing is checked."""
    refreshed = and_(segments.c.segment == segment, segments.c.refreshed_at.is_not(None))
    return bool(connection.execute(update(segments).where(refreshed).values(accepted_at=now)).rowcount)
