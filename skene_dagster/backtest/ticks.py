"""At which past moments a step would have ticked."""

from datetime import datetime, time, timedelta
from itertools import takewhile

from sqlalchemy import Connection

from skene_dagster import ticks
from skene_dagster.delivery.ledger.looking_back import decisions
from skene_dagster.delivery.ledger.scope import StepScope
from skene_dagster.loops.plan import LoopPlan, StepPlan
from skene_dagster.loops.triggers import Schedule

DAILY = time(12, 0)
"""When a step is looked at each day (UTC) that something wakes, of which nothing is on record."""


def ticks_of(
    connection: Connection,
    plan: LoopPlan,
    step: StepPlan,
    scope: StepScope,
    since: datetime,
    until: datetime,
    *,
    has_tables: bool,
) -> list[datetime]:
    """List the ticks of a step in a time: its schedule's; where something wakes it those on record, and one a day."""
    trigger = plan.root_of(step).trigger
    if isinstance(trigger, Schedule):
        moments = (ticks.in_utc(tick) for tick in ticks.ticks(trigger, since))
        return list(takewhile(lambda tick: tick <= until, moments))
    found = decisions.ticks_of(connection, scope, since=since, until=until) if has_tables else []
    known = {tick.date() for tick in found}
    days = (since.date() + timedelta(days=number) for number in range((until - since).days + 2))
    daily = [datetime.combine(day, DAILY) for day in days if day not in known]
    return sorted([*found, *(tick for tick in daily if since <= tick <= until)])
