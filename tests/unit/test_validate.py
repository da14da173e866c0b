"""What `validate` prints of a project, loop by loop, and of which files it speaks."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click
import pytest
from rich.console import Console
from template_world import email, plan_of

from skene_dagster.checks.local_time import Suspect
from skene_dagster.checks.scans import Scan
from skene_dagster.cli.screen import Screen
from skene_dagster.cli.validate import validate
from skene_dagster.cli.validate.database_checks import Answer
from skene_dagster.cli.validate.findings import Look
from skene_dagster.codes import Code
from skene_dagster.delivery.missing_values import Lack
from skene_dagster.documents import Document
from skene_dagster.errors import LoopError, Notice, Place, SkeneError
from skene_dagster.loops.plan import LoopPlan
from skene_dagster.product.mapped_moments import Unreadable
from skene_dagster.project import Broken, Project
from skene_dagster.settings import Settings, load


def a_loop(name: str) -> LoopPlan:
    return replace(plan_of(email())[0], name=name, document=Document(f"loops/{name}.yaml", {}, {}))


def a_broken(name: str) -> Broken:
    file = f"loops/{name}.yaml"
    return Broken.of(file, name, LoopError("It is wrong.", place=Place(file, 3)))


PROJECT = Project((a_loop("one"), a_loop("two")), (a_broken("three"), a_broken("four")))


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    (tmp_path / "skene.yaml").write_text("", encoding="utf-8")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return load(tmp_path, {})


@pytest.mark.parametrize(
    ("files", "names"),
    [
        pytest.param([], ["one", "two", "three", "four"], id="none, which is all"),
        pytest.param(["loops/one.yaml"], ["one"], id="one, from the project"),
        pytest.param(["../loops/one.yaml"], ["one"], id="one, from here"),
        pytest.param(["loops/two.yaml", "../loops/four.yaml"], ["two", "four"], id="two, one of them broken"),
    ],
)
def test_the_files_that_are_named_are_those_that_are_looked_at(
    settings: Settings, files: list[str], names: list[str]
) -> None:
    found = validate._only(PROJECT, [Path(file) for file in files], settings)

    assert [plan.name for plan in found.loops] + [broken.loop for broken in found.broken] == names


@pytest.mark.parametrize("file", ["one.yaml", "loops", "templates/one.yaml", "loops/one"])
def test_a_file_that_is_no_loop_is_refused(settings: Settings, file: str) -> None:
    with pytest.raises(click.BadParameter, match=f"{file} is not a loop file in"):
        validate._only(PROJECT, [Path(file)], settings)


def printed(project: Project, answer: Answer | None, looks: dict[str, Look] | None = None) -> list[str]:
    console = Console(width=100, highlight=False, markup=False, emoji=False, color_system=None)
    looks = looks or {plan.document.file: Look("", []) for plan in project.loops}
    errors: dict[str, Sequence[SkeneError]] = {broken.file: broken.error.errors for broken in project.broken}
    errors |= answer.loops if answer else {}
    with console.capture() as captured:
        validate._print_loops(Screen(console), project, errors, looks, answer)
    return captured.get().splitlines()


def test_each_loop_is_printed_with_its_schedule_and_broken_files_after_all() -> None:
    project = Project((a_loop("one"), a_loop("retention")), (a_broken("three"),))
    looks = {
        "loops/one.yaml": Look(
            "Tue 03 Mar 2026, 09:00 UTC", [Notice(Place("loops/one.yaml", 7), "It may surprise.", Code.NEVER)]
        ),
        "loops/retention.yaml": Look("", []),
    }

    assert printed(project, None, looks) == [
        "ok      one        loops/one.yaml  0 9 * * * UTC",
        "        Next tick: Tue 03 Mar 2026, 09:00 UTC",
        "notice  loops/one.yaml:7",
        "        It may surprise.",
        "ok      retention  loops/retention.yaml  0 9 * * * UTC",
        "error   loops/three.yaml:3",
        "        It is wrong.",
    ]


def test_what_the_database_says_stands_with_the_loop_or_behind_all() -> None:
    file, place = "loops/one.yaml", Place("loops/one.yaml", 7)
    answer = Answer(
        "skene.db",
        loops={"loops/two.yaml": [LoopError("There is no such column.", place=Place("loops/two.yaml", 9))]},
        scans={file: [Scan(place, "logs", "9", "")]},
        unreadable={file: [Unreadable("users", "seen", 2)], "skene.yaml": [Unreadable("events", "at", 1)]},
        lacking={file: [Lack(place, "5 users have no name.")]},
        suspects=[Suspect(Place("skene.yaml", 4), "It seems to be local time.")],
    )

    assert printed(Project(PROJECT.loops, ()), answer) == [
        "ok      one  loops/one.yaml  0 9 * * * UTC",
        "notice  loops/one.yaml:7",
        "        Every run reads all of logs (9 rows). No index would help the condition as it is written.",
        "notice  loops/one.yaml",
        "        users.seen: 2 values are not dates or times, and count as NULL.",
        "notice  loops/one.yaml:7",
        "        5 users have no name.",
        "notice  skene.yaml:4",
        "        It seems to be local time.",
        "notice  skene.yaml",
        "        events.at: 1 value is not a date or time, and counts as NULL.",
        "error   loops/two.yaml:9",
        "        There is no such column.",
    ]


def test_a_loop_that_is_well_is_looked_at_and_a_wrong_one_is_not(settings: Settings) -> None:
    errors = {"loops/two.yaml": (LoopError("It is wrong."),)}

    looks = validate._looked_at(Project(PROJECT.loops, ()), dict(errors), settings, None)

    assert set(looks) == {"loops/one.yaml"}
    assert looks["loops/one.yaml"].next_ticks.endswith("09:00 UTC")
