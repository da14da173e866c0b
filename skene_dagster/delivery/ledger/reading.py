"""What the ledger knows: counts for people, and the batches with work left."""

from collections.abc import Collection, Sequence
from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, func, literal, or_, select

from skene_dagster.delivery.email.message import Frozen
from skene_dagster.delivery.ledger.decisions.account_sends import skipped_accounts
from skene_dagster.delivery.ledger.decisions.progress import held
from skene_dagster.delivery.ledger.scope import StepScope, batches_of, deferred_of, sends_of
from skene_dagster.delivery.model import Batch, BatchState, DueBatch, ReservedSend, SendState, WaitingBatches
from skene_dagster.store.engine import CLOCKS_DIFFER, is_over
from skene_dagster.store.tables import batches, sends

UNSENT: tuple[BatchState, ...] = ("reserved", "frozen")
"""Batches of which the provider may have nothing yet."""

TO_DO: tuple[BatchState, ...] = (*UNSENT, "accepted")
"""Batches with work left: to render, to send, or with `set` still to be written."""

OPEN: tuple[BatchState, ...] = (*TO_DO, "in_doubt")
"""Batches of which not all is known."""

LEASE = timedelta(seconds=60)
"""How long a claimed batch is its owner's without a sign of life."""

LONGEST_WAIT = timedelta(hours=1)
"""The most that a batch is put off: what waits for longer is looked at in between."""

LONGEST_HOURS = timedelta(days=3)
"""The most that the hours of its recipients make a batch wait, where their zone leaves out a day of its calendar."""

NOT_DONE: tuple[SendState, ...] = ("reserved", "in_doubt")
"""Sends that may still become accepted."""

RECONCILED_AFTER = timedelta(minutes=2)
"""How long a batch may be due before others than a run of its own step look after it."""

NEXT = 100
"""How many batches are listed at a time."""

_DUE = func.coalesce(batches.c.due_at, batches.c.reserved_at)

BATCH = tuple(batches.c[field.name] for field in fields(Batch))
"""A batch without its bytes: a megabyte that is read only where it is needed."""

# Built once, for to build it takes longer than to execute it.
_BATCH_OF = select(*BATCH).where(batches.c.batch_id == bindparam("batch_id"))


def counts(connection: Connection, scope: StepScope, as_of: datetime | None = None) -> dict[str, int]:
    """Count the decisions of a step by state (`deferred:repeat` where there is a reason), at one tick or at all."""
    made = select(sends.c.state, sends.c.reason, func.count()).where(sends_of(scope))
    deferred, nobody = scope.subject.deferred, skipped_accounts(scope, as_of)
    put_off = select(literal("deferred"), deferred.c.reason, func.count()).where(deferred_of(scope))
    if as_of is not None:
        made, put_off = made.where(sends.c.as_of == as_of), put_off.where(deferred.c.as_of == as_of)
    rows = [
        *connection.execute(made.group_by(sends.c.state, sends.c.reason)),
        *(connection.execute(nobody) if nobody is not None else ()),
        *connection.execute(put_off.group_by(deferred.c.reason)),
        *(("deferred", reason, n) for reason, n in held(connection, scope).items()),
    ]
    return {f"{state}:{reason}" if reason else state: n for state, reason, n in sorted(rows, key=str)}


def due(
    connection: Connection,
    scope: StepScope,
    now: datetime,
    except_for: Collection[str] = (),
    *,
    by: str = "",
    not_by: Collection[str] = (),
) -> list[DueBatch]:
    """List the next batches of a step that can go on now, in the order in which they are due.

    Args:
        except_for: batches that are left out.
        by: the provider of those that are not frozen yet.
        not_by: providers whose batches are left out.

    Returns:
        So many that what becomes due meanwhile is not passed over for long.
    """
    query = select(batches.c.batch_id, batches.c.owner, batches.c.lease_until).where(
        batches_of(scope), batches.c.state.in_(TO_DO), is_due(now)
    )
    if not_by:
        query = query.where(func.coalesce(batches.c.provider, by).not_in(not_by))
    if except_for:
        query = query.where(batches.c.batch_id.not_in(except_for))
    return [DueBatch(*row) for row in connection.execute(query.order_by(_DUE, batches.c.batch_id).limit(NEXT))]


