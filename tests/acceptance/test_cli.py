"""The command line on a good project: what it prints, how it ends, and that asking changes nothing."""

import io
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing, nullcontext
from datetime import datetime
from importlib import resources
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from commands import every
from small_project import RETENTION, SETTINGS, write_project, write_users
from sqlalchemy import make_url, text

from skene_dagster.cli import main
from skene_dagster.cli.group import SUMMARIES
from skene_dagster.cli.inspect.preview import _moment
from skene_dagster.cli.screen import confirmed
from skene_dagster.store.engine import open_engine

REPOSITORY = Path(__file__).parents[2]
LATER = """\
name: later
type: activation
steps:
  - trigger: {type: manual}
    condition: {type: query, query: SELECT id FROM users WHERE 1 = 1}
    action: {type: email, template: re_engagement, personalization: {name: "{{user.name}}"}}
holdout: 10%
"""
USERS = [
    (1, "ada@example.com", "Ada", "2020-01-01 00:00:00"),
    (2, "ben@example.com", "Ben", "2020-01-01 00:00:00"),
    (3, "", "Cleo", "2020-01-01 00:00:00"),
    (4, "dan@example.com", None, "2020-01-01 00:00:00"),
    (5, "eve@example.com", "Eve", "2026-03-13 00:00:00"),
    (6, "fay@example.com", "Fay", None),
]
TICK = "2026-03-14T09:00"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_project(tmp_path / "project", {"retention.yaml": RETENTION})


