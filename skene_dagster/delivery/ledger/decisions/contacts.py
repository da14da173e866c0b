"""Which emails a recipient has got or is to get, of all loops.

Whether an email has left, or still may, its send says: a contact whose send is skipped, refused or decided again counts
for nothing.
"""

from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import Connection, and_, delete, insert, or_, select, tuple_

from skene_dagster.delivery.ledger.scope import StepScope, rows_of, sends_of
from skene_dagster.delivery.model import IN_FLIGHT, Contact, NewContact
from skene_dagster.store.tables import contacts, sends

SOME = 1000
"""Recipients, or keys, of a statement."""


_SAME = and_(*(contacts.c[name] == sends.c[name] for name in ("mode", "loop", "step", "user_id", "occurrence")))


def contacts_of(
    connection: Connection, scope: StepScope, recipients: Collection[str], *, as_of: datetime, since: datetime
) -> dict[str, list[Contact]]:
    """List the emails of some recipients that may still leave, or that were accepted after a moment.

    And those of a step and a tick, whenever they were accepted.
    """
    may_leave = sends.c.state.in_((*IN_FLIGHT, "in_doubt"))
    is_of_the_tick = and_(sends_of(scope), sends.c.as_of == as_of)
    has_left = and_(sends.c.state == "accepted", or_(sends.c.accepted_at > since, is_of_the_tick))
    query = (
        select(contacts.c.recipient, sends.c.loop, sends.c.step, sends.c.as_of, sends.c.occurrence, sends.c.accepted_at)
        # TiDB would read all sends of the loops otherwise (2026-11-30).
        .prefix_with("/*+ INL_JOIN(skene_sends) */", dialect="mysql")
        .select_from(contacts.join(sends, _SAME))
        .where(contacts.c.mode == scope.mode, or_(may_leave, has_left))
    )
    found: dict[str, list[Contact]] = {}
    names = sorted(set(recipients))
    for start in range(0, len(names), SOME):
        some = names[start : start + SOME]
        for recipient, *rest in connection.execute(query.where(contacts.c.recipient.in_(some))):
            found.setdefault(recipient, []).append(Contact(*rest))
    return found


def keep(connection: Connection, scope: StepScope, made: Sequence[NewContact], now: datetime) -> None:
    """Write down to which recipients the emails of a page go."""
    of_all = {**asdict(scope), "decided_at": now}
    if made:
        connection.execute(insert(contacts), [asdict(one) | of_all for one in made])


def forget(connection: Connection, scope: StepScope, keys: Sequence[tuple[object, str]]) -> None:
    """Forget whom the emails of those were to reach who are decided again, by user and occurrence."""
    for start in range(0, len(keys), SOME):
        row = tuple_(contacts.c.user_id, contacts.c.occurrence).in_(keys[start : start + SOME])
        connection.execute(delete(contacts).where(rows_of(scope, contacts), row))


def decided_recipients(connection: Connection, batch_id: str) -> dict[str, str]:
    """Say to which recipients the emails of a batch were to go when they were decided, by send_id."""
    query = select(sends.c.send_id, contacts.c.recipient).select_from(sends.join(contacts, _SAME))
    return {row.send_id: row.recipient for row in connection.execute(query.where(sends.c.batch_id == batch_id))}
