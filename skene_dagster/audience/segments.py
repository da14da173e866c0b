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
from sqlalchemy.exc import IntegrityError

from skene_dagster.audience import conditions, difference, staging, turn
from skene_dagster.audience.difference import Span, Survey, inside
from skene_dagster.audience.evaluation import Condition, evaluated
from skene_dagster.audience.heartbeat import beating
from skene_dagster.audience.turn import LEASE, Turn
from skene_dagster.errors import SegmentImplausible, StoreError
from skene_dagster.loops.plan import LoopPlan, StepPlan, segment_name
from skene_dagster.settings import Limits, Settings, Users
from skene_dagster.store.engine import Clock, transaction, users_table
from skene_dagster.store.tables import segment_members

CHUNK = 50_000
"""Keys per transaction of the history."""

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
    def again(segment: str, as_of: datetime, row: Row[Any], sql: str = "") -> "Refreshed":
        """Tell what an earlier refresh for the same as_of found, as it stands in the segment's row."""
        return Refreshed(
            segment, as_of, row.members, row.entered, row.exited, row.unknown_keys, already=True, sql=sql, seconds=0.0
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
) -> Refreshed:
    """Bring the step's segment to what its condition says at `as_of`. Doing it again changes nothing.

    Args:
        run_id: who refreshes, at most 64 characters; a run may take over from itself.
        accept_change: a person said that an implausible change is right.
        chunk: keys per transaction of the history.

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
    mine = _take_turn(engine, segment, run_id, as_of, clock)
    if mine is None:
        row = transaction(engine, lambda connection: turn.state(connection, segment))
        assert row is not None
        return Refreshed.again(segment, as_of, row, answer.sql)
    kept = step.email.row_columns if step.email else ()
    condition = Condition(answer.rows, kept, conditions.place_of(plan, step), step.timeout)
    work = _Work(engine, mine, settings.users, clock, condition, answer.only_users, chunk)
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


def _take_turn(engine: Engine, segment: str, owner: str, as_of: datetime, clock: Clock) -> Turn | None:
    def take(connection: Connection) -> Turn | None:
        if turn.state(connection, segment) is None:
            turn.introduce(connection, segment)
        return turn.take(connection, segment, owner=owner, as_of=as_of, now=clock(), lease=LEASE)

    try:
        return transaction(engine, take)
    except IntegrityError:
        # Another process introduced the segment at the same moment.
        return transaction(engine, take)


def _refresh(work: _Work, limits: Limits | None, started: datetime, sql: str) -> Refreshed:
    with evaluated(work.engine, work.condition, work.users, work.turn) as (table, rows):
        unknown, survey = transaction(work.engine, lambda connection: _look(connection, work, table))
        enter = rows - unknown - (survey.inside - survey.leave)
        if limits is not None and not work.turn.is_first:
            _judge(work, survey, enter, limits)
        _write(work, table, survey, enter)

    def finish(connection: Connection) -> Refreshed:
        members, entered = difference.count_inside(connection, work.segment, work.turn.as_of)
        exited = difference.count_exited(connection, work.segment, work.turn.as_of)
        now = work.clock()
        turn.complete(connection, work.turn, now, members=members, entered=entered, exited=exited, unknown_keys=unknown)
        seconds = (now - started).total_seconds()
        return Refreshed(
            work.segment,
            work.turn.as_of,
            members,
            entered,
            exited,
            unknown,
            already=False,
            sql=sql,
            seconds=seconds,
        )

    return transaction(work.engine, finish)


def _look(connection: Connection, work: _Work, table: Table) -> tuple[int, Survey]:
    """Leave out who is no user, and count what would change."""
    turn.keep(connection, work.turn, work.clock())
    users = users_table(work.users)
    unknown = staging.leave_out_unknown(connection, table, users, work.users.key, only_users=work.only_users)
    nobody = Survey(inside=0, leave=0, expected=0, changed=0)
    return unknown, nobody if work.turn.is_untouched else difference.survey(connection, work.segment, table)


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
    one_chunk = changes <= work.chunk and not repairs
    low: object | None = None
    while True:

        def write(connection: Connection, low: object | None = low) -> object | None:
            turn.keep(connection, work.turn, work.clock(), writes=True)
            high = None if one_chunk else difference.end_of_chunk(connection, work.segment, table, low, work.chunk)
            _write_chunk(connection, work, table, survey, enter, Span(low, high))
            return high

        low = transaction(work.engine, write)
        if low is None:
            return


def _write_chunk(connection: Connection, work: _Work, table: Table, survey: Survey, enter: int, span: Span) -> None:
    segment, as_of = work.segment, work.turn.as_of
    users = users_table(work.users)
    repairs = work.turn.repairs
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
