"""How many reach a loop's goal by themselves, which says how large a difference has to be to be seen."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, select

from skene_dagster.goals.happened import happened
from skene_dagster.loops.plan import LoopPlan
from skene_dagster.settings import Settings

SOME = 1000
"""Keys of a statement."""


def reach_it(
    connection: Connection, settings: Settings, plan: LoopPlan, people: Mapping[object, datetime], now: datetime
) -> tuple[int, int] | None:
    """Count who reached the first goal in its time after a moment, and of how many that time is over.

    Args:
        people: since when each is looked at.

    Returns:
        None: there is no goal, or it is SQL of the author's, or nobody's time is over.

    Raises:
        NotCounted, QueryRejected: as `happened` does.
    """
    goal = plan.goals[0] if plan.goals else None
    if goal is None or goal.kind == "query":
        return None
    over = {key: at for key, at in people.items() if at + goal.within <= now}
    if not over:
        return None
    keys, reached = list(over), set[object]()
    for start in range(0, len(keys), SOME):
        some = keys[start : start + SOME]
        found = happened(connection, plan, goal, settings, some, as_of=now)
        query = select(found.user_id, found.first_at, found.last_at).where(found.user_id.in_(some))
        for user_id, first_at, last_at in connection.execute(query):
            at = over.get(user_id)
            if at is not None and last_at > at and first_at <= at + goal.within:
                reached.add(user_id)
    return len(reached), len(over)
