"""What is wrong in an author's files: each gets one clear message with its line, and nothing is left half done."""

import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from bad_loops import LOOPS, YAML, Wrong
from bad_surroundings import SURROUNDINGS
from click.testing import CliRunner
from small_project import RETENTION, SETTINGS, write_project, write_users

from skene_dagster.cli import main

CASES = {**LOOPS, **SURROUNDINGS}
COMMAND = (sys.executable, "-c", "from skene_dagster.cli import main; main()")
MOST_LINES = 5
"""Lines of one error: where it is, and four to say it."""


def write(root: Path, wrong: Wrong) -> None:
    write_project(root, {})
    for name, content in wrong.files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    if wrong.users:
        write_users(root, dormant=3)
        connection = sqlite3.connect(root / ".skene" / "skene.db")
        connection.execute("ALTER TABLE users ADD COLUMN flagged BOOLEAN")
        connection.close()


def everything(root: Path) -> dict[str, bytes | None]:
    """Every file and folder of the project, with its content."""
    return {str(path.relative_to(root)): path.read_bytes() if path.is_file() else None for path in root.rglob("*")}


def on_one_line(text: str) -> str:
    return " ".join(text.split())


def errors_in(output: str) -> list[str]:
    """The output's errors, each with the lines that are indented under it; of a wrong call, all that follows."""
    return re.findall(r"^error   .*(?:\n        .*)*|^Error: (?:.*\n?)*", output, re.MULTILINE)


@pytest.mark.parametrize("wrong", [pytest.param(wrong, id=name) for name, wrong in CASES.items()])
def test_a_fault_is_told_with_its_place_and_leaves_nothing_behind(wrong: Wrong, tmp_path: Path) -> None:
    write(tmp_path, wrong)
    before = everything(tmp_path)

    result = CliRunner().invoke(main, ["--project", str(tmp_path), *wrong.command.split()], env=wrong.environ)

    assert isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == wrong.exit_code, result.output
    assert "Traceback" not in result.output
    errors = errors_in(result.output)
    told = [error for error in errors if on_one_line(wrong.says) in on_one_line(error)]
    assert told, result.output
    assert any(wrong.at in error for error in told), result.output
    assert all(len(error.splitlines()) <= MOST_LINES for error in errors), result.output
    assert everything(tmp_path) == before


@pytest.mark.parametrize("name", ["loop.ts: SQL that writes", "no server", "settings that are not UTF-8"])
def test_a_fault_is_told_by_the_real_command_as_well(name: str, tmp_path: Path) -> None:
    wrong = CASES[name]
    write(tmp_path, wrong)
    before = everything(tmp_path)

    done = subprocess.run(
        [*COMMAND, "--project", str(tmp_path), *wrong.command.split()],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, **wrong.environ},
    )

    output = done.stdout + done.stderr
    assert done.returncode == wrong.exit_code, output
    assert "Traceback" not in output
    assert on_one_line(wrong.says) in on_one_line(output)
    assert wrong.at in output
    assert everything(tmp_path) == before


def test_a_broken_loop_does_not_hide_a_good_one(tmp_path: Path) -> None:
    write_project(tmp_path, {"a.yaml": YAML.replace('"retention"', '"retentionn"'), "b.yaml": RETENTION})

    result = CliRunner().invoke(main, ["--project", str(tmp_path), "validate"])

    assert result.exit_code == 1
    assert re.search(r"^ok +retention +loops/b.yaml", result.output, re.MULTILINE)
    assert re.search(r"^error +loops/a.yaml:2", result.output, re.MULTILINE)


def test_each_error_of_a_file_is_told(tmp_path: Path) -> None:
    text = YAML.replace('"0 9 * * *"', '"daily"').replace('"10m"', '"ten"').replace("retries: 2", "retries: -1")
    write_project(tmp_path, {"a.yaml": text})

    result = CliRunner().invoke(main, ["--project", str(tmp_path), "validate"])

    assert [line.split()[1] for line in result.output.splitlines() if line.startswith("error")] == [
        "loops/a.yaml:12",
        "loops/a.yaml:24",
    ]


def test_a_column_that_quiet_hours_need_is_told_once_where_it_is_named(tmp_path: Path) -> None:
    settings = SETTINGS.replace("users:\n", "users:\n  timezone: zone\n")
    hours = 'limits: {quiet_hours: {from: "22:00", to: "08:00"}}\n'
    root = write_project(tmp_path, {"a.yaml": RETENTION}, settings + hours)
    write_users(root, dormant=1)

    result = CliRunner().invoke(main, ["--project", str(root), "validate", "--database"])

    (error,) = errors_in(result.output)
    assert on_one_line(error).startswith("error skene.yaml:2 users.timezone Table 'users' has no column 'zone'.")


def test_a_page_of_the_projects_own_is_checked_as_serve_would(tmp_path: Path) -> None:
    root = write_project(tmp_path, {"retention.yaml": RETENTION})
    pages = root / "templates" / "pages"
    pages.mkdir()
    (pages / "preferences.de.html").write_text("<h1>\n{{ nobody }}", encoding="utf-8")

    all_of_it = CliRunner().invoke(main, ["--project", str(root), "validate"])
    one_loop = CliRunner().invoke(main, ["--project", str(root), "validate", "loops/retention.yaml"])

    assert all_of_it.exit_code == 1
    assert "templates/pages/preferences.de.html" in all_of_it.output
    assert "It uses nobody, which is not there." in " ".join(all_of_it.output.split())
    assert one_loop.exit_code == 0
