"""People: how many are at each engagement level and who moved, how features are adopted, and milestones reached."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import Connection

from skene_dagster.behaviour import adoption, engagement, milestones
from skene_dagster.behaviour.adoption import Funnel, State
from skene_dagster.behaviour.engagement import LEVELS, Stay
from skene_dagster.behaviour.rollup import roll_up
from skene_dagster.loops.planning.usage import plan_usage
from skene_dagster.settings import Settings
from skene_dagster.settings.usage import Level

STATES: tuple[State, ...] = ("adopted", "tried", "lapsed", "untried")
"""As a chart shows them, from the left."""

A_DAY, A_WEEK = timedelta(days=1), timedelta(days=7)


@dataclass(frozen=True)
class FeatureUse:
    """How many use a feature."""

    title: str
    users: Funnel
    changed: Mapping[State, int]
    """How many of them are in that state since the first of the days."""


@dataclass(frozen=True)
class Reached:
    """How many have reached a milestone."""

    title: str
    ever: int
    weeks: Sequence[int]
    """In each of the last weeks."""


@dataclass(frozen=True)
class People:
    """What is known of everybody who did something."""

    as_of: datetime | None
    """As of when it is rolled up; None: it never was."""
    days: Sequence[date]
    """On which levels are known; empty where they never were."""
    sizes: Mapping[Level, Sequence[int]]
    """How many users were at a level at the end of each day."""
    moves: Mapping[tuple[Level, Level], int]
    """How many are at another level than at the beginning of these days: by that one, and by the present one."""
    features: Sequence[FeatureUse]
    milestones: Sequence[Reached]
    weeks: Sequence[date]
    """The first day of each."""

    @property
    def shown_days(self) -> Sequence[int]:
        """The places of the days that a table shows: the first, the last, and each a week before another."""
        return sorted({0, *range(len(self.days) - 1, -1, -7)})

    def stayed(self, level: Level) -> int:
        """Count who is at the level at which they were."""
        return self.sizes[level][0] - sum(users for (then, _), users in self.moves.items() if then == level)

    def began(self, level: Level) -> int:
        """Count who is at a level now, and was at none."""
        return (
            self.sizes[level][-1]
            - self.stayed(level)
            - sum(users for (_, now), users in self.moves.items() if now == level)
        )


def read(connection: Connection, settings: Settings, now: datetime, since: datetime) -> People:
    """Count it, as the last rollup found it.

    Args:
        since: over which time; levels are known from the first rollup on.
    """
    as_of, first = roll_up.rolled_up(connection), roll_up.first_rolled_up(connection)
    weeks = tuple(since.date() + A_DAY + n * A_WEEK for n in range((now - since) // A_WEEK))
    if as_of is None or first is None:
        return People(None, (), {}, {}, (), (), weeks)
    begin = max(since, first)
    days = [begin.date() + n * A_DAY for n in range((as_of.date() - begin.date()).days + 1)]
    plan = plan_usage(settings)
    changed = adoption.changed(connection, since) if plan.features else {}
    features = [
        FeatureUse(
            settings.features[name].title,
            users,
            {state: number for (feature, state), number in changed.items() if feature == name},
        )
        for name, users in (
            adoption.funnels(connection, plan.features, settings.users) if plan.features else {}
        ).items()
    ]
    by_day = milestones.reached_by_day(connection, weeks[0])
    reached = [
        Reached(
            settings.milestones[name].title,
            count.ever,
            [
                sum(
                    users
                    for (milestone, day), users in by_day.items()
                    if milestone == name and week <= day < week + A_WEEK
                )
                for week in weeks
            ],
        )
        for name, count in milestones.counts(connection, plan, as_of).items()
    ]
    sizes = _sizes(engagement.stays(connection, begin), days)
    moves = engagement.moves(connection, begin)
    return People(as_of, days, sizes, moves, features, reached, weeks)


def _sizes(stays: Sequence[Stay], days: Sequence[date]) -> Mapping[Level, Sequence[int]]:
    """Count who was at each level: first at the moment from which on levels are known, then at the end of each day."""
    sizes: dict[Level, list[int]] = {level: [0] * len(days) for level in LEVELS}
    for stay in stays:
        for place, day in enumerate(days):
            if place == 0:
                is_there = stay.entered_on is None
            elif place == len(days) - 1:
                is_there = stay.left_on is None
            else:
                is_there = (stay.entered_on is None or stay.entered_on <= day) and (
                    stay.left_on is None or stay.left_on > day
                )
            sizes[stay.level][place] += stay.users * is_there
    return sizes
