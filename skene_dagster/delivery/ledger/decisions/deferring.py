"""Who is decided again later: written down, found when they are due, and forgotten when they are decided."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    true,
    tuple_,
)

from skene_dagster.behaviour.activity import last_active
from skene_dagster.delivery.ledger.scope import StepScope, deferred_of
from skene_dagster.delivery.model import DeferReason, Waiting
from skene_dagster.delivery.new_decisions import NewDeferral
from skene_dagster.loops.plan import segment_name
from skene_dagster.store.subjects import ACCOUNTS, USERS
from skene_dagster.store.sweeping import Swept, sweep
from skene_dagster.store.tables import OPEN

SOME = 1000
"""Keys of a statement."""

Waits = Literal["for_anything", "for_room", "for_a_mend", "for_something_else"]
"""For what somebody waits: for room in the budget of a day, for their email to become one that can be made …"""

UNMADE: tuple[DeferReason, ...] = ("no_address", "invalid_address", "missing_value", "unrenderable", "too_large")
"""Reasons why an email could not be made."""

UNMAILABLE: tuple[DeferReason, ...] = ("not_mailable", "no_address")
"""Reasons to defer of which the database knows whether they still hold. (A row that triggered expires meanwhile.)"""


def defer(
    connection: Connection, scope: StepScope, made: Sequence[NewDeferral], *, as_of: datetime, now: datetime
) -> None:
    """Write down who is decided again, and when.

    Raises:
        IntegrityError: another run has deferred one of them meanwhile.
    """
    if made:
        of_all = {**scope.key, "as_of": as_of, "decided_at": now}
        connection.execute(
            insert(scope.subject.deferred), [{"user_id": one.user_id, **asdict(one.waiting)} | of_all for one in made]
        )


def forget(connection: Connection, scope: StepScope, keys: Sequence[tuple[object, str]]) -> None:
    """Let those wait no more who are decided now, by user and occurrence."""
    deferred = scope.subject.deferred
    for start in range(0, len(keys), SOME):
        row = tuple_(deferred.c.user_id, deferred.c.occurrence).in_(keys[start : start + SOME])
        connection.execute(delete(deferred).where(deferred_of(scope), row))


def steps_that_defer(connection: Connection) -> list[StepScope]:
    """List the steps of any loop, and of any mode, for which somebody waits."""
    found = []
    for subject in (USERS, ACCOUNTS):
        names = [subject.deferred.c[name] for name in ("mode", "loop", "step")]
        rows = connection.execute(select(*names).distinct().order_by(*names))
        found += [StepScope(row.mode, row.loop, row.step, subject) for row in rows]
    return found


def forget_old(connection: Connection, scope: StepScope, *, before: datetime, since: Any, size: int) -> Swept:
    """Delete who was to be decided again before a moment, and whom nobody will ask about: their step is gone."""
    table, mine = scope.subject.deferred, deferred_of(scope)
    return sweep(connection, table, table.c.ask_at, f"{table.name}_due", mine, before=before, since=since, size=size)


def due(
    connection: Connection,
    scope: StepScope,
    as_of: datetime,
    *,
    by_row: bool,
    limit: int,
    may_be_mailed: Callable[[ColumnElement[Any]], ColumnElement[bool]],
    waiting: Waits = "for_anything",
    after: tuple[datetime, object, str] | None = None,
) -> Sequence[Row[Any, Any, Any, Any, Any, Any]]:
    """List the next who are decided again at a tick, who waited longest first.

    A member who could not be mailed, and still cannot, is not among them: they stay due.

    Args:
        may_be_mailed: says of a column of keys that their user may be mailed by now, as a condition.
        waiting: for what. Of those who wait for room in the budget of a day, the most recently active come first.
        after: ask_at, user and occurrence of the last one of the page before.

    Returns:
        user_id (as the segment spells it), occurrence, reason, ask_at, outranked_at, entered_at (None: they are not
        inside any more, or their row is forgotten)
    """
    deferred, members = scope.subject.deferred, scope.subject.members
    columns, segment = deferred.c, segment_name(scope.loop, scope.step)
    if by_row:
        table = scope.subject.triggered
        of_it = and_(table.c.mode == scope.mode, table.c.occurrence == columns.occurrence)
    else:
        table, of_it = members, members.c.exited_at == OPEN
    is_ripe = or_(columns.reason.not_in(UNMAILABLE), table.c.user_id.is_(None), may_be_mailed(columns.user_id))
    is_found = and_(table.c.segment == segment, table.c.user_id == columns.user_id, table.c.entered_at <= as_of, of_it)
    user_id = func.coalesce(table.c.user_id, columns.user_id).label("user_id")
    # TiDB 8.5 reads all members otherwise, though nobody waits (187 of 335 ms with 400,000; 2026-11-30).
    hint = f"/*+ INL_JOIN({table.name}) */"
    which = {
        "for_anything": true(),
        "for_room": columns.reason == "budget",
        "for_a_mend": columns.reason.in_(UNMADE),
        "for_something_else": columns.reason.not_in(("budget", *UNMADE)),
    }
    first: list[ColumnElement[Any]] = [columns.ask_at]
    if waiting == "for_room":
        # Nobody knows of some when they were active: all databases put them last. Accounts are not active themselves.
        active = [last_active(columns.user_id).desc()] if scope.subject is USERS else []
        first = [*active, table.c.entered_at]
    is_next: ColumnElement[bool] = true()
    if after is not None:
        ask_at, user, occurrence = after
        behind = or_(columns.user_id > user, and_(columns.user_id == user, columns.occurrence > occurrence))
        is_next = or_(columns.ask_at > ask_at, and_(columns.ask_at == ask_at, behind))
    query = (
        select(user_id, columns.occurrence, columns.reason, columns.ask_at, columns.outranked_at, table.c.entered_at)
        .prefix_with(hint, dialect="mysql")
        .select_from(deferred.outerjoin(table, is_found))
        .where(deferred_of(scope), columns.ask_at <= as_of, which[waiting], true() if by_row else is_ripe, is_next)
        .order_by(*first, columns.user_id, columns.occurrence)
        .limit(limit)
    )
    return connection.execute(query).all()


def waiting(connection: Connection, scope: StepScope, keys: Sequence[object]) -> dict[object, Waiting]:
    """Say of users who wait what for, and from when on they are decided again; of one who waits twice the first."""
    columns = scope.subject.deferred.c
    query = (
        select(columns.user_id, columns.occurrence, columns.reason, columns.ask_at, columns.outranked_at)
        .where(deferred_of(scope), columns.user_id.in_(keys))
        .order_by(columns.ask_at.desc(), columns.occurrence.desc())
    )
    return {user_id: Waiting(*rest) for user_id, *rest in connection.execute(query)}


def waits(
    scope: StepScope, user_id: ColumnElement[Any], occurrence: ColumnElement[str] | None = None
) -> ColumnElement[bool]:
    """Say that a user waits already, or one of their rows that triggered; as a condition."""
    deferred = scope.subject.deferred
    same = [] if occurrence is None else [deferred.c.occurrence == occurrence]
    return exists().where(deferred_of(scope), deferred.c.user_id == user_id, *same)
