"""Decisions, written down: who is mailed, in which batch, and who is not, and why."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Table, insert, select

from skene_dagster.delivery.ledger.decisions import contacts, deferring
from skene_dagster.delivery.ledger.scope import (
    StepScope,
    decisions_of,
    deferred_of,
    rows_of,
    send_id,
    sends_of,
)
from skene_dagster.delivery.model import SendState
from skene_dagster.delivery.new_decisions import NewDecisions, NewSend
from skene_dagster.goals import arms
from skene_dagster.store.many.inserting import insert_rows
from skene_dagster.store.subjects import USERS
from skene_dagster.store.tables import account_decisions, batches, sends


def has_decided(connection: Connection, scope: StepScope) -> bool:
    """Whether anything was ever decided about a user of a step."""
    decisions, deferred = scope.subject.decisions, scope.subject.deferred
    asked = select(decisions.c.state).where(decisions_of(scope)), select(deferred.c.reason).where(deferred_of(scope))
    return any(connection.execute(query.limit(1)).first() is not None for query in asked)


def was_about_others(connection: Connection, scope: StepScope) -> bool:
    """Whether a step decided about users before, and is about accounts now, or the other way round."""

    def any_of(table: Table) -> bool:
        return connection.execute(select(table.c.mode).where(rows_of(scope, table)).limit(1)).first() is not None

    if scope.subject is USERS:
        return any_of(account_decisions)
    # In this order: a run that decides now commits the sends and what they are about together.
    return any_of(sends) and not any_of(account_decisions)


@dataclass(frozen=True)
class Planned:
    """What the new batches of a page count for."""

    at: datetime
    """When those leave that may leave at once."""
    domain: str
    """Whence they come."""


def decide(
    connection: Connection,
    scope: StepScope,
    made: NewDecisions,
    *,
    as_of: datetime,
    now: datetime,
    size: int,
    planned: Planned,
) -> int:
    """Write the new decisions of a page, and cut its batches.

    Args:
        size: emails of a batch, at most.
        planned: for which days the batches count.

    Returns:
        How many batches.

    Raises:
        IntegrityError: another run has decided about one of them meanwhile.
    """
    deferring.forget(connection, scope, made.answered)
    contacts.keep(connection, scope, made.contacts, now)
    deferring.defer(connection, scope, made.deferrals, as_of=as_of, now=now)
    cut = _write_sends(connection, scope, made.sends, as_of=as_of, now=now, size=size, planned=planned)
    decided = select(sends.c.user_id).where(sends_of(scope), sends.c.as_of == as_of)
    arms.enrol(connection, made.enrolled, decided, as_of=as_of)
    return cut


@dataclass
class _NewBatch:
    """A batch that is being filled: of emails that may leave from the same moment on."""

    batch_id: str
    not_before: datetime | None
    size: int = 0


def _write_sends(
    connection: Connection,
    scope: StepScope,
    made: Sequence[NewSend],
    *,
    as_of: datetime,
    now: datetime,
    size: int,
    planned: Planned,
) -> int:
    cut: list[_NewBatch] = []
    filling: dict[datetime | None, _NewBatch] = {}
    mailed: list[tuple[object, ...]] = []
    not_mailed: dict[SendState, list[tuple[object, ...]]] = {}
    for one in made:
        named = one.user_id, one.occurrence, send_id(scope, one.user_id, one.occurrence)
        if one.state != "reserved":
            not_mailed.setdefault(one.state, []).append((*named, one.reason))
            continue
        batch = filling.get(one.not_before)
        if batch is None or batch.size == size:
            batch = filling[one.not_before] = _NewBatch(uuid.uuid4().hex, one.not_before)
            cut.append(batch)
        mailed.append((*named, batch.batch_id, batch.size))
        batch.size += 1
    names, of_all = ("user_id", "occurrence", "send_id"), {**scope.key, "as_of": as_of, "decided_at": now}
    insert_rows(connection, sends, (*names, "batch_id", "position"), mailed, shared={**of_all, "state": "reserved"})
    for state, rows in not_mailed.items():
        insert_rows(connection, sends, (*names, "reason"), rows, shared={**of_all, "state": state})
    if cut:
        connection.execute(
            insert(batches),
            [
                {
                    "batch_id": batch.batch_id,
                    **scope.key,
                    "state": "reserved",
                    "size": batch.size,
                    "as_of": as_of,
                    "reserved_at": now,
                    "not_before": batch.not_before,
                    "due_at": batch.not_before or now,
                    "planned_on": (batch.not_before or planned.at).date(),
                    "from_domain": planned.domain,
                    "attempts": 0,
                }
                for batch in cut
            ],
        )
    return len(cut)
