"""What `validate` found, one by one: the same for people and for programs."""

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from skene_dagster.cli.validate.notices import of_all_loops
from skene_dagster.codes import Code
from skene_dagster.errors import DocumentError, Notice, Place, SkeneError
from skene_dagster.loops.plan import LoopPlan
from skene_dagster.project import Project
from skene_dagster.settings import FILE

if TYPE_CHECKING:
    from skene_dagster.checks.scans import Scan
    from skene_dagster.cli.validate.database_checks import Answer

_WIDEST_SQL = 70


@dataclass(frozen=True)
class Finding:
    """An error, or a notice."""

    level: Literal["error", "notice"]
    code: Code
    message: str
    advice: str
    """What to do; empty where the message says it."""
    place: Place | None

    @staticmethod
    def of(found: SkeneError | Notice) -> "list[Finding]":
        """Describe what was found; one for each of several errors."""
        if isinstance(found, Notice):
            return [Finding("notice", found.code, found.says, "", found.place)]
        errors = found.errors if isinstance(found, DocumentError) else (found,)
        return [Finding("error", one.code, one.message, one.advice, one.place) for one in errors]


@dataclass(frozen=True)
class Look:
    """What there is to say of a loop without errors."""

    next_ticks: str
    notices: Sequence[Notice]


def of_a_loop(plan: LoopPlan, look: Look, answer: "Answer | None") -> Iterator[Notice]:
    """List what may surprise of a loop without errors."""
    file = plan.document.file
    yield from look.notices
    if answer is None:
        return
    for scan in answer.scans.get(file, ()):
        yield Notice(scan.place, whole_table(scan), Code.WHOLE_TABLE)
    for bad in answer.unreadable.get(file, ()):
        yield Notice(Place(file), str(bad), Code.NO_MOMENT)
    for lack in answer.lacking.get(file, ()):
        yield Notice(lack.place, lack.says, Code.LACKING)


def of_the_project(project: Project, answer: "Answer | None") -> Iterator[Notice]:
    """List what may surprise of all of it."""
    yield from of_all_loops(project.all_loops)
    for suspect in answer.suspects if answer else ():
        yield Notice(suspect.place, suspect.says, Code.LOCAL_TIME)
    for bad in answer.unreadable.get(FILE, ()) if answer else ():
        yield Notice(Place(FILE), str(bad), Code.NO_MOMENT)


def findings(
    project: Project,
    errors: Mapping[str, Sequence[SkeneError]],
    looks: Mapping[str, Look],
    answer: "Answer | None",
    more: Iterable[Notice],
) -> list[Finding]:
    """List all: the errors first, then the notices, as they are printed.

    Args:
        errors: those of each file.
        looks: what there is to say of each loop without errors, by its file.
        more: other notices.
    """
    wrong = [*(answer.settings if answer else ()), *(error for found in errors.values() for error in found)]
    if answer is not None and answer.unreachable is not None:
        wrong.append(answer.unreachable)
    well = (plan for plan in project.loops if plan.document.file in looks)
    notices = [notice for plan in well for notice in of_a_loop(plan, looks[plan.document.file], answer)]
    return [one for found in (*wrong, *notices, *of_the_project(project, answer), *more) for one in Finding.of(found)]


def whole_table(scan: "Scan") -> str:
    """Say that a condition reads a whole table, and what may help."""
    reads = f"Every run reads all of {scan.table} ({scan.rows} rows)."
    if not scan.index:
        return f"{reads} No index would help the condition as it is written."
    # Indented, so that the lines stay as they are, and can be copied.
    statement = textwrap.indent(textwrap.fill(scan.index, _WIDEST_SQL, subsequent_indent="  "), "  ")
    return f"{reads} An index may avoid this:\n{statement}"
