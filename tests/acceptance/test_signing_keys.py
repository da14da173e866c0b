"""The keys that sign unsubscribe links: listed and rotated from the command line, and never shown."""

import sqlite3
from pathlib import Path

from commands import skene
from listed_people import write_listed_project


def keys(root: Path) -> dict[str, str]:
    with sqlite3.connect(root / ".skene" / "skene.db") as database:
        return dict(database.execute("SELECT name, value FROM skene_meta WHERE name LIKE 'signing_key_%'"))


def said(root: Path, command: str) -> str:
    result = skene(root, "keys", command)
    assert result.exit_code == 0, result.output
    assert not [key for key in keys(root).values() if key in result.output]
    return " ".join(result.output.split())


def test_a_rotation_adds_a_key_and_removes_none(tmp_path: Path) -> None:
    root = write_listed_project(tmp_path / "project")
    before = keys(root)
    assert "signing_key_0001 signs the links of new emails" in said(root, "list")

    told = said(root, "rotate")

    after = keys(root)
    assert "added signing_key_0002 signs the links of all emails that are made from now on." in told
    assert "ok 1 older key stays, and its links go on working." in told
    assert {**after, **before} == after
    assert len(after["signing_key_0002"]) == 64
    listed = said(root, "list")
    assert "signing_key_0001 its links are accepted signing_key_0002 signs the links of new emails" in listed
    assert "ok 2 older keys stay, and their links go on working." in said(root, "rotate")


def test_lost_keys_are_told_and_none_is_drawn_in_their_place(tmp_path: Path) -> None:
    root = write_listed_project(tmp_path / "project")
    with sqlite3.connect(root / ".skene" / "skene.db") as database:
        database.execute("DELETE FROM skene_meta WHERE name LIKE 'signing_key_%'")

    for command in ("list", "rotate"):
        result = skene(root, "keys", command)
        assert result.exit_code == 3
        assert "Restore the rows signing_key_…" in " ".join(result.output.split())

    assert keys(root) == {}
