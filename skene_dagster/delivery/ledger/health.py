"""Counts for people: what is open of a step, what nobody sends, what is asked about again, and what was decided."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import ColumnElement, Connection, Date, and_, case, func, literal, or_, select, tuple_

from skene_dagster.delivery.ledger.decisions.progress import held
from skene_dagster.delivery.ledger.reading import TO_DO, UNSENT, is_due, is_free
from skene_dagster.delivery.ledger.scope import StepScope, batches_of, deferred_of
from skene_dagster.delivery.model import DeferReason, Reason, SendState
from skene_dagster.loops.plan import segment_name
from skene_dagster.store.engine import CLOCKS_DIFFER
from skene_dagster.store.moments import day_of
from skene_dagster.store.subjects import ACCOUNTS, USERS, Subject
from skene_dagster.store.tables import OPEN, Moment, batches, sends


@dataclass(frozen=True)
class Decisions:
    """How many decisions of a step came to the same."""

    loop: str
    step: str
    state: SendState
    reason: Reason | None
    day: date
    """Of their tick (UTC)."""
    number: int
    some: tuple[object, object]
    """The first and the last of their users, in the order of the keys."""


@dataclass(frozen=True)
class Ahead:
    """Emails of a step that are decided, and have not left."""

    loop: str
    step: str
    day: date
    """From which on they may leave (UTC); this one where they may now."""
    waits_until: datetime | None
    """The last moment until which some of them wait for their recipients' hours, or their slice; None: none does."""
    emails: int


@dataclass(frozen=True)
class AskedAgain:
    """How many are decided again in a step, at the same day's ticks and for the same reason."""

    loop: str
    step: str
    reason: DeferReason
    place: int
    """At which of the moments that were asked about, or before."""
    is_inside: bool
    """They are still in its segment."""
    number: int


def emails_ahead(connection: Connection, mode: str, now: datetime) -> list[Ahead]:
    """Count the emails that are decided and have not left, by the day from which on they may leave."""
    waits = batches.c.not_before > now
    due = func.coalesce(batches.c.due_at, batches.c.reserved_at, type_=Moment)
    at = case((batches.c.not_before > due, batches.c.not_before), else_=due)
    day = day_of(case((at > now, at), else_=literal(now, Moment))).label("day")
    until = func.max(case((waits, batches.c.not_before)), type_=Moment)
    each = batches.c.loop, batches.c.step, day
    query = select(*each, until, func.sum(batches.c.size)).where(batches.c.mode == mode, batches.c.state.in_(UNSENT))
    rows = connection.execute(query.group_by(*each).order_by(*each))
    return [Ahead(loop, step, on, waits_until, int(emails)) for loop, step, on, waits_until, emails in rows]


def asked_again(
    connection: Connection, mode: str, steps: Sequence[tuple[str, str]], until: Sequence[datetime], subject: Subject
) -> list[AskedAgain]:
    """Count who is decided again in some steps up to the last of some moments, by the first that is not before it."""
    of, member = subject.deferred.c, subject.members.c
    inside = and_(member.segment == of.loop + "." + of.step, member.exited_at == OPEN, member.user_id == of.user_id)
    place = case(*((of.ask_at <= moment, number) for number, moment in enumerate(until))).label("place")
    is_inside = case((member.user_id.is_not(None), 1), else_=0).label("is_inside")
    each = of.loop, of.step, of.reason, place, is_inside
    query = (
        select(*each, func.count())
        .prefix_with(f"/*+ INL_JOIN({subject.members.name}) */", dialect="mysql")
        .select_from(subject.deferred.outerjoin(subject.members, inside))
        .where(of.mode == mode, tuple_(of.loop, of.step).in_(steps), of.ask_at <= until[-1])
        .group_by(*each)
        .order_by(*each)
    )
    rows = connection.execute(query) if steps else ()
    return [AskedAgain(loop, step, reason, at, bool(there), number) for loop, step, reason, at, there, number in rows]


def open_emails(connection: Connection, scope: StepScope) -> int:
    """Count the emails of a step in batches with work left."""
    return _emails(connection, _open(scope))


