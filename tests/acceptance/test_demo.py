"""The demo, run as a person would, in a copy of the example project: its table adds up, and its traces are there."""

import os
import pty
import re
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from click.testing import CliRunner
from dagster import DagsterEventType as Happened
from filelock import FileLock

from skene_dagster.backtest.backtest import backtest
from skene_dagster.cli import main
from skene_dagster.cli.demo import LOOPS
from skene_dagster.compiler.jobs.outcomes import NAME as OUTCOMES
from skene_dagster.compiler.window import AS_OF
from skene_dagster.delivery import modes
from skene_dagster.demo import product
from skene_dagster.demo.days import ticks
from skene_dagster.demo.people import Person, answer, last_visit, person, visit
from skene_dagster.project import load_project
from skene_dagster.settings import load
from skene_dagster.store.engine import open_engine

REPOSITORY = Path(__file__).parents[2]
CONFIGURED = ("SKENE_DATABASE_URL", "SKENE_ENV", "SKENE_REDIRECT_TO", "RESEND_API_KEY", "SKENE_PROJECT", "DAGSTER_HOME")
DAYS = 5
NOW = datetime(2026, 3, 14, 12, 30)
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> tuple[Path, str]:
    """The demo's project and its output; run once for all workers, as a process of its own. Tests only read it."""
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent
    root, output = shared / "demo" / "project", shared / "demo" / "output.txt"
    with FileLock(shared / "demo.lock"):
        if not output.is_file():
            shutil.rmtree(root.parent, ignore_errors=True)  # of a worker that failed
            root.parent.mkdir()
            copy_example(root)
            output.write_text(run_demo(root), encoding="utf-8")
    return root, output.read_text(encoding="utf-8")


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
    """The rows of the days: active, and the emails of each kind."""
    rows = re.findall(r"^\w{3} \d\d \w{3}((?: +[\d,]+){8})$", output, re.MULTILINE)
    return [[int(cell.replace(",", "")) for cell in row.split()] for row in rows]


def emails(root: Path) -> list[Path]:
    return list((root / ".skene" / "outbox").glob("*.eml"))


def ask(root: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(root / ".skene" / "skene.db")) as connection:
        return connection.execute(sql).fetchall()


def test_a_backtest_over_the_demos_days_does_what_they_did(demo: tuple[Path, str]) -> None:
    root, _ = demo
    settings = load(root, {})
    loops = [plan for plan in load_project(settings).loops if plan.name in LOOPS]
    # A day's events are written until nine o'clock: what was done from then until a loop ran came the day after.
    unseen = {key for (key,) in ask(
        root, "SELECT DISTINCT user_id FROM events WHERE time(happened_at) BETWEEN '09:00:00' AND '12:00:00' "
              "AND happened_at > (SELECT min(as_of) FROM skene_sends)")}  # fmt: skip
    # Who may be mailed is known as it is today: some have closed their account since.
    gone = {key for (key,) in ask(
        root, "SELECT user_id FROM skene_sends WHERE user_id NOT IN (SELECT id FROM users WHERE deleted_at IS NULL)")
    }  # fmt: skip
    first, *_, last = ticks_of(root)
    since, until = first.replace(hour=0), last.replace(hour=23)

    engine = open_engine(settings.database_url, read_only=True)
    with engine.connect() as connection:
        found = [backtest(connection, plan, loops, settings, modes.choose(settings), since, until) for plan in loops]
    engine.dispose()

    replayed = {
        (one.loop, step.step, key, f"{tick:%Y-%m-%d %H:%M}")
        for one in found
        for step in one.steps
        for key, ticks in step.mailed.items()
        for tick in ticks
    }
    really = {
        (loop, step, key, as_of[:16])
        for loop, step, key, as_of in ask(
            root, "SELECT loop, step, user_id, as_of FROM skene_sends WHERE state = 'accepted'")
    }  # fmt: skip
    assert {mail[2] for mail in replayed ^ really} <= unseen | gone
    assert len(replayed ^ really) <= len(really) / 20
    assert {mail[0] for mail in replayed & really} == set(LOOPS)


def test_each_who_was_mailed_has_an_email_in_the_outbox(demo: tuple[Path, str]) -> None:
    root, output = demo

    mailed = sum(sum(row[1:]) for row in table(output))

    assert len(table(output)) == DAYS
    assert mailed == len(emails(root)) > 0
    assert (root / ".skene" / "outbox" / "index.html").is_file()


