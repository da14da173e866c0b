"""Who has reached a loop's first goal since they entered: they need no email any more, and stay in their arm."""

from collections.abc import Sequence
from datetime import date, datetime, time
from typing import Any

from sqlalchemy import Connection, func, select

from skene_dagster.errors import NotCounted
from skene_dagster.goals.happened import happened, refuse_unfit
from skene_dagster.loops.plan import LoopPlan
from skene_dagster.settings import Settings
from skene_dagster.store.keys import folded


def last_reached(
    connection: Connection, plan: LoopPlan, settings: Settings, keys: Sequence[object], *, as_of: datetime
) -> dict[object, datetime]:
    """Say when users reached a loop's first goal last, by key as it was asked; without those who never did.

    As long as what users do is not counted, nobody has reached a goal that depends on it: measuring stops no email.

    Args:
        as_of: what happens later does not count.

    Raises:
        QueryRejected: the goal's query cannot be asked here.
    """
    if not plan.goals or not keys:
        return {}
    refuse_unfit(connection, plan, plan.goals[0], settings, keys)
    try:
        what = happened(connection, plan, plan.goals[0], settings, keys, as_of=as_of)
    except NotCounted:
        return {}
    theirs = what.user_id.in_(keys), what.last_at <= what.known_until
    rows = connection.execute(select(what.user_id, func.max(what.last_at)).where(*theirs).group_by(what.user_id))
    found = {folded(user_id): _moment(at) for user_id, at in rows}
    return {key: found[folded(key)] for key in keys if folded(key) in found}


def _moment(at: Any) -> datetime:
    """Read a moment of a goal's query: of a server's DATE it is the day's beginning, and SQLite has texts."""
    if isinstance(at, datetime):
        return at
    return datetime.combine(at, time()) if isinstance(at, date) else datetime.fromisoformat(at)
