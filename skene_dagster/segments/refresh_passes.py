"""One refresh on its way: the condition's answer is compared with those inside, checked, and written chunk by chunk.

Where nobody is inside, and nothing has to be checked, an answer from the users table alone is written as it is found.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Row, Table, select

from skene_dagster.errors import SegmentImplausible
from skene_dagster.segments import difference, evaluation, staging
from skene_dagster.segments.difference import Survey
from skene_dagster.segments.evaluation import Work
from skene_dagster.settings import Limits
from skene_dagster.store.engine import reading, transaction, users_table
from skene_dagster.store.key_ranges import Parts, Span, end, walk
from skene_dagster.store.leasing import leases


def refreshed(work: Work) -> Row[Any]:
    """Bring the segment to what its condition says; return its row as it is then.

    Raises:
        SegmentBusy, SegmentImplausible, SegmentTimeout, SegmentError, StoreError: as `segments.refresh` does.
    """
    if work.lease.repairs:
        _take_back(work)
    any_inside = reading(work.engine, lambda connection: difference.any_inside(connection, work.segment))
    limits = None if work.lease.is_first else work.limits
    # How many enter a segment that was emptied has to be judged before anything is written.
    if work.condition.answer.users_alone and not any_inside and limits is None:
        evaluation.enter_all(work)
        unknown = evaluation.count_without_user(work)
    else:
        with _changes(work, any_inside=any_inside) as (changes, survey, unknown):
            if limits is not None:
                _judge(work, survey, limits)
            _write(work, changes, survey, any_inside=any_inside)

    def finish(connection: Connection) -> Row[Any]:
        members, entered = difference.count_inside(connection, work.segment, work.lease.as_of)
        exited = difference.count_exited(connection, work.segment, work.lease.as_of)
        found = {"members": members, "entered": entered, "exited": exited, "unknown_keys": unknown}
        # What a person accepted is used up, by whichever clock it was.
        return leases.complete(connection, work.lease, work.clock(), accepted_at=None, **found)

    def resolve(connection: Connection) -> Row[Any]:
        return leases.completed(connection, work.lease) or finish(connection)

    return transaction(work.engine, finish, resolve=resolve)


@contextmanager
def _changes(work: Work, *, any_inside: bool) -> Iterator[tuple[Table, Survey, int]]:
    """Find what changes; yield it, counted, and how many rows of the answer were left out."""
    if any_inside and work.condition.answer.plain:
        with evaluation.compared(work, None) as changes:
            yield changes, _survey(work, changes), evaluation.count_without_user(work)
        return
    with evaluation.staged(work) as (answer, rows):
        unknown = _leave_out_unknown(work, answer)
        if not any_inside:
            # All of the answer enters: whoever wrote down the changes would only copy it.
            yield answer, Survey(rows - unknown, leave=0, expected=0, differ=0), unknown
            return
        with evaluation.compared(work, answer) as changes:
            yield changes, _survey(work, changes), unknown


def _survey(work: Work, changes: Table) -> Survey:
    return reading(work.engine, lambda connection: difference.survey(connection, changes))


def _take_back(work: Work) -> None:
    """Take back what a refresh for this as_of wrote before it died; the condition may say something else by now."""
    segment, as_of = work.segment, work.lease.as_of
    written = difference.written_at(segment, as_of)

    def forget(low: object | None, size: int) -> object | None:
        def part(connection: Connection) -> object | None:
            leases.keep(connection, work.lease, work.clock(), writes=True)
            high = end(connection, written, low, size)
            difference.forget(connection, segment, as_of, Span(low, high))
            return high

        return transaction(work.engine, part, resolve=part)

    walk(forget, work.chunk)


def _leave_out_unknown(work: Work, table: Table) -> int:
    """Leave out who is no user; return how many rows that are."""
    users, only_users = users_table(work.users), work.condition.answer.only_users

    def leave_out(connection: Connection, span: Span) -> int:
        leases.keep(connection, work.lease, work.clock())
        return staging.leave_out_unknown(connection, table, users, work.users.key, span, only_users=only_users)

    parts = Parts(work.engine, leave_out, [select(table.c.user_id)], work.chunk)
    return parts.at_once() if only_users else parts.by_ranges()


def _judge(work: Work, survey: Survey, limits: Limits) -> None:
    inside, enter, leave = work.members, survey.enter, survey.leave - survey.expected
    if leave >= limits.least_change and leave > limits.collapse * inside:
        what = f"would lose {leave:,} of its {inside:,} members (limits.collapse is {limits.collapse:g})"
    elif enter >= limits.least_change and enter > limits.explosion * inside:
        what = f"has {inside:,} members and would gain {enter:,} (limits.explosion is {limits.explosion:g})"
    else:
        return
    loop, _, step = work.segment.name.partition(".")
    raise SegmentImplausible(
        f"Segment {work.segment.name} {what}; nothing was written.",
        advice="Look at the tables that the condition reads. If the change is right, accept it and run the loop again: "
        f"skene-dagster accept {loop} --step {step}",
        place=work.condition.place,
    )


def _write(work: Work, changes: Table, survey: Survey, *, any_inside: bool) -> None:
    """Write the history, chunk by chunk in the order of the keys; one chunk where the changes are few."""
    number = survey.enter + survey.leave + survey.differ
    if not number:
        return

    def write(low: object | None, size: int) -> object | None:
        def part(connection: Connection) -> object | None:
            leases.keep(connection, work.lease, work.clock(), writes=True)
            # Whoever must make the chunks smaller than what is to be changed needs more than one.
            high = None if number <= size else end(connection, [select(changes.c.user_id)], low, size)
            _write_chunk(connection, work, changes, survey, Span(low, high), any_inside=any_inside)
            return high

        def again(connection: Connection) -> object | None:
            # The changes are the same, so it is the same range; those of it who entered may be inside by now.
            nonlocal any_inside
            any_inside = True
            return part(connection)

        return transaction(work.engine, part, resolve=again)

    walk(write, work.chunk)


def _write_chunk(
    connection: Connection, work: Work, changes: Table, survey: Survey, span: Span, *, any_inside: bool
) -> None:
    segment, as_of = work.segment, work.lease.as_of
    users = users_table(work.users)
    if survey.leave:
        difference.write_exits(connection, segment, changes, as_of, span)
        difference.mark_gone(connection, segment, users, work.users.key, as_of, span)
    if survey.differ:
        difference.write_attributes(connection, segment, changes, span)
    if survey.enter:
        known = None if work.condition.answer.only_users else (users, work.users.key)
        difference.write_entries(connection, segment, changes, as_of, span, known=known, any_inside=any_inside)
