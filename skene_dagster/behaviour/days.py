"""What each user did on each day (UTC), counted from the product's events where they are.

A day that a new or late event touches is counted again as a whole, never added to, so it does not matter how often, or
in which order, events are read. This module owns skene_user_days and skene_events_ahead.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Date,
    Select,
    Subquery,
    Table,
    delete,
    exists,
    func,
    insert,
    literal,
    not_,
    or_,
    select,
    union_all,
)

from skene_dagster.behaviour.product_events import Source, source
from skene_dagster.behaviour.rollup.chunks import delete_matching
from skene_dagster.loops.planning.usage import UsagePlan
from skene_dagster.product.joins import FromFew
from skene_dagster.store import staging_tables
from skene_dagster.store.key_ranges import Span
from skene_dagster.store.keys import Key
from skene_dagster.store.leasing.leases import Lease
from skene_dagster.store.moments import days_later
from skene_dagster.store.tables import OPEN, Moment, events_ahead, user_days

FIRST_DAY = date(1970, 1, 1)
"""Anything dated earlier is not an event: MySQL's zero date, a clock that was never set."""


@dataclass(frozen=True)
class Window:
    """The events that are read: those written in this window, or (without `arrived`) those that happened in it."""

    begin: datetime
    # SQLite would not use the index for an open-ended range.
    end: datetime = OPEN


def stage(connection: Connection, lease: Lease, key: Key) -> tuple[Table, Table]:
    """Create the tables of the touched days, by user_id and day, and of their users."""
    pairs = staging_tables.fresh(
        connection,
        lease,
        f"{lease.name}.pairs",
        Column("user_id", key.type, primary_key=True),
        Column("day", Date, primary_key=True),
    )
    people = staging_tables.fresh(
        connection, lease, f"{lease.name}.people", Column("user_id", key.type, primary_key=True)
    )
    return pairs, people


def touch(connection: Connection, pairs: Table, events: Source, window: Window, as_of: datetime) -> None:
    """Stage the days of the events in the window.

    The days of events later than as_of are recorded, because no later window finds them again.
    """
    rows = events.rows
    days = select(rows.c.user_id, rows.c.day)
    if events.arrived is None:
        _add(connection, pairs, days.where(*_before(events, as_of, max(FIRST_DAY, window.begin.date()))))
        return
    # The raw column beside our own form of it: an index knows only that one.
    arrived = [events.arrived.since(window.begin), events.arrived.before(_just_after(window.end))]
    arrived += [rows.c.arrived > literal(window.begin, Moment), rows.c.arrived <= literal(window.end, Moment)]
    # Without the raw column: SQLite would prefer an index on it, and read every user's events.
    happened = rows.c.at >= literal(FIRST_DAY, Date), rows.c.at < literal(as_of, Moment)
    _add(connection, pairs, days.where(*arrived, *happened))
    _add(connection, events_ahead, days.where(*arrived, rows.c.at >= literal(as_of, Moment)))


def keep_all_ahead(connection: Connection, events: Source, as_of: datetime) -> None:
    """Record the days of all events later than as_of."""
    rows = events.rows
    ahead = events.at.since(as_of.date()), rows.c.at >= literal(as_of, Moment)
    _add(connection, events_ahead, select(rows.c.user_id, rows.c.day).where(*ahead))


def touch_what_was_ahead(connection: Connection, pairs: Table, as_of: datetime) -> None:
    """Stage the days of events that an earlier rollup was too early for."""
    ahead = select(events_ahead.c.user_id, events_ahead.c.day).where(events_ahead.c.day <= as_of.date())
    _add(connection, pairs, ahead)


def touch_since(connection: Connection, pairs: Table, since: date) -> None:
    """Stage every day since then that was counted, because its events may be gone."""
    _add(connection, pairs, select(user_days.c.user_id, user_days.c.day).where(user_days.c.day >= since))


def leave_alone(connection: Connection, pairs: Table, since: date) -> int:
    """Remove the staged days before a day, whose events are no longer complete; return how many there were."""
    return connection.execute(delete(pairs).where(pairs.c.day < since)).rowcount


def touch_people(connection: Connection, people: Table, pairs: Table) -> int:
    """Stage the users of the staged days; return how many there are."""
    return connection.execute(insert(people).from_select(["user_id"], select(pairs.c.user_id).distinct())).rowcount


def forget_ahead(connection: Connection, as_of: datetime | None) -> None:
    """Forget the recorded days that are over at as_of, since all their events are counted; None: all of them."""
    over = [] if as_of is None else [events_ahead.c.day < as_of.date()]
    connection.execute(delete(events_ahead).where(*over))


