"""What became of the simulated days, read from the ledger and from what is known of who does what."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from skene_dagster.behaviour import adoption, engagement
from skene_dagster.behaviour.adoption import Funnel
from skene_dagster.delivery import ledger
from skene_dagster.demo.people import Person, comes_anyway
from skene_dagster.loops.plan import LoopPlan
from skene_dagster.loops.planning.usage import plan_usage
from skene_dagster.settings import Level, Settings
from skene_dagster.store.engine import users_table
from skene_dagster.store.tables import feature_adoption, user_activity

BROUGHT_BACK = ("retention.main", "win_back.nudge", "win_back.last_call")
DISCOVER, GUIDE = "feature_discovery.discover", "feature_discovery.guide"
CELEBRATED = "milestones."
"""How the names of the steps begin that celebrate."""
FEATURE = "summaries"
"""The feature that the discovery loop is about."""


@dataclass(frozen=True)
class Guided:
    """One user of whom the whole story can be told."""

    name: str
    shown: datetime
    adopted: datetime
    guided: datetime


@dataclass(frozen=True)
class Story:
    """What became of everybody."""

    levels: Mapping[Level, int]
    """Users at each level of engagement."""
    funnels: Mapping[str, Funnel]
    """By the title of the feature."""
    asked_back: int
    """Users who were mailed because they had been away."""
    came_back: int
    """Those of them who have been active since."""
    anyway: int
    """Those of these who would have been without any email: they also came by themselves."""
    shown: int
    """Users who were mailed about the feature that they had not used."""
    tried: int
    """Those of them who have used it since."""
    adopted: int
    """Those of them who have adopted it."""
    guided: int
    """Users who got the advanced guide."""
    celebrated: Mapping[str, int]
    """Users who were mailed about a milestone, by its title."""
    example: Guided | None


def mailed(connection: Connection, plans: Sequence[LoopPlan]) -> dict[str, dict[int, datetime]]:
    """Say when each user got the last email of a step, by step (`retention.main`) and key."""
    found: dict[str, dict[int, datetime]] = {f"{plan.name}.{step.name}": {} for plan in plans for step in plan.steps}
    for loop, step, user_id, as_of in ledger.last_mails(connection, "outbox"):
        found.setdefault(f"{loop}.{step}", {})[user_id] = as_of
    return found


def read(
    connection: Connection,
    settings: Settings,
    plans: Sequence[LoopPlan],
    people: Sequence[Person],
    ticks: Sequence[datetime],
) -> Story:
    """Read what became of the people that the demo invented, on the days that ended at these ticks."""
    got = mailed(connection, plans)
    usage = plan_usage(settings)
    asked: dict[int, datetime] = {}
    for step in BROUGHT_BACK:
        for key, at in got.get(step, {}).items():
            asked[key] = min(at, asked.get(key, at))
    invented = {someone.id: someone for someone in people}
    last = dict(connection.execute(select(user_activity.c.user_id, user_activity.c.last_at)).all())
    uses = {row.user_id: row for row in connection.execute(select(feature_adoption).where(_is_it()))}
    shown = got.get(DISCOVER, {})
    adopted = {key for key in shown if key in uses and uses[key].state == "adopted"}
    guided = got.get(GUIDE, {})
    funnels = adoption.funnels(connection, usage.features, settings.users)
    return Story(
        levels=engagement.sizes(connection),
        funnels={settings.features[name].title: found for name, found in funnels.items()},
        asked_back=len(asked),
        came_back=sum(key in last and last[key] > at for key, at in asked.items()),
        anyway=sum(comes_anyway(invented[key], at, ticks) for key, at in asked.items()),
        shown=len(shown),
        tried=sum(key in uses for key in shown),
        adopted=len(adopted),
        guided=len(guided),
        celebrated=_celebrated(got, settings),
        example=_example(connection, settings, shown, guided, uses),
    )


def _is_it() -> Any:
    return feature_adoption.c.feature == FEATURE


def _celebrated(got: Mapping[str, Mapping[int, datetime]], settings: Settings) -> Mapping[str, int]:
    counted: Counter[str] = Counter()
    for step, people in got.items():
        name = step.removeprefix(CELEBRATED)
        if step != name and name in settings.milestones:
            counted[settings.milestones[name].title] += len(people)
    return counted


def _example(
    connection: Connection,
    settings: Settings,
    shown: Mapping[int, datetime],
    guided: Mapping[int, datetime],
    uses: Mapping[int, Any],
) -> Guided | None:
    """Find somebody who was shown the feature, adopted it and got the guide, and has a name."""
    name = settings.users.name
    if name is None:
        return None
    table = users_table(settings.users, name)
    key = table.c[settings.users.key]
    for user_id in sorted(guided):
        found = connection.execute(select(table.c[name]).where(key == user_id, table.c[name].is_not(None))).scalar()
        if found is not None and user_id in shown and user_id in uses:
            return Guided(str(found), shown[user_id], uses[user_id].state_since, guided[user_id])
    return None
