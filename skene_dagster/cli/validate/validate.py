"""skene-dagster validate."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import click

from skene_dagster import boundary
from skene_dagster.cli.group import REFUSED, WRONG_FILES, exit_code
from skene_dagster.cli.screen import LABEL, Screen, open_screen
from skene_dagster.cli.validate.findings import Finding, Look, findings, of_a_loop, of_the_project
from skene_dagster.cli.validate.formats import to_github, to_json, to_sarif
from skene_dagster.cli.validate.notices import next_ticks, notices
from skene_dagster.delivery.email.translations import between_languages, unreached
from skene_dagster.errors import DocumentError, Notice, SkeneError
from skene_dagster.files import shown_path
from skene_dagster.loops.plan import LoopPlan
from skene_dagster.loops.triggers import Schedule
from skene_dagster.project import Project, load_project
from skene_dagster.settings import Settings, load
from skene_dagster.wording import how_many

if TYPE_CHECKING:
    from skene_dagster.cli.validate.database_checks import Answer


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--database", is_flag=True, help="Also check against the database: tables, columns, and the exact SQL. Only reads."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "sarif", "github"]),
    default="text",
    show_default=True,
    help="For people; or for programs: one JSON object, SARIF 2.1.0, or annotations of GitHub.",
)
@click.pass_obj
def validate(root: Path, files: Sequence[Path], *, database: bool, form: str) -> None:
    """Check skene.yaml, every loop and its templates, and pages of your own; or only the given loop FILES.

    Nothing is run, written or sent. Each error names its file and line.
    """
    if form == "text":
        checked = _checked(root, files, database=database)
        _tell(checked)
        wrong = checked.wrong
    else:
        try:
            checked = _checked(root, files, database=database)
        except SkeneError as error:
            # Nothing else can be checked: it is what there is to tell.
            click.echo(_written(form, Finding.of(error), None, root), nl=False)
            wrong = [error]
        else:
            found = findings(checked.project, checked.errors, checked.looks, checked.answer, checked.more)
            click.echo(_written(form, found, checked.database, root), nl=False)
            wrong = checked.wrong
    if wrong:
        raise click.exceptions.Exit(WRONG_FILES if WRONG_FILES in map(exit_code, wrong) else REFUSED)


def _written(form: str, found: Sequence[Finding], database: str | None, root: Path) -> str:
    match form:
        case "json":
            return to_json(found, database)
        case "sarif":
            return to_sarif(found, root)
        case _:
            return to_github(found, root)


@dataclass(frozen=True)
class _Checked:
    """What is known of a project."""

    settings: Settings
    project: Project
    errors: dict[str, Sequence[SkeneError]]
    """Those of each file."""
    looks: dict[str, Look]
    answer: "Answer | None"
    more: list[Notice]

    @property
    def database(self) -> str | None:
        """What it was checked against."""
        return self.answer.database if self.answer is not None and self.answer.unreachable is None else None

    @property
    def wrong(self) -> list[SkeneError]:
        """All errors."""
        found = [error for errors in self.errors.values() for error in errors]
        if self.answer is not None:
            found += self.answer.settings
            found += [self.answer.unreachable] if self.answer.unreachable is not None else []
        return found


def _checked(root: Path, files: Sequence[Path], *, database: bool) -> _Checked:
    """Check a project, or some files of it.

    Raises:
        SkeneError: nothing else can be checked before this is right.
    """
    settings = load(root)
    project = _only(load_project(settings), files, settings)
    answer = _ask(open_screen(), settings, project) if database else None
    errors: dict[str, Sequence[SkeneError]] = {broken.file: broken.error.errors for broken in project.broken}
    if not files:
        errors |= _wrong_pages(settings)
    if answer is not None:
        errors |= answer.loops
    looks = _looked_at(project, errors, settings, answer)
    # Which files a loop uses that is broken, nobody knows.
    more = list(unreached(settings, project.loops)) if not files and not errors else []
    return _Checked(settings, project, errors, looks, answer, more)


def _tell(checked: _Checked) -> None:
    screen, errors, answer = open_screen(), checked.errors, checked.answer
    for error in answer.settings if answer else ():
        screen.error(error)
    _print_loops(screen, checked.project, errors, checked.looks, answer)
    for notice in checked.more:
        screen.labelled("notice", str(notice.place), notice.says)
    unreachable = answer.unreachable if answer else None
    if unreachable is not None:
        screen.error(unreachable)
    screen.line()
    well = sum(plan.document.file not in errors for plan in checked.project.loops)
    screen.paragraph(_summary(well, len(checked.wrong) - (unreachable is not None), answer))


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


def _looked_at(
    project: Project, errors: dict[str, Sequence[SkeneError]], settings: Settings, answer: "Answer | None"
) -> dict[str, Look]:
    """Examine each loop without errors; a failure is reported as an error of its file."""
    now = datetime.now(timezone.utc).replace(tzinfo=None)
    found: dict[str, Look] = {}
    for plan in project.loops:
        file = plan.document.file
        if file in errors:
            continue
        try:
            with boundary.around(file):
                said = [*notices(plan, settings, answer, now), *between_languages(settings, plan)]
                found[file] = Look(next_ticks(plan, now), said)
        except DocumentError as error:
            errors[file] = error.errors
    return found


def _print_loops(
    screen: Screen,
    project: Project,
    errors: dict[str, Sequence[SkeneError]],
    looks: dict[str, Look],
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
        for notice in of_a_loop(plan, look, answer):
            screen.labelled("notice", str(notice.place), notice.says)
    for notice in of_the_project(project, answer):
        screen.labelled("notice", str(notice.place), notice.says)
    for found in errors.values():
        for error in found:
            screen.error(error)


def _when(plan: LoopPlan) -> str:
    times = dict.fromkeys(step.trigger for step in plan.steps if isinstance(step.trigger, Schedule))
    return "  " + ", ".join(f"{time.cron} {time.timezone}" for time in times) if times else ""


def _summary(ok: int, wrong: int, answer: "Answer | None") -> str:
    counted = f"{how_many(ok, 'loop')} ok" + (f", {how_many(wrong, 'error')}" if wrong else "") + "."
    if answer is None:
        return f"{counted} Not checked against the database; --database does that."
    if answer.unreachable is not None:
        return f"{counted} Not checked against the database."
    return f"{counted} Checked against {answer.database}."
