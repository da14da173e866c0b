"""What the ledger knows about users, and about rows that triggered, when a tick decides about them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, func, select

from skene_dagster.delivery.ledger.scope import StepScope, sends_of
from skene_dagster.delivery.model import COUNTED_FOR_REPEAT, IN_FLIGHT, Past, Reason, SendState
from skene_dagster.loops.plan import segment_name
from skene_dagster.store.tables import OPEN, segment_members, sends


def _history() -> Select[Any]:
    member, send = segment_members.c, sends.c
    inside = and_(
        member.segment == bindparam("segment"),
        member.exited_at == OPEN,
        member.user_id == send.user_id,
    )
    return (
        select(member.user_id, send.user_id, send.occurrence, send.state, send.reason, send.as_of)
        .select_from(sends.outerjoin(segment_members, inside))
        .where(*(send[name] == bindparam(name) for name in ("mode", "loop", "step")))
        .where(send.user_id.in_(bindparam("keys", expanding=True)))
        .order_by(send.user_id, send.as_of, send.decided_at)
    )


# Built once, for to build it takes longer than to execute it.
_HISTORY = _history()


def history(
    connection: Connection, scope: StepScope, keys: Sequence[object], *, in_order: bool = False
) -> dict[object, Past]:
    """Read what the ledger knows about each user of a page.

    A member is named as the segment spells their key, however the ledger did at the time.

    Args:
        in_order: the keys are in the database's ascending order; of a first wave that is quickly read.
    """
    if in_order and not _knows_any(connection, scope, keys[0], keys[-1]):
        return {}
    of = {"segment": segment_name(scope.loop, scope.step), "keys": keys, **scope.key}
    known: dict[object, Past] = {}
    for member, decided, occurrence, state, reason, decided_as_of in connection.execute(_HISTORY, of):
        user_id = decided if member is None else member
        past = known.get(user_id)
        mailed = decided_as_of if state in COUNTED_FOR_REPEAT else past.mailed_as_of if past else None
        last = max(int(occurrence), past.occurrences if past else 0)
        # Somebody may have been skipped while their email waits: they left again.
        is_in_flight = state in IN_FLIGHT or (past is not None and past.is_in_flight)
        known[user_id] = Past(last, state, reason, decided_as_of, mailed, is_in_flight)
    return known


def _knows_any(connection: Connection, scope: StepScope, first: object, last: object) -> bool:
    """Whether anybody between two keys was ever decided about. MariaDB takes 20 ms to look for 5,000 keys (2026-11)."""
    between = sends.c.user_id.between(first, last)
    return connection.execute(select(sends.c.user_id).where(sends_of(scope), between).limit(1)).first() is not None


def of_rows(
    connection: Connection, scope: StepScope, keys: Sequence[tuple[object, str]]
) -> dict[tuple[object, str], Past]:
    """Read what the ledger knows about rows that triggered, by user and occurrence.

    For a row without a decision there is the last mail to its user, if there was one: `state` is None then.
    """
    users = list(dict.fromkeys(user_id for user_id, _ in keys))
    columns = sends.c
    query = (
        select(columns.user_id, columns.occurrence, columns.state, columns.reason, columns.as_of)
        .where(sends_of(scope), columns.user_id.in_(users))
        .order_by(columns.as_of, columns.decided_at)
    )
    decided: dict[tuple[object, str], tuple[SendState | None, Reason | None, datetime]] = {}
    mailed: dict[object, datetime] = {}
    for user_id, occurrence, state, reason, as_of in connection.execute(query):
        decided[user_id, occurrence] = state, reason, as_of
        if state in (*COUNTED_FOR_REPEAT, *IN_FLIGHT):
            mailed[user_id] = as_of
    known: dict[tuple[object, str], Past] = {}
    for user_id, occurrence in keys:
        state, reason, as_of = decided.get((user_id, occurrence), (None, None, datetime.min))  # noqa: DTZ901 - none
        if state or user_id in mailed:
            known[user_id, occurrence] = Past(1, state, reason, as_of, mailed.get(user_id))
    return known


def last_mails(connection: Connection, mode: str) -> list[tuple[str, str, Any, datetime]]:
    """List the ticks of the last emails that were accepted: loop, step, user, tick."""
    query = (
        select(sends.c.loop, sends.c.step, sends.c.user_id, func.max(sends.c.as_of))
        .where(sends.c.mode == mode, sends.c.state == "accepted")
        .group_by(sends.c.loop, sends.c.step, sends.c.user_id)
    )
    return [tuple(row) for row in connection.execute(query)]