def next_due(connection: Connection, scope: StepScope, now: datetime) -> datetime | None:
    """Say when the first of a step's open batches is due; None: one is due now, or none is open."""
    if connection.execute(select(batches.c.batch_id).where(_open(scope), is_due(now)).limit(1)).first():
        return None
    first: datetime | None = connection.execute(select(func.min(batches.c.due_at)).where(_open(scope))).scalar_one()
    return first


def left_unresolved(connection: Connection, scope: StepScope, now: datetime, for_: timedelta) -> int:
    """Count the batches without an answer that nobody took up for so long after they were due."""
    query = select(func.count()).where(
        _open(scope), batches.c.unresolved_since < now - for_, is_due(now, for_), is_free(now)
    )
    return int(connection.execute(query).scalar_one())


def stuck_emails(connection: Connection, scope: StepScope, now: datetime, *, for_: timedelta, idle: timedelta) -> int:
    """Count emails that nobody sends: due for so long, and no batch of the step is held, or was attempted lately.

    Args:
        idle: how long ago an attempt was not lately.
    """
    just_attempted = batches.c.last_attempt_at.between(now - idle, now + CLOCKS_DIFFER)
    at_work = or_(~is_free(now), just_attempted)
    if connection.execute(select(batches.c.batch_id).where(batches_of(scope), at_work).limit(1)).first():
        return 0
    return _emails(connection, and_(_open(scope), is_due(now, for_)))


def deferred(connection: Connection, scope: StepScope, *, by_row: bool) -> dict[str, int]:
    """Count what is decided again at a later tick, by reason; a member who left meanwhile is none of them."""
    waiting, members = scope.subject.deferred, scope.subject.members
    reason = waiting.c.reason
    inside = and_(
        members.c.segment == segment_name(scope.loop, scope.step),
        members.c.exited_at == OPEN,
        members.c.user_id == waiting.c.user_id,
    )
    query = (
        select(reason, func.count().label("n"))
        .select_from(waiting if by_row else waiting.join(members, inside))
        .where(deferred_of(scope))
        .group_by(reason)
    )
    return {row.reason: row.n for row in connection.execute(query.order_by(reason))} | held(connection, scope)


def _open(scope: StepScope) -> ColumnElement[bool]:
    return and_(batches_of(scope), batches.c.state.in_(TO_DO))


def _emails(connection: Connection, which: ColumnElement[bool]) -> int:
    return int(connection.execute(select(func.coalesce(func.sum(batches.c.size), 0)).where(which)).scalar_one())


def decided_since(connection: Connection, mode: str, as_of: datetime) -> list[Decisions]:
    """Count the final decisions of a tick and later ones; it looks at all of the mode's sends, once."""
    key = sends.c.loop, sends.c.step, sends.c.state, sends.c.reason, func.date(sends.c.as_of, type_=Date)
    user = sends.c.user_id
    counted = func.count(), func.min(user, type_=user.type), func.max(user, type_=user.type)
    query = select(*key, *counted).where(sends.c.mode == mode, sends.c.as_of >= as_of).group_by(*key)
    return [
        Decisions(loop, step, state, reason, day, number, (first, last))
        for loop, step, state, reason, day, number, first, last in connection.execute(query.order_by(*key))
    ]


def examples_of(connection: Connection, mode: str, one: Decisions, as_of: datetime, most: int) -> list[object]:
    """List some of the users about whom it was decided so, at a tick and later ones."""
    same = [sends.c[name] == getattr(one, name) for name in ("loop", "step", "state", "reason")]
    query = select(sends.c.user_id).where(sends.c.mode == mode, *same, sends.c.as_of >= as_of).distinct()
    return list(connection.execute(query.order_by(sends.c.user_id).limit(most)).scalars())


def waiting_by_step(connection: Connection, mode: str) -> dict[tuple[str, str, str], int]:
    """Count who is decided again later, by loop, step and reason."""
    found: dict[tuple[str, str, str], int] = {}
    for subject in (USERS, ACCOUNTS):
        waiting = subject.deferred.c
        key = waiting.loop, waiting.step, waiting.reason
        query = select(*key, func.count()).where(waiting.mode == mode).group_by(*key)
        found |= {(loop, step, reason): number for loop, step, reason, number in connection.execute(query)}
    return found
