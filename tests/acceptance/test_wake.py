"""One look of skene__wake: what it starts, and that a part which fails leaves the others alone."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from commands import run
from servers import free_port
from small_project import RETENTION, write_project, write_users

from skene_dagster.compiler import compile_folder
from skene_dagster.compiler.jobs import dead_runs, feedback, reconcile, wake
from skene_dagster.compiler.resources import database
from skene_dagster.settings import load

LONG_AGO = "2026-03-02 00:00:00.000000"
LEFT = (
    "UPDATE skene_batches SET state = 'frozen', unresolved_since = '2020-01-01 00:00:00.000000', "
    "due_at = '2020-01-01 00:00:00.000000', owner = NULL"
)
TOLD = (
    "INSERT INTO skene_webhooks (event_id, provider, type, kind, happened_at, received_at, due_at, status_codes) "
    "VALUES ('{0}', 'resend', 'email.sent', 'other', '{1}', '{1}', '{1}', '')"
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = write_project(tmp_path / "project", {"retention.yaml": RETENTION})
    write_users(root, dormant=3)
    assert run(root)
    return root


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    (tmp_path / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as opened:
        yield opened


def look(root: Path, instance: dg.DagsterInstance, cursor: str | None = None) -> Any:
    """Look once, as the daemon would have the code server do."""
    repository = compile_folder(root).get_repository_def()
    resources = {"database": database(load(root))}
    with dg.build_sensor_context(
        instance, repository_def=repository, resources=resources, cursor=cursor, sensor_name=wake.NAME
    ) as context:
        return repository.get_sensor_def(wake.NAME).evaluate_tick(context)


def do(root: Path, *statements: str) -> None:
    with sqlite3.connect(root / ".skene" / "skene.db") as connection:
        for statement in statements:
            connection.execute(statement)


def started(tick: Any) -> list[str]:
    return [request.job_name for request in tick.run_requests]


def test_where_nothing_is_to_be_done_it_says_so(root: Path, instance: dg.DagsterInstance) -> None:
    tick = look(root, instance)

    assert (started(tick), tick.skip_message) == ([], "Nothing is to be done.")


def test_one_look_starts_several_jobs(root: Path, instance: dg.DagsterInstance) -> None:
    do(root, LEFT, TOLD.format("one", LONG_AGO))

    assert started(look(root, instance)) == [feedback.NAME, reconcile.NAME]


def test_what_a_look_cannot_read_is_read_by_a_run(
    root: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wake, "READ_SECONDS", 0.0001)
    read_once = look(root, instance).cursor
    do(root, *(TOLD.format(n, LONG_AGO) for n in range(500)))
    first = look(root, instance, read_once)
    reported = first.cursor
    more = look(root, instance, reported)

    assert started(first) == [feedback.NAME]
    assert started(more) == [feedback.NAME], "although the checks were just reported"
    with sqlite3.connect(root / ".skene" / "skene.db") as connection:
        assert connection.execute("SELECT count(*) FROM skene_webhooks WHERE due_at IS NOT NULL").fetchone() == (100,)


def test_a_job_that_is_on_its_way_is_not_started_again(root: Path, instance: dg.DagsterInstance) -> None:
    do(root, LEFT)
    job = compile_folder(root).resolve_job_def(reconcile.NAME)
    instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)

    tick = look(root, instance)

    assert (started(tick), tick.skip_message) == ([], "A reconcile run is already in progress.")


def test_a_part_that_cannot_work_leaves_the_others_alone(root: Path, instance: dg.DagsterInstance) -> None:
    folder = Path(instance.root_directory, dead_runs.FOLDER)
    folder.mkdir()
    (folder / "a folder where a file should be").mkdir()
    do(root, LEFT, "DROP TABLE skene_webhooks")

    assert started(look(root, instance)) == [reconcile.NAME]


def test_a_fault_of_ours_in_a_part_is_said_and_leaves_the_others_alone(
    root: Path, instance: dg.DagsterInstance
) -> None:
    # A column is NULL that we never leave so.
    do(root, TOLD.format("one", LONG_AGO).replace("'')", "NULL)"))
    quiet = look(root, instance)
    do(root, LEFT)

    assert quiet.skip_message.startswith("A part of the look failed (_read_feedback: AttributeError)")
    assert started(look(root, instance)) == [reconcile.NAME]


def test_dead_runs_are_failed_while_the_database_is_away(
    root: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = instance.create_run_for_job(compile_folder(root).resolve_job_def("retention"))
    event = dg.DagsterEvent(dg.DagsterEventType.PIPELINE_START.value, job_name="retention")
    instance.report_dagster_event(event, run_id=record.run_id)
    folder = Path(instance.root_directory, dead_runs.FOLDER)
    folder.mkdir()
    (folder / record.run_id).touch()
    monkeypatch.setenv("SKENE_DATABASE_URL", f"mysql+pymysql://root@127.0.0.1:{free_port()}/skene")

    tick = look(root, instance)

    assert tick.skip_message.startswith("1 runs failed whose process was killed. ")
    assert "Can't connect" in tick.skip_message or "cannot be reached" in tick.skip_message
    assert tick.skip_message.count("127.0.0.1") <= 1
