"""What a plan does, in words: for descriptions in the UI, and for the report."""

from datetime import timedelta

from typing_extensions import assert_never

from skene_dagster.durations import duration_text
from skene_dagster.loops.plan import AtLevel, Condition, InState, Query, Reached, StepPlan, UsedUp
from skene_dagster.loops.triggers import After, Calls, Manual, Materialized, Rows, Schedule


def to_whom(step: StepPlan) -> str:
    """Say who is mailed."""
    match step.recipient:
        case None:
            return "the members of the segment"
        case "owner":
            return "the owner of each account of the segment"
        case "most_recently_active":
            return "the user of each account of the segment who was active last"
        case "everybody":
            return "all users of each account of the segment"
        case _:
            assert_never(step.recipient)


def when(step: StepPlan) -> str:
    """Say in a sentence when a step runs."""
    match step.trigger:
        case Schedule(cron=cron, timezone=timezone):
            return f"Every `{cron}` ({timezone})."
        case Calls(pattern=pattern):
            return f"When the product is called: `{pattern}`."
        case Materialized(assets=assets, each=each):
            named = (" and " if each else " or ").join(f"`{asset}`" for asset in assets)
            return f"When Dagster has materialized {named}."
        case Manual():
            return "When a person starts it."
        case Rows(table=table, name=name, changes=changes):
            of_what = f"event `{name[1]}` in" if name else f"{'changed' if changes else 'new'} row of"
            return f"For each {of_what} `{table}`."
        case After(step=parent, wait=wait):
            return f"{duration_text(wait)} after the email of `{parent}`."
        case _:
            assert_never(step.trigger)


def trigger(step: StepPlan) -> str:
    """Say in a few words what starts a step."""
    match step.trigger:
        case Schedule(cron=cron, timezone=timezone):
            return f"{cron} {timezone}"
        case Calls(pattern=pattern):
            return f"calls of {pattern}"
        case Materialized(assets=assets, each=each):
            return f"assets {(' and ' if each else ' or ').join(assets)}"
        case Manual():
            return "by hand"
        case Rows(table=table, name=name, changes=changes):
            of_what = f"event {name[1]} in" if name else f"{'changed' if changes else 'new'} rows of"
            return f"{of_what} {table}"
        case After(step=parent, wait=wait):
            return f"{duration_text(wait)} after {parent}"
        case _:
            assert_never(step.trigger)


def how_often(step: StepPlan) -> str:
    """Say how often somebody is mailed."""
    assert step.email is not None
    each = "once for each row" if step.by_row else "once each time they enter"
    match step.email.repeat:
        case "once":
            return "only once, ever"
        case "every_entry":
            return each
        case timedelta() as pause:
            return f"{each}, at most every {duration_text(pause)}"
        case _:
            assert_never(step.email.repeat)


def who(condition: Condition) -> str:
    """Say whom a condition selects; an SQL condition is its author's text."""
    match condition:
        case Query(author=author):
            return author
        case AtLevel(level=level, for_=lasted):
            return f"level {level}{_for(lasted)}"
        case InState(feature=feature, state=state, for_=lasted):
            return f"feature {feature} {state}{_for(lasted)}"
        case Reached(milestone=milestone):
            return f"milestone {milestone}"
        case UsedUp(limit=limit, period=period, pattern=pattern):
            limits = ", ".join(f"{plan} {most:g}" for plan, most in limit)
            of = "" if pattern is None else f" of {pattern}"
            return f"usage{of} in {duration_text(period)}: {limits}"
        case _:
            assert_never(condition)


def briefly(condition: Condition) -> str:
    """Say as `who` does whom a condition selects; of SQL only that it is."""
    return "a query" if isinstance(condition, Query) else who(condition)


def _for(lasted: timedelta | None) -> str:
    return "" if lasted is None else f" for {duration_text(lasted)}"
