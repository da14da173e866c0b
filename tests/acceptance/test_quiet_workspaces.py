"""The page's loop about accounts, as a stranger runs it: a dormant workspace mails one person, once."""

import re
import sqlite3
from datetime import datetime, timedelta, timezone
from email import message_from_bytes
from pathlib import Path

import pytest
from commands import skene
from forked import completed, dagster
from small_project import SETTINGS, write_project
from test_dagster_runs import environment_of, write_home

PAGE = Path(__file__).parents[2] / "docs" / "loop-format.md"
LOOP = "quiet_workspaces"
NOW = datetime.now(timezone.utc).replace(tzinfo=None, microsecond=0)
LONG_AGO = NOW - timedelta(days=90)


def block(title: str, holding: str) -> str:
    """A block of the page, by its title and a word in it."""
    found = re.findall(
        rf'^```yaml title="{re.escape(title)}"\n(.*?)^```', PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    (one,) = (text for text in found if holding in text)
    return str(one)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two quiet workspaces and a busy one; w1 has three users, of whom the second did something last."""
    settings = SETTINGS + block("skene.yaml", "accounts:") + "events: {table: events, at: happened_at}\n"
    root = write_project(tmp_path / "project", {f"{LOOP}.yaml": block(f"loops/{LOOP}.yaml", "per: account")}, settings)
    (root / ".skene").mkdir()
    write_home(tmp_path / "dagster")
    with sqlite3.connect(root / ".skene" / "skene.db") as connection:
        connection.execute(
            "CREATE TABLE workspaces (id VARCHAR(36) PRIMARY KEY NOT NULL, title TEXT, owner_id INTEGER)"
        )
        connection.execute(
            "CREATE TABLE users (id INTEGER PRIMARY KEY NOT NULL, email VARCHAR(255), name VARCHAR(255), "
            "workspace_id VARCHAR(36), last_activity_at DATETIME)"
        )
        rows = [("w1", "Little Charts", 1), ("w2", "Tiny Maps", 4), ("busy", "Busy Bees", 5)]
        connection.executemany("INSERT INTO workspaces VALUES (?, ?, ?)", rows)
        people = [(1, "w1", LONG_AGO), (2, "w1", LONG_AGO), (3, "w1", LONG_AGO), (4, "w2", LONG_AGO), (5, "busy", NOW)]
        connection.executemany(
            "INSERT INTO users VALUES (?, ?, ?, ?, ?)",
            [(n, f"user-{n}@example.com", f"User {n}", key, f"{seen}") for n, key, seen in people],
        )
        connection.execute(
            "CREATE TABLE events (id INTEGER PRIMARY KEY, user_id INTEGER, name TEXT, happened_at DATETIME)"
        )
        opened = [(1, 1, "Opened", f"{LONG_AGO}"), (2, 2, "Opened", f"{LONG_AGO + timedelta(days=1)}")]
        connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?)", opened)
    return root


def ran(root: Path, job: str) -> None:
    """Run a job by Dagster's command, as it is run now."""
    environment = environment_of(root, root.parent / "dagster")
    done = completed(dagster, "job", "execute", "-m", "skene_dagster.definitions", "-j", job, cwd=root, env=environment)
    assert done.returncode == 0, done.stderr


def mailed(root: Path) -> list[tuple[str, str]]:
    """To whom the emails are that are in the outbox, and their subjects."""
    found = [message_from_bytes(file.read_bytes()) for file in (root / ".skene" / "outbox").rglob("*.eml")]
    return sorted((str(message["To"]), str(message["Subject"])) for message in found)


@pytest.mark.long
def test_a_dormant_workspace_mails_one_person_once(root: Path) -> None:
    ran(root, LOOP)
    first = mailed(root)
    with sqlite3.connect(root / ".skene" / "skene.db") as connection:
        connection.execute("UPDATE workspaces SET owner_id = 3 WHERE id = 'w1'")
        connection.execute("UPDATE events SET user_id = 3")

    ran(root, LOOP)

    assert first == [
        ("user-2@example.com", "We miss you, User 2 of Little Charts"),
        ("user-4@example.com", "We miss you, User 4 of Tiny Maps"),
    ]
    assert mailed(root) == first


def test_the_preview_shows_which_account_mails_whom_and_writes_nothing(root: Path) -> None:
    ran(root, "skene__usage")

    shown = skene(root, "preview", LOOP)

    assert shown.exit_code == 0, shown.output
    assert "2 accounts: 2 enter at this tick, 0 are inside already." in shown.output
    assert re.search(r"account w1, user 2 +enters at this tick, was never mailed: would be mailed", shown.output)
    assert "Subject" in shown.output
    assert "We miss you, User 2 of Little Charts" in shown.output
    assert mailed(root) == []


def test_a_suppressed_account_mails_nobody_until_that_is_lifted(root: Path) -> None:
    ran(root, "skene__usage")
    added = skene(root, "suppressions", "add", "--account", "w1")

    ran(root, LOOP)
    listed = skene(root, "suppressions", "list", "--account", "w1")
    lifted = skene(root, "suppressions", "lift", "--account", "w1", "--reason", "they asked")

    assert added.output == "added   account w1: no marketing email.\n"
    assert [to for to, _ in mailed(root)] == ["user-4@example.com"]
    assert "account w1: no marketing email" in listed.output
    assert lifted.output.startswith("lifted  account w1: marketing, since ")


def test_an_account_that_there_is_not_cannot_be_suppressed(root: Path) -> None:
    ran(root, "skene__usage")

    refused = skene(root, "suppressions", "add", "--account", "w9")

    assert refused.exit_code == 2
    assert "No account has workspaces.id = w9." in refused.output


def test_a_preview_before_the_first_run_decides_about_accounts_all_the_same(root: Path) -> None:
    loop = root / "loops" / f"{LOOP}.yaml"
    loop.write_text(loop.read_text("utf-8").replace("most_recently_active", "owner"), encoding="utf-8")

    shown = skene(root, "preview", LOOP)

    assert shown.exit_code == 0, shown.output
    assert re.search(r"account w1, user 1 +enters", shown.output)


def test_a_preview_of_one_user_is_refused(root: Path) -> None:
    refused = skene(root, "preview", LOOP, "--user", "1")

    assert refused.exit_code == 2
    assert f"{LOOP} is about accounts, not about users. Leave it out." in " ".join(refused.output.split())


def test_a_test_email_is_about_the_account_of_the_user_whom_it_names(root: Path) -> None:
    ran(root, "skene__usage")

    sent = skene(root, "send-test", LOOP, "--user", "3", "--to", "me@example.com")

    assert sent.exit_code == 0, sent.output
    assert mailed(root) == [("me@example.com", "[Test] We miss you, User 3 of Little Charts")]


def test_validate_checks_the_loop_against_the_database(root: Path) -> None:
    checked = skene(root, "validate", "--database")

    assert checked.exit_code == 0, checked.output
    assert "1 loop ok. Checked against" in checked.output


WRONG = [
    pytest.param("table: workspaces", "table: teams", "accounts.table", "Table 'teams' is not", id="the table"),
    pytest.param("key: id", "key: title", "accounts.key", "Column 'title' is not the primary key", id="the key"),
    pytest.param(
        "user_column: workspace_id",
        "user_column: id",
        "accounts.user_column",
        "users.id is INTEGER",
        id="whose",
    ),
    pytest.param("owner: owner_id", "owner: boss", "accounts.owner", "The database refuses this SQL", id="the owner"),
]


@pytest.mark.parametrize(("old", "new", "part", "said"), WRONG)
def test_what_skene_yaml_says_of_accounts_is_checked_against_the_database(
    root: Path, old: str, new: str, part: str, said: str
) -> None:
    settings = (root / "skene.yaml").read_text("utf-8")
    assert old in settings
    (root / "skene.yaml").write_text(settings.replace(old, new), encoding="utf-8")
    loop = root / "loops" / f"{LOOP}.yaml"
    loop.write_text(loop.read_text("utf-8").replace("SELECT w.id", "SELECT w.id AS account_id"), encoding="utf-8")

    checked = skene(root, "validate", "--database")

    assert checked.exit_code == 1, checked.output
    output = " ".join(checked.output.split())
    assert re.search(rf"skene\.yaml:\d+ {re.escape(part)} {re.escape(said)}", output), output


def test_a_column_of_the_users_that_is_written_and_not_there_is_refused_though_no_loop_needs_it(root: Path) -> None:
    settings, loop = root / "skene.yaml", root / "loops" / f"{LOOP}.yaml"
    written = settings.read_text("utf-8").replace("user_column: workspace_id", "user_column: workspace_idd")
    settings.write_text(written, encoding="utf-8")
    loop.write_text(loop.read_text("utf-8").replace("most_recently_active", "owner"), encoding="utf-8")

    checked = " ".join(skene(root, "validate", "--database").output.split())

    assert "accounts.user_column Table 'users' has no column 'workspace_idd'." in checked


def test_a_column_of_the_account_that_there_is_not_is_refused_at_its_line(root: Path) -> None:
    loop = root / "loops" / f"{LOOP}.yaml"
    loop.write_text(loop.read_text("utf-8").replace("account.title", "account.titel"), encoding="utf-8")

    checked = " ".join(skene(root, "validate", "--database").output.split())

    assert "Table 'workspaces' has no column 'titel'." in checked
