"""Which loop and step a command is about; for an unknown name, the error lists those that exist.

A loop is found by its name or, if no loop has that name, by its file: the command then says which loop that is.
"""

from collections.abc import Callable, Iterable
from pathlib import PurePath

import click

from skene_dagster import locales
from skene_dagster.cli.screen import open_screen
from skene_dagster.delivery.controls import EVERY
from skene_dagster.documents import one_of, together
from skene_dagster.loops.plan import LoopPlan, StepPlan
from skene_dagster.project import Project
from skene_dagster.settings import FILE, Settings


def plan_of(project: Project, name: str) -> LoopPlan:
    """Find a loop by its name, or its file.

    Raises:
        DocumentError: its file is wrong.
        click.BadParameter: there is none.
    """
    plans = {plan.name: plan for plan in project.loops}
    if name not in plans:
        name = _loop_in(name, ((plan.document.file, plan.name) for plan in project.loops)) or name
    if name in plans:
        return plans[name]
    wrong = [broken.error for broken in project.broken if name in (broken.loop, broken.stem, broken.file)]
    if wrong or not project.loops:
        raise together(error for broken in wrong or [one.error for one in project.broken] for error in broken.errors)
    raise click.BadParameter(
        f"There is no loop {name!r}. {one_of(name, [plan.name for plan in project.loops])}", param_hint="LOOP"
    )


def sends(step: StepPlan) -> bool:
    """Whether a step sends emails."""
    return step.email is not None


def steps_of(
    plan: LoopPlan, name: str | None, runs: Callable[[StepPlan], bool], otherwise: str = "sends no email"
) -> list[StepPlan]:
    """Find the steps of a loop that a command is about: one by its name, or all.

    Args:
        otherwise: what to say of the loop or the step if there is none.

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
    """Find the name of a loop that may be in the database only: its file was removed, or is broken.

    Raises:
        click.BadParameter: neither the project nor the database knows it.
    """
    known = (
        names_in_database - {EVERY}
        | {plan.name for plan in project.loops}
        | {one.loop for one in project.broken if one.loop}
    )
    if name not in known:
        files = [(plan.document.file, plan.name) for plan in project.loops]
        files += [(broken.file, broken.loop) for broken in project.broken if broken.loop]
        name = _loop_in(name, files) or name
    if name not in known:
        raise click.BadParameter(f"There is no loop {name!r}. {one_of(name, sorted(known))}", param_hint="LOOP")
    return name


def _loop_in(file: str, files: Iterable[tuple[str, str]]) -> str | None:
    """Find the loop of a file by its path, its name, or its name without the ending, and say which loop that is."""
    wanted = PurePath(file).as_posix()
    found = [(path, loop) for path, loop in files if wanted in (path, PurePath(path).name, PurePath(path).stem)]
    if len(found) > 1:
        each = " and ".join(f"{path} (the loop {loop})" for path, loop in found)
        raise click.BadParameter(f"{file!r} could be {each}. Name the loop.", param_hint="LOOP")
    for path, loop in found:
        open_screen(stderr=True).labelled("notice", f"{path} is the loop {loop}.")
        return loop
    return None


def check_locale(locale: str, settings: Settings) -> None:
    """Make sure that an email can be asked for in a language.

    Raises:
        click.BadParameter: all get the same, or it is no language.
    """
    if settings.users.locale is None:
        said = f"{FILE} does not say where a user's language is, so all get the same email. Add `users.locale`."
        raise click.BadParameter(said, param_hint="--locale")
    if not locales.tag_of(locale):
        said = f"{locale!r} is not a language tag. Write one like de or pt-BR."
        raise click.BadParameter(said, param_hint="--locale")
