"""How a step is doing, as the database knows it: for a person, and for a probe that pages one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from skene_dagster.delivery import controls, ledger, modes
from skene_dagster.delivery.ledger import ReceiptCounts, StepScope, scope_of
from skene_dagster.delivery.model import GateName, WaitingBatches
from skene_dagster.loops.plan import LoopPlan, StepPlan, segment_name
from skene_dagster.segments import clearance
from skene_dagster.segments.clearance import Clearance
from skene_dagster.store.engine import CLOCKS_DIFFER
from skene_dagster.store.tables import pacing

GRACE = timedelta(minutes=15)
"""How long after its tick a segment may still be on its way."""

RECENT = timedelta(days=6)
"""Of emails accepted on that day or since it is said what became of them: a week's."""

STUCK = timedelta(hours=1)
"""How long an attempt may be without answer, or emails without anybody who sends them, before a person should look."""


@dataclass(frozen=True)
class Wait:
    """Batches of a step that wait for the same reason."""

    batches: int
    emails: int
    since: datetime
    said: str
    """What the provider said to them, or what failed."""
    records: str
    """What the provider's records said after that; empty where they were not asked."""
    due: datetime
    """When the first of them goes on."""
    key_ends: datetime | None
    """When the key of the first of them is over, after which nothing is sent under it; None where none was tried."""


@dataclass(frozen=True)
class StepHealth:
    """One step, now."""

    loop: str
    step: str
    as_of: datetime | None
    """Of the last refresh that was completed; None before the first."""
    due: datetime | None
    """The last tick that should have been refreshed by now; None for a step without a clock."""
    paused: bool
    paused_as: tuple[str, ...]
    """By what names, each of which has to be resumed: the loop's, EVERY, or both."""
    paused_because: str | None
    """What paused it; None: a person."""
    unresolved: int
    """Batches of them without an answer that nobody took up for an hour after they were due."""
    waits: tuple[Wait, ...]
    """What of them waits, and for what, the longest wait first; not what a run works on now."""
    in_doubt: int
    """Emails in doubt."""
    stuck: int
    """Emails that wait for more than an hour while no run works on the step."""
    unapproved: int
    """Members of a first wave that waits for a person."""
    held: dict[GateName, str]
    """What each gate said that holds it, by its name; but for those that a person lets its next tick pass."""
    accepted: tuple[str, ...]
    """The gates that a person lets its next tick pass."""
    ahead: bool
    """It was refreshed for a tick that is still to come, by a wrong clock: all ticks before that one write nothing."""

    @property
    def late(self) -> bool:
        """Whether a tick was missed. A step that never ran is not late: nobody knows since when it is there."""
        return self.as_of is not None and self.due is not None and self.as_of < self.due


@dataclass(frozen=True)
class LookedAt:
    """A step to look at."""

    plan: LoopPlan
    step: StepPlan
    due: datetime | None = None
    """The last tick that should have been refreshed by now; None for a step without a clock."""

    @property
    def name(self) -> tuple[str, str]:
        """Its loop's name, and its own in the ledger."""
        return self.plan.name, self.step.ledger_name


def health(connection: Connection, steps: Sequence[LookedAt], mode: str, now: datetime) -> list[StepHealth]:
    """Look at steps: in four statements for all of them, and five more for each that has open batches."""
    orders = controls.orders_of_steps(connection, [one.name for one in steps])
    progress, cleared = ledger.progress_of_steps(connection, mode), clearance.of_segments(connection)
    has_open = set(ledger.steps_with_open_batches(connection, mode))
    return [
        _health(
            connection,
            one,
            mode,
            now,
            cleared=cleared.get(segment_name(*one.name)),
            orders=orders[one.name],
            progress=progress.get(one.name) or ledger.StepProgress(None, None),
            is_open=one.name in has_open,
        )
        for one in steps
    ]


