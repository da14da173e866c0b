"""Conditions and triggers, as short as their author wrote them."""

from datetime import timedelta

from typing_extensions import assert_never

from skene_dagster.durations import duration_text
from skene_dagster.loops.plan import (
    After,
    AtLevel,
    Calls,
    Condition,
    InState,
    Manual,
    Query,
    Reached,
    Rows,
    Schedule,
    Trigger,
    UsedUp,
)


def condition(asked: Condition) -> str:
    """Say whom a condition selects; of SQL only that it is."""
    match asked:
        case Query():
            return "a query"
        case AtLevel(level=level, for_=for_):
            return f"level {level}{_for(for_)}"
        case InState(feature=feature, state=state, for_=for_):
            return f"feature {feature} {state}{_for(for_)}"
        case Reached(milestone=milestone):
            return f"milestone {milestone}"
        case UsedUp(limit=limit, period=period, pattern=pattern):
            limits = ", ".join(f"{plan} {most:g}" for plan, most in limit)
            of = "" if pattern is None else f" of {pattern}"
            return f"usage{of} in {duration_text(period)}: {limits}"
        case _:
            assert_never(asked)


def trigger(started: Trigger) -> str:
    """Say when a step runs."""
    match started:
        case Schedule(cron=cron, timezone=timezone):
            return f"{cron} {timezone}"
        case Calls(pattern=pattern):
            return f"calls of {pattern}"
        case Manual():
            return "by hand"
        case Rows(table=table, name=name, changes=changes):
            of_what = f"event {name[1]} in" if name else f"{'changed' if changes else 'new'} rows of"
            return f"{of_what} {table}"
        case After(step=parent, wait=wait):
            return f"{duration_text(wait)} after {parent}"
        case _:
            assert_never(started)


def turned(before: str, after: str) -> str:
    """Say what something was and is, what both begin with once: `dormant for 30d → 21d`; empty if it is the same."""
    if before == after:
        return ""
    old, new = before.split(" "), after.split(" ")
    same = 0
    while same < min(len(old), len(new)) - 1 and old[same] == new[same]:
        same += 1
    return f"{before} → {' '.join(new[same:])}"


def _for(time: timedelta | None) -> str:
    return "" if time is None else f" for {duration_text(time)}"
