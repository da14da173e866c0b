"""What a rollup has to find, computed from the events by the words of docs/engagement.md: slowly, and in plain Python.

No line of the package is used. A user's history is looked at moment by moment.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)


@dataclass(frozen=True)
class Event:
    user: Any
    name: str
    at: datetime
    size: int = 0


@dataclass(frozen=True)
class Rules:
    """The numbers of skene.yaml."""

    new: timedelta = 14 * DAY
    window: int = 28
    power: int = 12
    slipping: timedelta = 14 * DAY
    dormant: timedelta = 30 * DAY
    resurrected: timedelta = 14 * DAY


@dataclass(frozen=True)
class Needs:
    """What a feature asks for."""

    uses: int = 3
    days: int = 2
    lapsed_after: timedelta = 30 * DAY


def level(rules: Rules, moments: list[datetime], t: datetime) -> str:
    """Say the level at t of who did something at these moments."""
    seen = [moment for moment in moments if moment < t]
    silence = t - seen[-1]
    if silence >= rules.dormant:
        return "dormant"
    if silence >= rules.slipping:
        return "slipping"
    back = returns(seen, rules.dormant)
    if back and t - back[-1] < rules.resurrected:
        return "resurrected"
    if t - seen[0] < rules.new:
        return "new"
    first = t.date() - (rules.window - 1) * DAY
    if len({moment.date() for moment in seen if moment.date() >= first}) >= rules.power:
        return "power"
    return "active"


def returns(seen: list[datetime], pause: timedelta) -> list[datetime]:
    """List the moments that come after a pause."""
    return [later for before, later in pairwise(seen) if later - before >= pause]


def level_since(rules: Rules, moments: list[datetime], t: datetime) -> tuple[str, datetime]:
    """Say the level at t, and since when it has been the same."""
    seen = [moment for moment in moments if moment < t]
    turning: set[datetime] = set(seen)
    for moment in seen:
        turning |= {moment + pause for pause in (rules.slipping, rules.dormant, rules.resurrected, rules.new)}
        midnight = datetime(moment.year, moment.month, moment.day)
        turning.add(midnight + rules.window * DAY)
    now = level(rules, seen, t)
    since = t
    for moment in sorted((moment for moment in turning if seen[0] <= moment < t), reverse=True):
        if level(rules, seen, min(moment + TICK, t)) != now:
            break
        since = moment
    return now, since


def adoption(needs: Needs, moments: list[datetime], t: datetime) -> tuple[str, datetime]:
    """Say how far a user is with a feature at t, and since when, if every day has at most two uses."""
    state, since = "tried", moments[0]
    for number, moment in enumerate(moments, 1):
        if state == "adopted" and moment - moments[number - 2] >= needs.lapsed_after:
            since = moment
        if state == "tried" and number >= needs.uses and len({m.date() for m in moments[:number]}) >= needs.days:
            state, since = "adopted", moment
    if state == "adopted" and t - moments[-1] >= needs.lapsed_after:
        return "lapsed", moments[-1] + needs.lapsed_after
    return state, since


def nth(moments: list[datetime], count: int) -> date | None:
    """Say the day of the n-th."""
    return moments[count - 1].date() if len(moments) >= count else None


def streak(moments: list[datetime], length: int) -> date | None:
    """Say the first day on which there were so many in a row."""
    days = sorted({moment.date() for moment in moments})
    for day in days:
        if all(day - back * DAY in days for back in range(length)):
            return day
    return None


def people(events: Iterable[Event], t: datetime) -> dict[Any, list[Event]]:
    """Group what happened before t by user, in order."""
    found: dict[Any, list[Event]] = defaultdict(list)
    for event in sorted(events, key=lambda event: event.at):
        if event.user is not None and event.at < t:
            found[event.user].append(event)
    return found


def days(events: Iterable[Event], t: datetime) -> dict[tuple[Any, date, str], int]:
    """Count what happened before t by user, day and name."""
    return dict(Counter((e.user, e.at.date(), e.name) for found in people(events, t).values() for e in found))
