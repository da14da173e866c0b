"""What the demo prints of its days and of their end, and what it refuses to touch."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import click
import pytest
from rich.console import Console
from template_world import email, plan_of

from skene_dagster.behaviour.adoption import Funnel
from skene_dagster.cli import demo
from skene_dagster.cli.screen import Screen
from skene_dagster.demo.days import Day
from skene_dagster.demo.people import person
from skene_dagster.demo.story import Guided, Story
from skene_dagster.errors import DocumentErrors, LoopError, StoreError
from skene_dagster.project import Broken, Project
from skene_dagster.settings import Settings, load

MONDAY = datetime(2026, 3, 2, 9)
ADA = person(1, MONDAY)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "skene.yaml").write_text("", encoding="utf-8")
    return load(tmp_path, {})


def a_screen() -> tuple[Screen, Console]:
    console = Console(width=100, highlight=False, markup=False, emoji=False, color_system=None, force_terminal=False)
    return Screen(console), console


def test_each_day_is_a_line_and_what_they_come_to_the_last() -> None:
    steps: dict[str, dict[str, int]] = {step: {} for steps in demo._COLUMNS.values() for step in steps}
    first = steps | {
        "retention.main": {"accepted": 3, "deferred:no_address": 2},
        "win_back.nudge": {"accepted": 1},
        "win_back.last_call": {"accepted": 1000},
    }
    second = steps | {"retention.main": {"accepted": 4, "deferred:no_address": 1, "skipped:once": 5}}

    def run() -> Iterator[Day]:
        yield Day(MONDAY, 1200, first, [])
        yield Day(MONDAY.replace(day=3), 7, second, [ADA])

    screen, console = a_screen()
    with console.capture() as captured:
        lived = demo._tell_days(screen, run(), 2)

    lines = captured.get().splitlines()
    assert [line.split() for line in lines[:4]] == [
        ["day", "active", "remind", "winback", "feature", "guide", "cheer", "welcome", "upgrade"],
        ["Mon", "02", "Mar", "1,200", "3", "1,001", "0", "0", "0", "0", "0"],
        ["Tue", "03", "Mar", "7", "4", "0", "0", "0", "0", "0", "0"],
        ["together", "7", "1,001", "0", "0", "0", "0", "0"],
    ]
    assert " ".join(lines[5:]) == (
        "Found, but not mailed: 3 without an address, 5 mailed before (repeat: once). "
        "Users who are deferred are asked about again at every tick."
    )
    assert lived == [ADA]


def test_where_all_were_mailed_nothing_is_said_of_others() -> None:
    steps: dict[str, dict[str, int]] = {step: {"accepted": 1} for steps in demo._COLUMNS.values() for step in steps}
    screen, console = a_screen()

    with console.capture() as captured:
        demo._tell_days(screen, iter([Day(MONDAY, 1, steps, [])]), 1)

    assert len(captured.get().splitlines()) == 3


def test_what_became_of_everybody_is_told() -> None:
    story = Story(
        levels={"active": 1200, "dormant": 3},
        funnels={"Summaries": Funnel(untried=1, tried=2, adopted=3, lapsed=4)},
        asked_back=9,
        came_back=8,
        anyway=7,
        shown=6,
        tried=5,
        adopted=4,
        guided=3,
        celebrated={"A hundred": 2, "A week": 1},
        example=Guided("Ada", MONDAY, MONDAY.replace(day=9), MONDAY.replace(day=10)),
    )

    told = []
    for one in (story, replace(story, example=None)):
        screen, console = a_screen()
        with console.capture() as captured:
            demo._tell_story(screen, one)
        told.append(" ".join(captured.get().split()))

    assert told[0].startswith(
        "At the end, by engagement: 1,200 active, 3 dormant. Summaries: 1 untried, 2 tried, 3 adopted, 4 lapsed. "
        "Came back 8 of 9 who had been away and were mailed; 7 of them would have come without an email "
        "Discovered 5 of 6 who were shown a feature have tried it since "
        "Adopted 4 of these use it regularly; 3 got the advanced guide Celebrated A hundred: 2, A week: 1"
    )
    example = " Ada was shown the feature on Mon 02 Mar, had adopted it by Mon 09 Mar, and got the guide on Tue 10 Mar."
    assert told[0] == told[1] + example


@pytest.mark.parametrize(
    ("files", "home", "how"),
    [
        pytest.param(["Makefile"], "home", "make dev  (then http://127.0.0.1:3000/runs has", id="by make"),
        pytest.param(["workspace.yaml"], "home", "DAGSTER_HOME=$PWD/home dagster dev", id="by a workspace"),
        pytest.param(
            [], "/elsewhere", "DAGSTER_HOME=/elsewhere dagster dev -m skene_dagster.definitions", id="by none"
        ),
    ],
)
def test_how_dagster_is_opened_is_told(tmp_path: Path, files: list[str], home: str, how: str) -> None:
    for name in files:
        (tmp_path / name).touch()

    said = demo._how_to_open(tmp_path, tmp_path / home)

    assert said.startswith(how)
    assert said.endswith("-m skene_dagster.definitions") == (not files)


@pytest.mark.parametrize(
    ("is_here", "is_on_the_path", "program"),
    [
        pytest.param(True, False, ".venv/bin/skene-dagster", id="in the project"),
        pytest.param(True, True, "skene-dagster", id="in the project, and on the PATH"),
        pytest.param(False, False, "skene-dagster", id="elsewhere"),
    ],
)
def test_how_the_command_is_called_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_here: bool, is_on_the_path: bool, program: str
) -> None:
    folder = (tmp_path if is_here else tmp_path.parent / "elsewhere") / ".venv" / "bin"
    monkeypatch.setattr(sys, "executable", f"{folder / 'python'}")
    monkeypatch.setattr("shutil.which", lambda name: f"/bin/{name}" if is_on_the_path else None)

    assert demo._program(tmp_path) == program


def test_a_database_that_the_demo_did_not_make_is_left_alone(settings: Settings) -> None:
    file = settings.root / ".skene" / "skene.db"
    assert demo._own_database(settings) == file
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(b"")

    with pytest.raises(StoreError, match=r"^\.skene/skene\.db is a database that the demo did not make"):
        demo._own_database(settings)


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        pytest.param({"SKENE_DATABASE_URL": "sqlite:////elsewhere/skene.db"}, "Unset SKENE_DATABASE_URL", id="another"),
        pytest.param(
            {"SKENE_REDIRECT_TO": "me@example.com", "RESEND_API_KEY": "re_123"}, "emails would leave", id="real emails"
        ),
    ],
)
def test_where_anything_else_would_be_touched_there_is_no_demo(
    settings: Settings, variables: dict[str, str], words: str
) -> None:
    with pytest.raises(click.UsageError, match=words):
        demo._own_database(load(settings.root, variables))


def test_the_six_loops_are_needed_and_no_broken_file() -> None:
    plan, _ = plan_of(email())
    plans = tuple(replace(plan, name=name) for name in (*demo.LOOPS, "another"))
    broken = Broken.of("loops/x.yaml", None, LoopError("It is wrong."))

    found = demo._loops(Project(plans, ()))

    assert sorted(plan.name for plan in found) == sorted(demo.LOOPS)
    with pytest.raises(LoopError, match="lacks loops that the demo runs: activation, win_back"):
        demo._loops(Project(tuple(one for one in plans if one.name not in {"activation", "win_back"}), ()))
    with pytest.raises(DocumentErrors, match="It is wrong"):
        demo._loops(Project(plans, (broken,)))
