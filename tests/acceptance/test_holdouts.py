"""Who is held out: drawn by a run, listed, explained, and drawn anew from the command line."""

import sqlite3
from pathlib import Path

import pytest
from commands import run, skene
from small_project import RETENTION, write_project, write_users

USERS = 60


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = write_project(tmp_path, {"retention.yaml": f"{RETENTION}holdout: 50%\n"})
    write_users(root, USERS)
    assert run(root)
    return root


def by_state(root: Path) -> dict[str, list[int]]:
    with sqlite3.connect(root / ".skene" / "skene.db") as connection:
        rows = connection.execute("SELECT state, user_id FROM skene_sends ORDER BY user_id").fetchall()
    found: dict[str, list[int]] = {}
    for state, user in rows:
        found.setdefault(state, []).append(user)
    return found


def said(root: Path, *arguments: str) -> str:
    result = skene(root, *arguments)
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def test_a_run_mails_those_who_are_not_held_out_and_it_is_told_who_they_are(root: Path) -> None:
    found = by_state(root)

    assert set(found) == {"accepted", "held_out"}
    mailed, held_out = len(found["accepted"]), len(found["held_out"])
    assert mailed + held_out == USERS
    assert 15 < held_out < 45
    assert f"retention 50%: {mailed} users mailed, {held_out} held out" in said(root, "holdout", "list")
    told = said(root, "why", str(found["held_out"][0]))
    assert "HELD OUT one of those who get nothing of it, so that it can be measured" in told


def test_preview_says_how_many_would_be_held_out_and_so_do_runs(tmp_path: Path) -> None:
    root = write_project(tmp_path, {"retention.yaml": f"{RETENTION}holdout: 50%\n"})
    write_users(root, USERS)
    first = said(root, "preview", "retention")
    assert f"{USERS} would be mailed" in first
    assert "50% of them are held out: who, the first run draws." in first
    assert run(root)
    held_out = by_state(root)["held_out"]
    with sqlite3.connect(root / ".skene" / "skene.db") as connection:
        connection.execute("DELETE FROM skene_sends")
        connection.execute("DELETE FROM skene_arms")

    assert f"{len(held_out)} would be held out" in said(root, "preview", "retention")
    one = said(root, "preview", "retention", "--user", str(held_out[0]))
    assert "would be held out, as one of those who get none, to be compared with" in one


def test_drawn_anew_others_are_held_out(root: Path) -> None:
    before = by_state(root)["held_out"]

    told = said(root, "holdout", "renew", "retention", "--yes")

    assert "retention: everybody is drawn anew when they are decided about next (draw 2)." in told
    assert "Nobody was decided about yet." in said(root, "holdout", "list")
    with sqlite3.connect(root / ".skene" / "skene.db") as connection:
        connection.execute("DELETE FROM skene_sends")
        connection.execute("DELETE FROM skene_steps")
    assert run(root)
    assert by_state(root)["held_out"] != before


def test_nothing_is_drawn_anew_of_a_loop_that_there_is_not(root: Path) -> None:
    result = skene(root, "holdout", "renew", "retentoin", "--yes")

    assert result.exit_code == 2
    assert "retention" in result.output
