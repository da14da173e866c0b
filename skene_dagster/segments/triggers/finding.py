"""Which rows trigger a step: those in a tick's window for which its condition holds, each found once.

A tick reads some rows of its window more often than necessary; their keys show which it has already found.
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Connection,
    Engine,
    FromClause,
    Row,
    Select,
    Subquery,
    and_,
    exists,
    func,
    insert,
    literal,
    select,
    tuple_,
)

from skene_dagster.errors import StoreError
from skene_dagster.loops.dialect import ROW_AT, ROW_KEY, ROWS
from skene_dagster.loops.plan import LoopPlan, Query, StepPlan, segment_name
from skene_dagster.loops.planning.accounts import accounts_of, selected_from
from skene_dagster.loops.triggers import Rows
from skene_dagster.product import attributes
from skene_dagster.product.named_users import Naming, naming
from skene_dagster.segments import conditions
from skene_dagster.segments.conditions import subject
from skene_dagster.segments.evaluation import in_time
from skene_dagster.segments.recheck import Again
from skene_dagster.segments.refresh import Refreshed
from skene_dagster.segments.triggers import trigger_windows
from skene_dagster.settings import Settings
from skene_dagster.store.engine import Clock, transaction, users_table
from skene_dagster.store.keys import same_as_users_key
from skene_dagster.store.leasing import leases
from skene_dagster.store.leasing.heartbeat import beating
from skene_dagster.store.tables import Moment


def refresh(
    engine: Engine,
    *,
    plan: LoopPlan,
    step: StepPlan,
    settings: Settings,
    mode: str,
    as_of: datetime,
    clock: Clock,
    run_id: str,
) -> Refreshed:
    """Find the rows that triggered by `as_of` and for which the condition holds. Doing it again finds nothing new.

    The first refresh finds nothing: it records where history ends.

    Args:
        mode: the mode that the rows belong to: live emails start over, whatever a rehearsal has seen.
        run_id: who refreshes, at most 64 characters.

    Raises:
        SegmentBusy: another run is refreshing this step.
        SegmentOvertaken: a refresh for a newer as_of was there first.
        SegmentTimeout: it took longer than the condition's timeout; nothing was written.
        QueryRejected: the condition needs TiDB.
        SettingsError: the rows name their users in a type that cannot be compared with the users key.
        StoreError: the database refused.
    """
    segment = segment_name(plan.name, step.ledger_name)
    started = clock()
    mine, before = leases.begin(engine, segment, owner=run_id, as_of=as_of, clock=clock)
    if mine is None:
        return Refreshed.of(before, already=True)
    within = trigger_windows.window(step, as_of, last=before.as_of, first=before.first_as_of, at=before.refreshed_at)
    try:
        with beating(engine, mine, clock):
            answer = conditions.answer(engine, plan, step, settings, as_of)

            def told(row: Row[Any]) -> Refreshed:
                return Refreshed.of(row, answer.sql, seconds=(clock() - started).total_seconds())

            def find(connection: Connection) -> Refreshed:
                if isinstance(step.trigger, Rows):
                    _refuse_other_keys(connection, step.trigger, step, settings)
                leases.keep(connection, mine, clock(), writes=True)
                rows = trigger_windows.rows(connection, plan, step, mode, within)
                found = _found(connection, step, settings, rows, answer.rows)
                with in_time(connection, step.timeout, conditions.place_of(plan, step)):
                    written = _write(connection, step, mode, segment, as_of, found)
                return told(
                    leases.complete(
                        connection, mine, clock(), members=written, entered=written, exited=0, unknown_keys=0
                    )
                )

            def resolve(connection: Connection) -> Refreshed:
                row = leases.completed(connection, mine)
                return find(connection) if row is None else told(row)

            return transaction(engine, find, resolve=resolve)
    except BaseException:
        # If the database is gone, the lease expires.
        with suppress(StoreError):
            transaction(engine, lambda connection: leases.release(connection, mine))
        raise


def to_come(
    connection: Connection, plan: LoopPlan, step: StepPlan, settings: Settings, mode: str, as_of: datetime
) -> Subquery:
    """Select what a refresh for `as_of` would find: user_id, occurrence, triggered_at, attributes."""
    before = leases.state(connection, segment_name(plan.name, step.ledger_name))
    last, first, at = (before.as_of, before.first_as_of, before.refreshed_at) if before else (None, None, None)
    within = trigger_windows.window(step, as_of, last=last, first=first, at=at)
    found = found_within(connection, plan, step, settings, mode, within, as_of)
    is_known = _is_known(found, step, mode, segment_name(plan.name, step.ledger_name))
    return select(found).where(~is_known).subquery("to_come")


def found_within(
    connection: Connection,
    plan: LoopPlan,
    step: StepPlan,
    settings: Settings,
    mode: str,
    within: trigger_windows.Window,
    as_of: datetime,
) -> Subquery:
    """Select the rows of a window for which the condition holds with a tick's clock, found before or not.

    Raises:
        QueryRejected, NotCounted: as `conditions.answer` does.
    """
    answer = conditions.answer(connection, plan, step, settings, as_of)
    rows = trigger_windows.rows(connection, plan, step, mode, within)
    return _found(connection, step, settings, rows, answer.rows)


def found_again(
    connection: Connection,
    plan: LoopPlan,
    step: StepPlan,
    settings: Settings,
    mode: str,
    keys: Sequence[tuple[object, str]],
    as_of: datetime,
    again: Again,
) -> Subquery:
    """Select those of some rows that are there still, and for which the condition still holds.

    Args:
        keys: of the rows: user (or account) and occurrence.

    Raises:
        QueryRejected, NotCounted: as `conditions.answer` does.
    """
    columns = subject(step).triggered.c
    mine = and_(columns.mode == mode, columns.segment == segment_name(plan.name, step.ledger_name))
    known = select(func.min(columns.triggered_at), func.max(columns.triggered_at)).where(
        mine, tuple_(columns.user_id, columns.occurrence).in_(keys)
    )
    first, last = connection.execute(known).one()
    rows = trigger_windows.still_there(
        connection,
        plan,
        step,
        mode,
        occurrences=[occurrence for _, occurrence in keys],
        keys=list(dict.fromkeys(key for key, _ in keys)),
        between=(first or as_of, last or as_of),
    )
    answer = conditions.answer_again(connection, plan, step, settings, as_of, again)
    return _found(connection, step, settings, rows, answer)


def _found(connection: Connection, step: StepPlan, settings: Settings, rows: Select[Any], answer: Subquery) -> Subquery:
    """Select whom the condition selects for which row: user_id, occurrence, triggered_at, attributes; each once."""
    user = answer.c[0]
    trigger = rows.cte(ROWS)
    by_row = isinstance(step.condition, Query) and step.condition.by_row
    if by_row:
        query = select().select_from(answer).join(trigger, trigger.c[ROW_KEY] == answer.c[ROW_KEY])
    else:
        query = _of_whom_they_are(connection, trigger, step, settings, answer)
    mapped = selected_from(step, settings)
    there = users_table(mapped)
    names = step.email.row_columns if step.email else ()
    columns = attributes.kept(connection, answer, names, trigger if by_row else None) if names else None
    return (
        query.add_columns(
            # Rows may spell one user in several ways (collations): they are one in the ledger.
            there.c[mapped.key].label("user_id"),
            trigger.c[trigger_windows.OCCURRENCE].label("occurrence"),
            func.min(trigger.c[ROW_AT]).label("triggered_at"),
            (literal(None) if columns is None else func.min(columns)).label("attributes"),
        )
        .join(there, there.c[mapped.key] == user)
        .group_by(there.c[mapped.key], trigger.c[trigger_windows.OCCURRENCE])
        .subquery("found")
    )


def _of_whom_they_are(
    connection: Connection, rows: CTE, step: StepPlan, settings: Settings, answer: Subquery
) -> Select[Any]:
    """Join rows that triggered with those whom the condition selects: as a row names them, or its user's account."""
    of: FromClause = rows
    named: ColumnElement[Any] = rows.c[trigger_windows.ROW_USER]
    if isinstance(step.trigger, Rows):
        of, named = _naming(connection, step.trigger, settings).named(of, named)
    query = select().select_from(of)
    if not (step.per_account and isinstance(step.trigger, Rows)) or step.trigger.of_accounts:
        return query.join(answer, answer.c[0] == named)
    account = accounts_of(settings).user_column
    people = users_table(settings.users, account)
    return query.join(people, people.c[settings.users.key] == named).join(answer, answer.c[0] == people.c[account])


