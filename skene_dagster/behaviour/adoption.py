"""Who has tried, adopted or lapsed from each feature of the product, and since when.

Users who used a feature have tried it. Users who used it often enough on enough days have adopted it. Users who adopted
it but have not used it for a while have lapsed, until they use it again. Users who never used it are untried and have
no row. This module owns skene_feature_adoption.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Integer,
    Select,
    Subquery,
    and_,
    case,
    func,
    insert,
    literal,
    not_,
    null,
    or_,
    select,
    union_all,
    update,
)
from sqlalchemy.sql.selectable import NamedFromClause

from skene_dagster.behaviour.rollup.chunks import Chunk
from skene_dagster.errors import SettingsError
from skene_dagster.loops.planning.usage import FeaturePlan, UsagePlan
from skene_dagster.product import mapped_moments
from skene_dagster.settings import FILE, Users
from skene_dagster.store.engine import users_table
from skene_dagster.store.moments import later
from skene_dagster.store.tables import Moment, feature_adoption, user_days

State = Literal["untried", "tried", "adopted", "lapsed"]

rows = feature_adoption.c


@dataclass(frozen=True)
class Funnel:
    """How many users are in each state with a feature."""

    untried: int
    tried: int
    adopted: int
    lapsed: int


def in_state(
    connection: Connection,
    feature: str,
    state: State,
    *,
    as_of: datetime,
    for_: timedelta | None = None,
    users: Users,
    adoption: NamedFromClause = feature_adoption,
) -> Select[Any]:
    """Select the users who are in a state with a feature, and have been for at least so long, by user_id.

    Unless the state is untried, there are also: since, first_at, last_at, uses, days.

    Args:
        adoption: who is in which state, in the columns of skene_feature_adoption.

    Raises:
        SettingsError: how long a user has not tried a feature is counted from sign-up, whose column is not set.
    """
    rows = adoption.c
    since = None if for_ is None else as_of - for_
    if state != "untried":
        told = rows.state_since.label("since"), rows.first_at, rows.last_at, rows.uses, rows.days
        found = select(rows.user_id, *told).where(rows.feature == feature, rows.state == state)
        return found if since is None else found.where(rows.state_since <= since)
    if for_ is not None and users.created_at is None:
        raise SettingsError(
            "How long somebody has not tried a feature is counted from `users.created_at`, which is not set.",
            advice=f"Set users.created_at in {FILE}, or leave `for` out.",
        )
    people = users_table(users, *([users.created_at.column] if users.created_at else []))
    key = people.c[users.key]
    tried = select(rows.user_id).where(rows.feature == feature)
    untried = select(key.label("user_id")).where(key.not_in(tried))
    if since is None or users.created_at is None:
        return untried
    raw = people.c[users.created_at.column]
    created = mapped_moments.of(connection, users.table, users.created_at, raw, "users.created_at")
    by_then = created.before(since + timedelta(microseconds=1))
    return untried.where(by_then, created.moment <= literal(since, Moment))


def funnels(connection: Connection, features: Iterable[FeaturePlan], users: Users) -> Mapping[str, Funnel]:
    """Count the users by feature and state; only those who are still users."""
    people = users_table(users)
    total = connection.execute(select(func.count()).select_from(people)).scalar_one()
    counted = (
        select(rows.feature, rows.state, func.count())
        .select_from(feature_adoption.join(people, people.c[users.key] == rows.user_id))
        .group_by(rows.feature, rows.state)
    )
    found: dict[tuple[str, str], int] = {(feature, state): n for feature, state, n in connection.execute(counted)}
    counts = {}
    for feature in features:
        tried, adopted, lapsed = (found.get((feature.name, state), 0) for state in ("tried", "adopted", "lapsed"))
        counts[feature.name] = Funnel(total - tried - adopted - lapsed, tried, adopted, lapsed)
    return counts


def changed(connection: Connection, since: datetime) -> Mapping[tuple[str, State], int]:
    """Count the users who are in a state with a feature since a moment or later, by feature and state."""
    counted = select(rows.feature, rows.state, func.count()).where(rows.state_since > since)
    found = connection.execute(counted.group_by(rows.feature, rows.state))
    return {(feature, state): users for feature, state, users in found}


def write(connection: Connection, plan: UsagePlan, chunk: Chunk, as_of: datetime, *, anew: bool) -> None:
    """Compute the adoption of all features by a chunk of users.

    Args:
        again: it may have been computed before.
    """
    if anew:
        chunk.forget(connection, feature_adoption)
    if plan.features:
        into = [found.name for found in feature_adoption.columns]
        connection.execute(insert(feature_adoption).from_select(into, computed(plan.features, chunk, as_of)))


def lapse(connection: Connection, feature: FeaturePlan, as_of: datetime, size: int) -> bool:
    """Mark at least `size` users who adopted a feature as lapsed by as_of; return whether there are more.

    Those who used it at the same moment are written together.
    """
    adopted = and_(rows.feature == feature.name, rows.state == "adopted", rows.last_at <= as_of - feature.lapsed_after)
    page = select(rows.last_at).where(adopted).order_by(rows.last_at).limit(size).subquery()
    last, found = connection.execute(select(func.max(page.c.last_at), func.count()).select_from(page)).one()
    if found:
        connection.execute(
            update(feature_adoption)
            .where(adopted, rows.last_at <= last)
            .values(state="lapsed", state_since=later(rows.last_at, feature.lapsed_after))
        )
    return bool(found == size)


def computed(
    features: Iterable[FeaturePlan], chunk: Chunk, as_of: datetime, counted: NamedFromClause = user_days
) -> Select[Any]:
    """Select the adoption of features by a chunk of users at as_of, in the columns of skene_feature_adoption.

    Args:
        counted: the days that it is computed from.
    """
    use = _uses_by_day(features, chunk, counted)
    of, need = use.run.c, use.needs.c
    user = (
        select(
            of.feature,
            of.user_id,
            func.min(of.first_at, type_=Moment).label("first_at"),
            func.max(of.last_at, type_=Moment).label("last_at"),
            func.sum(of.uses).label("uses"),
            func.count().label("days"),
            func.max(need.lapse_seconds, type_=Integer).label("lapse_seconds"),
            func.min(case((use.enough, use.enough_at)), type_=Moment).label("adopted_at"),
            func.max(case((use.came_back, of.first_at)), type_=Moment).label("back_at"),
        )
        .select_from(use.joined)
        .group_by(of.user_id, of.feature)
    )
    by_user = user.subquery("by_user").c
    lapses = later(by_user.last_at, by_user.lapse_seconds)
    has_lapsed = lapses <= literal(as_of, Moment)
    return select(
        by_user.user_id,
        by_user.feature,
        by_user.first_at,
        by_user.last_at,
        by_user.uses,
        by_user.days,
        case((by_user.adopted_at.is_(null()), "tried"), (has_lapsed, "lapsed"), else_="adopted").label("state"),
        case(
            (by_user.adopted_at.is_(null()), by_user.first_at),
            (has_lapsed, lapses),
            else_=func.coalesce(by_user.back_at, by_user.adopted_at, type_=Moment),
        ).label("state_since"),
    )


def adoptions(feature: FeaturePlan, chunk: Chunk, counted: NamedFromClause = user_days) -> Select[Any]:
    """Select when users adopted a feature, and adopted it again after lapsing: user_id, at."""
    use = _uses_by_day([feature], chunk, counted)
    at = case((use.was_enough, use.run.c.first_at), else_=use.enough_at)
    became = or_(use.came_back, and_(use.enough, not_(use.was_enough)))
    return select(use.run.c.user_id, at.label("at")).select_from(use.joined).where(became)


@dataclass(frozen=True)
class _UsesByDay:
    """Each day on which a user used a feature, with what they had used it by then."""

    run: Subquery
    needs: Subquery
    enough: ColumnElement[bool]
    """They had used it often enough to have adopted it."""
    was_enough: ColumnElement[bool]
    """They had before that day."""
    enough_at: ColumnElement[Any]
    """When, on the first day of which it is true."""
    came_back: ColumnElement[bool]
    """They had lapsed, and adopted it again on that day."""

    @property
    def joined(self) -> FromClause:
        """The days, each with its feature's definition."""
        return self.run.join(self.needs, self.needs.c.feature == self.run.c.feature)


