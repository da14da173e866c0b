"""Retention: what is old, and what no rule reads any more, is deleted, some rows to a transaction.

How a table's rows are found and deleted is its owner's; here stands how far back each of them goes. Never deleted:
decisions (that nobody is mailed twice hangs on them), batches, milestones, days, and whatever is so now. Who dies on
the way has left nothing half done, and who comes next goes on.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any, Protocol, get_args

from sqlalchemy import Connection, Engine, Table

from skene_dagster.behaviour import engagement, events
from skene_dagster.behaviour.rollup import roll_up
from skene_dagster.delivery import ledger
from skene_dagster.delivery.blocking import entitlements
from skene_dagster.delivery.ledger import StepScope
from skene_dagster.delivery.model import ModeName
from skene_dagster.loops.plan import LoopPlan, segment_name
from skene_dagster.loops.planning.usage import UsagePlan
from skene_dagster.loops.triggers import Rows
from skene_dagster.segments import difference, members
from skene_dagster.segments.triggers import trigger_rows, trigger_windows
from skene_dagster.settings import OWN_EVENTS, Cap, Retention
from skene_dagster.store import tables
from skene_dagster.store.engine import Clock, reading, transaction
from skene_dagster.store.subjects import ACCOUNTS, USERS
from skene_dagster.store.sweeping import Swept

CHUNK = 5_000
"""Rows per transaction; an event's may have 32 kB."""

CONTACTS_KEPT = timedelta(days=30)
"""How long it is kept at least to whom emails went, where no cap counts for longer."""

CHANNELS: tuple[str, ...] = get_args(ModeName)


@dataclass(frozen=True)
class Retained:
    """What was deleted."""

    rows: Mapping[str, int]
    """By table; those of which nothing is ever deleted are left out."""
    events_since: date | None
    """The first day of which all events are there; None where they are of all days."""
    waits_for: str
    """Whom that day waits for, where it is not the one that `retention.events` says."""


class Part(Protocol):
    """Deletes some rows, and says where to go on."""

    def __call__(self, connection: Connection, *, since: Any) -> Swept: ...


def retain(
    engine: Engine,
    *,
    retention: Retention,
    usage: UsagePlan,
    plans: Sequence[LoopPlan],
    are_all: bool,
    clock: Clock,
    chunk: int = CHUNK,
) -> Retained:
    """Delete what is older than skene.yaml says. Doing it again deletes what has grown old since.

    Args:
        plans: the loops that are well; what their next ticks will look at stays.
        are_all: there are no others: whatever is of another loop is of one that is gone.
        chunk: rows per transaction.

    Raises:
        StoreError: the database refused; what was deleted by then stays so.
    """
    now = clock()
    looks = reading(engine, partial(_next_looks, plans=plans))
    since, waits_for = None, ""
    deleted: dict[str, int] = {}
    if retention.events is not None:
        needed = {f"the step {step}": look.after for step, look in looks.items() if look.at_our_events}
        wanted = (now - retention.events).date()
        let_go = partial(roll_up.let_go, plan=usage, wanted=wanted, needed=needed, now=now)
        since, waits_for = transaction(engine, let_go)
        deleted[tables.events.name] = all_of(engine, partial(events.forget, size=chunk))
    if retention.history is not None:
        for table, part in _history(engine, now - retention.history, chunk):
            deleted[table.name] = deleted.get(table.name, 0) + all_of(engine, part)
        for scope in reading(engine, partial(_gone, plans=plans)) if are_all else ():
            old = partial(_forget_deferred, scope=scope, before=now - retention.history, size=chunk)
            name = (tables.deferred if scope.subject is USERS else tables.account_deferred).name
            deleted[name] = deleted.get(name, 0) + all_of(engine, old)
    if retention.payloads is not None:
        parts = reading(engine, partial(_payloads, looks=looks, now=now, kept=retention.payloads, size=chunk))
        for table, part in parts:
            deleted[table.name] = deleted.get(table.name, 0) + all_of(engine, part)
    return Retained(deleted, since, waits_for)


