"""What a late tick checks again: its condition, for some users, with the tick's clock and what is known now.

What these users did since the last rollup is counted for this check only, and nothing is written: a rollup for now
would be ahead of coming ticks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, Subquery

from skene_dagster.behaviour import activity, adoption, days, engagement
from skene_dagster.behaviour.events import kept_since
from skene_dagster.behaviour.rollup.chunks import Chunk
from skene_dagster.behaviour.rollup.roll_up import NAME
from skene_dagster.loops.planning.usage import plan_usage
from skene_dagster.settings import OWN_EVENTS, Settings
from skene_dagster.store.key_ranges import Span
from skene_dagster.store.leasing import leases
from skene_dagster.store.leasing.leases import ROLLUP

ON_ITS_WAY = timedelta(days=1)
"""How far before the last rollup events are read again: one may arrive after it that happened before it."""

_EVERYBODY = Chunk(Span(), None)


@dataclass(frozen=True)
class Again:
    """For whom a condition is checked again, and when."""

    users: Sequence[object] | Select[Any]
    """Their keys."""
    now: datetime


def levels(connection: Connection, settings: Settings, again: Again, as_of: datetime) -> Subquery:
    """Select the users' levels at as_of, in the columns of skene_engagement_levels; what they did since is done."""
    plan = plan_usage(settings)
    active = activity.computed(plan, _EVERYBODY, _days(connection, settings, again)).subquery("known_activity")
    return engagement.computed(plan.levels, _EVERYBODY, as_of, active).subquery("known_levels")


def adopted(connection: Connection, settings: Settings, again: Again, as_of: datetime, feature: str) -> Subquery:
    """Select the users' adoption of a feature at as_of, in the columns of skene_feature_adoption; likewise."""
    features = [found for found in plan_usage(settings).features if found.name == feature]
    counted = _days(connection, settings, again)
    return adoption.computed(features, _EVERYBODY, as_of, counted).subquery("known_adoption")


def _days(connection: Connection, settings: Settings, again: Again) -> Subquery:
    row = leases.state(connection, NAME, ROLLUP)
    assert row is not None, "a condition is asked only where it was counted"
    since = (row.as_of - ON_ITS_WAY).date()
    if settings.events == OWN_EVENTS:
        since = max(since, kept_since(connection) or since)
    return days.known(connection, plan_usage(settings), again.users, since=since, before=again.now)
