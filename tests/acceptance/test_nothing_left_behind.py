"""Where no database is, nothing of ours makes one, nor a folder for it: what is missing is said, and that is all."""

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
from commands import run, skene
from small_project import RETENTION, write_project

from skene_dagster.compiler import compile_folder
from skene_dagster.compiler.resources import database
from skene_dagster.errors import StoreError
from skene_dagster.settings import load
from skene_dagster.tracking import _open_journal

COMMANDS = [
    "adopt --yes",
    "cancel retention --yes",
    "doctor",
    "doubts",
    "migrate --check",
    "migrate --sql",
    "pause --all",
    "preview retention",
    "preview retention --user 1",
    "recover",
    "resume --all",
    "schema",
    "schema --settings",
    "send-test retention --user 1 --to me@example.com",
    "serve --port 0",
    "status",
    "status --json",
    "validate",
    "validate --database",
]


def left(root: Path) -> set[str]:
    return {str(found.relative_to(root)) for found in root.rglob("*")}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_leaves_an_empty_folder_empty(tmp_path: Path, command: str) -> None:
    result = skene(tmp_path, *command.split())

    assert left(tmp_path) == set()
    assert "Traceback" not in result.output
    assert result.output.count("There is no") <= 2
    assert result.exit_code in {0, 1, 3}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_on_a_project_without_its_database_makes_none(tmp_path: Path, command: str) -> None:
    root = write_project(tmp_path, {"retention.yaml": RETENTION})
    before = left(root)

    skene(root, *command.split())

    assert left(root) == before


def test_a_run_without_its_database_makes_none(tmp_path: Path) -> None:
    root = write_project(tmp_path, {"retention.yaml": RETENTION})
    before = left(root)

    assert not run(root)

    assert left(root) == before


def test_the_sensor_says_that_there_is_no_database_and_makes_none(tmp_path: Path) -> None:
    root = write_project(tmp_path, {"retention.yaml": RETENTION})
    before = left(root)
    defs = compile_folder(root)
    with (
        dg.instance_for_test() as instance,
        dg.build_sensor_context(instance, resources={"skene_database": database(load(root))}) as context,
    ):
        tick = defs.resolve_sensor_def("skene__wake").evaluate_tick(context)

    assert "There is no database" in str(tick.skip_message)
    assert left(root) == before


def test_tracking_makes_no_database_in_the_products_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(StoreError, match="There is no database"):
        _open_journal()

    assert left(tmp_path) == set()


def test_dagster_loads_an_empty_folder_and_nothing_of_ours_is_left(tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SKENE_", "DAGSTER_"))}
    done = subprocess.run(
        [sys.executable, "-m", "dagster", "definitions", "validate", "-m", "skene_dagster.definitions"],
        cwd=tmp_path,
        env={**kept, "DAGSTER_DISABLE_TELEMETRY": "true"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    # Dagster, 2026-11: the folder of its instance for the time of a command, which it does not always clear away.
    assert {name for name in left(tmp_path) if not name.startswith(".tmp_dagster_home")} == set()
