"""A ledger from a backup: the run says what to do, the command does it, and the next run mails who is left."""

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import run, skene
from resend_server import ResendServer, resend_server
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

    stopped = run(root)
    emails = len(resend.emails)
    recovered = skene(root, "recover")
    again = run(root)

    assert not stopped
    assert emails == 3
    assert recovered.exit_code == 0
    assert "2 emails since" in recovered.output
    assert again
    assert len(resend.emails) == 4


def test_where_nothing_leaves_there_is_nothing_to_recover(tmp_path: Path) -> None:
    root = write_project(tmp_path / "project", {"retention.yaml": RETENTION})

    result = skene(root, "recover")

    assert result.exit_code == 0
    assert "Nothing leaves this machine" in result.output


def fall_asleep(database: Path, *users: int) -> None:
    with sqlite3.connect(database) as connection:
        for user in users:
            connection.execute("UPDATE users SET last_activity_at = '2020-01-01 00:00:00' WHERE id = ?", [user])