def count_touched(connection: Connection, events: Source, pairs: Table, span: Span, as_of: datetime) -> None:
    """Count the staged days of a range of users again, whole."""
    delete_matching(connection, user_days, pairs, span, ["user_id", "day"])
    # TiDB, 2026-11: it looks up no events of few users where those are joined with events in a table of its own.
    events = events.as_written or events
    rows = events.rows
    few, on = events.naming.among(pairs, pairs.c.user_id, rows.c.user_id)
    on &= events.at.since(pairs.c.day)
    on &= events.at.before(days_later(pairs.c.day, 1))
    if not events.at.is_exact:
        on &= rows.c.day == pairs.c.day
    # Without an index on the product's table it is better to read the events once.
    both = FromFew(few, rows, on) if events.by_user else few.join(rows, on)
    within = select().select_from(both).where(span.of(pairs.c.user_id), *_before(events, as_of))
    within = within.prefix_with(f"/*+ INL_JOIN({rows.name}) */", dialect="mysql")
    _count(connection, events, within, pairs.c.user_id, pairs.c.day)


def count_all(
    connection: Connection,
    events: Source,
    span: Span,
    as_of: datetime,
    *,
    anew: bool,
    since: date,
    gone: Iterable[str],
) -> None:
    """Count all days of a range of users.

    Args:
        again: some were counted before.
        since: earlier days stay as they were counted, because their events are no longer complete.
        gone: names that are no longer features; what was counted under them is deleted in any case.
    """
    rows = events.rows
    if anew:
        stale = or_(user_days.c.day >= since, user_days.c.event.in_(list(gone)))
        connection.execute(delete(user_days).where(span.of(user_days.c.user_id), stale))
    within = select().select_from(rows).where(span.of(rows.c.user_id), *_before(events, as_of, since))
    _count(connection, events, within, rows.c.user_id, rows.c.day)


def known(
    connection: Connection,
    plan: UsagePlan,
    keys: Sequence[object] | Select[Any] | None,
    *,
    since: date,
    before: datetime,
    from_: date = FIRST_DAY,
) -> Subquery:
    """Select what some users did on each day, in the columns of skene_user_days, and write nothing.

    Args:
        keys: of the users; None: of everybody.
        since: the first day that is counted from the events themselves; earlier days are as the last rollup found
            them.
        before: events of this moment and later are left out.
        from_: earlier days are left out.
    """
    events = source(connection, plan)
    rows = events.rows
    as_rolled_up = select(*user_days.c).where(user_days.c.day >= from_, user_days.c.day < since)
    within = select().select_from(rows).where(*_before(events, before, since))
    if keys is not None:
        as_rolled_up = as_rolled_up.where(user_days.c.user_id.in_(keys))
        within = within.where(rows.c.user_id.in_(keys))
    return union_all(as_rolled_up, *_counts(events, within, rows.c.user_id, rows.c.day)).subquery("known_days")


def _count(
    connection: Connection, events: Source, within: Select[Any], user: ColumnElement[Any], day: ColumnElement[Any]
) -> None:
    into = [found.name for found in user_days.columns]
    for counted in _counts(events, within, user, day):
        connection.execute(insert(user_days).from_select(into, counted))


def _counts(
    events: Source, within: Select[Any], user: ColumnElement[Any], day: ColumnElement[Any]
) -> Iterator[Select[Any]]:
    """Select what was done on each day, in the columns of skene_user_days: the events, and each feature that is SQL."""
    rows = events.rows
    counted = [func.count(), func.min(rows.c.at), func.max(rows.c.at)]
    yield within.add_columns(user, day, rows.c.event, *counted).group_by(user, day, rows.c.event)
    for feature in events.sql_features:
        (name,) = feature.counted_as
        uses = within.add_columns(user, day, literal(name), *counted).where(rows.c[f"is_{feature.name}"] == 1)
        yield uses.group_by(user, day)


def _before(events: Source, as_of: datetime, since: date = FIRST_DAY) -> Iterable[ColumnElement[bool]]:
    # The raw column beside our own form of it: an index knows only that one.
    yield events.at.since(since)
    yield events.at.before(as_of.date() + timedelta(days=1))
    yield events.rows.c.at < literal(as_of, Moment)
    if not events.at.is_exact:
        yield events.rows.c.at >= literal(since, Date)


def _just_after(moment: datetime) -> datetime:
    return min(moment, OPEN - timedelta(microseconds=1)) + timedelta(microseconds=1)


def _add(connection: Connection, to: Table, days: Select[Any]) -> None:
    found = days.distinct().subquery("found")
    known = exists().where(to.c.user_id == found.c.user_id, to.c.day == found.c.day)
    connection.execute(insert(to).from_select(["user_id", "day"], select(found).where(not_(known))))
