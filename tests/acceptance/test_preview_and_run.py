"""What a preview says is what the next run does: on each database, for each kind of key."""

import re
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner
from small_project import RETENTION, write_project
from sqlalchemy import text

from skene_dagster.cli import main
from skene_dagster.compiler import compile_folder
from skene_dagster.compiler.window import AS_OF
from skene_dagster.store.engine import open_engine

LONG_AGO, LATELY = "2020-01-01 00:00:00", "2026-03-13 00:00:00"
SETTINGS = """\
users: {name: name, mailable: staff = 0}
sender:
  from: Little Product <hello@example.com>
  postal_address: 1 Example Street, Example Town
  unsubscribe_url: https://example.com/unsubscribe?u={{user.id}}
"""
LOOP = RETENTION.replace("SELECT id FROM users", "SELECT id, last_activity_at AS seen FROM users").replace(
    'personalization: {name: "{{user.name}}"}',
    'personalization: {name: "{{user.name}} ({{row.seen}})"}\n      repeat: 10d',
)


@pytest.fixture
def root(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SKENE_DATABASE_URL", database_url)
    return write_project(tmp_path / "project", {"retention.yaml": LOOP}, SETTINGS)


def execute(url: str, statement: str, *rows: dict[str, object]) -> None:
    engine = open_engine(url)
    with engine.begin() as connection:
        connection.execute(text(statement), list(rows) or None)
    engine.dispose()


def make_users(url: str, key: str, keys: list[object]) -> None:
    """Each is away since long; but the last was seen lately, the second is staff, and the third has no address."""
    execute(
        url,
        f"CREATE TABLE users (id {key} PRIMARY KEY NOT NULL, email VARCHAR(255), name VARCHAR(255), "
        "staff INTEGER NOT NULL, last_activity_at DATETIME)",
    )
    rows: list[dict[str, object]] = [
        {"id": one, "email": f"user-{n}@example.com", "name": f"User {n}", "staff": int(n == 1), "seen": LONG_AGO}
        for n, one in enumerate(keys)
    ]
    rows[2]["email"] = None
    rows[-1]["seen"] = LATELY
    execute(url, "INSERT INTO users VALUES (:id, :email, :name, :staff, :seen)", *rows)


def preview(root: Path, *options: str) -> str:
    result = CliRunner().invoke(main, ["--project", str(root), "preview", "retention", *options])
    assert result.exit_code == 0, result.output
    return result.output


def numbers(output: str) -> dict[str, int]:
    return {words: int(n) for n, words in re.findall(r"^ +(\d+)  (\w.*)$", output, re.MULTILINE)}


def run(root: Path, day: str, instance: dg.DagsterInstance) -> int:
    """Run the loop for a day; return how many emails it wrote."""
    outbox = root / ".skene" / "outbox"
    before = len(list(outbox.glob("*.eml")))
    job = compile_folder(root).resolve_job_def("retention")
    result = job.execute_in_process(instance=instance, tags={AS_OF: f"{day}T09:00:00+00:00"}, raise_on_error=False)
    assert result.success
    return len(list(outbox.glob("*.eml"))) - before


def test_the_next_run_does_what_the_preview_said(root: Path, database_url: str) -> None:
    make_users(database_url, "INTEGER", list(range(1, 9)))
    assert CliRunner().invoke(main, ["--project", str(root), "migrate"]).exit_code == 0

    with dg.DagsterInstance.ephemeral() as instance:
        first = numbers(preview(root, "--as-of", "2026-03-14T09:00"))
        mailed_first = run(root, "2026-03-14", instance)
        # One comes back, and is away again the day after; one who was lately seen is away by then; one is new.
        execute(database_url, f"UPDATE users SET last_activity_at = '{LATELY}' WHERE id = 1")
        run(root, "2026-03-15", instance)
        execute(database_url, f"UPDATE users SET last_activity_at = '{LONG_AGO}' WHERE id IN (1, 8)")
        second = numbers(preview(root, "--as-of", "2026-03-16T09:00"))
        mailed_second = run(root, "2026-03-16", instance)

    assert first == {
        "would be mailed": 5,
        "not now: not mailable (users.mailable in skene.yaml)": 1,
        "not now: no address": 1,
    }
    assert mailed_first == 5
    assert second == {
        "would be mailed": 1,
        "not now: not mailable (users.mailable in skene.yaml)": 1,
        "not now: no address": 1,
        "not now: mailed too recently (repeat)": 1,
        "decided before, and have not entered again since": 4,
    }
    assert mailed_second == 1


def test_a_preview_tells_of_a_users_past(root: Path, database_url: str) -> None:
    make_users(database_url, "INTEGER", list(range(1, 9)))
    assert CliRunner().invoke(main, ["--project", str(root), "migrate"]).exit_code == 0
    with dg.DagsterInstance.ephemeral() as instance:
        run(root, "2026-03-14", instance)

    output = preview(root, "--as-of", "2026-03-15T09:00", "--user", "1")

    said = (
        "User 1 is inside since 14 Mar 2026, 09:00, was mailed on 14 Mar 2026, 09:00, and has not entered again since."
    )
    assert said in " ".join(output.split())
    assert "Subject                We miss you, User 0 (2020-01-01" in output


@pytest.mark.parametrize(
    ("key", "keys", "written"),
    [
        pytest.param("BIGINT", [2**53 + 1, 2**53 + 2, 2**53 + 3, 4], str(2**53 + 1), id="above 2^53"),
        pytest.param("VARCHAR(64)", ["a", "b", "c", "d"], "a", id="text"),
        pytest.param("VARBINARY(16)", [bytes([n] * 16) for n in range(4)], "00" * 16, id="binary"),
    ],
)
def test_a_user_is_found_by_any_kind_of_key(
    root: Path, database_url: str, key: str, keys: list[object], written: str
) -> None:
    make_users(database_url, key, keys)

    everybody = preview(root, "--as-of", "2026-03-14T09:00")
    one = preview(root, "--as-of", "2026-03-14T09:00", "--user", written)

    assert "3 users: 3 enter at this tick" in everybody
    assert f"user {written}  enters at this tick" in everybody
    assert "user-0@example.com" in one
    assert "would be mailed" in one
