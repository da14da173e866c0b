"""Segments: who is inside, since when, and who left; refreshed inside the database, one tick after the other.

A refresh finds what the condition would change, checks it, and writes the history in chunks. The writer holds the
segment's lease; a crash between chunks leaves no clearance, and the next refresh repairs it.
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, Row

from skene_dagster.errors import StoreError
from skene_dagster.loops.plan import LoopPlan, StepPlan, segment_name
from skene_dagster.loops.planning.accounts import selected_from
from skene_dagster.segments import conditions, refresh_passes
from skene_dagster.segments.conditions import subject
from skene_dagster.segments.evaluation import Condition, Work
from skene_dagster.settings import Settings
from skene_dagster.store.engine import Clock, transaction
from skene_dagster.store.leasing import leases
from skene_dagster.store.leasing.heartbeat import Beating, beating

CHUNK = 100_000
"""Keys per transaction."""

LARGE = 1_000_000
"""From this many members on, a condition is not evaluated in one statement: TiDB would keep it all in memory."""


@dataclass(frozen=True)
class Refreshed:
    """What a refresh found and wrote."""

    segment: str
    as_of: datetime
    members: int
    entered: int
    exited: int
    unknown_keys: int
    """Rows of the condition whose key is NULL or belongs to no user; they are left out."""
    already: bool
    """This as_of was already refreshed; nothing was done."""
    sql: str
    """The condition, as the database got it."""
    seconds: float

    @staticmethod
    def of(row: Row[Any], sql: str = "", *, already: bool = False, seconds: float = 0.0) -> "Refreshed":
        """Tell what a refresh found, as it stands in the segment's row."""
        return Refreshed(
            row.segment,
            row.as_of,
            row.members,
            row.entered,
            row.exited,
            row.unknown_keys,
            already=already,
            sql=sql,
            seconds=seconds,
        )


def refresh(  # noqa: PLR0913 - what it needs, and how much at a time, each by its name
    engine: Engine,
    *,
    plan: LoopPlan,
    step: StepPlan,
    settings: Settings,
    as_of: datetime,
    clock: Clock,
    run_id: str,
    chunk: int = CHUNK,
    large: int = LARGE,
    beating: Beating = beating,
) -> Refreshed:
    """Update the step's segment to what its condition says at `as_of`. Doing it again changes nothing.

    Args:
        run_id: who refreshes, at most 64 characters; a run may take over from itself.
        chunk: keys per transaction.
        large: members from which on the condition is evaluated in parts from the start.
        beating: keeps the lease while the condition is evaluated.

    Raises:
        SegmentBusy: another run is refreshing this segment.
        SegmentOvertaken: a refresh for a newer as_of has written; nothing was written.
        SegmentImplausible: the segment would collapse or explode, and nobody accepted that; nothing was written.
        SegmentTimeout: the condition took longer than the step's timeout.
        SegmentError: the condition cannot be evaluated, or returns a user twice.
        QueryRejected: the condition needs TiDB.
        StoreError: the database refused. Whatever the error, what was half-written is repaired by the next refresh.
    """
    segment = segment_name(plan.name, step.ledger_name)
    answer = conditions.answer(engine, plan, step, settings, as_of)
    started = clock()
    mine, before = leases.begin(engine, segment, owner=run_id, as_of=as_of, clock=clock)
    if mine is None:
        return Refreshed.of(before, answer.sql, already=True)
    kept = step.email.row_columns if step.email else ()
    condition = Condition(answer, kept, conditions.place_of(plan, step), step.timeout, subject(step).word)
    work = Work(
        engine,
        mine,
        selected_from(step, settings),
        clock,
        condition,
        limits=None if before.accepted_at is not None else settings.limits,
        chunk=chunk,
        set_since=before.refreshed_at if step.sets_what_it_reads else None,
        members=before.members,
        is_large=before.members > large,
    )
    try:
        with beating(engine, mine, clock):
            row = refresh_passes.refreshed(work)
        return Refreshed.of(row, answer.sql, seconds=(row.refreshed_at - started).total_seconds())
    except BaseException:
        # If the database is gone, the lease expires.
        with suppress(StoreError):
            transaction(engine, lambda connection: leases.release(connection, mine))
        raise
