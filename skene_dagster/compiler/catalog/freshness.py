"""How old a segment may become: as old as its schedule lets it, and a little more, for a run takes its time."""

from datetime import datetime, timedelta
from functools import cache
from itertools import islice, pairwise, takewhile

import dagster as dg

from skene_dagster.loops.plan import LoopPlan, StepPlan
from skene_dagster.loops.triggers import Schedule
from skene_dagster.ticks import in_utc, ticks

GRACE = timedelta(minutes=30)
"""For which a run may wait in the queue and work."""

_FROM = datetime(2026, 1, 1)
_YEARS = timedelta(days=5 * 366)
"""Long enough for a year that is a day longer."""
_MOST_TICKS = 500
"""Of a daily schedule, long enough for both changes of the clocks."""


def freshness(plan: LoopPlan, step: StepPlan) -> dg.FreshnessPolicy | None:
    """Say when a segment is stale: it missed a tick; None where no schedule starts it.

    Dagster, 2026-11: a policy by cron wants a window that is no longer than the shortest time between two ticks, which
    the change of the clocks shortens; so it is one of time, as long as the longest.
    """
    trigger = plan.root_of(step).trigger
    return _of_schedule(trigger) if isinstance(trigger, Schedule) else None


@cache
def _of_schedule(schedule: Schedule) -> dg.FreshnessPolicy | None:
    """Read its ticks: some milliseconds at each load of the code location, so once for all steps that share it."""
    read = takewhile(lambda tick: tick < _FROM + _YEARS, map(in_utc, ticks(schedule, _FROM)))
    apart = [later - earlier for earlier, later in pairwise(islice(read, _MOST_TICKS))]
    return dg.FreshnessPolicy.time_window(fail_window=max(apart) + GRACE) if apart else None
