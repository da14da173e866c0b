"""What a preview says of who did what: the run's own numbers, or that nobody has counted them yet."""

import re
import shlex
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner, Result
from small_project import SETTINGS, write_project
from sqlalchemy import text

from skene_dagster.behaviour.rollup.counted import COUNT
from skene_dagster.cli import main
from skene_dagster.compiler import compile_folder
from skene_dagster.compiler.window import AS_OF
from skene_dagster.store.engine import open_engine

DAY = timedelta(days=1)
NOW = datetime(2026, 3, 14, 9)
PEOPLE = 40
USAGE = """\
events: {table: actions, at: done_at, arrived: written_at}
features:
  export: {title: Export, events: [export]}
milestones:
  first_export: {title: First export, event: export, count: 1, since: 2020-01-01}
"""
LOOP = """\
type: adoption
name: NAME
steps:
  - trigger: {type: schedule, cron: "0 9 * * *"}
    condition: CONDITION
    action: {type: email, template: re_engagement, personalization: {name: "{{user.name}}"}}
recovery: {retries: 0}
"""
CONDITIONS = {
    "untried": "{type: feature, name: export, state: untried}",
    "dormant": "{type: level, is: dormant}",
    "celebrated": "{type: milestone, name: first_export}",
    "used_up": "{type: usage, limit: {free: 3}, period: 30d}",
}
SELECTED = {
    "untried": PEOPLE - PEOPLE // 2,  # every other one exported
    "dormant": PEOPLE // 4,  # every fourth one was not seen for weeks
    "celebrated": PEOPLE // 2,
    "used_up": PEOPLE - PEOPLE // 4,
}
"""How many users each condition selects, counted by hand from `make_product`."""