def test_every_loop_mails_somebody(demo: tuple[Path, str]) -> None:
    root, _ = demo

    mailed = {loop for (loop,) in ask(root, "SELECT DISTINCT loop FROM skene_sends WHERE state = 'accepted'")}

    assert mailed == set(LOOPS)


def test_the_last_line_adds_up(demo: tuple[Path, str]) -> None:
    _, output = demo

    total = re.search(r"^together((?: +[\d,]+){7})$", output, re.MULTILINE)

    assert total is not None
    assert [int(cell) for cell in total[1].split()] == [
        sum(column) for column in list(zip(*table(output), strict=True))[1:]
    ]


def test_the_guide_goes_to_those_who_were_shown_the_feature_and_then_adopted_it(demo: tuple[Path, str]) -> None:
    root, output = demo
    step = "SELECT user_id FROM skene_sends WHERE loop = 'feature_discovery' AND state = 'accepted' AND step = "

    shown = {key for (key,) in ask(root, f"{step}'discover'")}
    guided = {key for (key,) in ask(root, f"{step}'guide'")}
    uses = ask(root, "SELECT user_id, count(*), count(DISTINCT date(happened_at)) FROM events "
                     "WHERE name LIKE 'Summary %' GROUP BY user_id")  # fmt: skip

    adopted = {key for key, times, days in uses if times >= 3 and days >= 2}
    assert guided
    assert guided <= shown & adopted
    assert f"{len({key for key, *_ in uses} & shown)} of {len(shown)} who were shown" in output
    assert f"{len(guided)} got the advanced guide" in output


def test_who_came_back_is_told_with_how_many_of_them_would_have_come_anyway(demo: tuple[Path, str]) -> None:
    root, output = demo
    first_tick, *_ = ticks_of(root)
    asked = dict(ask(root, "SELECT user_id, min(as_of) FROM skene_sends WHERE state = 'accepted' AND "
                           "loop IN ('retention', 'win_back') GROUP BY user_id"))  # fmt: skip
    seen = dict(ask(root, "SELECT user_id, max(happened_at) FROM events GROUP BY user_id"))

    back = [key for key, at in asked.items() if seen.get(key, "") > at]
    anyway = [
        key
        for key, at in asked.items()
        if any(visited > datetime.fromisoformat(at) for visited in visits(person(key, first_tick), ticks_of(root)))
    ]

    assert 0 < len(anyway) < len(back)
    said = f"{len(back)} of {len(asked)} who had been away and were mailed; {len(anyway)} of them would have come"
    assert said in " ".join(output.split())


def ticks_of(root: Path) -> list[datetime]:
    return [datetime.fromisoformat(tick) for (tick,) in ask(
        root, "SELECT DISTINCT as_of FROM skene_sends WHERE loop = 'retention' ORDER BY 1")]  # fmt: skip


def visits(someone: Person, days: list[datetime]) -> list[datetime]:
    return [at for day in days if (at := visit(someone, day)) is not None]


def test_nobody_is_congratulated_twice(demo: tuple[Path, str]) -> None:
    root, output = demo

    sent = ask(root, "SELECT step, user_id FROM skene_sends WHERE loop = 'milestones' AND state = 'accepted'")

    assert len(sent) == len(set(sent)) > 0
    reached = set(ask(root, "SELECT milestone, user_id FROM skene_milestones"))
    assert set(sent) <= reached
    assert sum(row[5] for row in table(output)) == len(sent)


def test_who_has_reached_the_limit_of_the_free_plan_is_blocked_and_nobody_else(demo: tuple[Path, str]) -> None:
    root, _ = demo

    blocked = ask(root, "SELECT user_id FROM skene_entitlements WHERE lifted_at > '9999-'")

    asked = ask(
        root,
        "SELECT user_id FROM events JOIN users ON users.id = user_id WHERE plan = 'free' "
        "AND events.name LIKE 'POST /api/features/%' AND happened_at >= date((SELECT max(happened_at) FROM events), "
        "'-29 days') GROUP BY user_id HAVING count(*) >= 100",
    )
    assert sorted(blocked) == sorted(asked) != []