def open_batches(connection: Connection, scope: StepScope) -> int:
    """Count the batches of a step with work left, whether they can go on now or not."""
    query = select(func.count()).where(batches_of(scope), batches.c.state.in_(TO_DO))
    return int(connection.execute(query).scalar_one())


def left_behind(connection: Connection, mode: str, now: datetime) -> list[Batch]:
    """List what runs have left open in a mode, in the order in which it is due.

    That is what was attempted without answer, what is in doubt, what was cut out of another batch, and what was put off
    after an attempt, so that its run ended before its time came; and what waited for the hours of its recipients, until
    it is done. Only what is held by nobody, and has been due for a while: the run that left it may still be there.
    """
    is_part, has_waited = batches.c.parent_id.is_not(None), batches.c.not_before.is_not(None)
    is_unresolved = or_(batches.c.unresolved_since.is_not(None), batches.c.state == "in_doubt")
    was_put_off = and_(batches.c.state == "frozen", batches.c.due_at > batches.c.last_attempt_at)
    query: Select[Any] = (
        select(*BATCH)
        .where(
            batches.c.state.in_(OPEN),
            batches.c.mode == mode,
            or_(
                and_(or_(is_unresolved, is_part, was_put_off, has_waited), is_due(now, RECONCILED_AFTER)),
                and_(batches.c.state == "reserved", has_waited, is_due(now)),
            ),
            is_free(now),
        )
        .order_by(_DUE, batches.c.batch_id)
    )
    return [Batch(*row) for row in connection.execute(query)]


def unresolved(connection: Connection, mode: str) -> int:
    """Count the batches of a mode that an attempt left without answer."""
    query = select(func.count()).where(
        batches.c.state == "frozen", batches.c.unresolved_since.is_not(None), batches.c.mode == mode
    )
    return int(connection.execute(query).scalar_one())


def waiting(connection: Connection, scope: StepScope, now: datetime) -> list[WaitingBatches]:
    """List what is left open of a step and held by nobody, by what was said last; not what nobody has tried yet."""
    since = func.coalesce(batches.c.unresolved_since, batches.c.reserved_at)
    rows = connection.execute(
        select(
            func.count().label("batches"),
            func.sum(batches.c.size).label("emails"),
            func.min(since).label("since"),
            func.min(_DUE).label("due_at"),
            func.min(batches.c.unresolved_since).label("key_since"),
            batches.c.provider,
            batches.c.refusal,
            batches.c.error,
        )
        .where(
            batches_of(scope),
            batches.c.state.in_(TO_DO),
            or_(batches.c.error.is_not(None), batches.c.unresolved_since.is_not(None)),
            is_free(now),
        )
        .group_by(batches.c.provider, batches.c.refusal, batches.c.error)
        .order_by(func.min(since), batches.c.refusal, batches.c.error)
    )
    return [replace(WaitingBatches(*row), emails=int(row.emails)) for row in rows]


def in_doubt(connection: Connection, mode: str) -> list[Batch]:
    """List the batches of a mode that are in doubt, the oldest first."""
    query = (
        select(*BATCH)
        .where(batches.c.state == "in_doubt", batches.c.mode == mode)
        .order_by(batches.c.unresolved_since, batches.c.batch_id)
    )
    return [Batch(*row) for row in connection.execute(query)]


def emails_in_doubt(connection: Connection, scope: StepScope) -> int:
    """Count the emails of a step that are in doubt."""
    query = select(func.coalesce(func.sum(batches.c.size), 0)).where(batches_of(scope), batches.c.state == "in_doubt")
    return int(connection.execute(query).scalar_one())


def loops(connection: Connection) -> set[str]:
    """Name the loops that ever had a batch."""
    return set(connection.execute(select(batches.c.loop).distinct()).scalars())


def steps_with_unsent_batches(connection: Connection, mode: str) -> list[tuple[str, str]]:
    """List the loops and steps of a mode that have batches of which the provider has nothing."""
    query = select(batches.c.loop, batches.c.step).where(
        batches.c.state.in_(UNSENT), batches.c.unresolved_since.is_(None), batches.c.mode == mode
    )
    return [(row.loop, row.step) for row in connection.execute(query.distinct())]


def steps_with_open_batches(connection: Connection, mode: str) -> list[tuple[str, str]]:
    """List the loops and steps of a mode that have batches of which not all is known."""
    query = select(batches.c.loop, batches.c.step).where(batches.c.state.in_(OPEN), batches.c.mode == mode)
    rows = connection.execute(query.distinct().order_by(batches.c.loop, batches.c.step))
    return [(row.loop, row.step) for row in rows]