def _naming(connection: Connection, trigger: Rows, settings: Settings) -> Naming:
    keyed = accounts_of(settings) if trigger.of_accounts else settings.users
    return naming(connection, keyed, trigger.table, trigger.user, trigger.is_)


def _refuse_other_keys(connection: Connection, trigger: Rows, step: StepPlan, settings: Settings) -> None:
    _naming(connection, trigger, settings)
    if step.per_account and not trigger.of_accounts:
        accounts = accounts_of(settings)
        same_as_users_key(connection, accounts, settings.users.table, accounts.user_column)


def _write(connection: Connection, step: StepPlan, mode: str, segment: str, as_of: datetime, found: Subquery) -> int:
    triggered = subject(step).triggered
    new = select(
        literal(mode),
        literal(segment),
        found.c.user_id,
        found.c.occurrence,
        found.c.triggered_at,
        literal(as_of, Moment),
        found.c.attributes,
    ).where(~_is_known(found, step, mode, segment))
    names = ["mode", "segment", "user_id", "occurrence", "triggered_at", "entered_at", "attributes"]
    connection.execute(insert(triggered).from_select(names, new))
    # SQLite, 2026-11: does not tell how many rows a statement wrote that begins with WITH.
    written = select(func.count()).where(
        triggered.c.mode == mode, triggered.c.segment == segment, triggered.c.entered_at == as_of
    )
    return connection.execute(written).scalar_one()


def _is_known(found: Subquery, step: StepPlan, mode: str, segment: str) -> ColumnElement[bool]:
    triggered = subject(step).triggered
    return exists().where(
        triggered.c.mode == mode,
        triggered.c.segment == segment,
        triggered.c.user_id == found.c.user_id,
        triggered.c.occurrence == found.c.occurrence,
    )
