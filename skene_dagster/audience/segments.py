"""Segments: who is inside, since when, and who left; refreshed inside the database, one tick after the other.

A refresh evaluates the condition once, judges what it would change, and writes the history in chunks. Whoever
writes holds the segment's turn; a crash between chunks leaves no licence, and the next refresh repairs it.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row, Table, select, update

from skene_dagster.audience import conditions, difference, staging, turn
from skene_dagster.audience.difference import Survey, inside
from skene_dagster.audience.evaluation import Condition, evaluated
from skene_dagster.audience.heartbeat import beating
from skene_dagster.audience.turn import Turn
from skene_dagster.audience.walk import Span, end, walk
from skene_dagster.errors import SegmentImplausible, StoreError
from skene_dagster.loops.plan import LoopPlan, StepPlan, segment_name
from skene_dagster.settings import Limits, Settings, Users
from skene_dagster.store.engine import Clock, transaction, users_table
from skene_dagster.store.tables import segment_members

CHUNK = 50_000
"""Keys per transaction."""

LARGE = 1_000_000
"""Members from which on a condition is not evaluated in one statement: TiDB would keep it all in memory."""

ACCEPT = "skene/accept_change=true"
"""The run tag by which a person says that an implausible change is right."""


@dataclass(frozen=True)
class Refreshed:
    """What a refresh found and wrote."""

    segment: str
    as_of: datetime
    members: int
    entered: int
    exited: int
    unknown_keys: int
    """Rows of the condition whose key is NULL or no user's; they are left out."""
    already: bool
    """This very as_of was refreshed before; nothing was done."""
    sql: str
    """The condition, as the database got it."""
    seconds: float

    @staticmethod
    def of(row: Row[Any], sql: str = "", *, already: bool = False, seconds: float = 0.0) -> "Refreshed":
        """Tell what a refresh found, as it stands in the segment's row."""
        return Refreshed(
            row.segment,
            row.as_of,
            row.members,
            row.entered,
            row.exited,
            row.unknown_keys,
            already=already,
            sql=sql,
            seconds=seconds,
        )


@dataclass(frozen=True)
class Licence:
    """The segment is complete and judged for `as_of`: its members may be mailed."""

    as_of: datetime
    first_as_of: datetime
    """Of the segment's first refresh."""
    members: int


@dataclass(frozen=True)
class _Work:
    """One refresh on its way."""

    engine: Engine
    turn: Turn
    users: Users
    clock: Clock
    condition: Condition
    only_users: bool
    """The condition returns the users table's own keys, and need not be asked whether they are any."""
    chunk: int
    is_large: bool
    """The segment was so large that its condition is not evaluated in one statement."""

    @property
    def segment(self) -> str:
        return self.turn.name


def refresh(
    engine: Engine,
    *,
    plan: LoopPlan,
    step: StepPlan,
    settings: Settings,
    as_of: datetime,
    clock: Clock,
    run_id: str,
    accept_change: bool = False,
    chunk: int = CHUNK,
    large: int = LARGE,
) -> Refreshed:
    """Bring the step's segment to what its condition says at `as_of`. Doing it again changes nothing.

    Args:
        run_id: who refreshes, at most 64 characters; a run may take over from itself.
        accept_change: a person said that an implausible change is right.
        chunk: keys per transaction.
        large: members from which on the condition is evaluated in parts from the start.

    Raises:
        SegmentBusy: another run is refreshing this segment.
        SegmentOvertaken: a refresh for a newer as_of has written; nothing was written.
        SegmentImplausible: the segment would collapse or explode; nothing was written.
        SegmentTimeout: the condition took longer than the step's timeout; nothing was written.
        SegmentError: the condition cannot be evaluated, or returns a user twice; nothing was written.
        QueryRejected: the condition needs TiDB.
        StoreError: the database refused; what was half-written is repaired by the next refresh.
    """
    segment = segment_name(plan.name, step.name)
    answer = conditions.answer(engine, plan, step, settings, as_of)
    started = clock()
    mine, before = turn.begin(engine, segment, owner=run_id, as_of=as_of, clock=clock)
    if mine is None:
        return Refreshed.of(before, answer.sql, already=True)
    kept = step.email.row_columns if step.email else ()
    condition = Condition(answer.rows, kept, conditions.place_of(plan, step), step.timeout, answer.by_key)
    is_large = before.members > large
    work = _Work(engine, mine, settings.users, clock, condition, answer.only_users, chunk, is_large)
    try:
        with beating(engine, mine, clock):
            return _refresh(work, None if accept_change else settings.limits, started, answer.sql)
    except BaseException:
        # If the database is gone, the turn ends with its lease.
        with suppress(StoreError):
            transaction(engine, lambda connection: turn.release(connection, mine))
        raise


def licence(connection: Connection, segment: str) -> Licence | None:
    """Return the licence to mail the segment's members; None before the first refresh, and while half-written."""
    row = turn.state(connection, segment)
    if row is None or row.as_of is None or row.writing_as_of != row.as_of:
        return None
    return Licence(row.as_of, row.first_as_of, row.members)


def expect_exits(connection: Connection, segment: str, user_ids: Sequence[object]) -> None:
    """Announce that our own `set` will make these users leave: that is no sign of a collapse."""
    for start in range(0, len(user_ids), 1000):
        connection.execute(
            update(segment_members)
            .where(inside(segment), segment_members.c.user_id.in_(user_ids[start : start + 1000]))
            .values(exit_reason="set")
        )


