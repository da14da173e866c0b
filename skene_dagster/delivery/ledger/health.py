"""Counts for people: what is open of a step, what nobody sends, and what is asked about again."""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from skene_dagster.delivery.ledger.decisions.progress import held
from skene_dagster.delivery.ledger.reading import TO_DO, is_due, is_free
from skene_dagster.delivery.ledger.scope import StepScope, batches_of, deferred_of
from skene_dagster.loops.plan import segment_name
from skene_dagster.store.engine import CLOCKS_DIFFER
from skene_dagster.store.tables import OPEN, batches


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
