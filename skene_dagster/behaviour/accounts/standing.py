"""Where an account is: where that user of it is who is furthest, whether or not they may be mailed.

So a workspace is dormant when nobody of it is further than that, and not while one colleague of ten is away. It uses
up what all its users use, and it is where it is since somebody got there, or since nobody is further any more. An
account without users is nowhere.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Double,
    Integer,
    Select,
    and_,
    case,
    cast,
    func,
    literal,
    or_,
    select,
    union_all,
)
from sqlalchemy.sql.selectable import NamedFromClause

from skene_dagster.behaviour import milestones
from skene_dagster.behaviour.adoption import State
from skene_dagster.behaviour.usage_limits import Keys, uses_of
from skene_dagster.errors import SettingsError
from skene_dagster.loops.plan import AtLevel, InState, Reached, UsedUp
from skene_dagster.loops.planning.accounts import accounts_of
from skene_dagster.product import mapped_moments
from skene_dagster.settings import FILE, Level, Settings
from skene_dagster.store.engine import users_table
from skene_dagster.store.tables import OPEN, Moment, engagement_levels, feature_adoption
from skene_dagster.store.tables import milestones as reached

LEVELS: tuple[Level, ...] = ("power", "active", "resurrected", "new", "slipping", "dormant")
"""The furthest first."""

STATES: tuple[State, ...] = ("adopted", "tried", "lapsed")
"""Likewise; behind them come those of whom nobody has tried a feature."""


def users_of(settings: Settings, accounts: Keys | None = None) -> Select[Any]:
    """Select the users who have an account, of some accounts or all: account_id, user_id."""
    users, mapped = settings.users, accounts_of(settings)
    table = users_table(users, mapped.user_column)
    account = table.c[mapped.user_column]
    found = select(account.label("account_id"), table.c[users.key].label("user_id"))
    return found.where(account.is_not(None) if accounts is None else account.in_(accounts))


def at_level(
    condition: AtLevel, settings: Settings, as_of: datetime, levels: NamedFromClause = engagement_levels
) -> Select[Any]:
    """Select the accounts that are at a level, and have been for at least so long: account_id, level, since.

    Args:
        levels: who is at which level now, in the columns of skene_engagement_levels.
    """
    further = LEVELS[: LEVELS.index(condition.level)]
    past, is_now = engagement_levels.c, levels.c.left_at == OPEN
    names = ("user_id", "level", "entered_at", "left_at")
    they = union_all(
        select(*(levels.c[name] for name in names)).where(is_now, levels.c.level.in_([condition.level, *further])),
        select(*(past[name] for name in names)).where(past.left_at < OPEN, past.level.in_(further)),
    ).subquery("they")
    who = users_of(settings).subquery("who")
    is_open = they.c.left_at == OPEN
    # Whoever slips was further until then, also where no rollup was there to see it.
    first_of = func.max if condition.level in ("slipping", "dormant") else func.min
    first = first_of(case((and_(is_open, they.c.level == condition.level), they.c.entered_at)), type_=Moment)
    last_further = func.max(case((~is_open, they.c.left_at)), type_=Moment)
    since = _since(first, last_further)
    found = (
        select(who.c.account_id, literal(condition.level).label("level"), since.label("since"))
        .join_from(who, they, they.c.user_id == who.c.user_id)
        .group_by(who.c.account_id)
        .having(first.is_not(None), func.sum(case((and_(is_open, they.c.level.in_(further)), 1), else_=0)) == 0)
    )
    return found if condition.for_ is None else found.having(since <= literal(as_of - condition.for_, Moment))


def in_state(
    connection: Connection,
    condition: InState,
    settings: Settings,
    as_of: datetime,
    adoption: NamedFromClause = feature_adoption,
) -> Select[Any]:
    """Select the accounts that are in a state with a feature, and have been for at least so long, by account_id.

    Unless the state is untried, there are also: since, first_at, last_at, uses.

    Args:
        adoption: who is in which state, in the columns of skene_feature_adoption.

    Raises:
        SettingsError: how long nobody of an account has tried a feature is counted from sign-up, whose column is not
            set.
    """
    rows, who = adoption.c, users_of(settings).subquery("who")
    of_the_feature = and_(rows.user_id == who.c.user_id, rows.feature == condition.feature)
    if condition.state == "untried":
        tried = select(who.c.account_id).join_from(who, adoption, of_the_feature)
        return _untried(connection, condition, settings, as_of, tried)
    further = STATES[: STATES.index(condition.state)]
    first = func.min(case((rows.state == condition.state, rows.state_since)), type_=Moment)
    since: ColumnElement[Any] = first
    if further:
        # Who has lapsed was further until then; no earlier state is kept.
        since = _since(first, func.max(case((rows.state == "lapsed", rows.state_since)), type_=Moment))
    found = (
        select(
            who.c.account_id,
            since.label("since"),
            func.min(rows.first_at, type_=Moment).label("first_at"),
            func.max(rows.last_at, type_=Moment).label("last_at"),
            cast(func.sum(rows.uses), Integer).label("uses"),
        )
        .join_from(who, adoption, of_the_feature)
        .group_by(who.c.account_id)
        .having(first.is_not(None), func.sum(case((rows.state.in_(further), 1), else_=0)) == 0)
    )
    return found if condition.for_ is None else found.having(since <= literal(as_of - condition.for_, Moment))


def _untried(
    connection: Connection, condition: InState, settings: Settings, as_of: datetime, tried: Select[Any]
) -> Select[Any]:
    users = settings.users
    column = accounts_of(settings).user_column
    table = users_table(users, column, *([users.created_at.column] if users.created_at else []))
    account = table.c[column]
    found = select(account.label("account_id")).where(account.is_not(None), account.not_in(tried)).group_by(account)
    if condition.for_ is None:
        return found
    if users.created_at is None:
        raise SettingsError(
            "How long nobody of an account has tried a feature is counted from `users.created_at`, which is not set.",
            advice=f"Set users.created_at in {FILE}, or leave `for` out.",
        )
    raw = table.c[users.created_at.column]
    created = mapped_moments.of(connection, users.table, users.created_at, raw, "users.created_at")
    return found.having(func.min(created.moment, type_=Moment) <= literal(as_of - condition.for_, Moment))


def has_reached(condition: Reached, settings: Settings) -> Select[Any]:
    """Select the accounts whose first user to reach a milestone did so since its `since`: account_id, reached_on."""
    who = users_of(settings).subquery("who")
    first = func.min(reached.c.reached_on)
    since = milestones.celebrated_since(condition.milestone, settings.milestones[condition.milestone])
    mine = and_(reached.c.user_id == who.c.user_id, reached.c.milestone == condition.milestone)
    found = select(who.c.account_id, first.label("reached_on")).join_from(who, reached, mine)
    return found.group_by(who.c.account_id).having(first >= since)


def used_up(condition: UsedUp, settings: Settings, as_of: datetime, accounts: Keys | None = None) -> Select[Any]:
    """Select the accounts whose users together have used up what its plan allows in the period: key, uses, allowed.

    An account on a plan that the condition does not name has no limit.

    Args:
        accounts: the keys of those whose uses are counted; None: everybody's.
    """
    mapped = accounts_of(settings)
    assert mapped.plan is not None, "planning refuses a limit without a plan"
    who = users_of(settings, accounts).subquery("who")
    used = uses_of(condition, as_of, among=None if accounts is None else select(who.c.user_id)).subquery("used")
    uses = cast(func.sum(used.c.uses), Integer)
    together = (
        select(who.c.account_id, uses.label("uses"))
        .join_from(who, used, used.c.user_id == who.c.user_id)
        .group_by(who.c.account_id)
        .subquery("together")
    )
    table = users_table(mapped, mapped.plan)
    limits = {plan: literal(limit, Double) for plan, limit in condition.limit}
    allowed = case(limits, value=table.c[mapped.plan]).label("allowed")
    return (
        select(table.c[mapped.key], together.c.uses, allowed)
        .join_from(table, together, together.c.account_id == table.c[mapped.key])
        .where(together.c.uses >= allowed)
    )


def _since(first: ColumnElement[Any], last_further: ColumnElement[Any]) -> ColumnElement[Any]:
    return case((or_(last_further.is_(None), last_further < first), first), else_=last_further)
