"""What a ledger from a backup is told by the provider's records, and what follows when it decides the same again.

This module owns skene_recovered.
"""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, and_, func, insert, or_, select, update

from skene_dagster.delivery.ledger import receipts
from skene_dagster.delivery.ledger.moves import sends_become
from skene_dagster.delivery.ledger.reading import BATCH, NOT_DONE
from skene_dagster.delivery.ledger.receipt_counts import count_accepted
from skene_dagster.delivery.ledger.scope import StepScope
from skene_dagster.delivery.ledger.settling import child_of, reissue
from skene_dagster.delivery.model import Batch, BatchState
from skene_dagster.store.engine import CLOCKS_DIFFER
from skene_dagster.store.tables import batches, sends
from skene_dagster.store.tables import recovered as known_to_the_provider

_MAY_HAVE_LEFT = or_(batches.c.unanswered_at.is_not(None), batches.c.unresolved_since.is_not(None))


def newest_attempt(connection: Connection, mode: str, now: datetime) -> datetime | None:
    """Say when the last attempt on a mode began; None before the first.

    What a wrong clock dated ahead is left out: the provider's records would show nothing newer.
    """
    query = select(func.max(batches.c.last_attempt_at)).where(
        batches.c.mode == mode, batches.c.last_attempt_at <= now + CLOCKS_DIFFER
    )
    found: datetime | None = connection.execute(query).scalar()
    return found


def known(connection: Connection, emails: Mapping[str, str]) -> set[str]:
    """Name those of some emails, by send_id, that this ledger would not send again as if they had never left.

    Their send is final; or it may have left, by its own batch or the one by which it did leave; or this ledger was told
    of them. An attempt that was refused or throttled is none of that. Where the ledger has no such batch, only a final
    send makes an email known: the ledger may have proved since that the attempt it knows of came to nothing.

    Args:
        emails: send_id → the batch by which it left, as its origin tag has it.
    """
    by_origin = select(batches.c.batch_id, _MAY_HAVE_LEFT.label("may_have_left")).where(
        batches.c.batch_id.in_(set(emails.values()))
    )
    origins = {row.batch_id: bool(row.may_have_left) for row in connection.execute(by_origin)}
    found = {send_id for send_id, origin in emails.items() if origins.get(origin)}
    told = select(known_to_the_provider.c.send_id).where(known_to_the_provider.c.send_id.in_(emails))
    found |= set(connection.execute(told).scalars())
    others = emails.keys() - found
    if others:
        # Read last: of these the ledger has no index.
        by_send = (
            select(sends.c.send_id, sends.c.state)
            .outerjoin_from(sends, batches, batches.c.batch_id == sends.c.batch_id)
            .where(sends.c.send_id.in_(others), or_(sends.c.state != "reserved", _MAY_HAVE_LEFT))
        )
        decided = connection.execute(by_send).all()
        found |= {row.send_id for row in decided if row.state not in NOT_DONE or emails[row.send_id] in origins}
    return found


def is_accepted(connection: Connection, identity: str, batch_id: str) -> bool:
    """Whether a send was settled as accepted by this batch."""
    mine = select(sends.c.state).where(sends.c.batch_id == batch_id, sends.c.send_id == identity)
    return connection.execute(mine).scalar() == "accepted"


def recovered_sends(connection: Connection) -> frozenset[str]:
    """Name the sends that this ledger was told of."""
    return frozenset(connection.execute(select(known_to_the_provider.c.send_id)).scalars())


def remember(connection: Connection, accepted: Mapping[str, tuple[str, datetime]]) -> None:
    """Write down sends that the provider's records have, and this ledger does not."""
    if accepted:
        names = [column.name for column in known_to_the_provider.c]
        rows = [dict(zip(names, (send_id, *rest), strict=True)) for send_id, rest in accepted.items()]
        connection.execute(insert(known_to_the_provider), rows)


def reissue_frozen(connection: Connection, now: datetime) -> None:
    """Have what is frozen in any mode, and by this ledger's knowledge never left, go through `set_apart` again."""
    never_left = batches.c.unresolved_since.is_(None)
    frozen = and_(batches.c.state == "frozen", never_left)
    for row in connection.execute(select(*BATCH).where(frozen)).all():
        reissue(connection, Batch(*row), now)


def refuse_keys(connection: Connection) -> None:
    """Have the provider's records alone settle what may have left, where they tell that a part of it left otherwise.

    The batch was given up after this ledger's backup, so that its own key would send that part a second time.
    """
    accepted = select(sends.c.batch_id).join(known_to_the_provider, known_to_the_provider.c.send_id == sends.c.send_id)
    connection.execute(
        update(batches)
        .where(
            batches.c.state == "frozen",
            batches.c.unresolved_since.is_not(None),
            batches.c.refusal.is_(None),
            batches.c.batch_id.in_(accepted),
        )
        .values(refusal="the provider's records have an email of this batch that was sent under another key")
    )


def set_apart(connection: Connection, batch: Batch, *, write_back: bool, now: datetime) -> None:
    """Take out of a reserved batch what was sent before: it is accepted, in a batch of its own."""
    known = known_to_the_provider.c
    before = connection.execute(
        select(known.send_id, known.provider_id, known.accepted_at)
        .join_from(sends, known_to_the_provider, known.send_id == sends.c.send_id)
        .where(sends.c.batch_id == batch.batch_id, sends.c.state == "reserved")
    ).all()
    if not before:
        return
    state: BatchState = "accepted" if write_back else "settled"
    apart = child_of(connection, batch, state=state, size=len(before), settled_at=now, due_at=now)
    for send_id, provider_id, accepted_at in before:
        connection.execute(
            sends_become(batch.batch_id, "accepted")
            .where(sends.c.send_id == send_id)
            .values(batch_id=apart, reason=None, provider_id=provider_id, accepted_at=accepted_at)
        )
    receipts.write(connection, apart, [row.send_id for row in before], [], [])
    count_accepted(connection, StepScope(batch.mode, batch.loop, batch.step), [row.accepted_at for row in before])
