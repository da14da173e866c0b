"""skene-dagster validate."""

import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from skene_dagster import boundary
from skene_dagster.cli.group import REFUSED, WRONG_FILES
from skene_dagster.cli.screen import Screen, how_many, open_screen
from skene_dagster.errors import DocumentError, Place
from skene_dagster.loops.dialect.nulls import Forgotten, forgotten
from skene_dagster.loops.dialect.repeats import Repeated, repeated
from skene_dagster.loops.plan import LoopPlan, Query, Schedule
from skene_dagster.loops.zones import trap_of_timezone
from skene_dagster.project import Project, load_project
from skene_dagster.settings import FILE, Settings, load

if TYPE_CHECKING:
    from skene_dagster.audience.scans import Scan
    from skene_dagster.cli.asking import Answer

_WIDEST_SQL = 70


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--database", is_flag=True, help="Ask the database too: tables, columns, and the SQL as it is sent. Reads only."
)
@click.pass_obj
def validate(root: Path, files: Sequence[Path], *, database: bool) -> None:
    """Check skene.yaml, every loop and its templates; or the given loop FILES only.

    Nothing is run, written or sent. Each error names its file and line.
    """
    screen = open_screen()
    settings = load(root)
    project = _only(load_project(settings), files, settings)
    answer = _ask(screen, settings, project) if database else None
    errors: dict[str, Sequence[DocumentError]] = {broken.file: broken.error.errors for broken in project.broken}
    unreachable = None
    if answer is not None:
        errors |= answer.loops
        unreachable = answer.unreachable
        for error in answer.settings:
            screen.error(error)
    notices = _noticed(project, errors, settings, answer)
    _print_loops(screen, project, errors, notices, answer)
    wrong = sum(len(found) for found in errors.values()) + (len(answer.settings) if answer else 0)
    if unreachable is not None:
        screen.error(unreachable)
    screen.line()
    screen.paragraph(_summary(sum(plan.document.file not in errors for plan in project.loops), wrong, answer))
    if wrong or unreachable is not None:
        raise click.exceptions.Exit(WRONG_FILES if wrong else REFUSED)


def _ask(screen: Screen, settings: Settings, project: Project) -> "Answer":
    # Imported here: SQLAlchemy costs 0.25 s, and only this option needs it.
    from skene_dagster.cli.asking import ask  # noqa: PLC0415

    with screen.doing("Asking the database"):
        return ask(settings, project)


def _only(project: Project, files: Sequence[Path], settings: Settings) -> Project:
    """Leave only the loops of these files, if any are named; a path is from here, or from the project."""
    if not files:
        return project
    known = [plan.document.file for plan in project.loops] + [broken.file for broken in project.broken]
    wanted = set()
    for file in files:
        places = {file.resolve(), (settings.root / file).resolve()}
        named = next((name for name in known if (settings.root / name).resolve() in places), None)
        if named is None:
            raise click.BadParameter(f"{file} is no loop file of {settings.loops}.", param_hint="FILES")
        wanted.add(named)
    return Project(
        tuple(plan for plan in project.loops if plan.document.file in wanted),
        tuple(broken for broken in project.broken if broken.file in wanted),
    )


def _noticed(
    project: Project, errors: dict[str, Sequence[DocumentError]], settings: Settings, answer: "Answer | None"
) -> dict[str, list[tuple[Place, str]]]:
    """Collect the notices of each loop that is well; to fail on one is an error of its file."""
    found: dict[str, list[tuple[Place, str]]] = {}
    for plan in project.loops:
        file = plan.document.file
        try:
            with boundary.around(file):
                found[file] = list(_notices(plan, settings, answer)) if file not in errors else []
        except DocumentError as error:
            errors[file] = error.errors
    return found


