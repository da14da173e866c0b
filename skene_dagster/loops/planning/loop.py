"""From what an author wrote to what it means: every name, duration, SQL text and column resolved, or refused.

Pure: nothing is written, no database is queried, no template is opened.
"""

from datetime import timedelta
from functools import partial

from skene_dagster.documents import Document, Path_, shown
from skene_dagster.loops import model
from skene_dagster.loops.field_types import Recipient
from skene_dagster.loops.names import fault_of_name
from skene_dagster.loops.plan import Block, Condition, Email, LinkTags, LoopPlan, StepPlan
from skene_dagster.loops.planning.accounts import recipient_of
from skene_dagster.loops.planning.conditions import about, columns_of, plan_condition
from skene_dagster.loops.planning.emails import link_tags, plan_email
from skene_dagster.loops.planning.faults import Faults
from skene_dagster.loops.planning.goals import plan_goals
from skene_dagster.loops.planning.marketing import topic_of
from skene_dagster.loops.planning.triggers import is_by_row, plan_trigger
from skene_dagster.loops.times.retry_delays import RecoveryPlan, last_wait
from skene_dagster.loops.variants import variants_of
from skene_dagster.settings import Fresh, Settings, repeated

LONGEST_WAIT = timedelta(days=1)
"""Dagster waits inside the run, which lasts as long."""


def plan_loop(loop: model.Loop, document: Document, settings: Settings) -> LoopPlan:
    """Resolve a loop into its plan.

    Raises:
        DocumentErrors, or a single LoopError: everything that is impossible, each with its line.
    """
    faults = Faults(document)
    name = loop.name or loop.type
    _check_name(name, ("name",), "loop", faults)
    _check_names_of_steps(loop.steps, faults)
    topic = topic_of(loop, settings, faults)
    recipient = recipient_of(loop, settings, faults)
    utm = link_tags(loop.utm, name, settings, faults)
    plan = LoopPlan(
        name=name,
        type=loop.type,
        opinion=loop.opinion,
        steps=tuple(
            _step(number, loop.steps, topic, recipient, utm, settings, faults) for number in range(len(loop.steps))
        ),
        goals=plan_goals(loop.goal or [], settings, faults),
        holdout=loop.holdout,
        priority=loop.priority,
        start=loop.start,
        recovery=_recovery(loop.recovery, faults),
        on_doubt=loop.on_doubt,
        document=document,
        fresh=_fresh(loop.fresh, faults),
    )
    _check_variants(plan, faults)
    faults.raise_any()
    return plan


def _check_variants(plan: LoopPlan, faults: Faults) -> None:
    """A user is in one variant of a loop: its emails cannot be divided in different ways."""
    shares = variants_of(plan)
    for number, step in enumerate(plan.steps):
        if step.email is not None and step.email.variants not in ((), shares):
            prompt = () if step.email is step.action else ("upgrade_prompt",)
            faults.refuse(
                ("steps", number, "action", *prompt, "variants"),
                "The variants are others than those of an earlier step; a user gets the same one of all steps.",
                "Write the same ones, in the same shares and order, or put the step into a loop of its own.",
            )


def _fresh(sources: list[Fresh] | None, faults: Faults) -> tuple[Fresh, ...] | None:
    if sources is None:
        return None
    for position in repeated(sources):
        faults.refuse(("fresh", position, "column"), f"{sources[position].name} is listed twice.", "Keep one.")
    return tuple(sources)


def _recovery(recovery: model.Recovery, faults: Faults) -> RecoveryPlan:
    last = last_wait(recovery.retries, recovery.backoff, recovery.delay)
    if last > LONGEST_WAIT:
        faults.refuse(
            ("recovery",),
            f"The wait before the last retry would be {last / LONGEST_WAIT:.1f} days; one is the most.",
            "Write fewer retries, a shorter delay, or backoff: linear.",
        )
    return RecoveryPlan(recovery.retries, recovery.backoff, recovery.delay)


def _check_name(name: str, path: Path_, what: str, faults: Faults) -> None:
    if fault := fault_of_name(name):
        faults.refuse(path, f"{shown(name)} cannot be the name of a {what}.", fault)


def _check_names_of_steps(steps: list[model.Step], faults: Faults) -> None:
    seen: dict[str, int] = {}
    for number, step in enumerate(steps):
        path = ("steps", number, "name")
        if step.name is None:
            if len(steps) > 1:
                advice = "In a loop of several steps each needs one, such as `name: nudge`."
                faults.refuse(path, "The step has no name.", advice)
            continue
        _check_name(step.name, path, "step", faults)
        if step.name in seen:
            faults.refuse(
                path, f"Step {seen[step.name] + 1} is called {shown(step.name)}, too.", "Choose another name."
            )
        seen.setdefault(step.name, number)
    taken = {step.name or "main" for step in steps}
    for number, step in enumerate(steps):
        if step.renamed_from is not None:
            path = ("steps", number, "renamed_from")
            _check_name(step.renamed_from, path, "step", faults)
            if step.renamed_from in taken:
                faults.refuse(
                    path, f"{shown(step.renamed_from)} is still a step of this loop.", "Name the one that is gone."
                )
            taken.add(step.renamed_from)


def _step(
    number: int,
    steps: list[model.Step],
    topic: str,
    recipient: Recipient | None,
    utm: LinkTags | None,
    settings: Settings,
    faults: Faults,
) -> StepPlan:
    step, path = steps[number], ("steps", number)
    about_accounts = recipient is not None
    trigger = plan_trigger(
        step.trigger, (*path, "trigger"), steps[:number], settings, faults, per_account=about_accounts
    )
    # Where the accounts are unknown, so is what names one: nothing more is wrong with the query.
    of_the_query = Faults(faults.document) if about_accounts and settings.accounts is None else faults
    selects = settings.accounts if about_accounts and settings.accounts is not None else settings.users
    condition = plan_condition(step.condition, (*path, "condition"), trigger, settings, of_the_query, selects=selects)
    return StepPlan(
        name=step.name or "main",
        renamed_from=step.renamed_from,
        trigger=trigger,
        condition=condition,
        timeout=step.condition.timeout,
        action=_action(
            step.action,
            (*path, "action"),
            condition,
            settings,
            faults,
            by_row=is_by_row(trigger),
            per_account=about_accounts,
            topic=topic,
            utm=utm and utm.of(step.name or "main"),
        ),
        recipient=recipient,
    )


def _action(  # noqa: PLR0913 - what an action has of its loop and its step
    action: model.Action,
    path: Path_,
    condition: Condition,
    settings: Settings,
    faults: Faults,
    *,
    by_row: bool,
    per_account: bool,
    topic: str,
    utm: LinkTags | None,
) -> Email | Block:
    plan = partial(
        plan_email,
        columns=columns_of(condition, per_account=per_account),
        about=about(condition, settings),
        by_row=by_row,
        per_account=per_account,
        topic=topic,
        utm=utm,
        settings=settings,
        faults=faults,
    )
    if isinstance(action, model.EmailAction):
        return plan(action, path)
    if by_row:
        advice = "Use a trigger of type schedule, api or manual."
        faults.refuse((*path, "type"), "'block' applies to the members of a segment, not to single rows.", advice)
    prompt = action.upgrade_prompt
    return Block(action.message, None if prompt is None else plan(prompt, (*path, "upgrade_prompt")))