def _uses_by_day(features: Iterable[FeaturePlan], chunk: Chunk, counted: NamedFromClause) -> _UsesByDay:
    features = list(features)
    events, needs = _events(features), _needs(features)
    # A feature's definition is joined as late as possible, so that the rows to group and sort stay narrow.
    each = counted.c.user_id, events.c.feature, counted.c.day
    days = chunk.read(
        counted,
        *each,
        func.sum(counted.c.uses).label("uses"),
        func.min(counted.c.first_at, type_=Moment).label("first_at"),
        func.max(counted.c.last_at, type_=Moment).label("last_at"),
        defined=events,
    )
    day = days.group_by(*each).subquery("each_day")
    window: dict[str, Any] = {"partition_by": [day.c.user_id, day.c.feature], "order_by": day.c.day}
    run = select(
        *day.c,
        func.sum(day.c.uses).over(**window).label("uses_by_then"),
        func.row_number().over(**window).label("days_by_then"),
        func.lag(day.c.last_at, type_=Moment).over(**window).label("before"),
    ).subquery("run")
    of, need = run.c, needs.c
    enough = and_(of.uses_by_then >= need.uses, of.days_by_then >= need.days)
    # A day keeps its first and last use. If the one that is needed is between them, the last is used instead.
    at_first_use = of.uses_by_then - of.uses + 1 >= need.uses
    was_enough = and_(of.uses_by_then - of.uses >= need.uses, of.days_by_then - 1 >= need.days)
    came_back = and_(was_enough, later(of.before, need.lapse_seconds) <= of.first_at)
    enough_at = case((at_first_use, of.first_at), else_=of.last_at)
    return _UsesByDay(run, needs, enough, was_enough, enough_at, came_back)


def _events(features: Iterable[FeaturePlan]) -> Subquery:
    """Say which events are uses of which features."""
    return union_all(
        *(
            select(literal(feature.name).label("feature"), literal(event).label("event"))
            for feature in features
            for event in feature.counted_as
        )
    ).subquery("events")


def _needs(features: Iterable[FeaturePlan]) -> Subquery:
    """Select each feature's definition."""
    return union_all(
        *(
            select(
                literal(feature.name).label("feature"),
                literal(feature.adopted_uses).label("uses"),
                literal(feature.adopted_days).label("days"),
                literal(int(feature.lapsed_after.total_seconds())).label("lapse_seconds"),
            )
            for feature in features
        )
    ).subquery("needs")


def state_of(connection: Connection, user_id: object, feature: str) -> tuple[State, datetime] | None:
    """Say how far a user is with a feature, and since when; None: they never tried it, or it is not counted."""
    mine = (feature_adoption.c.user_id == user_id, feature_adoption.c.feature == feature)
    query = select(feature_adoption.c.state, feature_adoption.c.state_since).where(*mine)
    found = connection.execute(query).one_or_none()
    return None if found is None else (found.state, found.state_since)
