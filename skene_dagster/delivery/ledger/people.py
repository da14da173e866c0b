"""What the ledger knows about one user, over all loops: for whoever asks why they were mailed, or not.

Each step's rows of a user lie together by the primary key, so a question names the steps that it is about.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from itertools import islice

from sqlalchemy import ColumnElement, Connection, FromClause, RowMapping, Select, and_, or_, select

from skene_dagster.delivery.email.message import Frozen
from skene_dagster.delivery.ledger.receipts import Receipt
from skene_dagster.delivery.model import BatchState, Reason, SendState
from skene_dagster.store.subjects import ACCOUNT_SENDS
from skene_dagster.store.tables import batches, deferred, receipts, sends

StepName = tuple[str, str]
"""A loop, and a step as the ledger calls it."""

AT_ONCE = 200
"""Steps of a statement."""


@dataclass(frozen=True)
class Decided:
    """A final decision about a user, or the email that it led to."""

    loop: str
    step: str
    occurrence: str
    send_id: str
    state: SendState
    reason: Reason | None
    detail: str | None
    as_of: datetime
    decided_at: datetime
    batch_id: str | None
    accepted_at: datetime | None


@dataclass(frozen=True)
class PutOff:
    """A decision about a user that is taken again."""

    loop: str
    step: str
    occurrence: str
    reason: Reason
    detail: str | None
    as_of: datetime
    decided_at: datetime
    ask_at: datetime


@dataclass(frozen=True)
class Carrier:
    """The batch of an email, as far as it concerns each of its recipients."""

    batch_id: str
    state: BatchState
    provider: str | None
    not_before: datetime | None
    due_at: datetime | None
    unresolved_since: datetime | None
    error: str | None
    refusal: str | None
    send_ids: str | None


def decided_about(
    connection: Connection,
    mode: str,
    names: Collection[StepName],
    user_id: object,
    *,
    limit: int,
    before: tuple[datetime, str] | None = None,
) -> list[Decided]:
    """List the next decisions about a user, the newest first.

    Args:
        before: the tick and send_id of the last one of the page before.
    """
    mine = [sends.c[field.name] for field in fields(Decided)]
    found: list[Decided] = []
    for which in _of_user(sends, mode, names, user_id):
        query = select(*mine).where(which).order_by(sends.c.as_of.desc(), sends.c.send_id.desc()).limit(limit)
        if before is not None:
            as_of, send_id = before
            query = query.where(or_(sends.c.as_of < as_of, and_(sends.c.as_of == as_of, sends.c.send_id < send_id)))
        found += (Decided(*row) for row in connection.execute(query))
    return sorted(found, key=lambda one: (one.as_of, one.send_id), reverse=True)[:limit]


def put_off_about(
    connection: Connection, mode: str, names: Collection[StepName], user_id: object, *, limit: int
) -> list[PutOff]:
    """List what is decided again about a user, the soonest first."""
    mine = [deferred.c[field.name] for field in fields(PutOff)]
    found: list[PutOff] = []
    for which in _of_user(deferred, mode, names, user_id):
        query = select(*mine).where(which).order_by(deferred.c.ask_at, deferred.c.occurrence).limit(limit)
        found += (PutOff(*row) for row in connection.execute(query))
    return sorted(found, key=lambda one: (one.ask_at, one.loop, one.step, one.occurrence))[:limit]


def to_be_sent(
    connection: Connection, mode: str, names: Collection[StepName], user_id: object, *, limit: int
) -> list[Decided]:
    """List the emails to a user that are on their way, the oldest first."""
    mine = [sends.c[field.name] for field in fields(Decided)]
    found: list[Decided] = []
    for which in _of_user(sends, mode, names, user_id):
        query = select(*mine).where(which, sends.c.state == "reserved").order_by(sends.c.as_of, sends.c.send_id)
        found += (Decided(*row) for row in connection.execute(query.limit(limit)))
    return sorted(found, key=lambda one: (one.as_of, one.send_id))[:limit]


def accounts_of(connection: Connection, mode: str, user_id: object, decided: Collection[Decided]) -> dict[str, object]:
    """Say which account each of some decisions about a user is about, by send_id; of those about the user, nothing."""
    link = ACCOUNT_SENDS.c
    sent = {(one.loop, one.step, one.occurrence): one.send_id for one in decided}
    found: dict[str, object] = {}
    rest = iter(sorted(sent))
    while some := list(islice(rest, AT_ONCE)):
        # Each is one row of the primary key.
        which = or_(
            *(and_(link.loop == loop, link.step == step, link.send_occurrence == number) for loop, step, number in some)
        )
        query = select(link.loop, link.step, link.send_occurrence, link.user_id)
        rows = connection.execute(query.where(link.mode == mode, link.recipient_id == user_id, which))
        found.update({sent[loop, step, number]: account for loop, step, number, account in rows})
    return found


def carriers(connection: Connection, batch_ids: Collection[str]) -> dict[str, Carrier]:
    """Read the batches of some emails."""
    mine = [batches.c[field.name] for field in fields(Carrier)]
    query = select(*mine).where(batches.c.batch_id.in_(sorted(set(batch_ids))))
    return {row.batch_id: Carrier(*row) for row in connection.execute(query)}


def kept_bytes(connection: Connection, batch_id: str) -> tuple[str, str, Frozen] | None:
    """Read the mode of a batch, who sends it, and its frozen bytes; None where they are not kept any more."""
    query = select(batches.c.mode, batches.c.provider, batches.c.send_ids, batches.c.payload).where(
        batches.c.batch_id == batch_id
    )
    row = connection.execute(query).one_or_none()
    if row is None or row.payload is None or row.provider is None or row.send_ids is None:
        return None
    return row.mode, row.provider, Frozen.unpacked(row.send_ids.split(), row.payload)


def emails_of(user_id: object) -> Select[tuple[str]]:
    """Select the send_ids of all that was decided about a user, in any mode."""
    return select(sends.c.send_id).where(sends.c.user_id == user_id)


def frozen_emails(connection: Connection, user_id: object) -> Sequence[RowMapping]:
    """List the batches that are not settled and have an email to a user: batch_id, send_id and whose they are."""
    named = (batches.c[name] for name in ("batch_id", "mode", "loop", "step", "state", "frozen_at"))
    query = (
        select(*named, sends.c.send_id)
        .select_from(sends.join(batches, sends.c.batch_id == batches.c.batch_id))
        .where(sends.c.user_id == user_id, batches.c.payload.is_not(None))
        .order_by(batches.c.batch_id, sends.c.send_id)
    )
    return connection.execute(query).mappings().all()


def receipts_by_send(connection: Connection, send_ids: Collection[str]) -> dict[str, Receipt]:
    """Say what became of some emails, by send_id."""
    query = select(*_RECEIPT).where(receipts.c.send_id.in_(sorted(set(send_ids))))
    return {row.send_id: Receipt(*row) for row in connection.execute(query)}


def newest_receipts(connection: Connection, recipient: str, mode: str, limit: int) -> list[Receipt]:
    """Say what became of the newest emails to an address, whoever has it."""
    mine = (receipts.c.recipient == recipient, receipts.c.mode == mode)
    query = select(*_RECEIPT).where(*mine).order_by(receipts.c.accepted_at.desc(), receipts.c.send_id)
    return [Receipt(*row) for row in connection.execute(query.limit(limit))]


_RECEIPT = tuple(receipts.c[field.name] for field in fields(Receipt))


def _of_user(
    table: FromClause, mode: str, names: Collection[StepName], user_id: object
) -> Iterator[ColumnElement[bool]]:
    """Say that a row is of a user and one of some steps, so that each is a range of the primary key."""
    rest: Iterator[StepName] = iter(sorted(set(names)))
    while some := list[StepName](islice(rest, AT_ONCE)):
        yield or_(
            *(
                and_(table.c.mode == mode, table.c.loop == loop, table.c.step == step, table.c.user_id == user_id)
                for loop, step in some
            )
        )
