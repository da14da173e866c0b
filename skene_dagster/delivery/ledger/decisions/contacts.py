"""Which emails a recipient has got or is to get, of all loops.

Whether an email has left, or still may, its send says: a contact whose send is skipped, refused or decided again counts
for nothing.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, or_, select, tuple_, update

from skene_dagster.delivery.ledger.scope import StepScope, sends_of
from skene_dagster.delivery.model import IN_FLIGHT, Contact
from skene_dagster.delivery.new_decisions import NewContact
from skene_dagster.store.engine import is_sqlite
from skene_dagster.store.many.inserting import insert_rows
from skene_dagster.store.sweeping import Swept, sweep
from skene_dagster.store.tables import contacts, sends

SOME = 1000
"""Recipients, or keys, of a statement."""


_SAME = and_(*(contacts.c[name] == sends.c[name] for name in ("mode", "loop", "step", "user_id", "occurrence")))
_MAY_LEAVE = sends.c.state.in_((*IN_FLIGHT, "in_doubt"))


def contacts_of(
    connection: Connection, scope: StepScope, recipients: Collection[str], *, as_of: datetime, since: datetime
) -> dict[str, list[Contact]]:
    """List the emails of some recipients that may still leave, or that were accepted after a moment.

    And those of a step and a tick, whenever they were accepted; with them those of whom their user was held out.
    """
    is_of_the_tick = and_(sends_of(scope), sends.c.as_of == as_of)
    has_left = and_(sends.c.state == "accepted", sends.c.accepted_at > since)
    was_decided = and_(is_of_the_tick, sends.c.state.in_(("accepted", "held_out")))
    is_held_out = sends.c.state == "held_out"
    query = (
        select(
            contacts.c.recipient,
            *(sends.c[name] for name in ("loop", "step", "user_id", "as_of", "accepted_at")),
            is_held_out,
        )
        # TiDB would read all sends of the loops otherwise (2026-11-30).
        .prefix_with("/*+ INL_JOIN(skene_sends) */", dialect="mysql")
        # SQLite would read all sends of the mode for each page: an outer join it does not turn round (2026-11-30).
        .select_from(
            contacts.join(sends, and_(_SAME, or_(_MAY_LEAVE, has_left, was_decided)), isouter=is_sqlite(connection))
        )
        .where(contacts.c.mode == scope.mode)
    )
    found: dict[str, list[Contact]] = {}
    names = sorted(set(recipients))
    for start in range(0, len(names), SOME):
        some = names[start : start + SOME]
        for recipient, loop, *rest in connection.execute(query.where(contacts.c.recipient.in_(some))):
            if loop is not None:
                found.setdefault(recipient, []).append(Contact(loop, *rest))
    return found


def keep(connection: Connection, scope: StepScope, made: Sequence[NewContact], now: datetime) -> None:
    """Write down to which recipients the emails of a page go; of one that is decided again, the last one counts."""
    insert_rows(
        connection,
        contacts,
        ("user_id", "occurrence", "recipient"),
        [(one.user_id, one.occurrence, one.recipient) for one in made],
        shared=scope.key | {"decided_at": now},
        overwritten=("recipient", "decided_at"),
    )


def decided_recipients(connection: Connection, batch_id: str) -> dict[str, str]:
    """Say to which recipients the emails of a batch were to go when they were decided, by send_id."""
    query = select(sends.c.send_id, contacts.c.recipient).select_from(sends.join(contacts, _SAME))
    return {row.send_id: row.recipient for row in connection.execute(query.where(sends.c.batch_id == batch_id))}


def rename(
    connection: Connection, keys: Collection[tuple[object, ...]], recipients: Collection[str], *, user_id: object
) -> None:
    """Keep what some recipients got, but under another users key.

    Args:
        keys: of the sends, as their primary key has it.
    """
    mine = tuple_(*contacts.primary_key).in_(keys), contacts.c.recipient.in_(recipients)
    if keys and recipients:
        connection.execute(update(contacts).where(*mine).values(user_id=user_id))


def forget_of(connection: Connection, recipients: Collection[str], user_ids: Collection[object]) -> int:
    """Delete what some recipients got under some users keys; return how many rows it was."""
    mine = contacts.c.recipient.in_(recipients), contacts.c.user_id.in_(user_ids)
    return connection.execute(delete(contacts).where(*mine)).rowcount if recipients and user_ids else 0


def has_no_send() -> ColumnElement[bool]:
    """Say that a contact has no send, as a condition: it counts for nothing."""
    return ~exists().where(_SAME).correlate(contacts)


def forget(connection: Connection, *, before: datetime, since: datetime | None, size: int) -> Swept:
    """Delete contacts that were decided before a moment, and count no more after it.

    Their email cannot leave any more, and was not accepted since then.
    """
    still_counts = exists().where(_SAME, or_(_MAY_LEAVE, sends.c.accepted_at >= before)).correlate(contacts)
    decided, index = contacts.c.decided_at, "skene_contacts_decided"
    return sweep(connection, contacts, decided, index, ~still_counts, before=before, since=since, size=size)
