"""Each user's level of engagement, since when, and their earlier levels.

The level depends only on a user's activity and the time; docs/engagement.md defines each. `entered_at` is the moment at
which it really began, not that of the rollup that found it; the history is what rollups found. This module owns
skene_engagement_levels.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, get_args

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Table,
    Update,
    and_,
    case,
    exists,
    func,
    insert,
    literal,
    not_,
    or_,
    select,
    update,
)
from sqlalchemy.sql.selectable import NamedFromClause

from skene_dagster.behaviour.rollup.chunks import Chunk
from skene_dagster.settings import Level, Levels
from skene_dagster.store.key_ranges import Span
from skene_dagster.store.moments import day_of, earliest, later, latest
from skene_dagster.store.sweeping import Swept, sweep
from skene_dagster.store.tables import OPEN, Moment, engagement_levels, user_activity

LEVELS: tuple[Level, ...] = get_args(Level)
"""From new to lost, as a table shows them."""

rows = engagement_levels.c
activity = user_activity.c


def at_level(
    level: Level, *, as_of: datetime, for_: timedelta | None = None, levels: NamedFromClause = engagement_levels
) -> Select[Any]:
    """Select the users who are at a level, and have been for at least so long: user_id, level, since.

    Args:
        levels: who is at which level, in the columns of skene_engagement_levels.
    """
    rows = levels.c
    found = select(rows.user_id, rows.level, rows.entered_at.label("since")).where(
        rows.left_at == OPEN, rows.level == level
    )
    return found if for_ is None else found.where(rows.entered_at <= as_of - for_)


def entries(level: str) -> Select[Any]:
    """Select when users entered a level, as far as rollups found them there: user_id, entered_at."""
    return select(rows.user_id, rows.entered_at).where(rows.level == level)


def sizes(connection: Connection) -> Mapping[Level, int]:
    """Count the users at each level; all levels are there."""
    counted = select(rows.level, func.count()).where(rows.left_at == OPEN).group_by(rows.level)
    found: dict[str, int] = dict(connection.execute(counted).all())
    return {level: found.get(level, 0) for level in LEVELS}


@dataclass(frozen=True)
class Stay:
    """How many users began at a level on the same day, and left it on the same day."""

    level: Level
    entered_on: date | None
    """None: before the days that were asked about."""
    left_on: date | None
    """None: they are at it."""
    users: int


def stays(connection: Connection, since: datetime) -> list[Stay]:
    """Count the users at each level at a moment and since then, by the days on which they came and went."""
    entered = case((rows.entered_at > since, day_of(rows.entered_at))).label("entered_on")
    left = case((rows.left_at != OPEN, day_of(rows.left_at))).label("left_on")
    each = rows.level, entered, left
    # All of it is in the index on left_at.
    counted = select(*each, func.count()).where(rows.left_at > since).group_by(*each)
    return [Stay(*row) for row in connection.execute(counted)]


def moves(connection: Connection, since: datetime) -> Mapping[tuple[Level, Level], int]:
    """Count the users who are at another level than at a moment: by that one, and by the present one."""
    then, now = engagement_levels.alias("then_"), engagement_levels.alias("now_")
    before = and_(then.c.user_id == now.c.user_id, then.c.left_at > since, then.c.left_at != OPEN)
    moved = (
        select(then.c.level, now.c.level, func.count())
        .select_from(now.join(then, before))
        .where(now.c.left_at == OPEN, now.c.entered_at > since, then.c.entered_at <= since)
        .where(then.c.level != now.c.level)
        .group_by(then.c.level, now.c.level)
    )
    return {(before_, now_): users for before_, now_, users in connection.execute(moved)}


def write(connection: Connection, levels: Levels, chunk: Chunk, as_of: datetime, *, anew: bool) -> None:
    """Update the levels of a chunk of users to what their activity says at as_of.

    Rows for a time after the new level's beginning are deleted: late events have proved them wrong.

    Args:
        again: they may have been written before.
    """
    now = _now(levels, as_of)
    if anew:
        _take_back(connection, now, chunk)
        _close(connection, now, chunk)
        _postpone(connection, now, chunk)
    open_row = exists().where(rows.user_id == activity.user_id, rows.left_at == OPEN)
    entered = computed(levels, chunk, as_of)
    if anew:
        entered = entered.where(not_(open_row))
    into = ["user_id", "left_at", "level", "entered_at", "changes_at"]
    connection.execute(insert(engagement_levels).from_select(into, entered))


def computed(levels: Levels, chunk: Chunk, as_of: datetime, active: NamedFromClause = user_activity) -> Select[Any]:
    """Select at which level each of a chunk of users is at as_of, in the columns of skene_engagement_levels.

    Args:
        active: the activity that it is computed from.
    """
    now = _now(levels, as_of, active)
    return chunk.read(
        active,
        active.c.user_id,
        literal(OPEN, Moment).label("left_at"),
        now.level.label("level"),
        now.entered_at.label("entered_at"),
        now.changes_at.label("changes_at"),
    )


def due(connection: Connection, people: Table, as_of: datetime, low: object, size: int) -> object | None:
    """Stage users whose level ends by as_of if they did nothing; return the last of them, None when these are all."""
    found = (
        select(rows.user_id)
        .where(rows.left_at == OPEN, rows.changes_at <= as_of, Span(low).of(rows.user_id))
        .order_by(rows.user_id)
        .limit(size)
    )
    staged = connection.execute(insert(people).from_select(["user_id"], found)).rowcount
    if staged < size:
        return None
    last: object = connection.execute(select(func.max(people.c.user_id))).scalar_one()
    return last


def forget_left(connection: Connection, *, before: datetime, since: datetime | None, size: int) -> Swept:
    """Delete past levels that users left before a moment."""
    index = "skene_engagement_levels_level"
    return sweep(connection, engagement_levels, rows.left_at, index, before=before, since=since, size=size)


@dataclass(frozen=True)
class _Now:
    """What a user's activity says of their level, as expressions over it."""

    level: ColumnElement[Any]
    entered_at: ColumnElement[Any]
    changes_at: ColumnElement[Any]


