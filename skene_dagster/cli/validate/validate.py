"""skene-dagster validate."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import click

from skene_dagster import boundary
from skene_dagster.cli.group import REFUSED, WRONG_FILES, exit_code
from skene_dagster.cli.screen import LABEL, Screen, open_screen
from skene_dagster.cli.validate.notices import next_ticks, notices, of_all_loops
from skene_dagster.errors import DocumentError, Place, SkeneError
from skene_dagster.files import shown_path
from skene_dagster.loops.plan import LoopPlan
from skene_dagster.loops.triggers import Schedule
from skene_dagster.project import Project, load_project
from skene_dagster.settings import FILE, Settings, load
from skene_dagster.wording import how_many

if TYPE_CHECKING:
    from skene_dagster.checks.scans import Scan
    from skene_dagster.cli.validate.database_checks import Answer

_WIDEST_SQL = 70


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--database", is_flag=True, help="Also check against the database: tables, columns, and the exact SQL. Only reads."
)
@click.pass_obj
def validate(root: Path, files: Sequence[Path], *, database: bool) -> None:
    """Check skene.yaml, every loop and its templates, and pages of your own; or only the given loop FILES.

    Nothing is run, written or sent. Each error names its file and line.
    """
    screen = open_screen()
    settings = load(root)
    project = _only(load_project(settings), files, settings)
    answer = _ask(screen, settings, project) if database else None
    errors: dict[str, Sequence[SkeneError]] = {broken.file: broken.error.errors for broken in project.broken}
    if not files:
        errors |= _wrong_pages(settings)
    unreachable = None
    if answer is not None:
        errors |= answer.loops
        unreachable = answer.unreachable
        for error in answer.settings:
            screen.error(error)
    looks = _looked_at(project, errors, settings, answer)
    _print_loops(screen, project, errors, looks, answer)
    wrong = [error for found in errors.values() for error in found] + (list(answer.settings) if answer else [])
    if unreachable is not None:
        screen.error(unreachable)
    screen.line()
    screen.paragraph(_summary(sum(plan.document.file not in errors for plan in project.loops), len(wrong), answer))
    if wrong or unreachable is not None:
        raise click.exceptions.Exit(WRONG_FILES if WRONG_FILES in map(exit_code, wrong) else REFUSED)


def _wrong_pages(settings: Settings) -> dict[str, Sequence[SkeneError]]:
    """Check the project's own unsubscribe pages, as `serve` does before it serves them."""
    folder = settings.templates / "pages"
    if not folder.is_dir():
        return {}
    # Imported here: they need Starlette and SQLAlchemy, and few projects have pages of their own.
    from skene_dagster.web.pages.views import Views  # noqa: PLC0415

    try:
        with boundary.around(shown_path(folder, settings.root)):
            Views.of(settings)
    except DocumentError as error:
        return {str(folder): error.errors}
    return {}


def _ask(screen: Screen, settings: Settings, project: Project) -> "Answer":
    # Imported here: SQLAlchemy costs 0.25 s, and only this option needs it.
    from skene_dagster.cli.validate.database_checks import ask  # noqa: PLC0415

    with screen.doing("Querying the database"):
        return ask(settings, project)


def _only(project: Project, files: Sequence[Path], settings: Settings) -> Project:
    """Keep only the loops of these files, if any are named; a path is relative to here, or to the project."""
    if not files:
        return project
    known = [plan.document.file for plan in project.loops] + [broken.file for broken in project.broken]
    wanted = set()
    for file in files:
        places = {file.resolve(), (settings.root / file).resolve()}
        named = next((name for name in known if (settings.root / name).resolve() in places), None)
        if named is None:
            raise click.BadParameter(f"{file} is not a loop file in {settings.loops}.", param_hint="FILES")
        wanted.add(named)
    return Project(
        tuple(plan for plan in project.loops if plan.document.file in wanted),
        tuple(broken for broken in project.broken if broken.file in wanted),
    )


@dataclass(frozen=True)
class _Look:
    """What there is to say of a loop without errors."""

    next_ticks: str
    notices: list[tuple[Place, str]]


def _looked_at(
    project: Project, errors: dict[str, Sequence[SkeneError]], settings: Settings, answer: "Answer | None"
) -> dict[str, _Look]:
    """Examine each loop without errors; a failure is reported as an error of its file."""
    now = datetime.now(timezone.utc).replace(tzinfo=None)
    found: dict[str, _Look] = {}
    for plan in project.loops:
        file = plan.document.file
        if file in errors:
            continue
        try:
            with boundary.around(file):
                found[file] = _Look(next_ticks(plan, now), list(notices(plan, settings, answer, now)))
        except DocumentError as error:
            errors[file] = error.errors
    return found


def _print_loops(
    screen: Screen,
    project: Project,
    errors: dict[str, Sequence[SkeneError]],
    looks: dict[str, _Look],
    answer: "Answer | None",
) -> None:
    width = max((len(plan.name) for plan in project.loops), default=0)
    for plan in project.loops:
        if plan.document.file in errors:
            continue
        look = looks[plan.document.file]
        screen.labelled("ok", f"{plan.name:<{width}}  {plan.document.file}{_when(plan)}")
        if look.next_ticks:
            screen.paragraph(f"Next tick: {look.next_ticks}", LABEL)
        for place, text in look.notices:
            screen.labelled("notice", str(place), text)
        for scan in answer.scans.get(plan.document.file, ()) if answer else ():
            screen.labelled("notice", str(scan.place), _whole_table(scan))
        for bad in answer.unreadable.get(plan.document.file, ()) if answer else ():
            screen.labelled("notice", plan.document.file, str(bad))
        for lack in answer.lacking.get(plan.document.file, ()) if answer else ():
            screen.labelled("notice", str(lack.place), lack.says)
    for place, text in of_all_loops(project.all_loops):
        screen.labelled("notice", str(place), text)
    for suspect in answer.suspects if answer else ():
        screen.labelled("notice", str(suspect.place), suspect.says)
    for bad in answer.unreadable.get(FILE, ()) if answer else ():
        screen.labelled("notice", FILE, str(bad))
    for found in errors.values():
        for error in found:
            screen.error(error)


def _when(plan: LoopPlan) -> str:
    times = dict.fromkeys(step.trigger for step in plan.steps if isinstance(step.trigger, Schedule))
    return "  " + ", ".join(f"{time.cron} {time.timezone}" for time in times) if times else ""


def _whole_table(scan: "Scan") -> str:
    reads = f"Every run reads all of {scan.table} ({scan.rows} rows)."
    if not scan.index:
        return f"{reads} No index would help the condition as it is written."
    # Indented, so that the lines stay as they are, and can be copied.
    statement = textwrap.indent(textwrap.fill(scan.index, _WIDEST_SQL, subsequent_indent="  "), "  ")
    return f"{reads} An index may avoid this:\n{statement}"


def _summary(ok: int, wrong: int, answer: "Answer | None") -> str:
    counted = f"{how_many(ok, 'loop')} ok" + (f", {how_many(wrong, 'error')}" if wrong else "") + "."
    if answer is None:
        return f"{counted} Not checked against the database; --database does that."
    if answer.unreachable is not None:
        return f"{counted} Not checked against the database."
    return f"{counted} Checked against {answer.database}."
