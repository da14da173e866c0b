"""The refresh, which is not what is judged here: what it leaves, in one transaction; and the real one's sign of life.

The real one takes as long as all the rest of a history; one history in ten has it.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime

from product import accounts, users
from scheduler import Scheduler
from sqlalchemy import Connection, Engine, exists, insert, literal, select, update
from sqlalchemy.exc import IntegrityError

from skene_dagster.errors import SegmentBusy, SegmentOvertaken, StoreError
from skene_dagster.loops.plan import LoopPlan, segment_name
from skene_dagster.segments.conditions import subject
from skene_dagster.store.engine import Clock, transaction
from skene_dagster.store.leasing import leases
from skene_dagster.store.leasing.heartbeat import Beating
from skene_dagster.store.leasing.leases import LEASE, Lease
from skene_dagster.store.tables import OPEN, Moment, segments


def refreshed(engine: Engine, plan: LoopPlan, as_of: datetime) -> None:
    """Write which users, or accounts, are dormant as the members of the loop's segment, but once for a tick.

    Raises:
        SegmentOvertaken: it was done for a newer one.
    """
    segment = segment_name(plan.name, plan.steps[0].name)
    members, dormant_ones = subject(plan.steps[0]).members, accounts if plan.steps[0].per_account else users
    row, inside, selected = segments.c, members.c, dormant_ones.c
    of_it = row.segment == segment
    is_inside = (inside.segment == segment) & (inside.exited_at == OPEN)

    def write(connection: Connection) -> None:
        if not connection.execute(update(segments).where(of_it).values(fence=row.fence + 1)).rowcount:
            counts = dict.fromkeys(("members", "entered", "exited", "unknown_keys"), 0)
            connection.execute(insert(segments).values(segment=segment, fence=1, first_as_of=as_of, **counts))
        before = connection.execute(select(row.as_of).where(of_it)).scalar_one()
        if before is not None and before >= as_of:
            if before > as_of:
                raise SegmentOvertaken("A newer tick was there first.")
            return
        connection.execute(update(segments).where(of_it).values(as_of=as_of, writing_as_of=as_of, refreshed_at=as_of))
        dormant = exists().where(selected.id == inside.user_id, selected.dormant)
        connection.execute(update(members).where(is_inside, ~dormant).values(exited_at=as_of))
        known = exists().where(is_inside, inside.user_id == selected.id)
        entered = select(literal(segment), selected.id, literal(as_of, Moment), literal(OPEN, Moment))
        connection.execute(
            insert(members).from_select(
                ["segment", "user_id", "entered_at", "exited_at"], entered.where(selected.dormant, ~known)
            )
        )

    try:
        transaction(engine, write, resolve=write)
    except IntegrityError:
        # Another wrote the segment's first row at the same moment.
        transaction(engine, write, resolve=write)


def beating(scheduler: Scheduler) -> Beating:
    """Have an actor of its own renew the lease of a lease, as the real heartbeat's thread does."""

    @contextmanager
    def beats(engine: Engine, mine: Lease, clock: Clock) -> Iterator[None]:
        writer, is_over = scheduler.me, False

        def beat() -> None:
            while True:
                scheduler.sleep(LEASE.total_seconds() / 3)
                if is_over or writer.is_dead or writer.is_over:
                    return
                with suppress(SegmentBusy, StoreError):
                    transaction(engine, lambda connection: leases.keep(connection, mine, clock()))

        scheduler.spawn("beat", beat)
        try:
            yield
        finally:
            is_over = True

    return beats