@pytest.fixture
def users(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database of each kind with a few users; the commands are told of it."""
    monkeypatch.setenv("SKENE_DATABASE_URL", database_url)
    engine = open_engine(database_url)
    with engine.begin() as connection:
        connection.execute(
            text(
                "CREATE TABLE users (id INTEGER PRIMARY KEY NOT NULL, email VARCHAR(255), name VARCHAR(255), "
                "last_activity_at DATETIME)"
            )
        )
        for row in USERS:
            values = dict(zip(("id", "email", "name", "seen"), row, strict=True))
            connection.execute(text("INSERT INTO users VALUES (:id, :email, :name, :seen)"), values)
    engine.dispose()
    return database_url


def run(root: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--project", str(root), *arguments])


def tables(url: str) -> list[str]:
    engine = open_engine(url)
    with engine.connect() as connection:
        query = "SELECT name FROM sqlite_master" if url.startswith("sqlite") else "SHOW TABLES"
        found = sorted(row[0] for row in connection.execute(text(query)) if row[0].startswith(("skene", "users")))
    engine.dispose()
    return found


def test_a_good_project_is_told_by_its_loops_and_when_they_run_next(root: Path) -> None:
    (root / "loops" / "retention.yaml").write_text(RETENTION.replace("last_activity_at <", "created_at <"))

    result = run(root, "validate")

    assert result.exit_code == 0
    assert re.fullmatch(
        r"ok      retention  loops/retention\.yaml  0 9 \* \* \* Europe/Berlin\n"
        r"        Next tick: \w{3} \d\d \w{3} \d{4}, 09:00 Europe/Berlin\n"
        r"\n"
        r"1 loop ok\. Not checked against the database; --database does that\.\n",
        result.output,
    )


def test_a_holdout_without_a_goal_is_spoken_of(root: Path) -> None:
    (root / "loops" / "later.yaml").write_text(LATER)

    result = run(root, "validate", "loops/later.yaml")

    assert result.exit_code == 0
    assert result.output.startswith("ok      later  loops/later.yaml\nnotice  loops/later.yaml:7  holdout\n")
    assert "The loop has no goal" in result.output


def test_a_join_that_may_return_a_user_twice_is_spoken_of_until_a_key_says_otherwise(root: Path) -> None:
    query = "|\n        SELECT u.id FROM users u\n        JOIN profiles p ON p.user_id = u.id"
    loop = re.sub(r"(?m)SELECT id FROM users WHERE .*$", query, RETENTION)
    (root / "loops" / "retention.yaml").write_text(loop)
    write_users(root, dormant=1)
    with closing(sqlite3.connect(root / ".skene" / "skene.db")) as connection:
        connection.execute("CREATE TABLE profiles (user_id INTEGER UNIQUE)")

    offline, asked = run(root, "validate"), run(root, "validate", "--database")

    assert "notice  loops/retention.yaml:9  step 1, condition.query\n" in offline.output
    assert (
        "A user with several rows in profiles is returned several times, and the run fails. Write SELECT DISTINCT "
        "u.id, or WHERE EXISTS (SELECT 1 FROM profiles WHERE …) instead of the join."
    ) in " ".join(offline.output.split())
    assert "several" not in asked.output
    assert (offline.exit_code, asked.exit_code) == (0, 0)


def test_a_time_zone_that_is_taken_for_another_is_noticed(root: Path) -> None:
    loop = RETENTION.replace("Europe/Berlin", "EST").replace("last_activity_at <", "created_at <")
    (root / "loops" / "retention.yaml").write_text(loop)

    result = run(root, "validate")

    assert result.exit_code == 0
    assert result.output.splitlines()[2:4] == [
        "notice  loops/retention.yaml:4  step 1, trigger.timezone",
        "        EST is 5 hours behind UTC all year round. With summer time it is",
    ]


YESTERDAY = "created_at >= CURDATE() - INTERVAL 1 DAY AND created_at < CURDATE()"


@pytest.mark.parametrize(
    ("cron", "timezone", "condition", "said"),
    [
        pytest.param(
            "0 7 * * *",
            "Asia/Tokyo",
            YESTERDAY,
            "Users whose created_at is between 22:00 and 00:00 UTC (07:00 and 09:00 JST) are in no tick's window: "
            "CURDATE() is the date in Asia/Tokyo, and created_at is in UTC. Windows may overlap: a user who is in two "
            "of them in a row is mailed once. Replace the condition on created_at with: "
            "created_at >= NOW() - INTERVAL 1 DAY",
            id="each day",
        ),
        pytest.param(
            "0 9 1 * *",
            "UTC",
            "created_at >= NOW() - INTERVAL 27 DAY",
            "more such gaps within a year) are in no tick's window: ticks are up to 31 days apart, and a window is "
            "shorter. Windows may overlap: a user who is in two of them in a row is mailed once. Replace the "
            "condition on created_at with: created_at >= NOW() - INTERVAL 31 DAY",
            id="now and then",
        ),
    ],
)
def test_hours_that_are_in_no_tick_s_window_are_told_with_what_to_write(
    root: Path, cron: str, timezone: str, condition: str, said: str
) -> None:
    query = f"|\n        SELECT id FROM users\n        WHERE id > 0\n          AND {condition}"
    loop = re.sub(r"(?m)SELECT id FROM users WHERE .*$", query, RETENTION)
    loop = loop.replace('"0 9 * * *", timezone: Europe/Berlin', f'"{cron}", timezone: {timezone}')
    (root / "loops" / "retention.yaml").write_text(loop)

    result = run(root, "validate")

    assert result.exit_code == 0
    assert "notice  loops/retention.yaml:10  step 1, condition.query\n" in result.output
    assert said in " ".join(result.output.split())
    assert all(len(line) <= 80 for line in result.output.splitlines())


def test_a_cron_expression_with_a_day_and_a_weekday_is_told_with_its_next_five_ticks(root: Path) -> None:
    loop = RETENTION.replace("0 9 * * *", "0 9 */2 * 1").replace("last_activity_at <", "created_at <")
    (root / "loops" / "retention.yaml").write_text(loop)

    lines = run(root, "validate").output.splitlines()

    assert lines[2:5] == [
        "notice  loops/retention.yaml:4  step 1, trigger.cron",
        "        Day */2 OR weekday 1: it runs on every day that matches either, not only",
        "        on days that match both. The next 5 ticks (Europe/Berlin):",
    ]
    days = [datetime.strptime(line.strip(), "%a %d %b %Y, %H:%M") for line in lines[5:10]]  # noqa: DTZ007 - of the zone
    assert all(day.hour == 9 and (day.day % 2 == 1 or day.isoweekday() == 1) for day in days)
    assert days == sorted({*days})
    assert lines[1] == f"        Next tick: {days[0]:%a %d %b %Y, %H:%M} Europe/Berlin"


def test_users_who_were_never_active_are_spoken_of(root: Path) -> None:
    query = (
        "|\n        SELECT id FROM users\n        WHERE id > 0\n          AND last_activity_at < NOW() - INTERVAL 7 DAY"
    )
    loop = re.sub(r"(?m)SELECT id FROM users WHERE .*$", query, RETENTION)
    (root / "loops" / "retention.yaml").write_text(loop)

    result = run(root, "validate")

    assert result.exit_code == 0
    assert result.output.splitlines()[2:7] == [
        "notice  loops/retention.yaml:10  step 1, condition.query",
        "        Users whose last_activity_at is NULL are not among them. To include",
        "        them, write instead:",
        "          (last_activity_at < NOW() - INTERVAL 7 DAY",
        "           OR last_activity_at IS NULL)",
    ]


@pytest.mark.parametrize(
    "condition",
    [
        pytest.param("last_activity_at < NOW() OR last_activity_at IS NULL", id="asked for"),
        pytest.param("last_activity_at < NOW() AND last_activity_at IS NOT NULL", id="left out on purpose"),
        pytest.param("last_activity_at > NOW() - INTERVAL 7 DAY", id="those who are active"),
        pytest.param("created_at < NOW() - INTERVAL 7 DAY", id="a column that says nothing of the sort"),
        pytest.param("COALESCE(last_activity_at, created_at) < NOW()", id="a value in its place"),
    ],
)
def test_where_it_is_not_sure_that_somebody_is_forgotten_nothing_is_said(root: Path, condition: str) -> None:
    loop = re.sub(r"(?m)WHERE .*$", f"WHERE {condition}", RETENTION)
    (root / "loops" / "retention.yaml").write_text(loop)

    result = run(root, "validate")

    assert result.exit_code == 0
    assert "notice" not in result.output


def test_the_database_knows_whether_a_column_may_be_null(root: Path) -> None:
    write_users(root, dormant=1)
    connection = sqlite3.connect(root / ".skene" / "skene.db")
    connection.execute("ALTER TABLE users ADD COLUMN last_login_at DATETIME NOT NULL DEFAULT '2020-01-01'")
    connection.execute("ALTER TABLE users ADD COLUMN trial_ends_at DATETIME")
    connection.close()
    loop = re.sub(r"(?m)WHERE .*$", "WHERE last_login_at < NOW() AND trial_ends_at < NOW()", RETENTION)
    (root / "loops" / "retention.yaml").write_text(loop)

    guessed = run(root, "validate").output
    known = run(root, "validate", "--database").output

    assert ("last_login_at is NULL" in guessed, "trial_ends_at is NULL" in guessed) == (True, False)
    assert ("last_login_at is NULL" in known, "trial_ends_at is NULL" in known) == (False, True)


def test_a_project_is_checked_against_its_database(root: Path, users: str) -> None:
    result = run(root, "validate", "--database")

    assert result.exit_code == 0, result.output
    assert "1 loop ok. Checked against" in result.output
    said = " ".join(result.output.split())
    assert "This email cannot go to 1 of 6 mailable users: they have no name. Write a fallback" in said
    assert tables(users) == ["users"]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        pytest.param("last_activity_at <", "last_activty_at <", "Did you mean 'last_activity_at'?", id="column"),
        pytest.param("SELECT id FROM users", "SELECT user_id FROM userz", "Did you mean 'users'?", id="table"),
        pytest.param("{{user.name}}", "{{user.namee}}", "Did you mean 'name'?", id="personalization"),
    ],
)
def test_each_database_says_at_the_authors_line_what_is_missing(
    root: Path, users: str, old: str, new: str, says: str
) -> None:
    loop = RETENTION.replace(old, new)
    line = loop[: loop.index(new)].count("\n") + 1
    (root / "loops" / "retention.yaml").write_text(loop)

    result = run(root, "validate", "--database")

    assert result.exit_code == 1
    assert f"error   loops/retention.yaml:{line}  step 1" in result.output
    assert says in " ".join(result.output.split())
    assert tables(users) == ["users"]


def test_a_server_that_lets_nobody_in_is_told(root: Path, mariadb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    address = make_url(mariadb).set(username="nobody", password="wrong", database="product")
    monkeypatch.setenv("SKENE_DATABASE_URL", address.render_as_string(hide_password=False))

    result = run(root, "validate", "--database")

    assert result.exit_code == 3
    assert "Access denied" in result.output
    assert "Check the user and password in SKENE_DATABASE_URL." in " ".join(result.output.split())
    assert "wrong" not in result.output


def test_a_preview_says_who_would_get_what_and_why(root: Path, users: str) -> None:
    result = run(root, "preview", "retention", "--as-of", TICK)

    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert "4 users: 4 enter at this tick, 0 are inside already." in lines
    assert lines[0] == "retention"
    assert "      3  would be mailed" in lines
    assert "All of them" in lines
    assert "The email to user 1" in lines
    assert "      1  not now: no address" in lines
    assert "  user 1  enters at this tick, was never mailed: would be mailed" in lines
    assert "  To                     a…@example.com" in lines
    assert "  Subject                We miss you, Ada" in lines
    assert "  Hello Ada" in lines
    assert "ada@example.com" not in result.output
    assert tables(users) == ["users"]


def test_a_preview_shows_some_of_those_who_would_be_mailed(root: Path) -> None:
    write_users(root, dormant=3)

    lines = run(root, "preview", "retention", "--as-of", TICK, "--sample", "2").output.splitlines()

    assert "Some who would be mailed" in lines
    assert sum("would be mailed" in line and line.startswith("  user ") for line in lines) == 2


def test_a_preview_of_nobody_says_how_to_see_the_email(root: Path) -> None:
    write_users(root, dormant=0, active=1)

    lines = run(root, "preview", "retention", "--as-of", TICK).output.splitlines()

    assert "      0  would be mailed" in lines
    assert lines[-1] == "To see the email anyway, name a user: --user KEY."


def test_a_preview_of_a_user_shows_the_very_email(root: Path, users: str) -> None:
    result = run(root, "preview", "retention", "--as-of", TICK, "--user", "2")

    assert result.exit_code == 0, result.output
    assert "User 2 enters at this tick, was never mailed: would be mailed." in result.output
    assert "The email" in result.output.splitlines()
    assert "ben@example.com" in result.output
    assert "Hello Ben" in result.output
    assert tables(users) == ["users"]


@pytest.mark.parametrize(
    ("user", "says"),
    [
        pytest.param("3", "User 3 enters at this tick: would not be mailed now, no address.", id="no address"),
        pytest.param("4", "There is no email: it needs a value that the user does not have", id="no name"),
        pytest.param("5", "User 5 is not selected by the condition, and gets nothing.", id="active"),
        pytest.param("6", "User 6 is not selected by the condition, and gets nothing.", id="never active"),
    ],
)
def test_a_preview_says_why_a_user_gets_nothing(root: Path, user: str, says: str) -> None:
    write_users(root, dormant=0, active=0)
    connection = sqlite3.connect(root / ".skene" / "skene.db")
    with connection:
        connection.executemany("INSERT INTO users VALUES (?, ?, ?, ?)", USERS)
    connection.close()

    result = run(root, "preview", "retention", "--as-of", TICK, "--user", user)

    assert result.exit_code == 0, result.output
    assert says in " ".join(result.output.split())
    title = "The email" if user == "4" else "The email, if they were mailed"
    assert title in result.output.splitlines()


def test_a_preview_opens_the_html_in_the_browser(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_users(root, dormant=1)
    opened: list[str] = []

    def browser(address: str) -> bool:
        opened.append(address)
        return True

    monkeypatch.setattr("webbrowser.open", browser)

    result = run(root, "preview", "retention", "--user", "1", "--open")

    assert result.exit_code == 0, result.output
    file = Path(opened[0].removeprefix("file://"))
    assert "Hello Marker1 Surname" in file.read_text(encoding="utf-8")
    file.unlink()


def test_a_preview_changes_no_byte_of_the_database(root: Path) -> None:
    write_users(root, dormant=3)
    file = root / ".skene" / "skene.db"
    before = file.read_bytes()

    result = run(root, "preview", "retention")

    assert result.exit_code == 0
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir()] == ["skene.db"]


def test_what_a_user_is_called_cannot_steer_the_terminal(root: Path) -> None:
    write_users(root, dormant=1)
    connection = sqlite3.connect(root / ".skene" / "skene.db")
    with connection:
        connection.execute("UPDATE users SET name = ?", ("Ada \x1b[31m[bold]",))
    connection.close()

    result = run(root, "preview", "retention", "--user", "1")

    assert "\x1b" not in result.output
    assert "[bold]" in result.output


def test_a_server_is_migrated_when_it_is_told_to(root: Path, users: str) -> None:
    checked = run(root, "migrate", "--check")
    untouched = tables(users)
    migrated = run(root, "migrate")
    again = run(root, "migrate", "--check")

    assert checked.exit_code == (0 if users.startswith("sqlite") else 3)
    assert untouched == ["users"]
    assert migrated.exit_code == 0, migrated.output
    assert "of this release" in migrated.output
    assert "skene_sends" in tables(users)
    assert again.exit_code == 0, again.output


@pytest.mark.parametrize(
    ("options", "committed"),
    [([], "loops/loop.schema.json"), (["--settings"], "settings/skene.schema.json")],
    ids=["of a loop", "of skene.yaml"],
)
def test_the_schema_is_the_committed_one(options: list[str], committed: str, root: Path) -> None:
    result = run(root, "schema", *options)

    assert result.exit_code == 0
    assert result.output == (resources.files("skene_dagster") / committed).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", {*SUMMARIES, *every()})
def test_each_command_explains_itself(name: str) -> None:
    result = CliRunner().invoke(main, [*name.split(), "--help"], prog_name="skene-dagster")

    assert result.exit_code == 0
    assert result.output.startswith(f"Usage: skene-dagster {name} ")
    assert all(len(line) <= 80 for line in result.output.splitlines())


def test_the_help_names_the_commands_and_the_exit_codes() -> None:
    result = CliRunner().invoke(main, ["--help"], prog_name="skene-dagster")

    assert all(f"\n  {name} " in result.output for name in SUMMARIES)
    assert all(f"\n    {code}  " in result.output for code in range(4))


@pytest.mark.parametrize("name", SUMMARIES)
def test_each_command_is_what_its_name_says(name: str) -> None:
    command = main.get_command(click.Context(main), name)

    assert command is not None
    assert command.name == name


@pytest.mark.parametrize(("name", "command"), every().items())
def test_each_option_is_in_the_documents(name: str, command: click.Command) -> None:
    document = (REPOSITORY / "docs" / "cli.md").read_text(encoding="utf-8")
    section = document.split(f"## skene-dagster {name}\n")[1].split("\n## ")[0]

    options = [parameter.opts[0] for parameter in command.params if isinstance(parameter, click.Option)]

    assert re.findall(r"^\| `(--[a-z-]+)` \|", section, re.MULTILINE) == options


def test_the_project_may_be_named_in_the_environment(root: Path) -> None:
    result = CliRunner().invoke(main, ["validate"], env={"SKENE_PROJECT": str(root)})

    assert result.exit_code == 0
    assert "loops/retention.yaml" in result.output


def test_the_version_is_told(root: Path) -> None:
    result = run(root, "--version")

    assert re.fullmatch(r"skene-dagster \d+\.\d+\.\d+\n", result.output)


def test_validating_loops_without_a_clock_imports_neither_dagster_nor_pandas_nor_a_database(root: Path) -> None:
    (root / "loops" / "retention.yaml").write_text(LATER)
    program = (
        "import sys\n"
        "from skene_dagster.cli import main\n"
        "try:\n    main()\n"
        "finally:\n    print(sorted({'dagster', 'pandas', 'sqlalchemy', 'resend'} & set(sys.modules)))\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program, "--project", str(root), "validate"], check=True, capture_output=True, text=True
    )

    assert done.stdout.endswith("[]\n")


def test_piped_output_is_plain_and_fits_80_columns(root: Path) -> None:
    write_users(root, dormant=3)
    (root / "skene.yaml").write_text(SETTINGS + "  reply_to: support@example.com\n")
    command = [sys.executable, "-c", "from skene_dagster.cli import main; main()", "--project", str(root)]

    done = [
        subprocess.run([*command, *arguments], check=True, capture_output=True, text=True).stdout
        for arguments in (["validate", "--database"], ["preview", "retention"])
    ]

    for output in done:
        assert "\x1b" not in output
        assert [line for line in output.splitlines() if len(line) > 80] == []
        assert [line for line in output.splitlines() if line != line.rstrip()] == []


def test_on_a_terminal_the_output_is_in_colour_unless_it_may_not(root: Path) -> None:
    command = [sys.executable, "-c", "from skene_dagster.cli import main; main()", "--project", str(root), "validate"]

    shown = [
        subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | environ).stdout
        for environ in ({"FORCE_COLOR": "1", "TERM": "xterm"}, {"FORCE_COLOR": "1", "TERM": "xterm", "NO_COLOR": "1"})
    ]

    assert "\x1b[32mok" in shown[0]
    assert "\x1b[3" not in shown[1]


def test_an_unexpected_error_shows_where_it_happened(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(_root: Path) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("skene_dagster.cli.validate.validate.load", breaks)

    result = run(root, "validate")

    assert isinstance(result.exception, ZeroDivisionError)


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        pytest.param("2026-03-14T09:00", datetime(2026, 3, 14, 9), id="UTC where nothing is said"),
        pytest.param("2026-03-14T09:00Z", datetime(2026, 3, 14, 9), id="UTC"),
        pytest.param("2026-03-14T09:00+05:30", datetime(2026, 3, 14, 3, 30), id="another zone"),
    ],
)
def test_the_moment_of_a_preview_is_one_in_utc(written: str, moment: datetime) -> None:
    assert _moment(click.Context(main), click.Option(["--as-of"]), written) == moment


@pytest.mark.parametrize(("answer", "goes_on"), [("y", True), ("n", False)])
def test_what_cannot_be_taken_back_is_done_by_whom_says_yes(
    monkeypatch: pytest.MonkeyPatch, answer: str, goes_on: bool
) -> None:
    terminal = io.StringIO(f"{answer}\n")
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", terminal)

    with nullcontext() if goes_on else pytest.raises(click.Abort):
        confirmed("Do it?")


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("accept", "nosuch"), id="a loop"),
        pytest.param(("preview", "retention", "--as-of", "yesterday"), id="an option"),
        pytest.param(("validate", "loops/nosuch.yaml"), id="a file"),
    ],
)
def test_what_is_said_of_a_wrong_call_fits_80_columns(tmp_path: Path, words: tuple[str, ...]) -> None:
    loops = {
        f"{name}.yaml": f"name: {name}\n{RETENTION}"
        for name in ("retention", "bring_them_back", "and_once_more", "the_last_one")
    }

    result = run(write_project(tmp_path, loops), *words)

    # A path may be longer.
    told = result.output.replace(str(tmp_path), "/project").partition("Error: ")[2].splitlines()
    assert result.exit_code == 2
    assert len(told) > 1
    assert max(map(len, [f"Error: {told[0]}", *told[1:]])) <= 80
