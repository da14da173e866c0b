"""How far a step has decided: the tick up to which nobody is new to it, and why it decides about nobody now."""

from datetime import datetime

from sqlalchemy import Connection, and_, func, insert, literal, or_, select, update

from skene_dagster.delivery.ledger.decisions.deferring import waits
from skene_dagster.delivery.ledger.scope import StepScope, deferred_of, rows_of
from skene_dagster.delivery.model import HoldReason, StepProgress
from skene_dagster.loops.plan import segment_name
from skene_dagster.store.tables import OPEN, Moment, steps, triggered


def begin(connection: Connection, scope: StepScope, digest: str, as_of: datetime) -> StepProgress:
    """Read how far a step has decided; where its digest is another, all whom it deferred are due at this tick.

    Raises:
        IntegrityError: another run has just begun it; do it again.
    """
    known = connection.execute(select(steps.c.digest).where(rows_of(scope, steps))).scalar_one_or_none()
    if known is None:
        row = {**scope.key, "digest": digest, "fence": 0}
        connection.execute(insert(steps).values(row))
    elif known != digest:
        connection.execute(update(steps).where(rows_of(scope, steps)).values(digest=digest))
        deferred = scope.subject.deferred
        later = and_(deferred_of(scope), deferred.c.ask_at > as_of)
        connection.execute(update(deferred).where(later).values(ask_at=as_of))
    return _progress(connection, scope) or StepProgress(None, None)


def lock(connection: Connection, scope: StepScope) -> None:
    """Keep other runs from deciding about a step until this transaction ends."""
    connection.execute(update(steps).where(rows_of(scope, steps)).values(fence=steps.c.fence + 1))


def complete(connection: Connection, scope: StepScope, as_of: datetime, since: datetime | None) -> None:
    """Everybody of a tick is decided who entered after `since`. It never goes back.

    Where it is another by now, a person has asked for everybody to be looked at, or another run was there first.
    """
    decided = steps.c.reserved_as_of
    is_lower = and_(decided.is_not_distinct_from(since), or_(decided.is_(None), decided < as_of))
    connection.execute(update(steps).where(rows_of(scope, steps), is_lower).values(reserved_as_of=as_of))
    connection.execute(update(steps).where(rows_of(scope, steps)).values(hold=None))


def forget(connection: Connection, scope: StepScope) -> None:
    """Have the step's next tick look at everybody who is inside."""
    connection.execute(update(steps).where(rows_of(scope, steps)).values(reserved_as_of=None))


def hold(connection: Connection, scope: StepScope, reason: HoldReason, since: datetime | None) -> None:
    """Nobody of the step is decided now, for this reason; who entered after `since` (None: everybody) waits."""
    known = func.coalesce(steps.c.reserved_as_of, literal(since, Moment))
    connection.execute(update(steps).where(rows_of(scope, steps)).values(hold=reason, reserved_as_of=known))


def held(connection: Connection, scope: StepScope) -> dict[str, int]:
    """Count the members, or the rows that triggered, that nobody decides about now, by the reason; empty: none."""
    progress = _progress(connection, scope)
    if progress is None or progress.hold is None:
        return {}
    segment, since = segment_name(scope.loop, scope.step), progress.reserved_as_of
    members = scope.subject.members
    member, row = members.c, triggered.c
    inside = and_(member.segment == segment, member.exited_at == OPEN, ~waits(scope, member.user_id))
    found = and_(row.mode == scope.mode, row.segment == segment, ~waits(scope, row.user_id, row.occurrence))
    if since is not None:
        inside, found = and_(inside, member.entered_at > since), and_(found, row.entered_at > since)
    number = sum(
        connection.execute(select(func.count()).select_from(table).where(which)).scalar_one()
        for table, which in ((members, inside), (triggered, found))
    )
    return {progress.hold: number} if number else {}


def _progress(connection: Connection, scope: StepScope) -> StepProgress | None:
    row = connection.execute(select(steps.c.reserved_as_of, steps.c.hold).where(rows_of(scope, steps))).one_or_none()
    return None if row is None else StepProgress(*row)
