"""A ledger from a backup: the run says what to do, the command does it, and the next run mails who is left."""

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from commands import run, skene
from resend_server import ResendServer, refusal, resend_server
from small_project import RETENTION, write_project, write_users


@pytest.fixture
def resend(monkeypatch: pytest.MonkeyPatch) -> Iterator[ResendServer]:
    with resend_server() as server:
        monkeypatch.setenv("RESEND_API_URL", server.url)
        monkeypatch.setenv("RESEND_API_KEY", "re_test")
        monkeypatch.setenv("SKENE_REDIRECT_TO", "me@example.com")
        yield server


def test_a_ledger_from_a_backup_is_told_what_was_sent_and_mails_nobody_twice(
    tmp_path: Path, resend: ResendServer
) -> None:
    root = write_project(tmp_path / "project", {"retention.yaml": RETENTION})
    write_users(root, dormant=1, active=3)
    run(root)
    database, backup = root / ".skene" / "skene.db", tmp_path / "backup.db"
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy(database, backup)
    fall_asleep(database, 2, 3)
    run(root)
    for file in database.parent.glob("skene.db*"):
        file.unlink()
    shutil.copy(backup, database)
    fall_asleep(database, 2, 3, 4)

    restored = skene(root, "status")
    looked = skene(root, "doctor")
    stopped = run(root)
    emails = len(resend.emails)
    recovered = skene(root, "recover")
    again = run(root)
    well = skene(root, "status")

    assert restored.exit_code == 4
    assert "it was restored from an older backup. Nothing is sent. Run: skene-dagster recover" in told(restored)
    assert "Run: skene-dagster recover" in told(looked)
    assert looked.exit_code == 3
    assert not stopped
    assert emails == 3
    assert recovered.exit_code == 0
    assert "2 emails since" in recovered.output
    assert again
    assert len(resend.emails) == 4
    assert well.exit_code == 0, well.output


def test_where_nothing_leaves_there_is_nothing_to_recover(tmp_path: Path) -> None:
    root = write_project(tmp_path / "project", {"retention.yaml": RETENTION})

    result = skene(root, "recover")

    assert result.exit_code == 0
    assert "No emails leave this machine" in result.output


def test_status_of_a_key_that_may_not_read_says_nothing_of_a_backup(tmp_path: Path, resend: ResendServer) -> None:
    root = write_project(tmp_path / "project", {"retention.yaml": RETENTION})
    write_users(root, dormant=1)
    run(root)
    resend.reads += [refusal(401, "restricted_api_key")] * 4

    result = skene(root, "status")

    assert result.exit_code == 0, result.output
    assert "Nothing needs a person." in result.output


def told(result: Result) -> str:
    return " ".join(result.output.split())


def fall_asleep(database: Path, *users: int) -> None:
    with sqlite3.connect(database) as connection:
        for user in users:
            connection.execute("UPDATE users SET last_activity_at = '2020-01-01 00:00:00' WHERE id = ?", [user])
