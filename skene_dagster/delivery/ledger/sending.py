"""A batch on its way to the provider: claimed, frozen, attempted.

Each function is one compare-and-set on the batch's row: whoever lost their lease, or comes second, changes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, delete, func, insert, literal, select, update

from skene_dagster.delivery.email.graphemes import cut
from skene_dagster.delivery.email.message import Frozen
from skene_dagster.delivery.ledger.decisions.account_sends import put_back
from skene_dagster.delivery.ledger.moves import batch_becomes, sends_become
from skene_dagster.delivery.ledger.reading import OPEN, batch_of, is_free, leased
from skene_dagster.delivery.ledger.receipts import NO_LANGUAGE
from skene_dagster.delivery.ledger.settling import leave_later
from skene_dagster.delivery.model import NEXT_TICK, Batch, BatchState, DeferReason, SkipReason
from skene_dagster.store.engine import CLOCKS_DIFFER
from skene_dagster.store.tables import batches, deferred, sends

FIRST_WAIT = timedelta(seconds=1)
"""How long a batch waits after its first attempt; each further one doubles it."""

LONGEST_OWN_WAIT = timedelta(minutes=5)
"""How long it waits at most."""

_PAST = ("reserved_at", "unresolved_since", "first_attempt_at", "last_attempt_at", "unanswered_at", "absent_at")
"""Moments of a batch that are never ahead."""

UNKNOWN = timedelta(days=30)
"""How far back an attempt may lie whose moment a wrong clock wrote: records that prove its absence reach as far."""


@dataclass(frozen=True)
class Skipped:
    """Somebody of a batch gets no email for this entry, or this row."""

    reason: SkipReason


@dataclass(frozen=True)
class Deferred:
    """Somebody of a batch gets no email now, and the cause can be mended: the next tick decides again."""

    reason: DeferReason
    detail: str | None = None


@dataclass(frozen=True)
class NotYet:
    """Somebody of a batch gets their email later: by their clock, the quiet hours have begun."""

    until: datetime


LeftOut = Skipped | Deferred | NotYet


def own_wait(attempts: int) -> timedelta:
    """Say how long a batch waits after so many attempts, while others go."""
    return min(FIRST_WAIT * (1 << min(max(attempts - 1, 0), 10)), LONGEST_OWN_WAIT)


def claim(connection: Connection, batch_id: str, owner: str, now: datetime) -> Batch | None:
    """Take a batch whose lease is free or over; None when another was faster or it is done.

    What a wrong clock wrote into it, which lies ahead, is corrected to what is safe: its key counts as over.
    """
    taken = connection.execute(
        update(batches)
        .where(batches.c.batch_id == batch_id, batches.c.state.in_(OPEN), is_free(now, owner))
        .values(owner=owner, lease_until=leased(now))
    ).rowcount
    if not taken:
        return None
    batch = batch_of(connection, batch_id)
    corrections = _corrections(batch, now)
    if not corrections:
        return batch
    connection.execute(update(batches).where(batches.c.batch_id == batch_id).values(corrections))
    return batch_of(connection, batch_id)


def _corrections(batch: Batch, now: datetime) -> dict[str, datetime | None]:
    """Say what is true instead, as far as anybody knows, of moments in the past that lie ahead of now."""
    is_ahead = {name for name in _PAST if (at := getattr(batch, name)) is not None and at > now + CLOCKS_DIFFER}
    corrections: dict[str, datetime | None] = dict.fromkeys(is_ahead, now)
    if is_ahead & {"unresolved_since", "first_attempt_at"} and batch.unresolved_since is not None:
        # Once the wrong moment is reached it looks right: so it may not stay.
        corrections |= dict.fromkeys(("unresolved_since", "first_attempt_at"), now - UNKNOWN)
    if "absent_at" in is_ahead:
        corrections["absent_at"] = None
    return corrections


def release(connection: Connection, batch_id: str, owner: str, said: str | None = None) -> None:
    """Give a batch back; `said`: why it is not done, where that is not written down yet."""
    why = {} if said is None else {"error": cut(said, 500)}
    connection.execute(
        update(batches)
        .where(batches.c.batch_id == batch_id, batches.c.owner == owner)
        .values(owner=None, lease_until=None, **why)
    )


def put_off(connection: Connection, batch_id: str, attempts: int, due_at: datetime, said: str) -> None:
    """Nothing can be done with a batch before then, for this reason; unless another attempt began meanwhile.

    Args:
        due_at: at most LONGEST_WAIT ahead.
    """
    connection.execute(
        update(batches)
        .where(batches.c.batch_id == batch_id, batches.c.attempts == attempts, batches.c.state.in_(OPEN))
        .values(due_at=due_at, error=cut(said, 500))
    )


def freeze(  # noqa: PLR0913 - what is frozen, and of whom, each by its name
    connection: Connection,
    batch_id: str,
    owner: str,
    *,
    frozen: Frozen | None,
    recipients: Sequence[str],
    domains: Sequence[str],
    languages: Sequence[str],
    provider: str,
    left_out: Mapping[str, LeftOut],
    now: datetime,
) -> bool:
    """Keep the bytes that will be sent, and why the others of the batch will not, by send_id.

    From here on nothing of it is rendered again. False: the batch is no longer ours, nothing was written. A batch
    in which nobody is left (frozen None) is settled, or split if some of it are sent later.

    Args:
        recipients: the hashes under which those in the bytes may be suppressed.
        domains, languages: of their addresses, and of the emails, in order; an empty one is that for everybody.
    """
    moments = {identity: why.until for identity, why in left_out.items() if isinstance(why, NotYet)}
    state: BatchState = "frozen" if frozen is not None else "split" if moments else "settled"
    values: dict[str, object] = (
        {"settled_at": now, "owner": None, "lease_until": None}
        if frozen is None
        else {
            "payload": frozen.packed,
            "send_ids": " ".join(frozen.send_ids),
            "recipients": " ".join(recipients),
            "domains": " ".join(domains),
            "languages": " ".join(one or NO_LANGUAGE for one in languages),
            "provider": provider,
            "size": len(frozen.send_ids),
            "frozen_at": now,
            "lease_until": leased(now),
        }
    )
    if state == "settled":
        # What was cut up leaves its day to its parts.
        values["planned_on"] = None
    ours = connection.execute(
        batch_becomes(batch_id, state, from_=("reserved",)).where(batches.c.owner == owner).values(values)
    ).rowcount
    if not ours:
        return False
    for identity, why in left_out.items():
        if isinstance(why, Deferred):
            _put_back(connection, batch_id, identity, why, now)
        elif isinstance(why, Skipped):
            skipped = sends_become(batch_id, "skipped").where(sends.c.send_id == identity)
            connection.execute(skipped.values(reason=why.reason, decided_at=now))
    if moments:
        leave_later(connection, batch_of(connection, batch_id), moments)
    return True


def _put_back(connection: Connection, batch_id: str, identity: str, why: Deferred, now: datetime) -> None:
    """Let a send that nobody can make now be decided again, under its occurrence.

    The provider has none of it, unless its loop takes the risk of a second email (`on_doubt: resend`). It had its place
    under a cap, which is left to no other loop any more.
    """
    mine = and_(sends.c.send_id == identity, sends.c.batch_id == batch_id, sends.c.state == "reserved")
    names = ("mode", "loop", "step", "user_id", "occurrence", "as_of")
    said: dict[str, object] = {"reason": why.reason, "detail": why.detail, "decided_at": now}
    row = connection.execute(select(*(sends.c[name] for name in names)).where(mine)).mappings().one_or_none()
    if row is not None:
        connection.execute(delete(sends).where(mine))
        said |= {"as_of": row["as_of"], "ask_at": row["as_of"] + NEXT_TICK, "outranked_at": now}
        if not put_back(connection, row, said):
            connection.execute(insert(deferred).values({**row, **said}))


def begin_attempt(connection: Connection, batch: Batch, owner: str, now: datetime) -> int | None:
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
            # The key says nothing more: only the records do.
            batches.c.refusal.is_(None),
        )
        .values(
            unresolved_since=func.coalesce(batches.c.unresolved_since, literal(now)),
            first_attempt_at=func.coalesce(batches.c.first_attempt_at, literal(now)),
            last_attempt_at=now,
            unanswered_at=now,
            absent_at=None,
            due_at=now + own_wait(batch.attempts + 1),
            attempts=batch.attempts + 1,
            lease_until=leased(now),
        )
    ).rowcount
    return batch.attempts + 1 if begun else None


def begun(connection: Connection, batch: Batch, owner: str, at: datetime) -> int | None:
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
            .values(
                unresolved_since=None,
                unanswered_at=None,
                due_at=batches.c.last_attempt_at,
                error=cut(error, 500),
            )
        ).rowcount
    )


def answered(
    connection: Connection, batch: Batch, attempt: int, said: str, *, refused: bool, since: datetime | None = None
) -> None:
    """An attempt was answered, which proves nothing about those before it: they stay without answer, and in question.

    Args:
        batch: as it was before the attempt.
        refused: the key will be refused again, so it is not used any more.
        since: the key may have been used as early as this.
    """
    values: dict[str, object] = {"error": cut(said, 500), "due_at": batches.c.last_attempt_at}
    if batch.unresolved_since is not None:
        values |= {"unanswered_at": last_unanswered(batch)}
    if refused:
        values |= {"refusal": cut(said, 500)}
    if since is not None:
        values |= {"unresolved_since": since}
    connection.execute(
        update(batches)
        .where(batches.c.batch_id == batch.batch_id, batches.c.attempts == attempt, batches.c.state == "frozen")
        .values(values)
    )


def last_unanswered(batch: Batch) -> datetime:
    """Say when the last attempt without answer began; only of a batch that is unresolved."""
    moment = batch.unanswered_at or batch.last_attempt_at or batch.unresolved_since
    assert moment is not None
    return moment


def shown_nothing(connection: Connection, batch: Batch, now: datetime, due_at: datetime) -> None:
    """The provider's records show nothing of a batch, for the first time; they are looked at again."""
    connection.execute(
        update(batches)
        .where(
            batches.c.batch_id == batch.batch_id,
            batches.c.state == batch.state,
            batches.c.attempts == batch.attempts,
        )
        .values(absent_at=func.coalesce(batches.c.absent_at, literal(now)), due_at=due_at)
    )