@pytest.fixture
def root(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with weeks of events, and nothing counted."""
    monkeypatch.setenv("SKENE_DATABASE_URL", database_url)
    make_product(database_url)
    loops = {
        f"{name}.yaml": LOOP.replace("NAME", name).replace("CONDITION", condition)
        for name, condition in CONDITIONS.items()
    }
    settings = SETTINGS.replace("name: name", "name: name\n  plan: plan") + USAGE
    return write_project(tmp_path / "project", loops, settings)


def execute(url: str, statement: str, *rows: dict[str, object]) -> None:
    engine = open_engine(url)
    with engine.begin() as connection:
        connection.execute(text(statement), list(rows) or None)
    engine.dispose()


def make_product(url: str) -> None:
    """Everybody visits each third day since February; every fourth stops at once, every second exports."""
    execute(
        url,
        "CREATE TABLE users (id INTEGER PRIMARY KEY NOT NULL, email VARCHAR(255), name VARCHAR(255), plan VARCHAR(20))",
    )
    execute(
        url,
        "CREATE TABLE actions (id INTEGER PRIMARY KEY NOT NULL, user_id INTEGER, name VARCHAR(50), "
        "done_at DATETIME, written_at DATETIME)",
    )
    people: list[dict[str, object]] = [
        {"id": n, "email": f"user-{n}@example.com", "name": f"User {n}"} for n in range(PEOPLE)
    ]
    execute(url, "INSERT INTO users VALUES (:id, :email, :name, 'free')", *people)
    did = [
        (n, "export" if n % 2 else "visit", NOW - back * DAY)
        for n in range(PEOPLE)
        for back in range(1, 41, 3)
        if n % 4 or back > 35
    ]
    rows: list[dict[str, object]] = [
        {"id": number, "user": user, "name": name, "at": f"{at:%Y-%m-%d %H:%M:%S}"}
        for number, (user, name, at) in enumerate(did)
    ]
    execute(url, "INSERT INTO actions VALUES (:id, :user, :name, :at, :at)", *rows)


def skene(root: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--project", str(root), *arguments])


def preview(root: Path, loop: str, *options: str, as_of: datetime = NOW) -> Result:
    return skene(root, "preview", loop, "--as-of", as_of.isoformat(), *options)


def said(result: Result) -> str:
    return " ".join(result.output.split())


def mailed(result: Result) -> int:
    (found,) = re.findall(r"^ +(\d+)  would be mailed$", result.output, re.MULTILINE)
    return int(found)


def run(root: Path, job: str, as_of: datetime, selection: list[dg.AssetKey] | None = None) -> bool:
    with dg.DagsterInstance.ephemeral() as instance:
        found = compile_folder(root).resolve_job_def(job)
        tags = {AS_OF: as_of.isoformat() + "+00:00"}
        return found.execute_in_process(
            instance=instance, tags=tags, asset_selection=selection, raise_on_error=False
        ).success


def emails(root: Path) -> int:
    return len(list((root / ".skene" / "outbox").glob("*.eml")))


@pytest.mark.parametrize("loop", CONDITIONS)
def test_before_anything_is_counted_no_number_is_shown_and_the_command_is_named(root: Path, loop: str) -> None:
    skene(root, "migrate")

    result = preview(root, loop)

    assert result.exit_code == 4, result.output
    assert "never counted" in said(result)
    assert COUNT in said(result)
    assert "would be mailed" not in result.output
    assert "users:" not in result.output


def test_where_the_tables_are_missing_it_says_what_comes_first(root: Path, database_url: str) -> None:
    result = preview(root, "untried")

    assert result.exit_code == 4, result.output
    assert "never counted" in said(result)
    assert ("skene-dagster migrate" in said(result)) == (not database_url.startswith("sqlite"))


def test_once_counted_the_preview_has_the_numbers_of_the_run(root: Path) -> None:
    skene(root, "migrate")
    counted = run(root, "skene__usage", NOW)

    before = {loop: mailed(preview(root, loop)) for loop in CONDITIONS}
    ran = {}
    for loop in CONDITIONS:
        earlier = emails(root)
        assert run(root, loop, NOW)
        ran[loop] = emails(root) - earlier
    after = {loop: preview(root, loop) for loop in CONDITIONS}

    assert counted
    assert before == ran == SELECTED
    for loop, number in SELECTED.items():
        assert f"{number} users: 0 enter at this tick, {number} are inside already." in after[loop].output


on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@on_sqlite
def test_the_command_that_a_preview_names_counts(root: Path) -> None:
    assert preview(root, "dormant").exit_code == 4

    done = subprocess.run(
        [sys.executable, "-m", *shlex.split(COUNT)], cwd=root, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    result = skene(root, "preview", "untried")
    assert result.exit_code == 0, result.output
    assert mailed(result) == SELECTED["untried"]


@on_sqlite
def test_a_count_that_is_behind_is_dated_and_the_newest_is_not(root: Path) -> None:
    run(root, "skene__usage", NOW)

    at_once = preview(root, "dormant")
    later = preview(root, "dormant", as_of=NOW + 2 * DAY)

    assert "  Counted   what users did until Sat 14 Mar 2026, 09:00 UTC\n" in at_once.output
    assert "what users did until Sat 14 Mar 2026, 09:00 UTC. A run first counts what came since" in said(later)
    assert COUNT in said(later)
    assert mailed(later) == SELECTED["dormant"]


@on_sqlite
@pytest.mark.parametrize(
    ("loop", "was", "now", "words"),
    [
        pytest.param("dormant", "milestones:", "levels: {dormant: 60d}\nmilestones:", "`levels`", id="levels"),
        pytest.param("untried", "[export]", "[export, download]", "the feature 'export'", id="a feature"),
        pytest.param("celebrated", "count: 1", "count: 2", "the milestone 'first_export'", id="a milestone"),
        pytest.param("used_up", "at: done_at", "at: written_at", "how events are read", id="the events"),
    ],
)
def test_after_a_change_of_the_words_no_number_is_shown_until_it_is_counted_anew(
    root: Path, loop: str, was: str, now: str, words: str
) -> None:
    run(root, "skene__usage", NOW)
    settings = root / "skene.yaml"
    settings.write_text(settings.read_text(encoding="utf-8").replace(was, now), encoding="utf-8")

    changed = {name: preview(root, name) for name in CONDITIONS}
    ran = run(root, loop, NOW + DAY)

    assert changed[loop].exit_code == 4
    assert f"skene.yaml has changed {words}" in said(changed[loop])
    assert "would be mailed" not in changed[loop].output
    if words != "how events are read":
        assert [name for name, result in changed.items() if result.exit_code] == [loop]
    assert ran
    assert preview(root, loop, as_of=NOW + DAY).exit_code == 0


@on_sqlite
def test_while_a_count_is_half_written_no_number_is_shown(root: Path, database_url: str) -> None:
    run(root, "skene__usage", NOW)
    execute(database_url, "UPDATE skene_rollups SET writing_as_of = '2026-03-15 09:00:00.000000'")

    result = preview(root, "dormant", as_of=NOW + DAY)

    assert result.exit_code == 4
    assert "counted up to Sat 14 Mar 2026, 09:00 UTC, and of some users up to Sun 15 Mar 2026" in said(result)
    assert "would be mailed" not in result.output


@on_sqlite
def test_a_first_count_that_died_half_way_is_no_count(root: Path, database_url: str) -> None:
    run(root, "skene__usage", NOW)
    execute(database_url, "UPDATE skene_rollups SET as_of = NULL")

    assert "never counted" in said(preview(root, "dormant"))


@on_sqlite
def test_of_one_user_the_email_is_shown_and_that_nobody_knows_whether_it_comes(root: Path) -> None:
    result = preview(root, "untried", "--user", "2")

    assert result.exit_code == 4
    assert "never counted" in said(result)
    assert "not selected" not in result.output
    assert "The email, if they were mailed" in result.output
    assert "We miss you, User 2" in result.output


@on_sqlite
def test_a_step_that_asks_nothing_of_the_kind_is_shown_beside_one_that_does(root: Path) -> None:
    both = LOOP.replace("NAME", "of_user").replace("- trigger", "- name: known\n    trigger", 1)
    known = both.replace("CONDITION", '{type: query, query: "SELECT id FROM users WHERE id < 5"}')
    unknown = both[both.index("  - name: known") : both.index("recovery")].replace("name: known", "name: unknown")
    text_of_both = known.replace("recovery", unknown.replace("CONDITION", CONDITIONS["dormant"]) + "recovery")
    (root / "loops" / "both.yaml").write_text(text_of_both, encoding="utf-8")

    result = preview(root, "of_user")

    assert result.exit_code == 4, result.output
    assert mailed(result) == 5
    assert "never counted" in said(result)


@on_sqlite
def test_a_segment_that_is_refreshed_alone_takes_nobody_in_before_what_users_do_is_counted(root: Path) -> None:
    alone = run(root, "untried", NOW, [dg.AssetKey(["skene", "untried", "main", "segment"])])
    run(root, "skene__usage", NOW)
    counted = run(root, "untried", NOW, [dg.AssetKey(["skene", "untried", "main", "segment"])])

    assert not alone
    assert counted


@on_sqlite
def test_a_test_email_needs_no_count_unless_it_shows_what_was_counted(root: Path) -> None:
    file = root / "loops" / "dormant.yaml"
    send = ("send-test", "dormant", "--user", "4", "--to", "me@example.com")

    plain = skene(root, *send)
    file.write_text(file.read_text(encoding="utf-8").replace("{{user.name}}", "{{row.since}}"), encoding="utf-8")
    of_the_row = skene(root, *send)

    assert plain.exit_code == 0, plain.output
    assert of_the_row.exit_code == 3
    assert "never counted" in said(of_the_row)
