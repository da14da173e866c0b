"""How many reach a loop's goal by themselves, which says how large a difference has to be to be seen."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, select

from skene_dagster.loops.plan import GoalPlan
from skene_dagster.loops.planning.usage import plan_usage
from skene_dagster.settings import Settings
from skene_dagster.store.tables import user_days

SOME = 1000
"""Keys of a statement."""


def reach_it(
    connection: Connection, settings: Settings, goal: GoalPlan | None, people: Mapping[object, datetime], now: datetime
) -> tuple[int, int] | None:
    """Count who reached the goal in its time after a moment, and of how many that is over; by days (UTC).

    Args:
        people: since when each is looked at.

    Returns:
        None: the goal is none that is counted by days, or nobody's time is over.
    """
    if goal is None or goal.kind in {"level", "query"}:
        return None
    features = {one.name: one.counted_as for one in plan_usage(settings).features}
    names = {"returns": None, "event": (goal.value,), "feature": features.get(goal.value, ())}[goal.kind]
    over = {key: at for key, at in people.items() if at + goal.within <= now}
    if not over:
        return None
    day, keys = user_days.c, list(over)
    reached: set[object] = set()
    for start in range(0, len(keys), SOME):
        some = keys[start : start + SOME]
        first, last = min(over[key] for key in some), max(over[key] for key in some)
        query = select(day.user_id, day.last_at).where(
            day.user_id.in_(some), day.day >= first.date(), day.day <= (last + goal.within).date()
        )
        if names is not None:
            query = query.where(day.event.in_(names))
        for user_id, last_at in connection.execute(query):
            at = over.get(user_id)
            # Of a day its last event is known.
            if at is not None and at < last_at <= at + goal.within:
                reached.add(user_id)
    return len(reached), len(over)
