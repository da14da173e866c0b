"""Each user's activity: since when, until when, on how many days, and when they last came back.

It is computed from the days alone, and together with them. Nothing here changes as time passes; `engagement` handles
that. This module owns skene_user_activity.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Subquery, case, func, insert, or_, select
from sqlalchemy.sql.selectable import NamedFromClause

from skene_dagster.behaviour.product_events import own_names
from skene_dagster.behaviour.rollup.chunks import Chunk
from skene_dagster.loops.planning.usage import UsagePlan
from skene_dagster.settings import Levels
from skene_dagster.store.moments import days_later, later, midnight
from skene_dagster.store.tables import user_activity, user_days


@dataclass(frozen=True)
class Trend:
    """The activity of all users together."""

    users: int
    """Who was ever active."""
    active_today: int
    """Who was active on the day of as_of."""
    uses_today: int
    active_before: int
    """Who was active on the previous day, which is over."""
    uses_before: int


def write(connection: Connection, plan: UsagePlan, chunk: Chunk, *, anew: bool) -> None:
    """Compute the activity of a chunk of users.

    Args:
        again: it may have been computed before.
    """
    if anew:
        chunk.forget(connection, user_activity)
    into = [found.name for found in user_activity.columns]
    connection.execute(insert(user_activity).from_select(into, computed(plan, chunk)))


def trend(connection: Connection, plan: UsagePlan, as_of: datetime) -> Trend:
    """Count the users who were recently active."""
    users = connection.execute(select(func.count()).select_from(user_activity)).scalar_one()
    today, before = (_on(connection, plan, day) for day in (as_of.date(), as_of.date() - timedelta(days=1)))
    return Trend(users, *today, *before)


def last_active(user_id: ColumnElement[Any]) -> ColumnElement[datetime]:
    """Say when the user of a column was last active; NULL where that is not known."""
    known = user_activity.c
    return select(known.last_at).where(known.user_id == user_id).scalar_subquery()


def last_active_of(connection: Connection, keys: Sequence[object]) -> dict[object, datetime]:
    """Say when users were last active; without those of whom it is not known."""
    known = user_activity.c
    rows = connection.execute(select(known.user_id, known.last_at).where(known.user_id.in_(keys)))
    return {row.user_id: row.last_at for row in rows}


def each_day(plan: UsagePlan, chunk: Chunk, counted: NamedFromClause = user_days) -> Subquery:
    """Select each day on which a user did anything: user_id, day, uses, first_at, last_at."""
    of = counted.c
    columns = [
        of.user_id,
        of.day,
        func.sum(of.uses).label("uses"),
        func.min(of.first_at, type_=of.first_at.type).label("first_at"),
        func.max(of.last_at, type_=of.last_at.type).label("last_at"),
    ]
    read = chunk.read(counted, *columns).where(*real(plan, counted))
    return read.group_by(of.user_id, of.day).subquery("each_day")


def computed(plan: UsagePlan, chunk: Chunk, counted: NamedFromClause = user_days) -> Select[Any]:
    """Select the activity of a chunk of users, in the columns of skene_user_activity.

    Args:
        counted: the days that it is computed from.
    """
    day = each_day(plan, chunk, counted)
    levels = plan.levels

    def back(column: ColumnElement[Any], by: int) -> ColumnElement[Any]:
        lag = func.lag(column, by, type_=column.type)
        return lag.over(partition_by=day.c.user_id, order_by=day.c.day)

    seen = select(
        *day.c,
        back(day.c.last_at, 1).label("before"),
        # The power-th last day, this one included, and the one before that.
        back(day.c.day, levels.power - 1).label("nth"),
        back(day.c.day, levels.power).label("next"),
    ).subquery("seen")
    of = seen.c
    is_power = of.nth >= _window_begin(of.day, levels)
    was_power = of.next >= _window_begin(of.day, levels)
    back_from_slipping = _last(of.first_at, later(of.before, levels.slipping) <= of.first_at)
    return select(
        of.user_id,
        func.min(of.first_at).label("first_at"),
        func.max(of.last_at).label("last_at"),
        func.count().label("days"),
        func.sum(of.uses).label("uses"),
        func.coalesce(back_from_slipping, func.min(of.first_at)).label("active_since"),
        _last(of.first_at, later(of.before, levels.dormant) <= of.first_at).label("returned_at"),
        _last(of.first_at, is_power & or_(of.next.is_(None), ~was_power)).label("power_since"),
        _last(midnight(days_later(of.nth, levels.window.days)), is_power).label("power_until"),
    ).group_by(of.user_id)


def _window_begin(day: ColumnElement[Any], levels: Levels) -> ColumnElement[Any]:
    """Return the first day of the window that ends with a day."""
    return days_later(day, 1 - levels.window.days)


def _last(value: ColumnElement[Any], where: ColumnElement[bool]) -> ColumnElement[Any]:
    return func.max(case((where, value)))


def real(plan: UsagePlan, counted: NamedFromClause = user_days) -> list[ColumnElement[bool]]:
    """Say of a day that it is of something that the user did, and not of the uses of a feature that are SQL."""
    names = own_names(plan)
    return [counted.c.event.not_in(names)] if names else []


def _on(connection: Connection, plan: UsagePlan, day: date) -> tuple[int, int]:
    of = user_days.c
    query = select(func.count(of.user_id.distinct()), func.sum(of.uses)).where(of.day == day, *real(plan))
    users, uses = connection.execute(query).one()
    return int(users), int(uses or 0)


def last_activity_of(connection: Connection, user_id: object) -> datetime | None:
    """Say when a user did something last, as far as it is counted; None: never."""
    query = select(user_activity.c.last_at).where(user_activity.c.user_id == user_id)
    found: datetime | None = connection.execute(query).scalar_one_or_none()
    return found
