"""Who was skipped is decided again, because a person asks for it."""

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    and_,
    delete,
    exists,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    true,
)

from skene_dagster.delivery.ledger.decisions.account_sends import OF_ITS_DECISION
from skene_dagster.delivery.ledger.decisions.deferring import waits
from skene_dagster.delivery.ledger.scope import StepScope, rows_of
from skene_dagster.delivery.model import SkipReason
from skene_dagster.loops.plan import segment_name
from skene_dagster.store.subjects import ACCOUNT_SENDS, ACCOUNTS, OF_ITS_SEND
from skene_dagster.store.tables import OPEN, sends

RECONSIDERED: tuple[SkipReason, ...] = (
    "cancelled",
    "too_late",
    "not_mailable",
    "suppressed",
    "said_no",
    "no_consent",
    "same_address",
    "once",
    "repeat",
    "step_removed",
)
"""Reasons to skip that a person, or another rule, may have removed."""


def reconsider(connection: Connection, scope: StepScope, *, by_row: bool) -> int:
    """Have those decided again whose last decision was to skip them for a reason that may no longer hold; count them.

    Only members who are still inside, and rows that are still known. Of an account also those are skipped whose email
    was not made; whoever else of it was mailed stays so.
    """
    decisions, deferred, members = scope.subject.decisions, scope.subject.deferred, scope.subject.members
    later, again = decisions.alias("later"), decisions.alias("again")
    same_user = (later.c[name] == again.c[name] for name in ("mode", "loop", "step", "user_id"))
    is_last = ~exists().where(*same_user, later.c.as_of > again.c.as_of)
    if by_row:
        table, is_last = scope.subject.triggered, true()
        known = and_(table.c.mode == scope.mode, table.c.occurrence == again.c.occurrence)
    else:
        table, known = members, members.c.exited_at == OPEN
    segment = segment_name(scope.loop, scope.step)
    is_there = exists().where(table.c.segment == segment, table.c.user_id == again.c.user_id, known)
    found = select(
        *(again.c[name] for name in ("mode", "loop", "step", "user_id", "occurrence")),
        literal("reconsidered"),
        null(),
        again.c.as_of,
        again.c.decided_at,
        again.c.as_of,
        null(),
    ).where(
        rows_of(scope, again),
        _was_skipped(again, scope),
        is_last,
        is_there,
        ~waits(scope, again.c.user_id, again.c.occurrence),
    )
    connection.execute(insert(deferred).from_select(list(deferred.c), found))
    moved = delete(decisions).where(
        rows_of(scope, decisions), _skipped(decisions), waits(scope, decisions.c.user_id, decisions.c.occurrence)
    )
    number = connection.execute(moved).rowcount
    return number + _without_skipped_sends(connection, scope) if scope.subject is ACCOUNTS else number


def _was_skipped(again: FromClause, scope: StepScope) -> ColumnElement[bool]:
    if scope.subject is not ACCOUNTS:
        return _skipped(again)
    link = ACCOUNT_SENDS.c
    of_it = (link[name] == again.c[name] for name in ("mode", "loop", "step", "user_id", "occurrence"))
    return or_(_skipped(again), exists().where(*of_it, OF_ITS_SEND, _skipped(sends)))


def _without_skipped_sends(connection: Connection, scope: StepScope) -> int:
    """Let skipped sends about accounts that wait be decided again, and decisions without a send; count the accounts."""
    link, decisions = ACCOUNT_SENDS.c, ACCOUNTS.decisions
    wait = waits(scope, link.user_id, link.occurrence)
    of_the_step = (rows_of(scope, ACCOUNT_SENDS), rows_of(scope, sends))
    about = select(link.user_id).where(*of_the_step, OF_ITS_SEND, _skipped(sends), wait).distinct()
    number = connection.execute(select(func.count()).select_from(about.subquery())).scalar_one()
    if not number:
        return 0
    theirs = exists().where(OF_ITS_SEND, wait).correlate(sends)
    connection.execute(delete(sends).where(rows_of(scope, sends), _skipped(sends), theirs))
    has_send = exists().where(OF_ITS_SEND).correlate(ACCOUNT_SENDS)
    connection.execute(delete(ACCOUNT_SENDS).where(rows_of(scope, ACCOUNT_SENDS), ~has_send, wait))
    has_any = exists().where(OF_ITS_DECISION).correlate(decisions)
    waiting = waits(scope, decisions.c.user_id, decisions.c.occurrence)
    connection.execute(delete(decisions).where(rows_of(scope, decisions), ~has_any, waiting))
    return int(number)


def _skipped(table: FromClause) -> ColumnElement[bool]:
    return and_(table.c.state == "skipped", table.c.reason.in_(RECONSIDERED))
