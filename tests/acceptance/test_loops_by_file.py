"""A loop is found by its name, and by its file: the command then says which loop that is."""

from pathlib import Path

import pytest
from commands import run, skene
from small_project import RETENTION, write_project, write_users


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Whose loop retention stands in bring_back.yaml."""
    root = write_project(tmp_path / "project", {"bring_back.yaml": RETENTION})
    write_users(root, dormant=3)
    return root


@pytest.mark.parametrize("given", ["bring_back", "bring_back.yaml", "loops/bring_back.yaml", "./loops/bring_back.yaml"])
def test_a_loop_is_previewed_by_its_file_and_its_name_is_said(root: Path, given: str) -> None:
    result = skene(root, "preview", given)

    assert result.exit_code == 0, result.output
    assert "loops/bring_back.yaml is the loop retention." in result.stderr
    assert result.stdout.startswith("retention\n")


def test_every_command_that_takes_a_loop_finds_it_by_its_file(root: Path) -> None:
    assert run(root)
    orders = [
        ["pause", "bring_back"],
        ["resume", "bring_back"],
        ["cancel", "bring_back", "--yes"],
        ["approve", "bring_back"],
        ["doubts", "bring_back"],
        ["send-test", "bring_back", "--user", "1", "--to", "me@example.com"],
    ]

    results = {order[0]: skene(root, *order) for order in orders}

    assert {name: result.exit_code for name, result in results.items()} == dict.fromkeys(results, 0)
    said = "loops/bring_back.yaml is the loop retention."
    assert [name for name, result in results.items() if said not in result.stderr] == []


def test_a_name_comes_before_a_file(root: Path) -> None:
    other = RETENTION.replace("type: retention", "name: bring_back\ntype: retention")
    (root / "loops" / "other.yaml").write_text(other, encoding="utf-8")

    result = skene(root, "preview", "bring_back")

    assert result.stdout.startswith("bring_back\n")
    assert result.stderr == ""


def test_a_file_name_that_two_files_have_is_no_name(root: Path) -> None:
    other = RETENTION.replace("type: retention", "name: another\ntype: retention")
    (root / "loops" / "bring_back.yml").write_text(other, encoding="utf-8")

    result = skene(root, "preview", "bring_back")

    assert result.exit_code == 2
    said = " ".join(result.stderr.split())
    assert "loops/bring_back.yaml (the loop retention) and loops/bring_back.yml (the loop another)" in said


def test_neither_a_name_nor_a_file_is_told_with_the_names_that_there_are(root: Path) -> None:
    result = skene(root, "preview", "bring_bak")

    assert result.exit_code == 2
    assert "There is no loop 'bring_bak'. Use one of: retention." in " ".join(result.output.split())


def test_an_order_about_a_loop_whose_file_is_broken_finds_it_by_its_file(root: Path) -> None:
    assert run(root)
    (root / "loops" / "bring_back.yaml").write_text(RETENTION.replace("0 9 * * *", "nine"), encoding="utf-8")

    result = skene(root, "pause", "bring_back")

    assert result.exit_code == 0, result.output
    assert "retention is paused." in result.stdout