def test_a_run_of_each_loop_for_each_day_is_in_dagster(demo: tuple[Path, str]) -> None:
    root, _ = demo

    with dg.DagsterInstance.from_config(str(root / ".skene" / "dagster")) as instance:
        runs = instance.get_runs()

    assert {run.status for run in runs} == {dg.DagsterRunStatus.SUCCESS}
    assert Counter(run.job_name for run in runs) == {**dict.fromkeys(LOOPS, DAYS), OUTCOMES: 1}
    moments = sorted(datetime.fromisoformat(run.tags[AS_OF]) for run in runs if run.job_name == "retention")
    assert [moment.hour for moment in moments] == [9] * DAYS
    assert moments == [moments[0] + timedelta(days=n) for n in range(DAYS)]
    assert (root / ".skene" / "dagster" / "dagster.yaml").read_text() == (REPOSITORY / "dagster.yaml").read_text()


def test_dagsters_ui_finds_what_each_run_did_and_printed(demo: tuple[Path, str]) -> None:
    root, _ = demo
    log = (root / ".skene" / "demo.log").read_text(encoding="utf-8")

    with dg.DagsterInstance.from_config(str(root / ".skene" / "dagster")) as instance:
        jobs = {run.run_id: run.job_name for run in instance.get_runs()}
        events = {run: [entry.dagster_event for entry in instance.all_logs(run) if entry.dagster_event] for run in jobs}
        printed = [printed_by(instance, run, found) for run, found in events.items()]
        segment = dg.AssetKey(["skene", "retention", "main", "segment"])
        materialized = instance.fetch_materializations(segment, limit=2 * DAYS).records

    kinds = [Counter(event.event_type for event in found) for found in events.values()]
    assert len(kinds) == DAYS * len(LOOPS) + 1
    assert all(found[Happened.RUN_START] == found[Happened.RUN_SUCCESS] == 1 for found in kinds)
    assert all(found[Happened.STEP_START] == found[Happened.STEP_SUCCESS] > 2 for found in kinds)
    assert all(found[Happened.ASSET_MATERIALIZATION] >= 2 for found in kinds)
    assert {record.run_id for record in materialized} == {run for run, job in jobs.items() if job == "retention"}
    assert all("STEP_SUCCESS" in lines and lines in log for lines in printed)


def printed_by(instance: dg.DagsterInstance, run: str, events: list[dg.DagsterEvent]) -> str:
    """What a run wrote to the terminal, as the UI shows it once it is complete."""
    (captured,) = (event.logs_captured_data for event in events if event.event_type == Happened.LOGS_CAPTURED)
    outputs = instance.compute_log_manager
    key = outputs.build_log_key_for_run(run, captured.file_key)
    assert outputs.is_capture_complete(key)
    return (outputs.get_log_data(key).stderr or b"").decode()


def test_the_output_is_plain_fits_80_columns_and_says_where_things_are(demo: tuple[Path, str]) -> None:
    _, output = demo

    assert "\x1b" not in output
    assert [line for line in output.splitlines() if len(line) > 80] == []
    for where in (
        ".skene/skene.db",
        ".skene/outbox/index.html",
        ".skene/report.html",
        "dagster dev",
        ".skene/demo.log",
    ):
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
    ((members,),) = ask(
        root,
        "SELECT count(*) FROM skene_segment_members WHERE segment = 'retention.main' AND exited_at > '9999-'",
    )
    assert f"{members} are inside already" in preview.output
    assert re.search(r"\d+  would be mailed", preview.output)


def test_a_second_demo_says_that_it_starts_afresh_and_does_the_same(tmp_path: Path) -> None:
    root = tmp_path / "project"
    copy_example(root)
    first = run_demo(root, "--users", "50", "--days", "2")

    second = run_demo(root, "--users", "50", "--days", "2")

    assert second.startswith("Starting over: the last demo's database, emails and runs are removed.\n")
    assert table(second) == table(first)
    assert len(emails(root)) == sum(sum(row[1:]) for row in table(second))
    with dg.DagsterInstance.from_config(str(root / ".skene" / "dagster")) as instance:
        assert instance.get_runs_count() == 2 * len(LOOPS) + 1


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
        pytest.param(datetime(2026, 3, 14, 11, 59), datetime(2026, 3, 13, 9), id="before noon it is yesterday's"),
        pytest.param(datetime(2026, 3, 14, 12, 0), datetime(2026, 3, 14, 9), id="at noon it is today's"),
        pytest.param(datetime(2026, 3, 1, 12, 0), datetime(2026, 3, 1, 9), id="over the end of a month"),
    ],
)
def test_the_last_simulated_day_is_the_last_whose_loops_have_all_run(now: datetime, last: datetime) -> None:
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