def _now(levels: Levels, as_of: datetime, known: NamedFromClause = user_activity) -> _Now:
    a = known.c
    slips, falls = later(a.last_at, levels.slipping), later(a.last_at, levels.dormant)
    grown = later(a.first_at, levels.new)
    # Users who never came back settled before they began.
    settled = func.coalesce(later(a.returned_at, levels.resurrected), a.active_since, type_=Moment)
    no_power = func.coalesce(a.power_until, a.active_since, type_=Moment)
    cases: list[tuple[Level, ColumnElement[bool], ColumnElement[Any], ColumnElement[Any]]] = [
        ("dormant", a.last_at <= as_of - levels.dormant, falls, literal(OPEN, Moment)),
        ("slipping", a.last_at <= as_of - levels.slipping, slips, falls),
        ("resurrected", a.returned_at > as_of - levels.resurrected, a.active_since, earliest(slips, settled)),
        ("new", a.first_at > as_of - levels.new, latest(a.active_since, settled), earliest(slips, grown)),
        (
            "power",
            a.power_until > as_of,
            latest(a.active_since, settled, grown, func.coalesce(a.power_since, a.active_since, type_=Moment)),
            earliest(slips, no_power),
        ),
    ]
    active = latest(a.active_since, settled, grown, no_power)
    return _Now(
        case(*((where, level) for level, where, _, _ in cases), else_="active"),
        case(*((where, since) for _, where, since, _ in cases), else_=active),
        case(*((where, until) for _, where, _, until in cases), else_=slips),
    )


def _take_back(connection: Connection, now: _Now, chunk: Chunk) -> None:
    """Delete what began when the level of now had begun already, and all of those who did nothing after all."""
    mine = exists().where(activity.user_id == rows.user_id)
    stale = mine.where(now.entered_at <= rows.entered_at, not_(_is_as_now(now)))
    chunk.forget(connection, engagement_levels, or_(stale, not_(mine)))


def _close(connection: Connection, now: _Now, chunk: Chunk) -> None:
    """End what lasted longer than the level of now says when that began."""
    lasted = (rows.left_at > now.entered_at, not_(_is_as_now(now)))
    connection.execute(_changed(connection, chunk).where(*lasted).values(left_at=now.entered_at))


def _postpone(connection: Connection, now: _Now, chunk: Chunk) -> None:
    """Say of those who stay where they are when that ends."""
    stays = (rows.left_at == OPEN, rows.changes_at != now.changes_at)
    connection.execute(_changed(connection, chunk).where(*stays).values(changes_at=now.changes_at))


def _changed(connection: Connection, chunk: Chunk) -> Update:
    """Begin an UPDATE of the levels of a chunk of users by their activity."""
    theirs = (chunk.among(connection, engagement_levels), activity.user_id == rows.user_id)
    return chunk.by_index(update(engagement_levels).where(*theirs), engagement_levels, user_activity)


def _is_as_now(now: _Now) -> ColumnElement[bool]:
    return and_(rows.left_at == OPEN, rows.level == now.level, rows.entered_at == now.entered_at)


def level_of(connection: Connection, user_id: object) -> tuple[Level, datetime] | None:
    """Say at which level a user is, and since when; None: they never did anything, or levels are not counted."""
    mine = (rows.user_id == user_id, rows.left_at == OPEN)
    found = connection.execute(select(rows.level, rows.entered_at).where(*mine)).one_or_none()
    return None if found is None else (found.level, found.entered_at)