def oldest_open(connection: Connection, scope: StepScope) -> datetime | None:
    """Say of which tick the oldest batch of a step is that is not settled; None where all are."""
    query = select(func.min(batches.c.as_of)).where(batches_of(scope), batches.c.state.in_(OPEN))
    found: datetime | None = connection.execute(query).scalar()
    return found


def batch_of(connection: Connection, batch_id: str) -> Batch:
    """Read a batch, without its bytes."""
    return Batch(*connection.execute(_BATCH_OF, {"batch_id": batch_id}).one())


def frozen(connection: Connection, batch_id: str) -> Frozen | None:
    """Read the bytes of a batch that is frozen or in doubt; None where it was closed meanwhile."""
    query = select(batches.c.send_ids, batches.c.payload).where(batches.c.batch_id == batch_id)
    row = connection.execute(query).one()
    return None if row.payload is None else Frozen.unpacked(row.send_ids.split(), row.payload)


def recipients(connection: Connection, batch_id: str) -> list[str] | None:
    """List the hashes under which those in a frozen batch may be suppressed; None: an older release kept none."""
    kept = connection.execute(select(batches.c.recipients).where(batches.c.batch_id == batch_id)).scalar_one()
    return None if kept is None else str(kept).split()


def members_of(connection: Connection, batch_id: str) -> list[ReservedSend]:
    """List the sends of a batch that are still to be made, in their order."""
    query = (
        select(sends.c.send_id, sends.c.user_id, sends.c.occurrence)
        .where(in_batch(batch_id))
        .order_by(sends.c.position)
    )
    return [ReservedSend(*row) for row in connection.execute(query)]


def not_among(
    connection: Connection,
    which: ColumnElement[bool],
    users: ColumnElement[Any],
    occurrences: ColumnElement[Any] | None = None,
) -> frozenset[str]:
    """Name the sends whose user is not in an answer; the database compares, for only it knows which keys are alike.

    Args:
        which: `in_batch` or `at_tick`.
        users: a column of the answer.
        occurrences: another one, where it is about single rows.
    """
    same = users == sends.c.user_id
    if occurrences is not None:
        same = and_(same, occurrences == sends.c.occurrence)
    query = select(sends.c.send_id).outerjoin_from(sends, users.table, same).where(which, users.is_(None))
    return frozenset(connection.execute(query).scalars())


def in_batch(batch_id: str) -> ColumnElement[bool]:
    """Say that a send is still to be made, in a batch."""
    return and_(sends.c.batch_id == batch_id, sends.c.state == "reserved")


def at_tick(scope: StepScope, as_of: datetime) -> ColumnElement[bool]:
    """Say that a send may still have to be made, of those that a step decided at a tick."""
    return and_(sends_of(scope), sends.c.as_of == as_of, sends.c.state.in_(NOT_DONE))


def accepted_in(connection: Connection, batch_id: str) -> Sequence[object]:
    """List the users of a batch whose email was accepted."""
    query = select(sends.c.user_id).where(sends.c.batch_id == batch_id, sends.c.state == "accepted")
    return connection.execute(query).scalars().all()


def is_due(now: datetime, for_: timedelta = timedelta(0)) -> ColumnElement[bool]:
    """The batch's own time came so long ago, as a condition: until then it does not exist for those who send.

    What a wrong clock wrote, further ahead than it can be, puts nothing off: by the time it is reached it looks right,
    and a key that is over would look alive.
    """
    at: ColumnElement[datetime] = _DUE
    is_put_off = or_(batches.c.not_before.is_(None), batches.c.not_before != at, at > now + LONGEST_HOURS)
    return or_(
        at <= now - for_,
        and_(at > now + LONGEST_WAIT + CLOCKS_DIFFER, is_put_off),
        batches.c.unresolved_since > now + CLOCKS_DIFFER,
    )


def leased(now: datetime) -> datetime:
    """Say until when a batch is its owner's who shows a sign of life now."""
    return now + LEASE


def is_free(now: datetime, owner: str | None = None) -> ColumnElement[bool]:
    """No run holds the batch, or its lease is over, or the owner is the one who asks; as a condition."""
    free = or_(batches.c.owner.is_(None), is_over(batches.c.lease_until, LEASE, now))
    return free if owner is None else or_(free, batches.c.owner == owner)
