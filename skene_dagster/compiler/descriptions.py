"""What a stranger reads in the UI: why a loop exists, what each of its parts does, and when."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from typing_extensions import assert_never

from skene_dagster.audience.segments import Refreshed
from skene_dagster.documents import duration_text
from skene_dagster.loops.plan import Email, LoopPlan, Schedule, StepPlan


def loop(plan: LoopPlan) -> str:
    """Describe a loop: its opinion, and what of it cannot run yet."""
    later = "".join(f"\n- {part}" for part in plan.not_yet)
    return (plan.opinion or f"The {plan.type} loop.") + (f"\n{later}" if later else "")


def segment(plan: LoopPlan, step: StepPlan) -> str:
    """Describe a step's segment."""
    return (
        f"{loop(plan)}\n\n**Who:** the users whom the condition of `{step.name}` selects now, and since when each "
        f"is among them. Kept in `skene_segment_members`, with those who left. {_when(step)}"
    )


def sends(plan: LoopPlan, step: StepPlan) -> str:
    """Describe a step's emails."""
    assert isinstance(step.action, Email)
    return (
        f"{loop(plan)}\n\n**What:** the email `{step.action.template}` to the members of the segment, "
        f"{_how_often(step.action)}. The first op decides about each member, the second sends; every decision has its "
        "row in `skene_sends`, and running it again sends nothing twice."
    )


def schedule(plan: LoopPlan, steps: Sequence[StepPlan]) -> str:
    """Describe what a schedule starts."""
    return f"Runs {', '.join(step.name for step in steps)} of {plan.name}. {_when(steps[0])}"


def not_yet(plan: LoopPlan) -> str:
    """Describe a loop that is known but does not run."""
    return f"**Known, not yet run.**\n\n{loop(plan)}"


def refreshed(found: Refreshed) -> str:
    """Tell a refresh in a line."""
    changes = "refreshed before" if found.already else f"{found.entered:,} entered, {found.exited:,} left"
    return f"{found.segment} as of {found.as_of} UTC: {found.members:,} members; {changes}."


def counted(what: str, counts: Mapping[str, int]) -> str:
    """Tell counts in a line."""
    return f"{what}: {', '.join(f'{n:,} {name}' for name, n in counts.items()) or 'nobody'}."


def _when(step: StepPlan) -> str:
    if not isinstance(step.trigger, Schedule):
        return ""
    return f"Every `{step.trigger.cron}` ({step.trigger.timezone})."


def _how_often(email: Email) -> str:
    match email.repeat:
        case "once":
            return "once in a lifetime"
        case "every_entry":
            return "once for each time that they enter"
        case timedelta() as pause:
            return f"once for each time that they enter, at most every {duration_text(pause)}"
        case _:
            assert_never(email.repeat)
