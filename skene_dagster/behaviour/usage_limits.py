"""Who has used up what their plan allows, counted in whole days (UTC)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Double, Integer, Select, case, cast, func, literal, select
from sqlalchemy.sql.selectable import NamedFromClause

from skene_dagster.behaviour.patterns import like
from skene_dagster.loops.plan import UsedUp
from skene_dagster.settings import Users
from skene_dagster.store.engine import users_table
from skene_dagster.store.tables import user_days

Keys = Sequence[object] | Select[Any]


def used_up(
    condition: UsedUp,
    as_of: datetime,
    users: Users,
    *,
    among: Keys | None = None,
    days: NamedFromClause = user_days,
) -> Select[Any]:
    """Select the users who have used up what their plan allows in the period: their key, uses, allowed.

    A user on a plan that the condition does not name has no limit.

    Args:
        among: the keys of the users whose uses are counted; None: everybody's.
        days: what users did, in the columns of skene_user_days.
    """
    assert users.plan is not None, "planning refuses a limit without a plan"
    counted = uses_of(condition, as_of, among=among, days=days).subquery("used")
    table = users_table(users, users.plan)
    limits = {plan: literal(limit, Double) for plan, limit in condition.limit}
    allowed = case(limits, value=table.c[users.plan]).label("allowed")
    return (
        select(table.c[users.key], counted.c.uses, allowed)
        .join_from(table, counted, counted.c.user_id == table.c[users.key])
        .where(counted.c.uses >= allowed)
    )


def uses_of(
    condition: UsedUp, as_of: datetime, *, among: Keys | None = None, days: NamedFromClause = user_days
) -> Select[Any]:
    """Select how often users did what counts in the period: user_id, uses."""
    since = (as_of - condition.period).date()
    uses = select(days.c.user_id, cast(func.sum(days.c.uses), Integer).label("uses"))
    uses = uses.where(days.c.day > since, days.c.day <= as_of.date())
    if condition.pattern is None:
        # A feature that is SQL is counted under a name of its own, beside the event's.
        uses = uses.where(days.c.event.not_like(like("feature:*"), escape="!"))
    else:
        uses = uses.where(days.c.event.like(like(condition.pattern), escape="!"))
    if among is not None:
        uses = uses.where(days.c.user_id.in_(among))
    return uses.group_by(days.c.user_id)
