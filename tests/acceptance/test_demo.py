"""The demo, run as a person would, in a copy of the example project: its table adds up, and its traces are there."""

import os
import pty
import re
import shutil
import sqlite3
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner

from skene_dagster.cli import main
from skene_dagster.compiler.window import AS_OF
from skene_dagster.demo import product
from skene_dagster.demo.days import ticks
from skene_dagster.demo.people import answer, last_visit, person, visit

REPOSITORY = Path(__file__).parents[2]
CONFIGURED = ("SKENE_DATABASE_URL", "SKENE_ENV", "SKENE_REDIRECT_TO", "RESEND_API_KEY", "SKENE_PROJECT", "DAGSTER_HOME")
DAYS = 4
NOW = datetime(2026, 3, 14, 12, 30)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The demo's project and its output; run once, as a process of its own."""
    root = tmp_path_factory.mktemp("demo") / "project"
    copy_example(root)
    return root, run_demo(root)


def copy_example(root: Path) -> None:
    root.mkdir()
    for name in ("loops", "templates"):
        shutil.copytree(REPOSITORY / name, root / name)
    for name in ("skene.yaml", "dagster.yaml", "workspace.yaml"):
        shutil.copyfile(REPOSITORY / name, root / name)


def run_demo(root: Path, *options: str) -> str:
    environ = {name: value for name, value in os.environ.items() if name not in CONFIGURED}
    done = subprocess.run(
        [
            *(sys.executable, "-c", "from skene_dagster.cli import main; main()"),
            *("--project", str(root), "demo", "--users", "300", "--days", str(DAYS), *options),
        ],
        check=False,
        capture_output=True,
        text=True,
        env=environ,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return done.stdout


def table(output: str) -> list[list[int]]:
    """The rows of the days: members, entered, left, mailed, deferred, skipped."""
    rows = re.findall(r"^\w{3} \d\d \w{3}((?: +[\d,]+){6})$", output, re.MULTILINE)
    return [[int(cell.replace(",", "")) for cell in row.split()] for row in rows]


def emails(root: Path) -> list[Path]:
    return list((root / ".skene" / "outbox").glob("*.eml"))


def test_who_entered_and_did_not_leave_is_inside(demo: tuple[Path, str]) -> None:
    _, output = demo

    rows = table(output)

    assert len(rows) == DAYS
    inside = 0
    for members, entered, left, *_ in rows:
        inside += entered - left
        assert members == inside
    assert rows[0][0] > 0
    assert sum(row[2] for row in rows) > 0


def test_each_who_was_mailed_has_an_email_in_the_outbox(demo: tuple[Path, str]) -> None:
    root, output = demo

    mailed = sum(row[3] for row in table(output))

    assert mailed == len(emails(root)) > 0
    assert f"Of {mailed} users who were mailed" in output
    assert (root / ".skene" / "outbox" / "index.html").is_file()


def test_the_last_line_adds_up(demo: tuple[Path, str]) -> None:
    _, output = demo

    total = re.search(r"^together((?: +[\d,]+){5})$", output, re.MULTILINE)

    assert total is not None
    assert [int(cell) for cell in total[1].split()] == [
        sum(column) for column in list(zip(*table(output), strict=True))[1:]
    ]


def test_a_run_for_each_day_is_in_dagster(demo: tuple[Path, str]) -> None:
    root, _ = demo

    with dg.DagsterInstance.from_config(str(root / ".skene" / "dagster")) as instance:
        runs = instance.get_runs()

    assert [run.status for run in runs] == [dg.DagsterRunStatus.SUCCESS] * DAYS
    assert {run.job_name for run in runs} == {"retention"}
    moments = sorted(datetime.fromisoformat(run.tags[AS_OF]) for run in runs)
    assert [moment.hour for moment in moments] == [9] * DAYS
    assert moments == [moments[0] + timedelta(days=n) for n in range(DAYS)]
    assert (root / ".skene" / "dagster" / "dagster.yaml").read_text() == (REPOSITORY / "dagster.yaml").read_text()


def test_the_output_is_plain_fits_80_columns_and_says_where_things_are(demo: tuple[Path, str]) -> None:
    _, output = demo

    assert "\x1b" not in output
    assert [line for line in output.splitlines() if len(line) > 80] == []
    for where in (".skene/skene.db", ".skene/outbox/index.html", "dagster dev", ".skene/demo.log"):
        assert where in output


def test_the_demos_database_can_be_asked(demo: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    root, output = demo
    for name in CONFIGURED:
        monkeypatch.delenv(name, raising=False)
    command = re.search(r"skene-dagster (preview .*)", output)
    assert command is not None

    checked = CliRunner().invoke(main, ["--project", str(root), "validate", "--database"])
    preview = CliRunner().invoke(main, ["--project", str(root), *command[1].split()])

    assert checked.exit_code == 0, checked.output
    assert preview.exit_code == 0, preview.output
    members = table(output)[-1][0]
    assert f"{members} are inside already" in preview.output
    assert re.search(r"\d+  would be mailed", preview.output)


def test_a_second_demo_says_that_it_starts_afresh_and_does_the_same(demo: tuple[Path, str]) -> None:
    root, first = demo

    second = run_demo(root)

    assert second.startswith("Starting afresh: the last demo's database, emails and runs are removed.\n")
    assert table(second) == table(first)
    assert len(emails(root)) == sum(row[3] for row in table(second))
    with dg.DagsterInstance.from_config(str(root / ".skene" / "dagster")) as instance:
        assert instance.get_runs_count() == DAYS


def test_dagsters_own_log_is_shown_when_asked_for(tmp_path: Path) -> None:
    copy_example(tmp_path / "project")
    environ = {name: value for name, value in os.environ.items() if name not in CONFIGURED}
    program = "from skene_dagster.cli import main; main()"
    command = ["--project", str(tmp_path / "project"), "demo", "--users", "50", "--days", "1"]

    done = subprocess.run(
        [sys.executable, "-c", program, *command, "--verbose"], check=True, capture_output=True, text=True, env=environ
    )

    assert "RUN_SUCCESS" in done.stdout + done.stderr
    assert "demo.log" not in done.stdout


def test_on_a_terminal_dagsters_log_stays_in_its_file(tmp_path: Path) -> None:
    copy_example(tmp_path / "project")
    environ = {name: value for name, value in os.environ.items() if name not in CONFIGURED} | {"TERM": "xterm"}
    program = "from skene_dagster.cli import main; main()"
    command = ["--project", str(tmp_path / "project"), "demo", "--users", "50", "--days", "1"]
    terminal, end = pty.openpty()

    done = subprocess.Popen([sys.executable, "-c", program, *command], stdout=end, stderr=end, env=environ)
    os.close(end)
    shown = "".join(iter(lambda: read_from(terminal), ""))

    assert done.wait() == 0, shown
    assert "\x1b[" in shown
    assert "RUN_SUCCESS" not in shown
    assert "RUN_SUCCESS" in (tmp_path / "project" / ".skene" / "demo.log").read_text(encoding="utf-8")


def read_from(terminal: int) -> str:
    try:
        return os.read(terminal, 65536).decode(errors="replace")
    except OSError:
        # Linux, 2026-11: a terminal whose other end is closed gives an error, not an end.
        return ""


def test_a_database_that_the_demo_did_not_make_is_not_its_own(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "theirs.db")
    connection.execute("CREATE TABLE users (id INTEGER PRIMARY KEY)")
    connection.close()
    (tmp_path / "empty.db").touch()

    product.create(tmp_path / "ours.db", 50, NOW)

    assert product.is_demo(tmp_path / "ours.db")
    assert not product.is_demo(tmp_path / "theirs.db")
    assert not product.is_demo(tmp_path / "empty.db")


def test_only_what_the_outbox_wrote_is_removed_from_it(tmp_path: Path) -> None:
    outbox = tmp_path / "outbox"
    (outbox / "view").mkdir(parents=True)
    (outbox / "a.eml").touch()
    (outbox / "notes.txt").touch()
    product.create(tmp_path / "ours.db", 50, NOW)

    product.remove(tmp_path / "ours.db", outbox)

    assert [path.name for path in outbox.iterdir()] == ["notes.txt"]
    assert not (tmp_path / "ours.db").exists()


@pytest.mark.parametrize(
    ("now", "last"),
    [
        pytest.param(datetime(2026, 3, 14, 8, 59), datetime(2026, 3, 13, 9), id="before nine it is yesterday's"),
        pytest.param(datetime(2026, 3, 14, 9, 0), datetime(2026, 3, 14, 9), id="at nine it is today's"),
        pytest.param(datetime(2026, 3, 1, 12, 0), datetime(2026, 3, 1, 9), id="over the end of a month"),
    ],
)
def test_the_last_simulated_day_is_the_last_nine_o_clock(now: datetime, last: datetime) -> None:
    moments = ticks(now, 3)

    assert moments == [last - timedelta(days=2), last - timedelta(days=1), last]


def test_the_invented_people_are_plausible() -> None:
    people = [person(identity, NOW) for identity in range(1, 2001)]

    seen = [last_visit(someone, NOW) for someone in people]

    assert all(someone.created_at < NOW for someone in people)
    assert all(at is None or someone.created_at <= at <= NOW for someone, at in zip(people, seen, strict=True))
    assert 50 < sum(at is None for at in seen) < 150
    assert 200 < sum(at is not None and at < NOW - timedelta(days=7) for at in seen) < 500
    assert all(someone.email is None or someone.email.endswith("@example.com") for someone in people)
    assert all(someone.email is None or someone.email.isascii() for someone in people)


def test_a_person_lives_the_same_life_every_time() -> None:
    days = [NOW + timedelta(days=n) for n in range(20)]

    lives = [[(visit(person(7, NOW), day), answer(person(7, NOW), day)) for day in days] for _ in range(2)]

    assert lives[0] == lives[1]
    assert any(at is not None for at, _ in lives[0])