def forget_contacts(engine: Engine, caps: Sequence[Cap], clock: Clock, chunk: int = CHUNK) -> int:
    """Delete what no frequency cap counts any more; return how many rows it was.

    A page of decisions reads all contacts of its recipients while other loops wait: with 30 of each it took 4 s on
    TiDB (5,000 recipients, measured 2026-11).

    Raises:
        StoreError: the database refused; what was deleted by then stays so.
    """
    before = clock() - max([CONTACTS_KEPT, *(cap.within for cap in caps)])
    return all_of(engine, partial(ledger.forget_contacts, before=before, size=chunk))


@dataclass(frozen=True)
class _Look:
    """What the next tick of a step looks at: rows after a moment."""

    after: datetime
    at_our_events: bool


def _next_looks(connection: Connection, plans: Sequence[LoopPlan]) -> dict[str, _Look]:
    looks = {}
    for plan in plans:
        for step in plan.steps:
            after = trigger_windows.next_look(connection, plan, step) if step.by_row else None
            if after is not None:
                # The database may be named before the table.
                ours = isinstance(step.trigger, Rows) and step.trigger.table.endswith(OWN_EVENTS.table)
                looks[segment_name(plan.name, step.ledger_name)] = _Look(after, ours)
    return looks


def _history(engine: Engine, before: datetime, size: int) -> Iterator[tuple[Table, Part]]:
    yield tables.engagement_levels, partial(engagement.forget_left, before=before, size=size)
    for mode in CHANNELS:
        yield tables.entitlements, partial(entitlements.forget_lifted, mode=mode, before=before, size=size)
    for segment, *refreshed in reading(engine, members.all_segments):
        # A refresh that is done again looks at those who left at its own tick.
        last = min([before, *(moment for moment in refreshed if moment is not None)])
        for table in (USERS.members, ACCOUNTS.members):
            of_it = difference.Segment(segment, table)
            yield table, partial(difference.forget_exited, segment=of_it, before=last, size=size)


def _gone(connection: Connection, plans: Sequence[LoopPlan]) -> list[StepScope]:
    """List the steps that are none of these loops' any more, and for which somebody waits."""
    known = {(plan.name, step.ledger_name) for plan in plans for step in plan.steps}
    return [one for one in ledger.steps_that_defer(connection) if (one.loop, one.step) not in known]


def _forget_deferred(connection: Connection, *, scope: StepScope, before: datetime, since: Any, size: int) -> Swept:
    swept = ledger.forget_deferred(connection, scope, before=before, since=since, size=size)
    if swept.rows:
        # Should it come back, it finds them again, for they have no decision.
        ledger.look_at_everybody(connection, scope)
    return swept


def _payloads(
    connection: Connection, looks: Mapping[str, _Look], now: datetime, kept: timedelta, size: int
) -> list[tuple[Table, Part]]:
    """List what is deleted of the rows that triggered steps: nothing that a tick or an open batch may still need."""
    parts: list[tuple[Table, Part]] = []
    for segment, *_ in members.all_segments(connection):
        loop, _, step = segment.partition(".")
        look = looks.get(segment)
        for mode in CHANNELS:
            open_since = ledger.oldest_open(connection, StepScope(mode, loop, step))
            before = min(now if open_since is None else open_since, now) - kept
            before = before if look is None else min(before, look.after)
            of_it = partial(trigger_rows.forget, mode=mode, segment=segment, before=before, size=size)
            parts += [(subject.triggered, partial(of_it, subject=subject)) for subject in (USERS, ACCOUNTS)]
    return parts


def all_of(engine: Engine, part: Part) -> int:
    """Do a part of the work, one transaction after the other, until all is done; return how many rows it was."""
    deleted, since = 0, None
    while True:
        swept = transaction(engine, partial(part, since=since))
        deleted, since = deleted + swept.rows, swept.last
        if since is None:
            return deleted
