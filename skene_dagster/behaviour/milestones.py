"""What users have reached: the n-th use, so many days in a row, an anniversary. Reached once, for ever.

A late event may show that a milestone was reached earlier; none is ever revoked. Milestones reached before they were
known are recorded as well, but not celebrated (`since`). This module owns skene_milestones.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Date,
    Select,
    Subquery,
    delete,
    exists,
    func,
    insert,
    literal,
    not_,
    select,
    union_all,
)
from sqlalchemy.dialects import mysql, sqlite

from skene_dagster.behaviour.activity import each_day
from skene_dagster.behaviour.rollup import config
from skene_dagster.behaviour.rollup.chunks import Chunk
from skene_dagster.loops.planning.usage import MilestonePlan, UsagePlan
from skene_dagster.product import mapped_moments
from skene_dagster.settings import Milestone, Users
from skene_dagster.store.engine import is_sqlite, users_table
from skene_dagster.store.key_ranges import Span
from skene_dagster.store.moments import day_of, days_later, later
from skene_dagster.store.tables import Moment, milestones, user_days

rows = milestones.c


@dataclass(frozen=True)
class Count:
    """How many users have reached a milestone."""

    ever: int
    recorded_now: int
    """By the rollup for this as_of."""


def reached(name: str, milestone: Milestone) -> Select[Any]:
    """Select the users who have reached a milestone since its `since`, by user_id and reached_on.

    Without `since`, from the day of the first rollup that knew the present definition of the milestone.
    """
    since = celebrated_since(name, milestone)
    return select(rows.user_id, rows.reached_on).where(rows.milestone == name, rows.reached_on >= since)


def celebrated_since(name: str, milestone: Milestone) -> ColumnElement[Any]:
    """Say, inside a statement, since which day it matters that somebody reaches a milestone."""
    return config.known_since(f"milestone:{name}") if milestone.since is None else literal(milestone.since, Date)


def counts(connection: Connection, plan: UsagePlan, as_of: datetime) -> Mapping[str, Count]:
    """Count who has reached each milestone."""
    ever: dict[str, int] = dict(connection.execute(select(rows.milestone, func.count()).group_by(rows.milestone)).all())
    new = select(rows.milestone, func.count()).where(rows.recorded_at == as_of).group_by(rows.milestone)
    now: dict[str, int] = dict(connection.execute(new).all())
    return {found.name: Count(ever.get(found.name, 0), now.get(found.name, 0)) for found in plan.milestones}


def reached_by_day(connection: Connection, since: date) -> Mapping[tuple[str, date], int]:
    """Count who reached a milestone on a day or a later one, by milestone and day."""
    each = rows.milestone, rows.reached_on
    counted = select(*each, func.count()).where(rows.reached_on >= since).group_by(*each)
    return {(milestone, day): users for milestone, day, users in connection.execute(counted)}


def write(connection: Connection, plan: UsagePlan, chunk: Chunk, as_of: datetime) -> None:
    """Record what a chunk of users has reached by what they did."""
    counted = [milestone for milestone in plan.milestones if milestone.counted_as]
    if counted:
        _record(connection, _nth_uses(counted, chunk), as_of)
    for milestone in plan.milestones:
        if milestone.streak is not None:
            _record(connection, _streaks(plan, milestone.name, milestone.streak, chunk), as_of)


def write_anniversaries(
    connection: Connection, milestone: MilestonePlan, users: Users, span: Span, as_of: datetime
) -> None:
    """Record anniversaries for a range of users."""
    assert milestone.anniversary is not None
    assert users.created_at is not None
    people = users_table(users, users.created_at.column)
    key, raw = people.c[users.key], people.c[users.created_at.column]
    created = mapped_moments.of(connection, users.table, users.created_at, raw, "users.created_at")
    by = as_of - milestone.anniversary
    day = day_of(later(created.moment, milestone.anniversary))
    known = exists().where(rows.milestone == milestone.name, rows.user_id == key)
    found = select(literal(milestone.name), key, day, literal(as_of, Moment)).where(
        span.of(key), created.before(by + timedelta(microseconds=1)), created.moment <= literal(by, Moment), not_(known)
    )
    connection.execute(insert(milestones).from_select([column.name for column in milestones.columns], found))


def forget(connection: Connection, names: Iterable[str], span: Span) -> None:
    """Delete milestones for a range of users: they were redefined or removed."""
    connection.execute(delete(milestones).where(rows.milestone.in_(list(names)), span.of(rows.user_id)))


def _record(connection: Connection, found: Subquery, as_of: datetime) -> None:
    """Record who has reached what, and correct the day if it was earlier than recorded."""
    into = [column.name for column in milestones.columns]
    new = select(found.c.milestone, found.c.user_id, found.c.reached_on, literal(as_of, Moment))
    if is_sqlite(connection):
        # SQLite, 2026-11: without a WHERE it takes the ON of ON CONFLICT for that of a join.
        lite = sqlite.insert(milestones).from_select(into, new.where(literal(1) == 1))
        earlier = func.min(rows.reached_on, lite.excluded.reached_on, type_=Date)
        keys = [rows.milestone, rows.user_id]
        connection.execute(lite.on_conflict_do_update(index_elements=keys, set_={"reached_on": earlier}))
    else:
        served = mysql.insert(milestones).from_select(into, new)
        least = func.least(rows.reached_on, served.inserted.reached_on, type_=Date)
        connection.execute(served.on_duplicate_key_update(reached_on=least))


def _nth_uses(counted: Iterable[MilestonePlan], chunk: Chunk) -> Subquery:
    defined = union_all(
        *(
            select(
                literal(milestone.name).label("milestone"),
                literal(event).label("event"),
                literal(milestone.count).label("need"),
            )
            for milestone in counted
            for event in milestone.counted_as
        )
    ).subquery("defined")
    of = user_days.c
    each = defined.c.milestone, defined.c.need, of.user_id, of.day
    uses = func.sum(of.uses).label("uses")
    day = chunk.read(user_days, *each, uses, defined=defined).group_by(*each).subquery("each_day")
    by_then = func.sum(day.c.uses).over(partition_by=[day.c.milestone, day.c.user_id], order_by=day.c.day)
    run = select(*day.c, by_then.label("by_then")).subquery("run").c
    return (
        select(run.milestone, run.user_id, func.min(run.day, type_=Date).label("reached_on"))
        .where(run.by_then >= run.need)
        .group_by(run.milestone, run.user_id)
        .subquery("found")
    )


def _streaks(plan: UsagePlan, name: str, length: int, chunk: Chunk) -> Subquery:
    day = each_day(plan, chunk)
    first = func.lag(day.c.day, length - 1, type_=Date).over(partition_by=day.c.user_id, order_by=day.c.day)
    run = select(day.c.user_id, day.c.day, first.label("first")).subquery("run").c
    return (
        select(literal(name).label("milestone"), run.user_id, func.min(run.day, type_=Date).label("reached_on"))
        .where(run.first == days_later(run.day, 1 - length))
        .group_by(run.user_id)
        .subquery("found")
    )


def reached_on(connection: Connection, user_id: object, milestone: str) -> date | None:
    """Say on which day a user reached a milestone; None: they have not, as far as it is counted."""
    mine = (rows.user_id == user_id, rows.milestone == milestone)
    found: date | None = connection.execute(select(rows.reached_on).where(*mine)).scalar_one_or_none()
    return found
