"""From an empty folder to a preview of real people: `init`, `validate --database`, `preview`."""

import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result
from product_code import DRIZZLE
from product_schemas import for_sqlite, read
from sqlalchemy import Engine, text

from skene_dagster.cli import main
from skene_dagster.init.writing import BEGIN, END
from skene_dagster.store.engine import is_sqlite

AUTH_USER = """\
CREATE TABLE auth_user (
  id integer NOT NULL PRIMARY KEY AUTOINCREMENT, password varchar(128) NOT NULL, last_login datetime,
  is_superuser bool NOT NULL, username varchar(150) NOT NULL UNIQUE, last_name varchar(150) NOT NULL,
  email varchar(254) NOT NULL, is_staff bool NOT NULL, is_active bool NOT NULL, date_joined datetime NOT NULL,
  first_name varchar(150) NOT NULL);
CREATE TABLE django_session (
  session_key varchar(40) NOT NULL PRIMARY KEY, session_data text NOT NULL, expire_date datetime NOT NULL);
"""
PEOPLE = [
    # name, address, last login, staff, active
    ("ada", "ada@example.com", "2020-03-01 10:00:00", 0, 1),
    ("ben", "ben@example.com", None, 0, 1),
    ("cleo", "", "2020-03-01 10:00:00", 0, 1),
    ("dan", "dan@example.com", "2999-01-01 10:00:00", 0, 1),
    ("eve", "eve@example.com", "2020-03-01 10:00:00", 1, 1),
    ("fay", "fay@example.com", "2020-03-01 10:00:00", 0, 0),
]
REPOSITORY = Path(__file__).parents[2]
TICK = ("--as-of", "2026-11-30T09:00")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "orbit-growth"
    folder.mkdir()
    return folder


