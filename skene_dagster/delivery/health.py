"""How a step is doing, as the database knows it: for a person, and for a probe that pages one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from skene_dagster.delivery import controls, ledger
from skene_dagster.delivery.ledger import Scope
from skene_dagster.delivery.model import WaitingBatches
from skene_dagster.delivery.send.records import KEY_LIVES
from skene_dagster.loops.plan import LoopPlan, StepPlan, segment_name
from skene_dagster.segments import clearance
from skene_dagster.store.engine import CLOCKS_DIFFER
from skene_dagster.store.tables import OPEN, batches, pacing, segment_members, sends

GRACE = timedelta(minutes=15)
"""How long after its tick a segment may still be on its way."""

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
    waiting: int
    """Emails in batches that are not settled yet."""
    unresolved: int
    """Batches of them without an answer that nobody took up for an hour after they were due."""
    waits: tuple[Wait, ...]
    """What of them waits, and for what, the longest wait first; not what a run works on now."""
    in_doubt: int
    """Emails in doubt."""
    stuck: int
    """Emails that wait for more than an hour while no run works on the step."""
    deferred: dict[str, int]
    """Members who are decided again at the next tick, by reason."""
    unapproved: int
    """Members of a first wave that waits for a person."""

    ahead: bool
    """It was refreshed for a tick that is still to come, by a wrong clock: all ticks before that one write nothing."""

    @property
    def late(self) -> bool:
        """Whether a tick was missed. A step that never ran is not late: nobody knows since when it is there."""
        return self.as_of is not None and self.due is not None and self.as_of < self.due


def health(
    connection: Connection,
    plan: LoopPlan,
    step: StepPlan,
    mode: str,
    now: datetime,
    due: datetime | None = None,
) -> StepHealth:
    """Look at one step.

    Args:
        due: the last tick that should have been refreshed by now; None for a step without a clock.
    """
    scope = Scope(mode, plan.name, step.name)
    cleared = clearance.of(connection, segment_name(plan.name, step.name))
    orders = controls.orders(connection, plan.name, step.name)
    waits = deferred(connection, scope, by_row=step.by_row)
    open_ = ledger.batches_of(scope) & batches.c.state.in_(ledger.TO_DO)
    waiting = connection.execute(select(func.coalesce(func.sum(batches.c.size), 0)).where(open_)).scalar_one()
    unresolved = select(func.count()).where(
        open_, batches.c.unresolved_since < now - STUCK, ledger.is_due(now, STUCK), ledger.is_free(now)
    )
    return StepHealth(
        loop=plan.name,
        step=step.name,
        as_of=cleared.as_of if cleared else None,
        due=due,
        paused=orders.paused,
        waiting=int(waiting),
        unresolved=connection.execute(unresolved).scalar_one(),
        waits=_waits(connection, scope, now),
        in_doubt=ledger.emails_in_doubt(connection, scope),
        stuck=_stuck(connection, scope, open_, now),
        deferred=waits,
        unapproved=0 if orders.approved else waits.get("first_wave", 0),
        ahead=cleared is not None and cleared.as_of > now + CLOCKS_DIFFER,
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
    known = {(plan.name, step.name) for plan in plans for step in plan.steps}
    scopes = [Scope(mode, *row) for row in ledger.steps_with_open_batches(connection, mode) if row not in known]
    return [
        Left(scope.loop, scope.step, _waits(connection, scope, now), ledger.emails_in_doubt(connection, scope))
        for scope in scopes
    ]


def deferred(connection: Connection, scope: Scope, *, by_row: bool) -> dict[str, int]:
    """Count what is decided again at the next tick, by reason; a member who left meanwhile is none of them."""
    inside = and_(
        segment_members.c.segment == segment_name(scope.loop, scope.step),
        segment_members.c.exited_at == OPEN,
        segment_members.c.user_id == sends.c.user_id,
    )
    query = (
        select(sends.c.reason, func.count().label("n"))
        .select_from(sends if by_row else sends.join(segment_members, inside))
        .where(ledger.sends_of(scope), sends.c.state == "deferred")
        .group_by(sends.c.reason)
    )
    return {row.reason: row.n for row in connection.execute(query.order_by(sends.c.reason))}


def closed_accounts(connection: Connection, now: datetime) -> list[tuple[datetime, str]]:
    """List until when a provider takes nothing more, and why."""
    query = select(pacing.c.closed_until, pacing.c.reason).where(pacing.c.closed_until > now)
    return [(row.closed_until, row.reason or "") for row in connection.execute(query)]


def _waits(connection: Connection, scope: Scope, now: datetime) -> tuple[Wait, ...]:
    return tuple(_wait(row) for row in ledger.waiting(connection, scope, now))


def _wait(row: WaitingBatches) -> Wait:
    said = row.refusal or row.error or "no answer; whoever sent them has ended"
    return Wait(
        batches=row.batches,
        emails=row.emails,
        since=row.since,
        said=said,
        records="" if row.error in (None, said) else row.error,
        due=row.due_at,
        key_ends=None if row.key_since is None else row.key_since + KEY_LIVES,
    )


def _stuck(connection: Connection, scope: Scope, open_: ColumnElement[bool], now: datetime) -> int:
    """Count emails that nobody sends: due for an hour, and no batch of the step is held or was just attempted."""
    just_attempted = batches.c.last_attempt_at.between(now - GRACE, now + CLOCKS_DIFFER)
    at_work = or_(~ledger.is_free(now), just_attempted)
    if connection.execute(select(batches.c.batch_id).where(ledger.batches_of(scope), at_work).limit(1)).first():
        return 0
    old = select(func.coalesce(func.sum(batches.c.size), 0)).where(open_, ledger.is_due(now, STUCK))
    return int(connection.execute(old).scalar_one())
