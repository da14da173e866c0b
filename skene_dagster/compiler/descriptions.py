"""What the UI tells a newcomer: why a loop exists, what each of its parts does, and when."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from typing_extensions import assert_never

from skene_dagster.delivery.decide.gates.judging import told
from skene_dagster.delivery.decide.tick import Hold
from skene_dagster.delivery.entitlements import Entitled
from skene_dagster.durations import duration_text
from skene_dagster.loops.plan import After, Block, Calls, LoopPlan, Manual, Rows, Schedule, StepPlan
from skene_dagster.segments.refresh import Refreshed


def loop(plan: LoopPlan) -> str:
    """Describe a loop: its opinion."""
    return plan.opinion or f"The {plan.type} loop."


def segment(plan: LoopPlan, step: StepPlan) -> str:
    """Describe a step's segment."""
    if step.by_row:
        who, table = ("accounts", "skene_account_triggered") if step.per_account else ("users", "skene_triggered")
        return (
            f"{loop(plan)}\n\n**Who:** the {who} with a row that triggered `{step.name}`, for whom its condition then "
            f"held. Kept in `{table}`, one row for each. {_when(step)}"
        )
    if step.per_account:
        return (
            f"{loop(plan)}\n\n**Who:** the accounts that the condition of `{step.name}` selects now, and since when. "
            f"Kept in `skene_account_members`, with those that left. {_when(step)}"
        )
    return (
        f"{loop(plan)}\n\n**Who:** the users that the condition of `{step.name}` selects now, and since when. "
        f"Kept in `skene_segment_members`, with those who left. {_when(step)}"
    )


def sends(plan: LoopPlan, step: StepPlan) -> str:
    """Describe a step's emails."""
    assert step.email is not None
    about = "" if step.email.topic is None else f", about `{step.email.topic}`,"
    return (
        f"{loop(plan)}\n\n**What:** the email `{step.email.template}`{about} to {_to_whom(step)}, "
        f"{_how_often(step)}. The first op reserves, the second delivers; each decision is "
        "recorded with its reason, and running them again sends nothing twice."
    )


def schedule(plan: LoopPlan, steps: Sequence[StepPlan]) -> str:
    """Describe what a schedule starts."""
    return f"Runs {', '.join(step.name for step in steps)} of {plan.name}. {_when(steps[0])}"


def entitlements(plan: LoopPlan, step: StepPlan) -> str:
    """Describe whom a step blocks."""
    assert isinstance(step.action, Block)
    return (
        f"{loop(plan)}\n\n**What:** the members of the segment are blocked, in `skene_entitlements`, which the product "
        f"reads; when they leave, the block is lifted. They see: {step.action.message}"
    )


def sensor(plan: LoopPlan, step: StepPlan) -> str:
    """Describe what a sensor starts."""
    return f"Starts {step.name} of {plan.name}. {_when(step)}"


def refreshed(step: StepPlan, found: Refreshed) -> str:
    """Report a refresh in one line."""
    if step.by_row:
        what = "already looked at" if found.already else f"{found.entered:,} rows triggered"
        return f"{found.segment} as of {found.as_of} UTC: {what}."
    changes = "already refreshed" if found.already else f"{found.entered:,} entered, {found.exited:,} left"
    return f"{found.segment} as of {found.as_of} UTC: {found.members:,} members; {changes}."


def entitled(changed: Entitled, blocked: int) -> str:
    """Report an update of the entitlements in one line."""
    what = "paused" if changed.paused else f"{changed.blocked:,} more, {changed.lifted:,} lifted"
    return f"{blocked:,} are blocked; {what}."


def counted(what: str, counts: Mapping[str, int]) -> str:
    """Report counts in one line."""
    return f"{what}: {', '.join(f'{n:,} {name}' for name, n in counts.items()) or 'nobody'}."


def held(plan: LoopPlan, step: StepPlan, hold: Hold) -> str:
    """Say what holds a step."""
    if not hold.said:
        return "The loop is paused, or all loops are; `skene-dagster status` says by what."
    return told(hold.said, plan.name, step.name)


def delivered(accepted: int, counts: Mapping[str, int]) -> str:
    """Report a delivery in one line: a run also sends what earlier ticks reserved."""
    return f"{accepted:,} emails accepted in this run, for any tick. {counted('Reserved for this tick', counts)}"


def _to_whom(step: StepPlan) -> str:
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


def _when(step: StepPlan) -> str:
    match step.trigger:
        case Schedule(cron=cron, timezone=timezone):
            return f"Every `{cron}` ({timezone})."
        case Calls(pattern=pattern):
            return f"When the product is called: `{pattern}`."
        case Manual():
            return "When a person starts it."
        case Rows(table=table, name=name, changes=changes):
            of_what = f"event `{name[1]}` in" if name else f"{'changed' if changes else 'new'} row of"
            return f"For each {of_what} `{table}`."
        case After(step=parent, wait=wait):
            return f"{duration_text(wait)} after the email of `{parent}`."
        case _:
            assert_never(step.trigger)


def _how_often(step: StepPlan) -> str:
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
