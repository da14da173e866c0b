"""How old a segment may become: as old as its schedule lets it, and a little more, for a run takes its time."""

from datetime import datetime, timedelta
from itertools import islice, pairwise, takewhile

import dagster as dg

from skene_dagster.loops.plan import LoopPlan, Schedule, StepPlan
from skene_dagster.ticks import in_utc, ticks

GRACE = timedelta(minutes=30)
"""For which a run may wait in the queue and work."""

_FROM = datetime(2026, 1, 1)
_YEARS = timedelta(days=2 * 366)
_MOST_TICKS = 1_000


def freshness(plan: LoopPlan, step: StepPlan) -> dg.FreshnessPolicy | None:
    """Say when a segment is stale: it missed a tick; None where no schedule starts it.

    Dagster, 2026-11: a policy by cron wants a window that is no longer than the shortest time between two ticks, which
    the change of the clocks shortens; so it is one of time, as long as the longest.
    """
    trigger = plan.root_of(step).trigger
    if not isinstance(trigger, Schedule):
        return None
    read = takewhile(lambda tick: tick < _FROM + _YEARS, map(in_utc, ticks(trigger, _FROM)))
    apart = [later - earlier for earlier, later in pairwise(islice(read, _MOST_TICKS))]
    return dg.FreshnessPolicy.time_window(fail_window=max(apart) + GRACE) if apart else None
