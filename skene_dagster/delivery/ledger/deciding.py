"""Decisions, written down: who is mailed, in which batch, and who is not, and why."""

import uuid
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, tuple_

from skene_dagster.delivery.ledger.scope import Scope, send_id, sends_of
from skene_dagster.delivery.model import NewSend
from skene_dagster.store.tables import batches, sends


def has_sends(connection: Connection, scope: Scope) -> bool:
    """Whether anything was ever decided about a step."""
    return connection.execute(select(sends.c.state).where(sends_of(scope)).limit(1)).first() is not None


def decide(
    connection: Connection, scope: Scope, made: Sequence[NewSend], *, as_of: datetime, now: datetime, size: int
) -> int:
    """Write the new decisions of a page, and cut its batches.

    Args:
        size: emails of a batch, at most.

    Returns:
        How many batches.

    Raises:
        IntegrityError: another run has decided about one of them meanwhile.
    """
    _forget_deferred(connection, scope, [(one.user_id, one.occurrence) for one in made if one.was_deferred])
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


def _forget_deferred(connection: Connection, scope: Scope, keys: Sequence[tuple[object, str]]) -> None:
    """Make room for new decisions where the last one was to ask again."""
    for start in range(0, len(keys), 1000):
        row = tuple_(sends.c.user_id, sends.c.occurrence).in_(keys[start : start + 1000])
        connection.execute(delete(sends).where(sends_of(scope), row, sends.c.state == "deferred"))
