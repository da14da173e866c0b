"""How far a step has decided: the tick up to which nobody is new to it, and why it decides about nobody now."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, func, insert, literal, or_, select, update

from skene_dagster.delivery.ledger.decisions.deferring import waits
from skene_dagster.delivery.ledger.scope import StepScope, deferred_of, rows_of
from skene_dagster.delivery.model import GateName, HoldReason
from skene_dagster.loops.plan import segment_name
from skene_dagster.store.tables import OPEN, Moment, steps


@dataclass(frozen=True)
class StepProgress:
    """How far a step has decided."""

    reserved_as_of: datetime | None
    """The last tick of which everybody is decided; None: nobody."""
    hold: HoldReason | None
    """Why nobody was decided at its last tick."""
    said: Mapping[GateName, str] = field(default_factory=dict)
    """What each gate that held it said, by its name."""
    accepted: frozenset[str] = frozenset()
    """The gates that a person lets its next tick pass."""

    def held_by(self, *, approved: bool) -> dict[GateName, str]:
        """Say which gates hold it, and what each said; not those that a person lets its next tick pass.

        Args:
            approved: a person has approved its first wave.
        """
        passes = self.accepted | ({"first_wave"} if approved else set())
        return {name: said for name, said in self.said.items() if name not in passes}


def begin(
    connection: Connection, scope: StepScope, digest: str, as_of: datetime, *, transactional: bool
) -> StepProgress:
    """Read how far a step has decided; where its digest is another, all whom it deferred are due at this tick.

    Args:
        transactional: the recipients ask for its emails.

    Raises:
        IntegrityError: another run has just begun it; do it again.
    """
    now = {"digest": digest, "transactional": int(transactional)}
    query = select(steps.c.digest, steps.c.transactional).where(rows_of(scope, steps))
    known = connection.execute(query).one_or_none()
    if known is None:
        connection.execute(insert(steps).values({**scope.key, **now, "fence": 0}))
    elif tuple(known) != (digest, transactional):
        connection.execute(update(steps).where(rows_of(scope, steps)).values(now))
    if known is not None and known.digest != digest:
        deferred = scope.subject.deferred
        later = and_(deferred_of(scope), deferred.c.ask_at > as_of)
        connection.execute(update(deferred).where(later).values(ask_at=as_of))
    return progress(connection, scope) or StepProgress(None, None)


def lock(connection: Connection, scope: StepScope) -> None:
    """Keep other runs from deciding about a step until this transaction ends."""
    connection.execute(update(steps).where(rows_of(scope, steps)).values(fence=steps.c.fence + 1))


def complete(connection: Connection, scope: StepScope, as_of: datetime, since: datetime | None) -> None:
    """Everybody of a tick is decided who entered after `since`. It never goes back; what a person accepted is over.

    Where it is another by now, a person has asked for everybody to be looked at, or another run was there first.
    """
    decided = steps.c.reserved_as_of
    is_lower = and_(decided.is_not_distinct_from(since), or_(decided.is_(None), decided < as_of))
    connection.execute(update(steps).where(rows_of(scope, steps), is_lower).values(reserved_as_of=as_of))
    connection.execute(update(steps).where(rows_of(scope, steps)).values(hold=None, said=None, accepted=None))


def forget(connection: Connection, scope: StepScope) -> None:
    """Have the step's next tick look at everybody who is inside."""
    connection.execute(update(steps).where(rows_of(scope, steps)).values(reserved_as_of=None))


def hold(
    connection: Connection,
    scope: StepScope,
    reason: HoldReason,
    since: datetime | None,
    said: Mapping[GateName, str],
) -> None:
    """Nobody of the step is decided now, for this reason; who entered after `since` (None: everybody) waits.

    Args:
        said: what each gate says that holds it.
    """
    known = func.coalesce(steps.c.reserved_as_of, literal(since, Moment))
    told = json.dumps(said, ensure_ascii=False) if said else None
    held_now = {"hold": reason, "said": told, "reserved_as_of": known}
    connection.execute(update(steps).where(rows_of(scope, steps)).values(held_now))


def accept(connection: Connection, scope: StepScope, gates: Iterable[GateName]) -> StepProgress | None:
    """Let the next tick of a step pass these gates, too; return what is known of it, None where it has never run."""
    lock(connection, scope)
    known = progress(connection, scope)
    if known is not None:
        accepted = " ".join(sorted({*known.accepted, *gates}))
        connection.execute(update(steps).where(rows_of(scope, steps)).values(accepted=accepted))
    return known


def held(connection: Connection, scope: StepScope) -> dict[str, int]:
    """Count the members, or the rows that triggered, that nobody decides about now, by the reason; empty: none."""
    known = progress(connection, scope)
    if known is None or known.hold is None:
        return {}
    segment, since = segment_name(scope.loop, scope.step), known.reserved_as_of
    members, triggered = scope.subject.members, scope.subject.triggered
    member, row = members.c, triggered.c
    inside = and_(member.segment == segment, member.exited_at == OPEN, ~waits(scope, member.user_id))
    found = and_(row.mode == scope.mode, row.segment == segment, ~waits(scope, row.user_id, row.occurrence))
    if since is not None:
        inside, found = and_(inside, member.entered_at > since), and_(found, row.entered_at > since)
    number = sum(
        connection.execute(select(func.count()).select_from(table).where(which)).scalar_one()
        for table, which in ((members, inside), (triggered, found))
    )
    return {known.hold: number} if number else {}


def progress(connection: Connection, scope: StepScope) -> StepProgress | None:
    """Read how far a step has decided, and what holds it; None where it has never run."""
    row = connection.execute(select(steps).where(rows_of(scope, steps))).one_or_none()
    return None if row is None else _read(row)


def progress_of_steps(connection: Connection, mode: str) -> dict[tuple[str, str], StepProgress]:
    """Read how far each step has decided, by its loop and its name."""
    rows = connection.execute(select(steps).where(steps.c.mode == mode))
    return {(row.loop, row.step): _read(row) for row in rows}


def _read(row: Row[Any]) -> StepProgress:
    said = {} if row.said is None else json.loads(row.said)
    return StepProgress(row.reserved_as_of, row.hold, said, frozenset((row.accepted or "").split()))
