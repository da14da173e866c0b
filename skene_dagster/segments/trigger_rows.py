"""Who is mailed about which row: the rows that triggered a step, and for which its condition held. They stay until no
rule needs them any more; who was mailed is in the ledger for ever.

A tick reads some rows of its window more often than necessary; their keys show which it has already found.
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Row,
    Select,
    Subquery,
    and_,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    tuple_,
)

from skene_dagster.errors import StoreError
from skene_dagster.loops.dialect import ROW_AT, ROW_KEY, ROWS
from skene_dagster.loops.plan import LoopPlan, Query, Rows, StepPlan, segment_name
from skene_dagster.product import attributes
from skene_dagster.segments import conditions, trigger_windows
from skene_dagster.segments.evaluation import in_time
from skene_dagster.segments.recheck import Again
from skene_dagster.segments.refresh import Refreshed
from skene_dagster.settings import Settings
from skene_dagster.store.engine import Clock, transaction, users_table
from skene_dagster.store.keys import same_as_users_key
from skene_dagster.store.leasing import leases
from skene_dagster.store.leasing.heartbeat import beating
from skene_dagster.store.sweeping import Swept, sweep
from skene_dagster.store.tables import Moment, triggered


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
        SettingsError: the rows name their users in another type than the users key has.
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
                    same_as_users_key(connection, settings.users, step.trigger.table, step.trigger.user)
                leases.keep(connection, mine, clock(), writes=True)
                rows = trigger_windows.rows(connection, plan, step, mode, within)
                found = _found(connection, step, settings, rows, answer.rows)
                with in_time(connection, step.timeout, conditions.place_of(plan, step)):
                    written = _write(connection, mode, segment, as_of, found)
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
    return select(found).where(~_is_known(found, mode, segment_name(plan.name, step.ledger_name))).subquery("to_come")


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
    """Select those of some rows, by user and occurrence, that are there still and for which the condition still holds.

    Raises:
        QueryRejected, NotCounted: as `conditions.answer` does.
    """
    columns = triggered.c
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
        users=again.users,
        between=(first or as_of, last or as_of),
    )
    answer = conditions.answer_again(connection, plan, step, settings, as_of, again)
    return _found(connection, step, settings, rows, answer)


def page(
    connection: Connection,
    mode: str,
    segment: str,
    which: ColumnElement[bool],
    *,
    since: datetime | None,
    as_of: datetime,
    after: tuple[object, str] | None,
    limit: int,
) -> Sequence[Row[Any, Any, Any]]:
    """List the next rows that were found up to a tick, by user and occurrence.

    Args:
        which: a condition on skene_triggered.
        since: only what was found after that; None: all.

    Returns:
        user_id, occurrence, entered_at
    """
    columns = triggered.c
    query = select(columns.user_id, columns.occurrence, columns.entered_at).where(
        columns.mode == mode, columns.segment == segment, columns.entered_at <= as_of, which
    )
    if since is not None:
        query = query.where(columns.entered_at > since)
    if after is not None:
        user_id, occurrence = after
        same_user = and_(columns.user_id == user_id, columns.occurrence > occurrence)
        query = query.where(or_(columns.user_id > user_id, same_user))
    return connection.execute(query.order_by(columns.user_id, columns.occurrence).limit(limit)).all()


def sample(connection: Connection, mode: str, segment: str, limit: int = 10) -> Sequence[Row[Any, Any]]:
    """List the rows that were found last: user_id, entered_at."""
    columns = triggered.c
    query = select(columns.user_id, columns.entered_at).where(columns.mode == mode, columns.segment == segment)
    return connection.execute(query.order_by(columns.entered_at.desc()).limit(limit)).all()


def kept(
    connection: Connection, mode: str, segment: str, keys: Sequence[tuple[object, str]]
) -> dict[tuple[object, str], str | None]:
    """Read the kept columns (JSON) of rows that were found, by user and occurrence."""
    columns = triggered.c
    rows = connection.execute(
        select(columns.user_id, columns.occurrence, columns.attributes).where(
            columns.mode == mode,
            columns.segment == segment,
            tuple_(columns.user_id, columns.occurrence).in_(keys),
        )
    )
    return {(user_id, occurrence): found for user_id, occurrence, found in rows}


def forget(
    connection: Connection, mode: str, segment: str, *, before: datetime, since: datetime | None, size: int
) -> Swept:
    """Delete rows that were found before a moment.

    Only what no tick looks at, and no email waits for: one that is found again is decided in the ledger already.
    """
    mine = and_(triggered.c.mode == mode, triggered.c.segment == segment)
    index, found_at = "skene_triggered_entered", triggered.c.entered_at
    return sweep(connection, triggered, found_at, index, mine, before=before, since=since, size=size)


def _found(connection: Connection, step: StepPlan, settings: Settings, rows: Select[Any], answer: Subquery) -> Subquery:
    """Select whom the condition selects for which row: user_id, occurrence, triggered_at, attributes; each once."""
    user = answer.c[0]
    trigger = rows.cte(ROWS)
    by_row = isinstance(step.condition, Query) and step.condition.by_row
    if by_row:
        query = select().select_from(answer).join(trigger, trigger.c[ROW_KEY] == answer.c[ROW_KEY])
    else:
        query = select().select_from(trigger).join(answer, user == trigger.c[trigger_windows.ROW_USER])
    users = users_table(settings.users)
    names = step.email.row_columns if step.email else ()
    columns = attributes.kept(connection, answer, names, trigger if by_row else None) if names else None
    return (
        query.add_columns(
            # Rows may spell one user in several ways (collations): they are one in the ledger.
            users.c[settings.users.key].label("user_id"),
            trigger.c[trigger_windows.OCCURRENCE].label("occurrence"),
            func.min(trigger.c[ROW_AT]).label("triggered_at"),
            (literal(None) if columns is None else func.min(columns)).label("attributes"),
        )
        .join(users, users.c[settings.users.key] == user)
        .group_by(users.c[settings.users.key], trigger.c[trigger_windows.OCCURRENCE])
        .subquery("found")
    )


def _write(connection: Connection, mode: str, segment: str, as_of: datetime, found: Subquery) -> int:
    new = select(
        literal(mode),
        literal(segment),
        found.c.user_id,
        found.c.occurrence,
        found.c.triggered_at,
        literal(as_of, Moment),
        found.c.attributes,
    ).where(~_is_known(found, mode, segment))
    names = ["mode", "segment", "user_id", "occurrence", "triggered_at", "entered_at", "attributes"]
    connection.execute(insert(triggered).from_select(names, new))
    # SQLite, 2026-11: does not tell how many rows a statement wrote that begins with WITH.
    written = select(func.count()).where(
        triggered.c.mode == mode, triggered.c.segment == segment, triggered.c.entered_at == as_of
    )
    return connection.execute(written).scalar_one()


def _is_known(found: Subquery, mode: str, segment: str) -> ColumnElement[bool]:
    return exists().where(
        triggered.c.mode == mode,
        triggered.c.segment == segment,
        triggered.c.user_id == found.c.user_id,
        triggered.c.occurrence == found.c.occurrence,
    )


def found_for(
    connection: Connection, mode: str, segment: str, user_id: object, since: datetime | None, limit: int
) -> list[tuple[str, datetime]]:
    """List the newest rows of a user that were found: occurrence, and the tick that found it.

    Args:
        since: only what was found after that; None: all.
    """
    columns = triggered.c
    mine = [columns.mode == mode, columns.segment == segment, columns.user_id == user_id]
    if since is not None:
        mine.append(columns.entered_at > since)
    query = select(columns.occurrence, columns.entered_at).where(*mine)
    rows = connection.execute(query.order_by(columns.entered_at.desc(), columns.occurrence).limit(limit))
    return [(row.occurrence, row.entered_at) for row in rows]
