"""What the UI tells a newcomer: why a loop exists, what each of its parts does, and when."""

from collections.abc import Mapping, Sequence

from skene_dagster.delivery.blocking.entitlements import Entitled
from skene_dagster.delivery.decide.gates.judging import told
from skene_dagster.delivery.decide.tick import Hold
from skene_dagster.loops.plan import Block, LoopPlan, StepPlan
from skene_dagster.loops.plan_words import how_often, to_whom, when, who
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
            f"held. Kept in `{table}`, one row for each. {when(step)}"
        )
    if step.per_account:
        return (
            f"{loop(plan)}\n\n**Who:** the accounts that the condition of `{step.name}` selects now, and since when. "
            f"Kept in `skene_account_members`, with those that left. {when(step)}"
        )
    return (
        f"{loop(plan)}\n\n**Who:** the users that the condition of `{step.name}` selects now, and since when. "
        f"Kept in `skene_segment_members`, with those who left. {when(step)}"
    )


def sends(plan: LoopPlan, step: StepPlan) -> str:
    """Describe a step's emails."""
    assert step.email is not None
    about = "" if step.email.topic is None else f", about `{step.email.topic}`,"
    return (
        f"{loop(plan)}\n\n**What:** the email `{step.email.template}`{about} to {to_whom(step)}, "
        f"{how_often(step)}. The first op reserves, the second delivers; each decision is "
        "recorded with its reason, and running them again sends nothing twice."
    )


def as_table(plan: LoopPlan) -> str:
    """Show a loop as a table: when, who, what, a row for each step. (2026-11: the UI shows tables, and no diagrams.)"""
    rows = [f"| {step.name} | {when(step)} | {_cell(who(step.condition))} | {_what(step)} |" for step in plan.steps]
    return "\n".join(["| step | when | who | what |", "|---|---|---|---|", *rows])


def _what(step: StepPlan) -> str:
    sent = [] if step.email is None else [f"the email `{step.email.template}` to {to_whom(step)}, {how_often(step)}"]
    return "; ".join([*(["a block"] if isinstance(step.action, Block) else []), *sent])


def _cell(text: str) -> str:
    """Write a text into a cell of a table."""
    return f"`{' '.join(text.split()).replace('`', '')}`".replace("|", "\\|")


def schedule(plan: LoopPlan, steps: Sequence[StepPlan]) -> str:
    """Describe what a schedule starts."""
    return f"Runs {', '.join(step.name for step in steps)} of {plan.name}. {when(steps[0])}"


def entitlements(plan: LoopPlan, step: StepPlan) -> str:
    """Describe whom a step blocks."""
    assert isinstance(step.action, Block)
    who = "all users of the accounts in the segment" if step.per_account else "the members of the segment"
    return (
        f"{loop(plan)}\n\n**What:** {who} are blocked, in `skene_entitlements`, which the product "
        f"reads; when they leave, the block is lifted. They see: {step.action.message}"
    )


def sensor(plan: LoopPlan, step: StepPlan) -> str:
    """Describe what a sensor starts."""
    return f"Starts {step.name} of {plan.name}. {when(step)}"


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
