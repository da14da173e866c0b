"""Whom a step is about to mail: for other loops, that leave them a recipient's last place."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, select, true, union

from skene_dagster.delivery.ledger.scope import StepScope, deferred_of
from skene_dagster.loops.plan import segment_name
from skene_dagster.store.tables import OPEN, deferred, segment_members

SOME = 1000
"""Keys of a statement."""


def wanted(
    connection: Connection, scope: StepScope, keys: Sequence[object], *, since: datetime | None, until: datetime
) -> set[object]:
    """List those users about whom a step is to decide at a tick: who entered, or is due by then.

    Args:
        since: those are new who entered after it; None: everybody who is inside.
        until: the tick.
    """
    of, member = deferred.c, segment_members.c
    is_new = true() if since is None else member.entered_at > since
    found: set[object] = set()
    for start in range(0, len(keys), SOME):
        some = keys[start : start + SOME]
        due = select(of.user_id).where(deferred_of(scope), of.user_id.in_(some), of.ask_at <= until)
        entered = select(member.user_id).where(
            member.segment == segment_name(scope.loop, scope.step),
            member.user_id.in_(some),
            member.exited_at == OPEN,
            is_new,
        )
        found.update(connection.execute(union(due, entered)).scalars())
    return found