@pytest.fixture
def django(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A database as Django makes it in SQLite, with a few users."""
    file = tmp_path / "app.db"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.executescript(AUTH_USER)
        for name, email, seen, staff, active in PEOPLE:
            connection.execute(
                "INSERT INTO auth_user (password, last_login, is_superuser, username, last_name, email, is_staff, "
                "is_active, date_joined, first_name) VALUES ('x', ?, 0, ?, '', ?, ?, ?, '2020-01-01 00:00:00', ?)",
                (seen, name, email, staff, active, name.title()),
            )
    monkeypatch.setenv("SKENE_DATABASE_URL", f"sqlite:///{file}")
    return file


def run(root: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--project", str(root), *arguments])


def in_words(result: Result) -> str:
    return " ".join(result.output.split())


def files(root: Path) -> list[str]:
    return sorted(file.relative_to(root).as_posix() for file in root.rglob("*") if file.is_file())


@pytest.mark.usefixtures("django")
def test_three_commands_lead_from_an_empty_folder_to_a_preview_of_real_people(root: Path) -> None:
    proposed = run(root, "init", "--yes")
    validated = run(root, "validate", "--database")
    previewed = run(root, "preview", "retention", *TICK)

    assert proposed.exit_code == 0, proposed.output
    assert proposed.output.splitlines()[-1] == "Next: skene-dagster validate --database"
    assert validated.exit_code == 0, validated.output
    assert "notice" not in validated.output
    assert previewed.exit_code == 0, previewed.output
    # Ada and Ben; Cleo has no address, Dan was here, Eve is staff, Fay is not active.
    assert "5 enter at this tick" in previewed.output
    assert "2  would be mailed" in previewed.output
    assert "3  not now: not mailable" in previewed.output
    assert "Hi Ada," in run(root, "preview", "retention", "--user", "1", *TICK).output


@pytest.mark.usefixtures("django")
def test_it_says_what_it_found_and_why(root: Path) -> None:
    said = in_words(run(root, "init", "--yes"))

    assert "Read 2 tables in app.db." in said
    assert re.search(r"Users auth_user \(its name, it has email, a password: \d+ points\)", said)
    assert "Columns key: id, email: email, name: first_name, created_at: date_joined" in said
    assert "Mailable email <> '' AND is_staff = 0 AND is_active = 1" in said
    assert "auth_user.last_login moves when somebody signs in" in said


@pytest.mark.usefixtures("django")
def test_a_dry_run_writes_nothing_and_lists_the_same_files(root: Path) -> None:
    tried = run(root, "init", "--dry-run")
    assert files(root) == []
    wrote = run(root, "init", "--yes")

    assert tried.exit_code == 0
    listed = re.findall(r"^  new +(\S+)$", tried.output, re.MULTILINE)
    assert listed == re.findall(r"^  new +(\S+)$", wrote.output, re.MULTILINE)
    assert sorted(listed) == files(root)


@pytest.mark.usefixtures("django")
def test_what_is_there_is_never_overwritten(root: Path) -> None:
    run(root, "init", "--yes")
    before = {name: (root / name).read_text() for name in files(root)}
    (root / "skene.yaml").write_text("users: {table: auth_user}\n")

    again = run(root, "init", "--yes")

    assert (root / "skene.yaml").read_text() == "users: {table: auth_user}\n"
    assert (root / "skene.yaml.new").read_text() == before["skene.yaml"]
    assert "  differs    skene.yaml: it stays; the proposal is skene.yaml.new\n" in again.output
    assert "-users: {table: auth_user}\n" in again.output
    assert "  unchanged  loops/retention.yaml\n" in again.output
    assert {*files(root)} == {*before, "skene.yaml.new"}


@pytest.mark.usefixtures("django")
def test_agents_md_of_somebody_else_gets_a_section_that_is_made_anew_each_time(root: Path) -> None:
    (root / "AGENTS.md").write_text("# Ours\n\nUse tabs.\n")

    first = run(root, "init", "--yes")
    made = (root / "AGENTS.md").read_text()
    (root / "AGENTS.md").write_text(made.replace("skene-dagster validate", "nonsense") + "\nAfter it.\n")
    run(root, "init", "--yes")

    assert "  section    AGENTS.md\n" in first.output
    assert made.startswith(f"# Ours\n\nUse tabs.\n\n{BEGIN}\n")
    assert (root / "AGENTS.md").read_text() == made + "\nAfter it.\n"


@pytest.mark.usefixtures("django")
def test_a_section_without_an_end_is_refused_before_anything_is_written(root: Path) -> None:
    (root / "AGENTS.md").write_text(f"# Ours\n{BEGIN}\nlost\n")

    result = run(root, "init", "--yes")

    assert result.exit_code == 1
    assert "error   AGENTS.md:2\n" in result.output
    assert END in in_words(result)
    assert files(root) == ["AGENTS.md"]


@pytest.mark.usefixtures("django")
def test_without_a_terminal_it_names_the_flags_that_answer(root: Path) -> None:
    result = run(root, "init")

    assert result.exit_code == 2
    assert "There is no terminal to ask on." in result.output
    assert all(flag in result.output for flag in ("--yes", "--users", "--email", "--activity", "--events"))
    assert files(root) == []


def test_a_doubt_is_told_and_ends_with_4(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = _sqlite(tmp_path / "shop.db", read("ghost"))
    monkeypatch.setenv("SKENE_DATABASE_URL", f"sqlite:///{file}")

    doubted = run(root, "init", "--yes")
    answered = run(root, "init", "--yes", "--users", "members")

    assert doubted.exit_code == 4
    assert "doubt users (0 rows) and members (0 rows) are too much alike to tell. Say which: --users users|members" in (
        in_words(doubted)
    )
    assert doubted.output.splitlines()[-1] == "Next: skene-dagster validate --database"
    assert answered.exit_code == 0, answered.output
    assert "\n  table: members\n" in (root / "skene.yaml.new").read_text()


def test_on_a_terminal_it_asks_which_table_and_whether_to_write(root: Path, tmp_path: Path) -> None:
    file = _sqlite(tmp_path / "shop.db", read("ghost"))
    command = [str(Path(sys.executable).with_name("skene-dagster")), "init", "--database", f"sqlite:///{file}"]
    keyboard, terminal = os.openpty()
    os.write(keyboard, b"2\ny\n")

    done = subprocess.run(command, cwd=root, stdin=terminal, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "users (0 rows) and members (0 rows) are too much alike to tell." in done.stdout
    assert "  1  users\n  2  members\n" in done.stdout
    assert "members (you named it)" in done.stdout
    assert "\n  table: members\n" in (root / "skene.yaml").read_text()
    for end in (keyboard, terminal):
        os.close(end)


@pytest.mark.usefixtures("django")
def test_a_no_on_a_terminal_writes_nothing(root: Path) -> None:
    keyboard, terminal = os.openpty()
    os.write(keyboard, b"n\n")

    command = [str(Path(sys.executable).with_name("skene-dagster")), "init"]
    done = subprocess.run(command, cwd=root, stdin=terminal, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert files(root) == []
    for end in (keyboard, terminal):
        os.close(end)


@pytest.mark.usefixtures("django")
def test_the_activity_and_the_address_can_be_named(root: Path) -> None:
    named = run(root, "init", "--yes", "--activity", "date_joined", "--email", "username")
    no_moments = run(root, "init", "--yes", "--activity", "username")
    not_there = run(root, "init", "--yes", "--activity", "seen")

    assert named.exit_code == 0, named.output
    assert "u.date_joined < NOW() - INTERVAL 7 DAY" in (root / "loops" / "retention.yaml").read_text()
    assert "  email: username\n" in (root / "skene.yaml").read_text()
    assert "auth_user.username holds no moments" in in_words(no_moments)
    assert "auth_user has no column 'seen'. It has: id, password" in in_words(not_there)
    assert (no_moments.exit_code, not_there.exit_code) == (1, 1)


def test_a_table_that_is_not_there_is_named_with_those_that_are(root: Path, django: Path) -> None:
    assert django.is_file()
    result = run(root, "init", "--yes", "--users", "people")

    assert result.exit_code == 1
    assert "There is no table 'people' in app.db. There is: auth_user, django_session." in in_words(result)
    assert files(root) == []


def test_where_there_is_nothing_to_read_it_says_what_it_reads(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SKENE_DATABASE_URL", raising=False)

    result = run(root, "init", "--yes")

    assert result.exit_code == 2
    assert "SKENE_DATABASE_URL" in result.output
    assert "--code DIR" in result.output


def test_an_address_in_another_table_writes_nothing(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = _sqlite(tmp_path / "tickets.db", for_sqlite(read("osticket")))
    monkeypatch.setenv("SKENE_DATABASE_URL", f"sqlite:///{file}")

    result = run(root, "init", "--yes")

    assert result.exit_code == 4
    assert "ost_user has no address: it is in ost_user_email.address" in in_words(result)
    assert files(root) == []


# Ada was here long ago, Ben yesterday, Cleo never since she signed up; Dan is deleted, Eve has no address.
UNIX = """\
INSERT INTO `user` VALUES
  (1, 'ada@example.com', 'Ada', 'x', 1577836800, 0, 'en'), (2, 'ben@example.com', 'Ben', 'x', 1577836800, 0, 'de'),
  (3, 'cleo@example.com', NULL, 'x', 1577836800, 0, 'fr'), (5, '', 'Eve', 'x', 1577836800, 0, 'en'),
  (4, 'dan@example.com', 'Dan', 'x', 1577836800, 1600000000, 'en');
INSERT INTO user_presence VALUES
  (1, 1600000000000), (2, 1796000000000), (3, 0), (4, 1600000000000), (5, 1600000000000)
"""
FOREIGN = """\
INSERT INTO auth_user VALUES
  (1, 'x', NULL, 'Ada', 'ada@example.com', 1, '2020-01-01 00:00:00'),
  (2, 'x', NULL, 'Ben', 'ben@example.com', 1, '2020-01-01 00:00:00');
INSERT INTO analytics_event VALUES
  (1, '2026-11-29 00:00:00', '2', 'opened', NULL), (2, '2026-11-29 00:00:00', 'anonymous', 'opened', NULL),
  (3, '2020-11-29 00:00:00', '1', 'opened', NULL)
"""
# Ben's zero date is no sign-up; Cleo was here yesterday.
WORDPRESS = """\
INSERT INTO wp_users VALUES
  (1, 'ada', 'x', 'ada', 'ada@example.com', '', '2020-01-01 00:00:00', '', 0, 'Ada'),
  (2, 'ben', 'x', 'ben', 'ben@example.com', '', '0000-00-00 00:00:00', '', 0, 'Ben'),
  (3, 'cleo', 'x', 'cleo', 'cleo@example.com', '', '2020-01-01 00:00:00', '', 0, 'Cleo');
INSERT INTO wp_usermeta VALUES
  (1, 1, 'wc_last_active', '1600000000'), (3, 3, 'wc_last_active', '1795996800'), (4, 3, 'nickname', 'cleo')
"""

ZERO_DATES = """\
CREATE TABLE customers (
  id int NOT NULL PRIMARY KEY, email varchar(99) NOT NULL, `full name` varchar(99),
  deleted_at datetime NOT NULL DEFAULT '0000-00-00 00:00:00', banned_at int NOT NULL DEFAULT 0,
  last_visit datetime NOT NULL DEFAULT '0000-00-00 00:00:00', created_at datetime NOT NULL);
"""
# Ada was here long ago, Ben never since he signed up; Cleo is deleted, Dan banned, Eve was here yesterday.
ZEROS = """\
INSERT INTO customers VALUES
  (1, 'ada@example.com', NULL, '0000-00-00 00:00:00', 0, '2021-01-01 00:00:00', '2020-01-01 00:00:00'),
  (2, 'ben@example.com', NULL, '0000-00-00 00:00:00', 0, '0000-00-00 00:00:00', '2020-01-01 00:00:00'),
  (3, 'cleo@example.com', NULL, '2022-01-01 00:00:00', 0, '2021-01-01 00:00:00', '2020-01-01 00:00:00'),
  (4, 'dan@example.com', NULL, '0000-00-00 00:00:00', 1600000000, '2021-01-01 00:00:00', '2020-01-01 00:00:00'),
  (5, 'eve@example.com', NULL, '0000-00-00 00:00:00', 0, '2026-11-29 00:00:00', '2020-01-01 00:00:00')
"""


@pytest.mark.parametrize(
    ("schema", "rows", "mailed", "said"),
    [
        pytest.param("unix_times", UNIX, [1, 3], "unit: seconds", id="seconds and milliseconds, 0 for never"),
        pytest.param("foreign", FOREIGN, [1], "created_at: date_joined", id="events that name users by a text"),
        pytest.param("wordpress", WORDPRESS, [1], "key: ID", id="zero sign-ups, seconds as texts"),
        pytest.param("", ZEROS, [1, 2], "table: customers", id="zero dates, 0 for never, names with a space"),
    ],
)
def test_odd_times_and_keys_select_who_was_away(
    root: Path,
    engine: Engine,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    schema: str,
    rows: str,
    mailed: list[int],
    said: str,
) -> None:
    _fill(engine, read(schema) if schema else ZERO_DATES, rows)
    monkeypatch.setenv("SKENE_DATABASE_URL", database_url)

    proposed = run(root, "init", "--yes")
    validated = run(root, "validate", "--database")
    previewed = run(root, "preview", "retention", "--sample", "9", *TICK)

    assert proposed.exit_code == 0, proposed.output
    assert said in (root / "skene.yaml").read_text()
    assert validated.exit_code == 0, validated.output
    assert [int(n) for n in re.findall(r"^  user (\d+)", previewed.output, re.MULTILINE)] == mailed, (
        previewed.output + (root / "loops" / "retention.yaml").read_text()
    )


def test_without_a_database_the_code_is_read(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SKENE_DATABASE_URL", raising=False)
    for path, content in DRIZZLE.items():
        (tmp_path / "shop" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "shop" / path).write_text(content)

    proposed = run(root, "init", "--yes", "--code", str(tmp_path / "shop"))
    validated = run(root, "validate")

    assert proposed.exit_code == 0, proposed.output
    assert "Read 2 tables in src/db/schema.ts (Drizzle)." in in_words(proposed)
    assert "Set SKENE_DATABASE_URL" in proposed.output
    assert validated.exit_code == 0, validated.output
    assert "NOT EXISTS" in (root / "loops" / "retention.yaml").read_text()


@pytest.mark.parametrize("file", [".cursor/rules/skene.mdc", ".claude/skills/skene-loops/SKILL.md"])
@pytest.mark.usefixtures("django")
def test_rules_for_agents_have_front_matter_that_is_yaml(root: Path, file: str) -> None:
    run(root, "init", "--yes")

    _, head, body = (root / file).read_text().split("---\n", 2)
    said = yaml.safe_load(head)
    assert said.get("name", "skene-loops") == "skene-loops"
    assert 0 < len(said["description"]) <= 1024
    assert body.strip() + "\n" in (root / "AGENTS.md").read_text()


@pytest.mark.usefixtures("django")
def test_what_dagster_gets_says_what_this_project_s_own_files_say(root: Path) -> None:
    run(root, "init", "--yes")

    for name in ("dagster.yaml", "workspace.yaml"):
        assert yaml.safe_load((root / name).read_text()) == yaml.safe_load((REPOSITORY / name).read_text())
    assert (root / ".env.example").read_text() == (REPOSITORY / ".env.example").read_text()


@pytest.mark.usefixtures("django")
def test_the_installed_command_does_it_as_well(root: Path) -> None:
    command = Path(sys.executable).with_name("skene-dagster")

    done = subprocess.run([command, "init", "--yes"], cwd=root, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert (root / "loops" / "retention.yaml").is_file()


def _sqlite(file: Path, ddl: str) -> Path:
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(ddl)
    return file


def _fill(engine: Engine, ddl: str, rows: str) -> None:
    """Make the tables on each kind of database."""
    if is_sqlite(engine):
        ddl = for_sqlite(ddl)
    ddl = re.sub(r"^--.*$", "", ddl, flags=re.MULTILINE)
    with engine.begin() as connection:
        if not is_sqlite(engine):
            connection.execute(text("SET SESSION sql_mode = ''"))
        for statement in [*ddl.split(";"), *rows.split(";")]:
            if statement.strip():
                connection.exec_driver_sql(statement)
    engine.dispose()
