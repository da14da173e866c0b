"""The ledger: what was decided about each member, and each batch on its way to the provider.

`ledger` and `reserve` own skene_sends and skene_batches: rows are decided and batches cut there, and everything
that happens to them afterwards stands here, one statement or two to a function.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, case, func, insert, literal, or_, select, update

from skene_dagster.store.tables import batches, sends

LEASE = timedelta(seconds=60)
"""How long a claimed batch is its owner's without a sign of life."""

TO_DO = ("reserved", "frozen", "accepted")
"""Batches with work left: to render, to send, or with `set` still to be written."""

NAMESPACE = uuid.UUID("8b6a4b0e-6a3f-5f0e-9a43-5d0c7b8f2c11")


@dataclass(frozen=True)
class Scope:
    """One step of one loop on one channel: what a ledger query is about."""

    channel: str
    loop: str
    step: str


def send_id(scope: Scope, user_id: object, occurrence: int) -> str:
    """Name a send: always the same 32 hex digits for the same channel, loop, step, user and occurrence."""
    key = user_id.hex() if isinstance(user_id, bytes) else str(user_id)
    return uuid.uuid5(NAMESPACE, "\x1f".join((scope.channel, scope.loop, scope.step, key, str(occurrence)))).hex


def counts(connection: Connection, scope: Scope, as_of: datetime | None = None) -> dict[str, int]:
    """Count the sends of a step by state (`deferred:repeat` where there is a reason), at one tick or at all."""
    query = select(sends.c.state, sends.c.reason, func.count()).where(sends_of(scope))
    if as_of is not None:
        query = query.where(sends.c.as_of == as_of)
    rows = connection.execute(query.group_by(sends.c.state, sends.c.reason))
    return {f"{state}:{reason}" if reason else state: n for state, reason, n in sorted(rows, key=str)}


def to_do(connection: Connection, scope: Scope) -> Sequence[Row[Any, Any]]:
    """List the batches with work left, the oldest first: batch_id, lease_until."""
    return connection.execute(
        select(batches.c.batch_id, batches.c.lease_until)
        .where(_batches_of(scope), batches.c.state.in_(TO_DO))
        .order_by(batches.c.reserved_at, batches.c.batch_id)
    ).all()


def claim(connection: Connection, batch_id: str, owner: str, now: datetime) -> Row[Any] | None:
    """Take a batch whose lease is free or over; None when another was faster or it is done."""
    taken = connection.execute(
        update(batches)
        .where(
            batches.c.batch_id == batch_id,
            batches.c.state.in_(TO_DO),
            or_(batches.c.owner.is_(None), batches.c.owner == owner, batches.c.lease_until < now),
        )
        .values(owner=owner, lease_until=now + LEASE)
    ).rowcount
    return connection.execute(select(batches).where(batches.c.batch_id == batch_id)).one() if taken else None


def release(connection: Connection, batch_id: str, owner: str, error: str | None = None) -> None:
    """Give a batch back, with the reason why it is not done."""
    connection.execute(
        update(batches)
        .where(batches.c.batch_id == batch_id, batches.c.owner == owner)
        .values(owner=None, lease_until=None, error=error)
    )


def members_of(connection: Connection, batch_id: str) -> Sequence[Row[Any, Any]]:
    """List the sends of a batch that are still to be made: send_id, user_id, in their order."""
    return connection.execute(
        select(sends.c.send_id, sends.c.user_id)
        .where(sends.c.batch_id == batch_id, sends.c.state == "reserved")
        .order_by(sends.c.position)
    ).all()


def freeze(
    connection: Connection,
    batch_id: str,
    owner: str,
    *,
    payload: bytes | None,
    skipped: Mapping[str, tuple[str, str | None]],
    now: datetime,
) -> bool:
    """Keep the bytes that will be sent, and why the others of the batch will not (send_id → reason, detail).

    From here on nothing of it is rendered again. False: the batch is no longer ours, nothing was written. A batch
    in which nobody is left (payload None) is settled.
    """
    values = (
        {"state": "settled", "settled_at": now, "owner": None, "lease_until": None}
        if payload is None
        else {"state": "frozen", "payload": payload, "frozen_at": now, "lease_until": now + LEASE}
    )
    ours = connection.execute(
        update(batches)
        .where(batches.c.batch_id == batch_id, batches.c.owner == owner, batches.c.state == "reserved")
        .values(values)
    ).rowcount
    if not ours:
        return False
    for identity, (reason, detail) in skipped.items():
        connection.execute(
            update(sends)
            .where(sends.c.batch_id == batch_id, sends.c.send_id == identity)
            .values(state="skipped", reason=reason, detail=detail, decided_at=now)
        )
    return True


def begin_attempt(connection: Connection, batch_id: str, owner: str, now: datetime) -> bool:
    """Write down that the provider may have the batch from now on. False: it is no longer ours, do not send it."""
    return bool(
        connection.execute(
            update(batches)
            .where(
                batches.c.batch_id == batch_id,
                batches.c.state == "frozen",
                batches.c.owner == owner,
                batches.c.lease_until > now,
            )
            .values(
                unresolved_since=func.coalesce(batches.c.unresolved_since, literal(now)),
                first_attempt_at=func.coalesce(batches.c.first_attempt_at, literal(now)),
                attempts=batches.c.attempts + 1,
                lease_until=now + LEASE,
            )
        ).rowcount
    )


