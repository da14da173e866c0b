"""What became of a batch: accepted, refused, cut up, dropped, or in doubt."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache

from sqlalchemy import (
    ColumnElement,
    Connection,
    String,
    Update,
    and_,
    bindparam,
    case,
    insert,
    or_,
    select,
    true,
    update,
)

from skene_dagster.delivery.email.graphemes import cut
from skene_dagster.delivery.ledger import receipts
from skene_dagster.delivery.ledger.moves import batch_becomes, sends_become
from skene_dagster.delivery.ledger.reading import LONGEST_WAIT, NOT_DONE, UNSENT, is_free
from skene_dagster.delivery.ledger.receipt_counts import count_accepted
from skene_dagster.delivery.ledger.scope import StepScope, batches_of
from skene_dagster.delivery.model import Batch, BatchState, SkipReason
from skene_dagster.store.engine import CLOCKS_DIFFER
from skene_dagster.store.tables import Moment, batches, sends

DOUBTS_ASKED_EVERY = LONGEST_WAIT
"""How often the provider's records are asked about what is in doubt: each time costs its limit some calls."""

_SETTLED = select(
    batches.c.mode, batches.c.loop, batches.c.step, batches.c.recipients, batches.c.domains, batches.c.languages
)


def settle(
    connection: Connection, batch_id: str, provider_ids: Mapping[str, str | None], *, write_back: bool, now: datetime
) -> None:
    """The provider accepted: keep its ids (send_id → id). True whoever holds the lease by now: it is a fact.

    Args:
        provider_ids: of all emails in the batch's bytes, in their order.
    """
    batch = connection.execute(_SETTLED.where(batches.c.batch_id == batch_id)).one()
    values: dict[str, object] = {"batch": batch_id, "now": now}
    for n, (identity, provider_id) in enumerate(provider_ids.items()):
        values |= {f"send_{n}": identity, f"id_{n}": provider_id}
    written = 0
    if connection.execute(_accept(len(provider_ids)), values).rowcount:
        told = [(text or "").split() for text in (batch.recipients, batch.domains, batch.languages)]
        written = receipts.write(connection, batch_id, [*provider_ids], *told)
    state: BatchState = "accepted" if write_back else "settled"
    connection.execute(
        batch_becomes(batch_id, state, from_=("frozen", "in_doubt")).values(
            settled_at=now,
            due_at=now,
            payload=None,
            recipients=None,
            domains=None,
            languages=None,
            unresolved_since=None,
            error=None,
            owner=None,
            lease_until=None,
        )
    )
    if written:
        # Last: others who settle wait for its row.
        count_accepted(connection, StepScope(batch.mode, batch.loop, batch.step), [now] * written)


@lru_cache(maxsize=128)
def _accept(count: int) -> Update:
    """Say once for each size how sends become accepted: to build it takes longer than to execute it."""
    pairs = [(bindparam(f"send_{n}", type_=String), bindparam(f"id_{n}", type_=String)) for n in range(count)]
    return (
        update(sends)
        .where(
            sends.c.batch_id == bindparam("batch"),
            sends.c.send_id.in_([send for send, _ in pairs]),
            sends.c.state.in_(NOT_DONE),
        )
        .values(
            state="accepted",
            reason=None,
            accepted_at=bindparam("now", type_=Moment),
            provider_id=case(*((sends.c.send_id == send, identity) for send, identity in pairs)),
        )
    )


def written_back(connection: Connection, batch_id: str, now: datetime) -> None:
    """`set` has been written for the accepted sends of the batch."""
    settled = batch_becomes(batch_id, "settled", from_=("accepted",))
    connection.execute(settled.values(written_back_at=now, owner=None, lease_until=None))


def refuse(connection: Connection, batch_id: str, identity: str, reason: str, now: datetime) -> None:
    """The provider will never accept this one message."""
    connection.execute(
        sends_become(batch_id, "refused")
        .where(sends.c.send_id == identity)
        .values(reason="provider", detail=cut(reason, 255), decided_at=now)
    )


def split(connection: Connection, parent: Batch, parts: Sequence[Sequence[str]], now: datetime) -> list[str]:
    """Replace a batch by smaller ones under new keys that are rendered and checked anew; return their ids.

    Only for a batch of which the provider has nothing for certain.

    Args:
        parts: the send_ids of each; without parts, the batch is closed.
    """
    if not _close(connection, parent.batch_id, UNSENT, "split" if parts else "settled", now):
        return []
    # A part with its parent's bytes would tell the provider's records, and so a restored backup, the wrong batch.
    children = []
    for part in parts:
        child = child_of(connection, parent, state="reserved", size=len(part), due_at=now)
        children.append(child)
        connection.execute(
            update(sends).where(sends.c.batch_id == parent.batch_id, sends.c.send_id.in_(part)).values(batch_id=child)
        )
    return children


def reissue(connection: Connection, batch: Batch, now: datetime, *, waits_since: datetime | None = None) -> str | None:
    """Replace a batch by one under a new key that is rendered and checked anew; return its id.

    Only where the provider has nothing of it for certain, or its author (`on_doubt: resend`) or a person takes the
    risk. None: another has settled it or begun an attempt meanwhile.

    Args:
        waits_since: whence `expires_after` is counted; None: as of the batch itself.
    """
    if not _close(connection, batch.batch_id, ("frozen", "in_doubt"), "split", now, attempts=batch.attempts):
        return None
    child = child_of(connection, batch, waits_since, state="reserved", size=batch.size, due_at=now)
    connection.execute(sends_become(batch.batch_id, "reserved", from_=NOT_DONE).values(batch_id=child, reason=None))
    return child