def _health(
    connection: Connection,
    looked_at: LookedAt,
    mode: str,
    now: datetime,
    *,
    cleared: Clearance | None,
    orders: controls.Orders,
    progress: ledger.StepProgress,
    is_open: bool,
) -> StepHealth:
    plan, step = looked_at.plan, looked_at.step
    scope = scope_of(mode, plan, step)
    waits_for_approval = progress.hold == "first_wave" and not orders.approved
    return StepHealth(
        loop=plan.name,
        step=step.name,
        as_of=cleared.as_of if cleared else None,
        due=looked_at.due,
        paused=orders.paused,
        paused_as=orders.paused_as,
        paused_because=orders.paused_because,
        unresolved=ledger.left_unresolved(connection, scope, now, STUCK) if is_open else 0,
        waits=_waits(connection, scope, now) if is_open else (),
        in_doubt=ledger.emails_in_doubt(connection, scope) if is_open else 0,
        stuck=ledger.stuck_emails(connection, scope, now, for_=STUCK, idle=GRACE) if is_open else 0,
        unapproved=ledger.held(connection, scope).get("first_wave", 0) if waits_for_approval else 0,
        held=progress.held_by(approved=orders.approved),
        accepted=tuple(sorted(progress.accepted)),
        ahead=cleared is not None and cleared.as_of > now + CLOCKS_DIFFER,
    )


@dataclass(frozen=True)
class StepCounts:
    """How many of a step are on their way, wait, and came back; to count them takes longer than to look at it."""

    waiting: int
    """Emails in batches that are not settled yet."""
    next_due: datetime | None
    """When the first of these batches is due; None: one is due now, or there is none."""
    deferred: dict[str, int]
    """Members who are decided again at the next tick, by reason."""
    receipts: ReceiptCounts
    """What became of its recent emails."""


def counts(connection: Connection, plan: LoopPlan, step: StepPlan, mode: str, now: datetime) -> StepCounts:
    """Count what there is of one step."""
    scope = scope_of(mode, plan, step)
    return StepCounts(
        waiting=ledger.open_emails(connection, scope),
        next_due=ledger.next_due(connection, scope, now),
        deferred=ledger.deferred(connection, scope, by_row=step.by_row),
        receipts=ledger.counted_since(connection, scope, (now - RECENT).date()),
    )


@dataclass(frozen=True)
class Left:
    """What is open of a step that is none of the project's: its loop is broken, or it is gone."""

    loop: str
    step: str
    waits: tuple[Wait, ...]
    in_doubt: int
    """Emails in doubt."""


def left_by_others(connection: Connection, plans: Sequence[LoopPlan], mode: str, now: datetime) -> list[Left]:
    """List what steps have left open that none of these loops has."""
    known = {(plan.name, step.ledger_name) for plan in plans for step in plan.steps}
    scopes = [StepScope(mode, *row) for row in ledger.steps_with_open_batches(connection, mode) if row not in known]
    return [
        Left(scope.loop, scope.step, _waits(connection, scope, now), ledger.emails_in_doubt(connection, scope))
        for scope in scopes
    ]


def closed_accounts(connection: Connection, now: datetime) -> list[tuple[datetime, str]]:
    """List until when a provider takes nothing more, and why."""
    query = select(pacing.c.closed_until, pacing.c.reason).where(pacing.c.closed_until > now)
    return [(row.closed_until, row.reason or "") for row in connection.execute(query)]


def _waits(connection: Connection, scope: StepScope, now: datetime) -> tuple[Wait, ...]:
    return tuple(_wait(row, scope.mode) for row in ledger.waiting(connection, scope, now))


def _wait(row: WaitingBatches, mode: str) -> Wait:
    said = row.refusal or row.error or "no answer; the process that sent them has ended"
    lives = None if row.key_since is None else modes.terms(mode, row.provider).key_lives
    return Wait(
        batches=row.batches,
        emails=row.emails,
        since=row.since,
        said=said,
        records="" if row.error in (None, said) else row.error,
        due=row.due_at,
        key_ends=row.key_since + lives if row.key_since is not None and lives else None,
    )