def nothing_happened(connection: Connection, batch_id: str, error: str) -> None:
    """A definite answer says that the provider has nothing of this batch: the attempt leaves no doubt."""
    connection.execute(update(batches).where(batches.c.batch_id == batch_id).values(unresolved_since=None, error=error))


def settle(
    connection: Connection, batch_id: str, provider_ids: Mapping[str, str], *, write_back: bool, now: datetime
) -> None:
    """The provider accepted: keep its ids (send_id → id). True whoever holds the lease by now: it is a fact."""
    connection.execute(
        update(sends)
        .where(sends.c.batch_id == batch_id, sends.c.send_id.in_(list(provider_ids)), sends.c.state == "reserved")
        .values(
            state="accepted",
            accepted_at=now,
            provider_id=case(*((sends.c.send_id == s, literal(p)) for s, p in provider_ids.items())),
        )
    )
    connection.execute(
        update(batches)
        .where(batches.c.batch_id == batch_id, batches.c.state == "frozen")
        .values(
            state="accepted" if write_back else "settled",
            settled_at=now,
            payload=None,
            unresolved_since=None,
            error=None,
            owner=None,
            lease_until=None,
        )
    )


def written_back(connection: Connection, batch_id: str, now: datetime) -> None:
    """`set` has been written for the accepted sends of the batch."""
    connection.execute(
        update(batches)
        .where(batches.c.batch_id == batch_id, batches.c.state == "accepted")
        .values(state="settled", written_back_at=now, owner=None, lease_until=None)
    )


def accepted_in(connection: Connection, batch_id: str) -> Sequence[object]:
    """List the users of a batch whose email was accepted."""
    query = select(sends.c.user_id).where(sends.c.batch_id == batch_id, sends.c.state == "accepted")
    return connection.execute(query).scalars().all()


def refuse(connection: Connection, batch_id: str, identity: str, reason: str, now: datetime) -> None:
    """The provider will never accept this one message."""
    connection.execute(
        update(sends)
        .where(sends.c.batch_id == batch_id, sends.c.send_id == identity, sends.c.state == "reserved")
        .values(state="refused", reason="provider", detail=reason[:255], decided_at=now)
    )


def split(
    connection: Connection, parent: Row[Any], parts: Sequence[tuple[Sequence[str], bytes]], now: datetime
) -> None:
    """Replace a batch by smaller ones under new keys (send_ids, payload); without parts, close it.

    Only for a batch of which the provider has nothing for certain.
    """
    closed = connection.execute(
        update(batches)
        .where(batches.c.batch_id == parent.batch_id, batches.c.state.in_(("reserved", "frozen")))
        .values(
            state="split" if parts else "settled",
            payload=None,
            unresolved_since=None,
            owner=None,
            lease_until=None,
            settled_at=now,
        )
    ).rowcount
    if not closed:
        return
    for identities, payload in parts:
        child = uuid.uuid4().hex
        connection.execute(
            insert(batches).values(
                batch_id=child,
                channel=parent.channel,
                loop=parent.loop,
                step=parent.step,
                state="frozen",
                size=len(identities),
                parent_id=parent.batch_id,
                as_of=parent.as_of,
                reserved_at=parent.reserved_at,
                payload=payload,
                frozen_at=now,
                attempts=0,
            )
        )
        connection.execute(
            update(sends)
            .where(sends.c.batch_id == parent.batch_id, sends.c.send_id.in_(list(identities)))
            .values(batch_id=child)
        )


def expire(connection: Connection, batch_id: str, now: datetime) -> None:
    """Nobody of the batch is mailed any more: it waited too long. Only where the provider has nothing of it."""
    expired = connection.execute(
        update(batches)
        .where(
            batches.c.batch_id == batch_id,
            batches.c.state.in_(("reserved", "frozen")),
            batches.c.unresolved_since.is_(None),
        )
        .values(state="settled", settled_at=now, payload=None, owner=None, lease_until=None)
    ).rowcount
    if expired:
        connection.execute(
            update(sends)
            .where(sends.c.batch_id == batch_id, sends.c.state == "reserved")
            .values(state="skipped", reason="too_late", decided_at=now)
        )


def doubt(connection: Connection, batch_id: str, now: datetime) -> None:
    """The provider's memory of the key is over and nothing proves what became of the batch."""
    connection.execute(
        update(sends)
        .where(sends.c.batch_id == batch_id, sends.c.state == "reserved")
        .values(state="in_doubt", reason="no_answer", decided_at=now)
    )
    connection.execute(
        update(batches)
        .where(batches.c.batch_id == batch_id, batches.c.state == "frozen")
        .values(state="in_doubt", settled_at=now, owner=None, lease_until=None)
    )


def sends_of(scope: Scope) -> ColumnElement[bool]:
    """The sends of one step, as a condition."""
    return and_(sends.c.channel == scope.channel, sends.c.loop == scope.loop, sends.c.step == scope.step)


def _batches_of(scope: Scope) -> ColumnElement[bool]:
    return and_(batches.c.channel == scope.channel, batches.c.loop == scope.loop, batches.c.step == scope.step)
