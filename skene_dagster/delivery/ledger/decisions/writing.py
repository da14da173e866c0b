"""Decisions, written down: who is mailed, in which batch, and who is not, and why."""

import uuid
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, insert, select

from skene_dagster.delivery.ledger.decisions import deferring
from skene_dagster.delivery.ledger.scope import StepScope, deferred_of, send_id, sends_of
from skene_dagster.delivery.model import NewDecisions, NewSend
from skene_dagster.store.tables import batches, deferred, sends


def has_decided(connection: Connection, scope: StepScope) -> bool:
    """Whether anything was ever decided about a user of a step."""
    asked = select(sends.c.state).where(sends_of(scope)), select(deferred.c.reason).where(deferred_of(scope))
    return any(connection.execute(query.limit(1)).first() is not None for query in asked)


def decide(
    connection: Connection, scope: StepScope, made: NewDecisions, *, as_of: datetime, now: datetime, size: int
) -> int:
    """Write the new decisions of a page, and cut its batches.

    Args:
        size: emails of a batch, at most.

    Returns:
        How many batches.

    Raises:
        IntegrityError: another run has decided about one of them meanwhile.
    """
    deferring.forget(connection, scope, made.answered)
    deferring.defer(connection, scope, made.deferrals, as_of=as_of, now=now)
    return _write_sends(connection, scope, made.sends, as_of=as_of, now=now, size=size)


def _write_sends(
    connection: Connection, scope: StepScope, made: Sequence[NewSend], *, as_of: datetime, now: datetime, size: int
) -> int:
    mails = sum(one.state == "reserved" for one in made)
    ids = [uuid.uuid4().hex for _ in range(-(-mails // size))]
    rows: list[dict[str, object]] = []
    mail = 0
    for one in made:
        place: dict[str, object] = {"batch_id": None, "position": None}
        if one.state == "reserved":
            place = {"batch_id": ids[mail // size], "position": mail % size}
            mail += 1
        rows.append(
            {
                "mode": scope.mode,
                "loop": scope.loop,
                "step": scope.step,
                "user_id": one.user_id,
                "occurrence": one.occurrence,
                "send_id": send_id(scope, one.user_id, one.occurrence),
                "state": one.state,
                "reason": one.reason,
                "as_of": as_of,
                "decided_at": now,
                **place,
            }
        )
    if rows:
        connection.execute(insert(sends), rows)
    if ids:
        connection.execute(
            insert(batches),
            [
                {
                    "batch_id": identity,
                    "mode": scope.mode,
                    "loop": scope.loop,
                    "step": scope.step,
                    "state": "reserved",
                    "size": min(size, mails - number * size),
                    "as_of": as_of,
                    "reserved_at": now,
                    "due_at": now,
                    "attempts": 0,
                }
                for number, identity in enumerate(ids)
            ],
        )
    return len(ids)
