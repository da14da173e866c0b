"""What was decided about accounts, and which sends it is.

This module owns skene_account_decisions and skene_account_sends. What became of a decision, its sends say: they are in
skene_sends like all others, and everything that happens to an email happens there.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    and_,
    case,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
)
from sqlalchemy.dialects.mysql import insert as insert_on_server
from sqlalchemy.dialects.sqlite import insert as insert_in_sqlite

from skene_dagster.delivery.ledger.decisions.account_model import Decided, NewAccount
from skene_dagster.delivery.ledger.scope import StepScope, decisions_of
from skene_dagster.delivery.model import IN_FLIGHT, Contact
from skene_dagster.goals import account_arms
from skene_dagster.loops.plan import segment_name
from skene_dagster.store.engine import is_sqlite
from skene_dagster.store.subjects import ACCOUNT_SENDS, ACCOUNTS, OF_ITS_SEND
from skene_dagster.store.tables import OPEN, contacts, sends

SOME = 1000
"""Keys of a statement."""

account_members, account_decisions, account_deferred = ACCOUNTS.members, ACCOUNTS.decisions, ACCOUNTS.deferred

_STEP = ("mode", "loop", "step")
_decided, _link = account_decisions.c, ACCOUNT_SENDS.c
OF_ITS_DECISION = and_(*(_link[name] == _decided[name] for name in (*_STEP, "user_id", "occurrence")))


def write(
    connection: Connection, scope: StepScope, made: Sequence[NewAccount], *, as_of: datetime, now: datetime
) -> None:
    """Write what was decided about accounts, but for their sends.

    Raises:
        IntegrityError: another run has decided about one of them meanwhile.
    """
    of_all = {**scope.key, "as_of": as_of, "decided_at": now}
    finals = [
        {
            "user_id": one.account_id,
            "occurrence": one.occurrence,
            "state": one.state,
            "reason": one.reason,
            **of_all,
        }
        for one in made
        if one.is_final
    ]
    links = [
        {
            "user_id": one.account_id,
            "occurrence": one.occurrence,
            "recipient_id": send.user_id,
            "send_occurrence": send.occurrence,
            **scope.key,
        }
        for one in made
        for send in one.sends
    ]
    if finals:
        connection.execute(insert(account_decisions), finals)
    if links:
        connection.execute(insert(ACCOUNT_SENDS), links)
    account_arms.enrol(connection, [one.enrolled for one in made if one.enrolled is not None], as_of=as_of)


def account_history(connection: Connection, scope: StepScope, keys: Sequence[object]) -> dict[object, list[Decided]]:
    """List what the ledger knows about each account of a page, in the order in which it was decided.

    A member is named as the segment spells its key, however the ledger did at the time.
    """
    member = account_members.c
    inside = and_(
        member.segment == segment_name(scope.loop, scope.step),
        member.exited_at == OPEN,
        member.user_id == _decided.user_id,
    )
    # A mail whose send is not found, for its recipient was erased, was one all the same.
    state = func.coalesce(sends.c.state, case((_decided.state == "mailed", "accepted"), else_=_decided.state))
    at = func.coalesce(sends.c.as_of, _decided.as_of)
    query = (
        select(
            func.coalesce(member.user_id, _decided.user_id),
            _decided.occurrence,
            state,
            func.coalesce(sends.c.reason, _decided.reason),
            at,
            _link.recipient_id,
        )
        .select_from(
            account_decisions.outerjoin(account_members, inside)
            .outerjoin(ACCOUNT_SENDS, OF_ITS_DECISION)
            .outerjoin(sends, OF_ITS_SEND)
        )
        .where(decisions_of(scope), _decided.user_id.in_(keys))
        .order_by(at, _decided.decided_at, _decided.user_id, _decided.occurrence)
    )
    found: dict[object, list[Decided]] = {}
    for account_id, occurrence, *rest in connection.execute(query):
        found.setdefault(account_id, []).append(Decided(occurrence, *rest))
    return found


def contacts_of_accounts(
    connection: Connection, scope: StepScope, keys: Sequence[object], since: datetime
) -> dict[object, list[tuple[str, Contact]]]:
    """List the marketing emails about accounts, of all loops, that may still leave, or were accepted after a moment.

    Returns:
        By account: the occurrence, and what counts for a cap. All that everybody of an account got is one of them.
    """
    may_leave = sends.c.state.in_((*IN_FLIGHT, "in_doubt"))
    counts = or_(may_leave, and_(sends.c.state == "accepted", sends.c.accepted_at > since))
    of_contact = and_(*(contacts.c[name] == sends.c[name] for name in (*_STEP, "user_id", "occurrence")))
    one = (_decided.user_id, _decided.loop, _decided.step, _decided.occurrence)
    query = (
        select(
            *one,
            func.max(_decided.as_of),
            func.max(sends.c.accepted_at),
            func.max(case((may_leave, 1), else_=0)),
        )
        # As in `contacts_of`.
        .prefix_with("/*+ INL_JOIN(skene_sends) */", dialect="mysql")
        .select_from(
            account_decisions.join(ACCOUNT_SENDS, OF_ITS_DECISION).join(sends, OF_ITS_SEND).join(contacts, of_contact)
        )
        .where(_decided.mode == scope.mode, counts)
        .group_by(*one)
    )
    found: dict[object, list[tuple[str, Contact]]] = {}
    for start in range(0, len(keys), SOME):
        some = query.where(_decided.user_id.in_(keys[start : start + SOME]))
        for account_id, loop, step, occurrence, as_of, at, is_open in connection.execute(some):
            contact = Contact(loop, step, account_id, as_of, None if is_open else at)
            found.setdefault(account_id, []).append((occurrence, contact))
    return found


def accounts_of_batch(connection: Connection, batch_id: str) -> dict[str, tuple[object, str]]:
    """Say which account and which of its occurrences each send of a batch is about, by send_id.

    Nothing is said of those that are about a user.
    """
    query = select(sends.c.send_id, _link.user_id, _link.occurrence).select_from(sends.join(ACCOUNT_SENDS, OF_ITS_SEND))
    rows = connection.execute(query.where(sends.c.batch_id == batch_id))
    return {send_id: (account, occurrence) for send_id, account, occurrence in rows}


def accounts_accepted_in(connection: Connection, batch_id: str) -> Sequence[object]:
    """List the accounts of which an email of a batch was accepted, once each."""
    query = select(_link.user_id).distinct().select_from(sends.join(ACCOUNT_SENDS, OF_ITS_SEND))
    return connection.execute(query.where(sends.c.batch_id == batch_id, sends.c.state == "accepted")).scalars().all()


def accounts_not_among(
    connection: Connection,
    which: ColumnElement[bool],
    accounts: ColumnElement[Any],
    occurrences: ColumnElement[Any] | None = None,
) -> frozenset[str]:
    """Name the sends whose account is not in an answer, as `not_among` does of users.

    Args:
        accounts: a column of the answer.
        occurrences: another one, where it is about single rows.
    """
    same = accounts == _link.user_id
    if occurrences is not None:
        same = and_(same, occurrences == _link.occurrence)
    source = sends.join(ACCOUNT_SENDS, OF_ITS_SEND)
    query = select(sends.c.send_id).select_from(source.outerjoin(accounts.table, same))
    return frozenset(connection.execute(query.where(which, accounts.is_(None))).scalars())


def put_back(connection: Connection, send: Mapping[str, Any] | RowMapping, said: Mapping[str, object]) -> bool:
    """Let an account be decided again whose send, which is gone, nobody can make now; False: it is about a user.

    Its decision goes with the last of its sends; whoever else was mailed for the occurrence stays so.
    """
    mine = and_(
        *(_link[name] == send[name] for name in _STEP),
        _link.recipient_id == send["user_id"],
        _link.send_occurrence == send["occurrence"],
    )
    row = connection.execute(select(_link.user_id, _link.occurrence).where(mine)).one_or_none()
    if row is None:
        return False
    account_id, occurrence = row
    connection.execute(delete(ACCOUNT_SENDS).where(mine))
    decision = and_(
        *(_decided[name] == send[name] for name in _STEP),
        _decided.user_id == account_id,
        _decided.occurrence == occurrence,
    )
    others = exists().where(OF_ITS_DECISION).correlate(account_decisions)
    connection.execute(delete(account_decisions).where(decision, ~others))
    values = {**{name: send[name] for name in _STEP}, "user_id": account_id, "occurrence": occurrence, **said}
    # Others of the account may be put back by another run at this moment, or wait already.
    if is_sqlite(connection):
        in_sqlite = insert_in_sqlite(account_deferred).values(values)
        kept = {account_deferred.c.ask_at.name: in_sqlite.excluded.ask_at}
        connection.execute(in_sqlite.on_conflict_do_update(list(account_deferred.primary_key), set_=kept))
    else:
        on_server = insert_on_server(account_deferred).values(values)
        connection.execute(on_server.on_duplicate_key_update(ask_at=on_server.inserted.ask_at))
    return True


def skipped_accounts(scope: StepScope, as_of: datetime | None) -> Select[Any] | None:
    """Select the decisions of a step by which nobody of an account is mailed: state, reason and number.

    None: it is about users, whose decisions are all sends.
    """
    if scope.subject is not ACCOUNTS:
        return None
    query = select(_decided.state, _decided.reason, func.count()).where(
        decisions_of(scope), _decided.state == "skipped"
    )
    if as_of is not None:
        query = query.where(_decided.as_of == as_of)
    return query.group_by(_decided.state, _decided.reason)