def _print_loops(
    screen: Screen,
    project: Project,
    errors: dict[str, Sequence[DocumentError]],
    notices: dict[str, list[tuple[Place, str]]],
    answer: "Answer | None",
) -> None:
    width = max((len(plan.name) for plan in project.loops), default=0)
    for plan in project.loops:
        if plan.document.file in errors:
            continue
        screen.labelled("ok", f"{plan.name:<{width}}  {plan.document.file}{_when(plan)}")
        for said in plan.not_yet:
            screen.labelled("notice", plan.document.file, said)
        for place, text in notices[plan.document.file]:
            screen.labelled("notice", str(place), text)
        for scan in answer.scans.get(plan.document.file, ()) if answer else ():
            screen.labelled("notice", str(scan.place), _whole_table(scan))
        for bad in answer.unreadable.get(plan.document.file, ()) if answer else ():
            screen.labelled("notice", plan.document.file, str(bad))
        for lack in answer.lacking.get(plan.document.file, ()) if answer else ():
            screen.labelled("notice", str(lack.place), lack.says)
    for bad in answer.unreadable.get(FILE, ()) if answer else ():
        screen.labelled("notice", FILE, str(bad))
    for found in errors.values():
        for error in found:
            screen.error(error)


def _when(plan: LoopPlan) -> str:
    times = dict.fromkeys(step.trigger for step in plan.steps if isinstance(step.trigger, Schedule))
    return "  " + ", ".join(f"{time.cron} {time.timezone}" for time in times) if times else ""


def _notices(plan: LoopPlan, settings: Settings, answer: "Answer | None") -> Iterator[tuple[Place, str]]:
    """Say what is no error, and may still surprise; `answer` is None where the database was not asked."""
    users, nullable = settings.users, answer.nullable if answer else None
    for number, step in enumerate(plan.steps):
        if isinstance(step.trigger, Schedule) and (trap := trap_of_timezone(step.trigger.timezone)):
            yield plan.document.place(("steps", number, "trigger", "timezone")), trap
        query = step.condition
        if not isinstance(query, Query):
            continue
        path = ("steps", number, "condition", "query")
        place = plan.document.text_place(path)
        if query.sqlite is None and nullable is None:
            yield place, f"{query.needs_tidb}; the embedded SQLite database cannot run it."
        lines, unique = plan.document.text_lines(path), answer.unique if answer else None
        if found := repeated(query, users, lines, schema=settings.schema, unique=unique):
            line = None if place.line is None else place.line + found.line
            yield Place(place.file, line, place.part), _comes_twice(found)
        for missed in forgotten(query) if query.tables == (users.table,) else ():
            if _may_be_null(missed, nullable):
                who = f"Users whose {missed.column} is NULL (never active) are not among them."
                instead = f"({missed.written}\n   OR {missed.column} IS NULL)"
                yield (
                    plan.document.text_place(path, missed.at),
                    f"{who} If they should be, write in its place:\n  {instead}",
                )


def _comes_twice(found: Repeated) -> str:
    if not found.source:
        return "A user who is in both SELECTs comes twice, and the run fails. Write UNION in place of UNION ALL."
    comes = f"A user with several rows in {found.source} comes several times, and the run fails."
    if found.shown:
        return f"{comes} Write GROUP BY {found.key}, and MAX(…) or the like around the columns of {found.source}."
    instead = f"WHERE EXISTS (SELECT 1 FROM {found.source} WHERE …)"
    return f"{comes} Write SELECT DISTINCT {found.key}, or {instead} in place of the join."


def _whole_table(scan: "Scan") -> str:
    reads = f"Every run reads all of {scan.table} ({scan.rows} rows)."
    if not scan.index:
        return f"{reads} As the condition is written, no index would serve it."
    # Indented, so that the lines stay as they are, and can be copied.
    statement = textwrap.indent(textwrap.fill(scan.index, _WIDEST_SQL, subsequent_indent="  "), "  ")
    return f"{reads} An index may spare it that:\n{statement}"


def _may_be_null(missed: Forgotten, nullable: frozenset[str] | None) -> bool:
    if nullable is None:
        # Not asked, so only names that speak for themselves: what happened last may never have happened.
        return missed.column.lower().startswith("last_")
    return missed.column.lower() in nullable


def _summary(ok: int, wrong: int, answer: "Answer | None") -> str:
    counted = f"{how_many(ok, 'loop')} ok" + (f", {how_many(wrong, 'error')}" if wrong else "") + "."
    if answer is None:
        return f"{counted} Not checked against the database; --database does that."
    if answer.unreachable is not None:
        return f"{counted} Not checked against the database."
    return f"{counted} Checked against {answer.database}."
