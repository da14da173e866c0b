"""A batch on its way to the provider: claimed, frozen, attempted. DESIGN §5.

Each function is one compare-and-set on the batch's row: who lost his lease, or comes second, changes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, Row, func, literal, select, update

from skene_dagster.delivery.ledger.reading import TO_DO, batch_of, is_free
from skene_dagster.delivery.message import Frozen
from skene_dagster.store.tables import batches, sends

LEASE = timedelta(seconds=60)
"""How long a claimed batch is its owner's without a sign of life."""


@dataclass(frozen=True)
class LeftOut:
    """Why somebody of a batch gets no email."""

    state: Literal["skipped", "deferred"]
    """`deferred` where the cause can be mended: the next tick decides again, under the same occurrence."""
    reason: str
    detail: str | None = None


def claim(
    connection: Connection, batch_id: str, owner: str, now: datetime, states: tuple[str, ...] = TO_DO
) -> Row[Any] | None:
    """Take a batch whose lease is free or over; None when another was faster or it is done."""
    taken = connection.execute(
        update(batches)
        .where(batches.c.batch_id == batch_id, batches.c.state.in_(states), is_free(now, owner))
        .values(owner=owner, lease_until=now + LEASE)
    ).rowcount
    return batch_of(connection, batch_id) if taken else None


def release(connection: Connection, batch_id: str, owner: str, error: str | None = None) -> None:
    """Give a batch back, with the reason why it is not done."""
    connection.execute(
        update(batches)
        .where(batches.c.batch_id == batch_id, batches.c.owner == owner)
        .values(owner=None, lease_until=None, error=error)
    )


def freeze(
    connection: Connection,
    batch_id: str,
    owner: str,
    *,
    frozen: Frozen | None,
    left_out: Mapping[str, LeftOut],
    now: datetime,
) -> bool:
    """Keep the bytes that will be sent, and why the others of the batch will not, by send_id.

    From here on nothing of it is rendered again. False: the batch is no longer ours, nothing was written. A batch
    in which nobody is left (frozen None) is settled.
    """
    values: dict[str, object] = (
        {"state": "settled", "settled_at": now, "owner": None, "lease_until": None}
        if frozen is None
        else {
            "state": "frozen",
            "payload": frozen.packed,
            "send_ids": " ".join(frozen.send_ids),
            "size": len(frozen.send_ids),
            "frozen_at": now,
            "lease_until": now + LEASE,
        }
    )
    ours = connection.execute(
        update(batches)
        .where(batches.c.batch_id == batch_id, batches.c.owner == owner, batches.c.state == "reserved")
        .values(values)
    ).rowcount
    if not ours:
        return False
    for identity, why in left_out.items():
        apart = {"batch_id": None, "position": None} if why.state == "deferred" else {}
        connection.execute(
            update(sends)
            .where(sends.c.batch_id == batch_id, sends.c.send_id == identity)
            .values(state=why.state, reason=why.reason, detail=why.detail, decided_at=now, **apart)
        )
    return True


def begin_attempt(connection: Connection, batch: Row[Any], owner: str, now: datetime) -> int | None:
    """Write down that the provider may have the batch from now on; return the number of the attempt.

    None: the batch is no longer as it was claimed, do not send it.
    """
    begun = connection.execute(
        update(batches)
        .where(
            batches.c.batch_id == batch.batch_id,
            batches.c.state == "frozen",
            batches.c.owner == owner,
            batches.c.lease_until > now,
            # An attempt is definite only if the one before it was: nobody may have tried in between.
            batches.c.attempts == batch.attempts,
        )
        .values(
            unresolved_since=func.coalesce(batches.c.unresolved_since, literal(now)),
            first_attempt_at=func.coalesce(batches.c.first_attempt_at, literal(now)),
            last_attempt_at=now,
            attempts=batch.attempts + 1,
            lease_until=now + LEASE,
        )
    ).rowcount
    return batch.attempts + 1 if begun else None


def begun(connection: Connection, batch: Row[Any], owner: str, at: datetime) -> int | None:
    """Return the number of the attempt on a batch that was begun at this very moment; None: it was not."""
    number: int | None = connection.execute(
        select(batches.c.attempts).where(
            batches.c.batch_id == batch.batch_id,
            batches.c.owner == owner,
            batches.c.attempts == batch.attempts + 1,
            batches.c.last_attempt_at == at,
        )
    ).scalar()
    return number


def nothing_happened(connection: Connection, batch_id: str, attempt: int, error: str) -> bool:
    """A definite answer says that the provider has nothing of this batch: the attempt leaves no doubt.

    False: another run has begun an attempt since, whose answer nobody knows yet; the doubt stays.
    """
    return bool(
        connection.execute(
            update(batches)
            .where(batches.c.batch_id == batch_id, batches.c.attempts == attempt, batches.c.state == "frozen")
            .values(unresolved_since=None, error=error)
        ).rowcount
    )