def leave_later(connection: Connection, parent: Batch, moments: Mapping[str, datetime]) -> None:
    """Cut those out of a batch whose hours do not let their email leave yet: a new batch for each moment of theirs.

    Whatever was held up by hours before expires by the first of them.

    Args:
        moments: from when on it may leave, by send_id.
    """
    for moment in sorted({*moments.values()}):
        part = [identity for identity, own in moments.items() if own == moment]
        first = moment if parent.not_before is None else parent.waits_since
        child = child_of(connection, parent, first, state="reserved", size=len(part), not_before=moment, due_at=moment)
        mine = sends_become(parent.batch_id, "reserved").where(sends.c.send_id.in_(part))
        connection.execute(mine.values(batch_id=child))


def drop(connection: Connection, batch_id: str, reason: SkipReason, now: datetime) -> bool:
    """Nobody of the batch is mailed any more, for this reason. Only where the provider has nothing of it."""
    dropped = connection.execute(
        batch_becomes(batch_id, "settled", from_=UNSENT)
        .where(batches.c.unresolved_since.is_(None))
        .values(
            settled_at=now,
            payload=None,
            recipients=None,
            domains=None,
            languages=None,
            owner=None,
            lease_until=None,
            planned_on=None,
        )
    ).rowcount
    if dropped:
        connection.execute(sends_become(batch_id, "skipped").values(reason=reason, decided_at=now))
    return bool(dropped)


def cancel(connection: Connection, loop: str, cancelled_at: datetime, now: datetime) -> int:
    """Drop what was reserved for a loop until then, never attempted, and is held by no live run; count the emails.

    What a run holds it drops itself, before its next POST.
    """
    until_then = or_(
        batches.c.reserved_at <= cancelled_at,
        batches.c.as_of <= cancelled_at,
        # What lies ahead was written by a wrong clock, before this.
        batches.c.reserved_at > now + CLOCKS_DIFFER,
    )
    of_the_loop = and_(batches.c.loop == loop, until_then)
    return sum(_drop_all(connection, of_the_loop, "cancelled", now))


def drop_step(connection: Connection, scope: StepScope, now: datetime) -> int:
    """Drop the batches of a step that is gone, those never attempted that no live run holds; count them."""
    return len(_drop_all(connection, batches_of(scope), "step_removed", now))


def give_up(connection: Connection, batch_id: str, now: datetime) -> None:
    """A person says that what is in doubt was not sent, and shall not be."""
    if _close(connection, batch_id, ("in_doubt",), "settled", now):
        skipped = sends_become(batch_id, "skipped", from_=("in_doubt",))
        connection.execute(skipped.values(reason="doubt", decided_at=now))


def doubt(connection: Connection, batch_id: str, reason: str, now: datetime) -> None:
    """The provider's memory of the key is over and nothing proves what became of the batch; its records are asked on.

    Args:
        reason: why they prove nothing.
    """
    doubted = connection.execute(
        batch_becomes(batch_id, "in_doubt", from_=("frozen", "in_doubt")).values(
            settled_at=now,
            owner=None,
            lease_until=None,
            due_at=now + DOUBTS_ASKED_EVERY,
            error=cut(reason, 500),
        )
    ).rowcount
    if doubted:
        connection.execute(sends_become(batch_id, "in_doubt").values(reason="no_answer", decided_at=now))


def _drop_all(connection: Connection, which: ColumnElement[bool], reason: SkipReason, now: datetime) -> list[int]:
    unsent = and_(batches.c.state.in_(UNSENT), batches.c.unresolved_since.is_(None), is_free(now))
    found = connection.execute(select(batches.c.batch_id, batches.c.size).where(which, unsent)).all()
    return [row.size for row in found if drop(connection, row.batch_id, reason, now)]


def _close(
    connection: Connection,
    batch_id: str,
    from_: tuple[BatchState, ...],
    state: BatchState,
    now: datetime,
    *,
    attempts: int | None = None,
) -> bool:
    as_it_was = true() if attempts is None else batches.c.attempts == attempts
    # What nothing was sent of counts for no day; what was cut up leaves its day to its parts.
    counts = {"planned_on": None} if state == "settled" else {}
    return bool(
        connection.execute(
            batch_becomes(batch_id, state, from_=from_)
            .where(as_it_was)
            .values(
                payload=None,
                recipients=None,
                domains=None,
                languages=None,
                unresolved_since=None,
                owner=None,
                lease_until=None,
                settled_at=now,
            )
            .values(counts)
        ).rowcount
    )


def child_of(
    connection: Connection, parent: Batch, waits_since: datetime | None = None, *, state: BatchState, **values: object
) -> str:
    """Cut a batch that goes on with what another one began; return its id."""
    child = uuid.uuid4().hex
    planned = select(batches.c.planned_on, batches.c.from_domain).where(batches.c.batch_id == parent.batch_id)
    connection.execute(
        insert(batches).values(
            **connection.execute(planned).mappings().one(),
            batch_id=child,
            mode=parent.mode,
            loop=parent.loop,
            step=parent.step,
            parent_id=parent.batch_id,
            as_of=parent.as_of,
            reserved_at=waits_since or parent.waits_since,
            attempts=0,
            state=state,
            **{"not_before": parent.not_before, **values},
        )
    )
    return child
