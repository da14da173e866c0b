"""Whom a step is about to mail: for other loops, that leave them a recipient's last place."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, exists, select, true, union

from skene_dagster.delivery.ledger.decisions.deferring import waits
from skene_dagster.delivery.ledger.scope import StepScope, decisions_of, deferred_of
from skene_dagster.loops.plan import segment_name
from skene_dagster.store.tables import OPEN

SOME = 1000
"""Keys of a statement."""


def wanted(
    connection: Connection, scope: StepScope, keys: Sequence[object], *, since: datetime | None, until: datetime
) -> set[object]:
    """List those users, or accounts, about whom a step is to decide at a tick: who entered, or is due by then.

    Args:
        since: those are new who entered after it; None: everybody who is inside.
        until: the tick.
    """
    subject = scope.subject
    of, member, decided = subject.deferred.c, subject.members.c, subject.decisions.c
    is_new = true() if since is None else member.entered_at > since
    # A step that is being decided has come to some of its users, and not yet to all.
    is_known = (decided.user_id == member.user_id, decided.as_of >= member.entered_at)
    is_decided = exists().where(decisions_of(scope), *is_known)
    found: set[object] = set()
    for start in range(0, len(keys), SOME):
        some = keys[start : start + SOME]
        due = select(of.user_id).where(deferred_of(scope), of.user_id.in_(some), of.ask_at <= until)
        entered = select(member.user_id).where(
            member.segment == segment_name(scope.loop, scope.step),
            member.user_id.in_(some),
            member.exited_at == OPEN,
            is_new,
            ~is_decided,
            ~waits(scope, member.user_id),
        )
        found.update(connection.execute(union(due, entered)).scalars())
    return found
