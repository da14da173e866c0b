"""A person erases a user, by their key or by an address."""

import json
import sqlite3
from pathlib import Path

import dagster as dg
import pytest
from commands import run, skene
from listed_people import execute, rows, write_listed_project

from skene_dagster.compiler import compile_folder

ADDRESS = "user-1@example.com"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_listed_project(tmp_path / "project")


def said(root: Path, *arguments: str, exit_code: int = 0) -> str:
    """What the command prints, on one line; it ends as expected."""
    result = skene(root, "users", "erase", *arguments)
    assert result.exit_code == exit_code, result.output
    assert max(map(len, result.output.splitlines()), default=0) <= 80, result.output
    return " ".join(result.output.split())


def everything(root: Path) -> str:
    """All that the tables and the files of the project hold, but for the product's own table."""
    with sqlite3.connect(root / ".skene" / "skene.db") as connection:
        ours = "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'skene_%'"
        tables = [name for (name,) in connection.execute(ours)]
        held = "".join(str(connection.execute(f"SELECT * FROM {name}").fetchall()) for name in tables)
    files = [file for file in (root / ".skene").rglob("*") if file.is_file() and not file.name.startswith("skene.db")]
    return held + "".join(f"{file}{file.read_bytes()!r}" for file in files)


def deleted_in_the_product(root: Path) -> None:
    execute(root, "DELETE FROM users WHERE id = 1")


@pytest.mark.parametrize("who", ["1", ADDRESS])
def test_who_is_gone_from_the_product_is_erased_by_their_key_or_their_address(root: Path, who: str) -> None:
    assert run(root)
    assert ADDRESS in everything(root)
    deleted_in_the_product(root)

    told = said(root, who, "--yes")

    assert "erased their key in 1 row of skene_sends" in told
    assert "erased 1 email of the outbox" in told
    assert ADDRESS not in everything(root)


def test_who_is_still_in_the_product_is_erased_and_a_person_is_told(root: Path) -> None:
    assert run(root)

    told = said(root, "1", "--yes", exit_code=4)

    assert "Still in users: user 1. The next run reads them there" in told
    assert "(u…@example.com)" not in told
    assert ADDRESS not in everything(root)


def test_nobody_is_erased_unless_somebody_agrees(root: Path) -> None:
    assert run(root)

    told = said(root, "1", exit_code=2)

    assert "There is no terminal to ask for confirmation; use --yes." in told
    assert ADDRESS in everything(root)


@pytest.mark.parametrize("who", ["77", "nobody@example.com", "x"])
def test_nobody_who_is_unknown_is_erased(root: Path, who: str) -> None:
    told = said(root, who, "--yes", exit_code=2)

    assert f"Nobody is known as '{who}': users has no such id" in told


def test_what_they_said_no_to_stays_and_is_named(root: Path) -> None:
    skene(root, "suppressions", "add", ADDRESS)
    deleted_in_the_product(root)

    told = said(root, ADDRESS, "--yes")

    assert "What they said no to, or what stops their email, stays: marketing." in told
    assert rows(root) == [(None, "marketing", "manual"), (None, "marketing", "manual")]


def test_programs_get_one_object(root: Path) -> None:
    assert run(root)
    deleted_in_the_product(root)

    result = skene(root, "users", "erase", "1", "--yes", "--json")

    found = json.loads(result.stdout)
    assert result.exit_code == 0
    assert found["rows"]["skene_sends"] == 1
    assert {name: found[name] for name in found if name != "rows"} == {
        "users": ["1"],
        "emails": 1,
        "still_stopped": [],
        "waits_until": None,
        "under_way": [],
        "in_product": [],
        "not_erased": [],
    }


def test_a_refresh_that_is_under_way_is_named(root: Path) -> None:
    assert run(root)
    deleted_in_the_product(root)
    execute(root, "UPDATE skene_segments SET owner = 'run', lease_until = '2999-01-01 00:00:00.000000'")

    told = said(root, "1", "--yes", exit_code=4)

    assert "Under way now: retention.main. It may have read them before" in told


def test_dagster_keeps_no_address(root: Path, tmp_path: Path) -> None:
    (tmp_path / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as instance:
        job = compile_folder(root).resolve_job_def("retention")
        assert job.execute_in_process(instance=instance).success

    kept = b"".join(file.read_bytes() for file in (tmp_path / "dagster").rglob("*") if file.is_file())
    assert b"retention__main__deliver" in kept
    assert b"user-1@" not in kept
