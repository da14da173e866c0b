"""What two versions of the loops do differently, read from a real git repository and asked of each database."""

import json
import os
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from click.testing import CliRunner, Result
from small_project import RETENTION, write_project
from sqlalchemy import text

from skene_dagster.cli import main
from skene_dagster.compiler import compile_folder
from skene_dagster.store.engine import open_engine

SETTINGS = """\
users: {name: name, mailable: staff = 0}
limits: {first_wave: 3, caps: []}
sender:
  from: Little Product <hello@example.com>
  postal_address: 1 Example Street, Example Town
  unsubscribe_url: https://example.com/unsubscribe?u={{user.id}}
"""
NOW = datetime.now(timezone.utc).replace(tzinfo=None, microsecond=0)
DAYS_AWAY = [0, 1, 3, 4, 5, 6, 8, 9, 10, 40]
"""For how many days each user has been away; the third is staff, the fourth has no address."""


@pytest.fixture
def root(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project that is committed, with ten users and the tables of this release."""
    monkeypatch.setenv("SKENE_DATABASE_URL", database_url)
    root = write_project(tmp_path / "shop" / "growth", {"retention.yaml": RETENTION}, SETTINGS)
    git(root.parent, "init", "-q", "-b", "main")
    commit(root)
    engine = open_engine(database_url)
    with engine.begin() as connection:
        connection.execute(
            text(
                "CREATE TABLE users (id INTEGER PRIMARY KEY NOT NULL, email VARCHAR(255), name VARCHAR(255), "
                "staff INTEGER NOT NULL, last_activity_at DATETIME)"
            )
        )
        connection.execute(
            text("INSERT INTO users VALUES (:id, :email, :name, :staff, :seen)"),
            [
                {
                    "id": n,
                    "email": None if n == 4 else f"user-{n}@example.com",
                    "name": f"User {n}",
                    "staff": int(n == 3),
                    "seen": f"{NOW - timedelta(days=away, hours=1)}",
                }
                for n, away in enumerate(DAYS_AWAY, start=1)
            ],
        )
    engine.dispose()
    assert skene(root, "migrate").exit_code == 0
    return root


def git(root: Path, *arguments: str) -> None:
    who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", str(root), *who, *arguments], check=True, capture_output=True)


def commit(root: Path) -> None:
    git(root, "add", "-A", "--", "loops", "templates", "skene.yaml")
    git(root, "commit", "-q", "-m", "loops")


def skene(root: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--project", str(root), *arguments])


def diff(root: Path, *arguments: str) -> dict[str, Any]:
    result = skene(root, "diff", *arguments, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.output)
    return found


def write(root: Path, *replaced: str, name: str = "retention.yaml") -> None:
    file = root / "loops" / name
    content = file.read_text(encoding="utf-8")
    for before, after in zip(replaced[::2], replaced[1::2], strict=True):
        assert before in content
        content = content.replace(before, after)
    file.write_text(content, encoding="utf-8")


def test_who_comes_in_and_goes_out_is_who_one_version_selects_and_the_other_does_not(root: Path) -> None:
    query = "last_activity_at < NOW() - INTERVAL '7 days'"
    write(root, query, "last_activity_at BETWEEN NOW() - INTERVAL '9 days' AND NOW() - INTERVAL '3 days'")

    (step,) = diff(root, "main")["steps"]

    # Away for 3 to 8 days where it was 7 and more.
    assert (step["loop"], step["step"], step["kind"]) == ("retention", "main", "changed")
    assert step["changed"] == {"who": "the query"}
    assert step["inside"] == {"before": 4, "after": 5, "come_in": 4, "go_out": 3}
    assert step["come_in"] == [3, 4, 5, 6]
    assert step["go_out"] == [8, 9, 10]
    # Nobody was decided about yet: the staff and who has no address would wait.
    assert step["first_tick"]["counts"] == {"mail": 3, "deferred:not_mailable": 1, "deferred:no_address": 1}


def test_each_version_asks_with_the_date_of_its_own_zone(root: Path) -> None:
    # At any moment these two are not on the same day.
    write(root, "NOW() - INTERVAL '7 days'", "CURDATE()", "Europe/Berlin", "Pacific/Kiritimati")
    commit(root)
    write(root, "Pacific/Kiritimati", "Pacific/Niue")

    for_nobody = diff(root)["steps"][0]
    write(root, "last_activity_at < CURDATE()", "'2001-01-01' < CURDATE() AND last_activity_at < CURDATE()")
    step = diff(root)["steps"][0]

    east, west = (datetime.combine((NOW + timedelta(hours=hours)).date(), datetime.min.time()) for hours in (14, -11))
    seen = [NOW - timedelta(days=away, hours=1) for away in DAYS_AWAY]
    out = [n for n, at in enumerate(seen, start=1) if west <= at < east]
    assert for_nobody["changed"] == {"when": "0 9 * * * Pacific/Kiritimati → Pacific/Niue"}
    assert for_nobody["inside"] is None
    assert step["go_out"] == out
    assert step["come_in"] == []


def test_a_new_loop_brings_all_whom_it_selects_and_a_gone_one_takes_them_along(root: Path) -> None:
    (root / "loops" / "retention.yaml").rename(root / "loops" / "other.yaml")
    write(root, "type: retention", "type: retention\nname: other\nholdout: 99.9%", name="other.yaml")

    new, gone = diff(root)["steps"]

    assert (new["loop"], new["kind"], new["inside"]) == (
        "other",
        "new",
        {"before": None, "after": 4, "come_in": 4, "go_out": 0},
    )
    assert new["first_tick"]["counts"] == {"held_out": 4}
    assert (gone["loop"], gone["kind"], gone["inside"]) == (
        "retention",
        "gone",
        {"before": 4, "after": None, "come_in": 0, "go_out": 4},
    )
    assert gone["first_tick"] is None


def test_of_a_loop_that_ran_only_those_are_mailed_who_come_in(root: Path) -> None:
    run(root)
    write(root, "'7 days'", "'2 days'")

    found = diff(root)

    (step,) = found["steps"]
    assert (step["mails_in_28_days"], step["mails_in_28_days_replayed"]) == (4, None)
    assert step["first_tick"]["counts"]["mail"] == 2
    # Four have had one; two of those who had none would get one at the first tick.
    assert found["mails_in_7_days"] == {"before": {"1": 4, "0": 6}, "after": {"1": 6, "0": 4}}


def run(root: Path) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        job = compile_folder(root).resolve_job_def("retention")
        assert job.execute_in_process(instance=instance, raise_on_error=False).success


def test_a_first_wave_that_is_too_large_is_told_to_wait_for_approve(root: Path) -> None:
    (root / "loops" / "new.yaml").write_text(RETENTION.replace("type: ret", "name: new\ntype: ret", 1))

    output = skene(root, "diff").output

    assert "1 new" in output
    assert "it would wait for `approve new`" in " ".join(output.split())
    assert [line for line in output.splitlines() if len(line) > 80] == []
    assert "5 who come in" not in output
    assert "4 who come in" in output


def test_another_mail_is_told_by_its_parts_and_who_and_when_are_the_same(root: Path) -> None:
    mail = root / "templates" / "re_engagement.mjml"
    mail.write_text(mail.read_text(encoding="utf-8").replace("We miss you", "Where are you"), encoding="utf-8")
    (root / "templates" / "re_engagement.txt").write_text("{{ name }} {{ unsubscribe_url }} {{ postal_address }}\n")

    (step,) = diff(root)["steps"]

    assert step["changed"] == {"the mail": "subject, text"}
    assert (step["inside"], step["first_tick"]) == (None, None)
    assert "the mail: subject, text. Who and when: the same" in skene(root, "diff").output


def test_it_needs_nothing_that_another_command_has_imported(root: Path) -> None:
    program = "from skene_dagster.cli import main; main()"

    done = subprocess.run(
        [sys.executable, "-c", program, "--project", str(root), "diff"], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "No step differs from HEAD.\n"


def test_nothing_is_written(root: Path, database_url: str) -> None:
    write(root, "'7 days'", "'2 days'")
    before = everything(database_url)

    diff(root)

    assert everything(database_url) == before


def everything(url: str) -> dict[str, list[Any]]:
    engine = open_engine(url)
    with engine.connect() as connection:
        tables = ("skene_segments", "skene_segment_members", "skene_sends", "skene_steps", "skene_arms", "skene_meta")
        found = {table: list(connection.execute(text(f"SELECT * FROM {table}"))) for table in tables}
    engine.dispose()
    return found


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
class TestTheVersionBefore:
    """What can be wrong with it, and how it is told."""

    def test_a_file_that_was_broken_then_is_named_with_its_version_and_line(self, root: Path) -> None:
        write(root, "backoff: none", "backoff: nothing")
        commit(root)
        write(root, "backoff: nothing", "backoff: none")

        result = skene(root, "diff", "main")

        assert result.exit_code == 1
        assert "main:loops/retention.yaml:12  recovery.backoff" in result.output
        assert "'nothing' is not a backoff" in result.output

    def test_a_ref_that_git_does_not_know_is_a_wrong_call(self, root: Path) -> None:
        result = skene(root, "diff", "no-such-branch")

        assert result.exit_code == 2
        assert "git knows no commit 'no-such-branch'" in result.output

    def test_a_ref_is_never_taken_for_an_option(self, root: Path) -> None:
        result = skene(root, "diff", "--", "--output=stolen")

        assert result.exit_code == 2
        assert "git knows no commit '--output=stolen'" in result.output

    def test_without_a_repository_it_says_what_else_to_compare_with(
        self, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(root.parents[1]))
        (root.parent / ".git").rename(root.parent / "hidden")

        result = skene(root, "diff")

        assert result.exit_code == 2
        assert "not a git repository" in result.output
        assert "--against FOLDER" in result.output

    def test_without_git_it_says_what_else_to_compare_with(
        self, root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))

        result = skene(root, "diff")

        assert result.exit_code == 2
        assert "There is no git on this machine" in result.output

    def test_a_folder_may_be_it_instead_of_a_commit(self, root: Path, tmp_path: Path) -> None:
        old = write_project(tmp_path / "old", {"retention.yaml": RETENTION.replace("'7 days'", "'9 days'")}, SETTINGS)

        (step,) = diff(root, "--against", str(old))["steps"]

        assert step["inside"] == {"before": 3, "after": 4, "come_in": 1, "go_out": 0}

    def test_a_commit_without_the_project_has_no_loops(self, root: Path) -> None:
        git(root, "checkout", "-q", "--orphan", "empty")
        git(root, "rm", "-r", "-q", "--cached", ".")
        git(root, "commit", "-q", "--allow-empty", "-m", "nothing")

        (step,) = diff(root, "empty")["steps"]

        assert step["kind"] == "new"

    def test_what_is_left_out_of_archives_is_read_all_the_same(self, root: Path) -> None:
        (root.parent / ".gitattributes").write_text("growth/loops export-ignore\n")
        git(root.parent, "add", "-A", "--", ".gitattributes")
        git(root.parent, "commit", "-q", "-m", "attributes")

        assert diff(root)["steps"] == []
        assert "No step differs from HEAD." in skene(root, "diff").output

    def test_settings_that_differ_are_named_and_change_who_is_selected(self, root: Path) -> None:
        settings = root / "skene.yaml"
        settings.write_text(settings.read_text().replace("staff = 0", "staff = 1"))

        found = diff(root)

        assert found["settings"] == ["users"]
        assert found["steps"][0]["changed"] == {"who": "users in skene.yaml"}
        assert found["steps"][0]["inside"]["come_in"] == 0

    def test_in_production_it_needs_no_key_of_a_provider(self, root: Path, database_url: str) -> None:
        engine = open_engine(database_url)
        with engine.begin() as connection:
            connection.execute(text("INSERT INTO skene_meta (name, value) VALUES ('environment', 'production')"))
        engine.dispose()
        assert "RESEND_API_KEY" not in os.environ

        assert diff(root)["mode"] == "live"
