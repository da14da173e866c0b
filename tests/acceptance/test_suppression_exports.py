"""The list of suppressions is written to a file, which the import reads again."""

import csv
from pathlib import Path

import pytest
from commands import skene
from listed_people import execute, rows, said, write_listed_project


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = write_listed_project(tmp_path / "project")
    said(root, "add", "user-1@example.com", "--reason", "=1+1, they said")
    said(root, "add", "ada@example.com", "--scope", "all")
    said(root, "add", "eve@example.com")
    said(root, "lift", "eve@example.com", "--reason", "a mistake")
    return root


def exported(root: Path, *options: str) -> list[dict[str, str]]:
    assert skene(root, "suppressions", "export", str(root / "list.csv"), *options).exit_code == 0
    with (root / "list.csv").open(encoding="utf-8", newline="") as file:
        return sorted(csv.DictReader(file), key=lambda row: row["address"])


def test_what_holds_is_written_with_its_address(root: Path) -> None:
    found = exported(root)

    assert [(row["address"], row["scope"], row["reason"]) for row in found] == [
        ("ada@example.com", "all", "manual"),
        ("user-1@example.com", "marketing", "manual"),
    ]
    assert all(row["since"].endswith("Z") for row in found)


def test_a_spreadsheet_finds_no_formula_in_what_people_wrote(root: Path) -> None:
    assert [row["source"] for row in exported(root)] == ["suppressions add", "'=1+1, they said"]


def test_an_address_that_looks_like_a_formula_is_written_as_it_is_and_told(root: Path) -> None:
    said(root, "add", "=1+1@example.com")

    told = " ".join(skene(root, "suppressions", "export", str(root / "list.csv")).output.split())

    assert "notice Written as they are: 1 address that a spreadsheet takes for formulas." in told
    assert exported(root)[0]["address"] == "=1+1@example.com"


def test_one_scope_may_be_written_alone(root: Path) -> None:
    assert [row["address"] for row in exported(root, "--scope", "all")] == ["ada@example.com"]


def test_whoever_has_no_address_in_the_list_is_counted(root: Path) -> None:
    execute(root, "UPDATE skene_suppressions SET address = NULL WHERE scope = 'all'")

    told = " ".join(skene(root, "suppressions", "export", str(root / "list.csv")).output.split())

    assert "1 suppression written to" in told
    assert "1 more is of a user, not of an address." in told
    assert "1 more has no address any more, only its hash, and is not in the file." in told


def test_an_export_is_imported_as_it_was(root: Path, tmp_path: Path) -> None:
    exported(root)
    other = write_listed_project(tmp_path / "other")

    said(other, "import", str(root / "list.csv"))

    everything = "address, scope, reason, since"
    assert rows(other, everything) == rows(root, everything)


def test_what_ends_by_itself_is_written_with_its_end_and_ends_then_where_it_is_imported(
    root: Path, tmp_path: Path
) -> None:
    execute(root, "UPDATE skene_suppressions SET lifted_at = '2999-05-01 12:00:00.000000' WHERE scope = 'all'")
    other = write_listed_project(tmp_path / "other")

    ends = {row["address"]: row["until"] for row in exported(root)}
    said(other, "import", str(root / "list.csv"))

    assert ends == {"ada@example.com": "2999-05-01T12:00:00Z", "user-1@example.com": ""}
    assert "until 01 May 2999, 12:00 UTC" in said(other, "list", "ada@example.com")
    assert rows(other) == [(None, "marketing", "manual"), ("user-1@example.com", "marketing", "manual")]


@pytest.mark.parametrize("until", ["", "in May", "0000-13-99"])
def test_an_end_that_cannot_be_read_does_not_cost_a_no(root: Path, until: str) -> None:
    (root / "list.csv").write_text(
        f"address,scope,reason,since,until,source\nnew@example.com,all,bounce,2026-03-02,{until},x\n"
    )

    said(root, "import", str(root / "list.csv"))

    assert ("new@example.com", "all", "bounce") in rows(root)


def test_standard_output_gets_the_file_and_nothing_else(root: Path) -> None:
    result = skene(root, "suppressions", "export", "-")

    header, *written = csv.reader(result.stdout.splitlines())
    assert header == ["address", "scope", "reason", "since", "until", "source"]
    assert len(written) == 2
    assert "2 suppressions written." in result.stderr


def test_the_file_is_for_its_owner_only_and_replaces_an_older_one(root: Path) -> None:
    (root / "list.csv").write_text("an older one")

    exported(root)

    assert (root / "list.csv").stat().st_mode & 0o777 == 0o600
    assert [file.name for file in root.glob("*list.csv*")] == ["list.csv"]


def test_a_file_that_cannot_be_written_is_a_wrong_call(root: Path) -> None:
    told = said(root, "export", "missing/list.csv", exit_code=2)

    assert "missing/list.csv cannot be written: No such file or directory." in told