def sample(connection: Connection, segment: str, limit: int = 10) -> Sequence[Row[Any, Any]]:
    """List the first members by key: user_id, entered_at."""
    key = segment_members.c.user_id
    return connection.execute(
        select(key, segment_members.c.entered_at).where(inside(segment)).order_by(key).limit(limit)
    ).all()


def _refresh(work: _Work, limits: Limits | None, started: datetime, sql: str) -> Refreshed:
    answer = evaluated(work.engine, work.condition, work.users, work.turn, is_large=work.is_large, chunk=work.chunk)
    with answer as (table, rows):
        unknown = _leave_out_unknown(work, table)
        survey = transaction(work.engine, lambda connection: _survey(connection, work, table))
        enter = rows - unknown - (survey.inside - survey.leave)
        if limits is not None and not work.turn.is_first:
            _judge(work, survey, enter, limits)
        _write(work, table, survey, enter)

    def told(row: Row[Any]) -> Refreshed:
        return Refreshed.of(row, sql, seconds=(work.clock() - started).total_seconds())

    def finish(connection: Connection) -> Refreshed:
        members, entered = difference.count_inside(connection, work.segment, work.turn.as_of)
        exited = difference.count_exited(connection, work.segment, work.turn.as_of)
        found = {"members": members, "entered": entered, "exited": exited, "unknown_keys": unknown}
        return told(turn.complete(connection, work.turn, work.clock(), **found))

    def resolve(connection: Connection) -> Refreshed:
        row = turn.completed(connection, work.turn)
        return finish(connection) if row is None else told(row)

    return transaction(work.engine, finish, resolve=resolve)


def _leave_out_unknown(work: _Work, table: Table) -> int:
    """Leave out who is no user; return how many rows that are."""
    users = users_table(work.users)
    unknown = 0

    def write(low: object | None, size: int) -> object | None:
        def part(connection: Connection) -> tuple[object | None, int]:
            turn.keep(connection, work.turn, work.clock())
            high = None if work.only_users else end(connection, [select(table.c.user_id)], low, size)
            span = Span(low, high)
            return high, staging.leave_out_unknown(
                connection, table, users, work.users.key, span, only_users=work.only_users
            )

        nonlocal unknown
        high, left_out = transaction(work.engine, part)
        unknown += left_out
        return high

    walk(write, work.chunk)
    return unknown


def _survey(connection: Connection, work: _Work, table: Table) -> Survey:
    """Count what would change."""
    turn.keep(connection, work.turn, work.clock())
    if work.turn.is_untouched:
        return Survey(inside=0, leave=0, expected=0, changed=0)
    return difference.survey(connection, work.segment, table)


def _judge(work: _Work, survey: Survey, enter: int, limits: Limits) -> None:
    leave = survey.leave - survey.expected
    if leave >= limits.least_change and leave > limits.collapse * survey.inside:
        what = f"would lose {leave:,} of its {survey.inside:,} members (limits.collapse is {limits.collapse:g})"
    elif enter >= limits.least_change and enter > limits.explosion * survey.inside:
        what = f"has {survey.inside:,} members and would gain {enter:,} (limits.explosion is {limits.explosion:g})"
    else:
        return
    raise SegmentImplausible(
        f"Segment {work.segment} {what}; nothing was written.",
        advice=f"Look at the tables that the condition reads. If the change is right, run again with the tag {ACCEPT}.",
        place=work.condition.place,
    )


def _write(work: _Work, table: Table, survey: Survey, enter: int) -> None:
    """Write the history, chunk by chunk in the order of the keys; one chunk where the changes are few."""
    repairs = work.turn.repairs
    changes = survey.leave + survey.changed + enter
    if not changes and not repairs:
        return
    keys = [select(segment_members.c.user_id).where(inside(work.segment)), select(table.c.user_id)]

    def write(low: object | None, size: int) -> object | None:
        def part(connection: Connection) -> object | None:
            turn.keep(connection, work.turn, work.clock(), writes=True)
            # Whoever must make the chunks smaller than what is to be changed needs more than one.
            at_once = changes <= size and not repairs
            high = None if at_once else end(connection, keys, low, size)
            _write_chunk(connection, work, table, survey, enter, Span(low, high), repairs=repairs)
            return high

        def repair(connection: Connection) -> object | None:
            # Another range may end elsewhere now; so from here on all may have been written before.
            nonlocal repairs
            repairs = True
            return part(connection)

        return transaction(work.engine, part, resolve=repair)

    walk(write, work.chunk)


def _write_chunk(
    connection: Connection, work: _Work, table: Table, survey: Survey, enter: int, span: Span, *, repairs: bool
) -> None:
    segment, as_of = work.segment, work.turn.as_of
    users = users_table(work.users)
    if repairs:
        difference.forget_entries(connection, segment, table, as_of, span)
        difference.forget_exits(connection, segment, table, as_of, span)
    if survey.leave:
        difference.write_exits(connection, segment, table, as_of, span)
        difference.mark_gone(connection, segment, users, work.users.key, as_of, span)
    if survey.changed:
        difference.write_attributes(connection, segment, table, span)
    if enter or repairs:
        known = None if work.only_users else (users, work.users.key)
        difference.write_entries(
            connection, segment, table, as_of, span, known=known, any_inside=survey.inside > 0 or repairs
        )
