"""What a rollup does, one transaction after the other, each of which asserts the lease.

First the days that new and late events touch are staged. Then chunk by chunk, in the order of the keys, these days are
counted again and all that follows from them is computed for their users, in one transaction. At last comes what time
alone changes. Only when all is done does the watermark move; so whoever dies on the way has it done again.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Select, Table, delete, func, select

from skene_dagster.behaviour import activity, adoption, days, engagement, milestones
from skene_dagster.behaviour.days import Window
from skene_dagster.behaviour.events import kept_since
from skene_dagster.behaviour.product_events import Source, own_names, source
from skene_dagster.behaviour.rollup import config
from skene_dagster.behaviour.rollup.chunks import Chunk
from skene_dagster.behaviour.rollup.config import Changes
from skene_dagster.errors import StoreError
from skene_dagster.loops.planning.usage import MilestonePlan, UsagePlan
from skene_dagster.settings import OWN_EVENTS, Users
from skene_dagster.store import keys, staging_tables
from skene_dagster.store.engine import Clock, transaction, users_table
from skene_dagster.store.key_ranges import Span, end, walk
from skene_dagster.store.leasing import leases
from skene_dagster.store.leasing.leases import Lease
from skene_dagster.store.tables import user_days

OVERLAP = timedelta(minutes=10)
"""How long before the last rollup events are looked at again: what was written first may be committed later."""

SLICE = timedelta(days=1)
"""Of what arrived, so much is looked at in one statement."""

Result = TypeVar("Result")


@dataclass(frozen=True)
class Done:
    """What was looked at."""

    everybody: bool
    users: int | None
    days: int | None
    too_late: int = 0
    """Days that events touched which are no longer counted again: their other events are deleted."""
    since: date | None = None
    """Where all days were counted again: the first of them, if those before it stayed as they were."""


@dataclass(frozen=True)
class _Work:
    """One rollup on its way."""

    engine: Engine
    lease: Lease
    plan: UsagePlan
    users: Users
    clock: Clock
    size: int
    started: datetime
    source: Source
    changes: Changes
    watermark: datetime | None
    """Of the last rollup; None when there is none, or when all its days are to be counted again."""
    kept_since: date
    """The first day of which all events are there. What was counted of those before it stays."""
    pairs: Table
    """The touched days, by user_id and day."""
    people: Table
    """Their users; later those whose level is due."""

    @property
    def as_of(self) -> datetime:
        return self.lease.as_of

    @property
    def anew(self) -> bool:
        """Something may have been written before."""
        return not self.lease.is_untouched

    @property
    def by_arrival(self) -> bool:
        return self.plan.events.arrived is not None

    def write(self, part: Callable[[Connection], Result]) -> Result:
        """Do a part of the work in a transaction that asserts the lease."""

        def asserted(connection: Connection) -> Result:
            leases.keep(connection, self.lease, self.clock(), writes=True)
            return part(connection)

        return transaction(self.engine, asserted)


def all_of_them(
    engine: Engine, mine: Lease, *, plan: UsagePlan, users: Users, clock: Clock, size: int, started: datetime
) -> Done:
    """Do all that a rollup does.

    Args:
        started: when it began; what arrives later is the next one's.
    """

    def look(connection: Connection) -> _Work:
        leases.keep(connection, mine, clock())
        key = keys.common_key(connection, users)
        changes = config.changes(connection, plan.digests)
        leases.doubt_the_watermark(connection, mine.name, clock())
        row = leases.state(connection, mine.name, mine.kind)
        watermark = None if changes.events or row is None else row.watermark
        kept = kept_since(connection) if plan.events == OWN_EVENTS else None
        events, since = source(connection, plan), kept or days.FIRST_DAY
        staged = days.stage(connection, mine, key)
        return _Work(engine, mine, plan, users, clock, size, started, events, changes, watermark, since, *staged)

    work = transaction(engine, look)
    try:
        return _do(work)
    finally:
        # What cannot be dropped now is dropped by the next rollup.
        with suppress(StoreError):
            transaction(engine, lambda connection: staging_tables.drop(connection, work.pairs))
            transaction(engine, lambda connection: staging_tables.drop(connection, work.people))


def _do(work: _Work) -> Done:
    all_days = work.watermark is None
    everybody = all_days or work.changes.rest
    if work.watermark is not None:
        users, touched, too_late = _touch(work, work.watermark)
        done = Done(everybody, None if everybody else users, touched, too_late)
    else:
        since = work.kept_since if work.kept_since > days.FIRST_DAY else None
        done = Done(everybody, None, None, since=since)
        if work.by_arrival:
            work.write(partial(_keep_all_ahead, work))
    if everybody or done.users:
        _write_touched(work, everybody=everybody, all_days=all_days)
    _write_due(work)
    for feature in work.plan.features:
        while work.write(partial(adoption.lapse, feature=feature, as_of=work.as_of, size=work.size)):
            pass
    for milestone in work.plan.milestones:
        if milestone.anniversary is not None:
            _write_anniversaries(work, milestone)
    work.write(partial(_finish, work))
    return done


def _touch(work: _Work, watermark: datetime) -> tuple[int, int, int]:
    """Stage the days that new and late events touch, and their users.

    Returns:
        How many users and days, and how many days are left alone.
    """
    for window in _windows(work, watermark):
        work.write(partial(days.touch, pairs=work.pairs, events=work.source, window=window, as_of=work.as_of))

    def rest(connection: Connection) -> tuple[int, int, int]:
        if work.by_arrival:
            days.touch_what_was_ahead(connection, work.pairs, work.as_of)
        else:
            days.touch_since(connection, work.pairs, (watermark - work.plan.events.late).date())
        too_late = days.leave_alone(connection, work.pairs, work.kept_since)
        users = days.touch_people(connection, work.people, work.pairs)
        return users, connection.execute(select(func.count()).select_from(work.pairs)).scalar_one(), too_late

    return work.write(rest)


def _windows(work: _Work, watermark: datetime) -> Iterator[Window]:
    """Cut what is to be looked at into parts; the last has no end, for clocks differ."""
    if not work.by_arrival:
        yield Window(watermark - work.plan.events.late)
        return
    begin = watermark - OVERLAP
    while begin + SLICE < work.started:
        yield Window(begin, begin + SLICE)
        begin += SLICE
    yield Window(begin)


def _keep_all_ahead(work: _Work, connection: Connection) -> None:
    days.forget_ahead(connection, None)
    days.keep_all_ahead(connection, work.source, work.as_of)


def _write_touched(work: _Work, *, everybody: bool, all_days: bool) -> None:
    """Count days, and compute what follows from them."""
    people = None if everybody else work.people
    counted = [select(work.source.rows.c.user_id if all_days else work.pairs.c.user_id)]
    gone = set(work.changes.other_features) - set(own_names(work.plan))
    # The days that are known of those users are read again, however few are touched.
    if work.anew:
        counted.append(Chunk(Span(), people).keys(user_days))

    def write(connection: Connection, span: Span) -> None:
        if all_days:
            days.count_all(
                connection, work.source, span, work.as_of, anew=work.anew, since=work.kept_since, gone=sorted(gone)
            )
        else:
            days.count_touched(connection, work.source, work.pairs, span, work.as_of)
        if work.changes.other_milestones:
            milestones.forget(connection, work.changes.other_milestones, span)
        chunk = Chunk(span, people)
        activity.write(connection, work.plan, chunk, anew=work.anew)
        adoption.write(connection, work.plan, chunk, work.as_of, anew=work.anew)
        milestones.write(connection, work.plan, chunk, work.as_of)
        engagement.write(connection, work.plan.levels, chunk, work.as_of, anew=work.anew)

    _by_chunks(work, counted, write)


def _write_due(work: _Work) -> None:
    """Change the levels that end because nothing was done."""

    def write(low: object | None, size: int) -> object | None:
        def part(connection: Connection) -> object | None:
            connection.execute(delete(work.people))
            high = engagement.due(connection, work.people, work.as_of, low, size)
            chunk = Chunk(Span(), work.people)
            engagement.write(connection, work.plan.levels, chunk, work.as_of, anew=True)
            return high

        return work.write(part)

    walk(write, work.size)


def _write_anniversaries(work: _Work, milestone: MilestonePlan) -> None:
    def write(connection: Connection, span: Span) -> None:
        milestones.write_anniversaries(connection, milestone, work.users, span, work.as_of)

    _by_chunks(work, [select(users_table(work.users).c[work.users.key])], write)


def _by_chunks(work: _Work, counted: Sequence[Select[Any]], write: Callable[[Connection, Span], None]) -> None:
    """Write for each range of keys with about so many rows, a transaction each; the ranges leave no key out."""

    def write_range(low: object | None, size: int) -> object | None:
        def part(connection: Connection) -> object | None:
            high = end(connection, counted, low, size)
            write(connection, Span(low, high))
            return high

        return work.write(part)

    walk(write_range, work.size)


def _finish(work: _Work, connection: Connection) -> None:
    config.remember(connection, work.plan.digests, work.as_of)
    if work.by_arrival:
        days.forget_ahead(connection, work.as_of)
    watermark = work.started if work.by_arrival else work.as_of
    leases.complete(connection, work.lease, work.clock(), watermark=watermark)
