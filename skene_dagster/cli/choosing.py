"""Which loop and step a command is about; a name that there is not is answered with those that there are."""

from collections.abc import Callable

import click

from skene_dagster.documents import one_of, together
from skene_dagster.loops.plan import LoopPlan, StepPlan
from skene_dagster.project import Project


def plan_of(project: Project, name: str) -> LoopPlan:
    """Find a loop by its name.

    Raises:
        DocumentError: its file is wrong.
        click.BadParameter: there is none.
    """
    for plan in project.loops:
        if plan.name == name:
            return plan
    wrong = [broken.error for broken in project.broken if name in (broken.loop, broken.stem, broken.file)]
    if wrong or not project.loops:
        raise together(error for broken in wrong or [one.error for one in project.broken] for error in broken.errors)
    raise click.BadParameter(
        f"There is no loop {name!r}. {one_of(name, [plan.name for plan in project.loops])}", param_hint="LOOP"
    )


def steps_of(
    plan: LoopPlan, name: str | None, runs: Callable[[StepPlan], bool], otherwise: str = "sends no email"
) -> list[StepPlan]:
    """Find the steps of a loop that a command is about: one by its name, or all.

    Args:
        otherwise: what is said of the loop or the step where there is none.

    Raises:
        click.UsageError: there is none.
    """
    if name is not None and name not in (names := [step.name for step in plan.steps]):
        raise click.BadParameter(f"{plan.name} has no step {name!r}. {one_of(name, names)}", param_hint="--step")
    ready = [step for step in plan.steps if name in (None, step.name) and runs(step)]
    if not ready:
        raise click.UsageError(f"{name or plan.name} {otherwise}.")
    return ready


def known_loop(project: Project, names_in_database: set[str], name: str) -> str:
    """Check the name of a loop that may be in the database only: its file was removed, or is broken.

    Raises:
        click.BadParameter: nobody knows it.
    """
    known = names_in_database | {plan.name for plan in project.loops} | {one.loop for one in project.broken if one.loop}
    if name not in known:
        raise click.BadParameter(f"There is no loop {name!r}. {one_of(name, sorted(known))}", param_hint="LOOP")
    return name
