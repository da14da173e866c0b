"""What was decided of a step before a moment, and what other loops sent meanwhile."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, func, select, union

from skene_dagster.delivery.ledger.scope import StepScope, sends_of
from skene_dagster.delivery.model import COUNTED_FOR_REPEAT, MAILED, Contact, Past
from skene_dagster.loops.plan import segment_name
from skene_dagster.store.tables import sends, triggered

SOME = 1000
"""Keys of a statement."""


def pasts(connection: Connection, scope: StepScope, *, before: datetime, by_row: bool) -> dict[object, Past]:
    """Read what was decided about each user of a step before a tick, as `history` does.

    Args:
        by_row: it was about single rows: only their last mail counts.
    """
    columns = sends.c
    query = (
        select(columns.user_id, columns.occurrence, columns.state, columns.reason, columns.as_of)
        .where(sends_of(scope), columns.as_of < before)
        .order_by(columns.user_id, columns.as_of, columns.decided_at)
    )
    known: dict[object, Past] = {}
    for user_id, occurrence, state, reason, as_of in connection.execute(query):
        past = known.get(user_id)
        mailed = as_of if state in COUNTED_FOR_REPEAT else past.mailed_as_of if past else None
        last = 1 if by_row else max(int(occurrence), past.occurrences if past else 0)
        known[user_id] = Past(last, state, reason, as_of, mailed)
    return known


def ticks_of(connection: Connection, scope: StepScope, *, since: datetime, until: datetime) -> list[datetime]:
    """List the ticks at which something happened in a step: somebody came, left, or was decided about."""
    segment = segment_name(scope.loop, scope.step)
    members, row = scope.subject.members.c, triggered.c
    found: list[Select[Any]] = [
        select(moment).where(*of, moment >= since, moment <= until).distinct()
        for moment, of in (
            (members.entered_at, [members.segment == segment]),
            (members.exited_at, [members.segment == segment]),
            (row.entered_at, [row.mode == scope.mode, row.segment == segment]),
            (sends.c.as_of, [sends_of(scope)]),
        )
    ]
    return sorted(connection.execute(union(*found)).scalars())


def rows_found(connection: Connection, scope: StepScope, tick: datetime) -> list[tuple[Any, str]]:
    """List the rows that a tick found: user, occurrence."""
    row = triggered.c
    mine = (row.mode == scope.mode, row.segment == segment_name(scope.loop, scope.step), row.entered_at == tick)
    return [
        (user_id, occurrence)
        for user_id, occurrence in connection.execute(select(row.user_id, row.occurrence).where(*mine))
    ]


def mails_of(
    connection: Connection, scopes: Iterable[StepScope], keys: Sequence[object], *, after: datetime, until: datetime
) -> dict[object, list[Contact]]:
    """List what some users were mailed by some steps, of ticks after a moment and up to another."""
    columns = sends.c
    found: dict[object, list[Contact]] = {}
    for scope in scopes:
        mine = (sends_of(scope), columns.state.in_(MAILED), columns.as_of > after, columns.as_of <= until)
        query = select(columns.user_id, columns.as_of).where(*mine)
        for start in range(0, len(keys), SOME):
            for user_id, as_of in connection.execute(query.where(columns.user_id.in_(keys[start : start + SOME]))):
                contact = Contact(scope.loop, scope.step, user_id, as_of, as_of)
                found.setdefault(user_id, []).append(contact)
    return found


def steps_that_mailed(connection: Connection, mode: str, *, since: datetime) -> list[StepScope]:
    """List the steps of all loops that have mailed anybody at ticks from a moment on."""
    columns = sends.c
    query = (
        select(columns.loop, columns.step)
        .where(columns.mode == mode, columns.state.in_(MAILED))
        .group_by(columns.loop, columns.step)
        .having(func.max(columns.as_of) >= since)
        .order_by(columns.loop, columns.step)
    )
    return [StepScope(mode, loop, step) for loop, step in connection.execute(query)]
