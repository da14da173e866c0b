"""One look of skene__wake: what it starts, and that a part which fails leaves the others alone."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from alert_server import AlertServer, alert_server
from commands import run, skene
from servers import free_port
from small_project import RETENTION, SETTINGS, write_project, write_users

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
    resources = {"skene_database": database(load(root))}
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

    assert started(tick) == []
    assert tick.skip_message.startswith("A reconcile run is already in progress.")


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


@pytest.fixture
def told(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AlertServer]:
    """Somebody who is told."""
    alerts = "alerts: [{slack: SLACK_WEBHOOK_URL}, {url: OPS_URL}]\nheartbeat: HEARTBEAT_URL\n"
    (root / "skene.yaml").write_text(SETTINGS + alerts, encoding="utf-8")
    with alert_server() as server:
        monkeypatch.setenv("SLACK_WEBHOOK_URL", f"{server.url}/slack")
        monkeypatch.setenv("OPS_URL", f"{server.url}/json")
        monkeypatch.setenv("HEARTBEAT_URL", f"{server.url}/beat")
        yield server


def test_a_look_tells_what_is_wrong_and_calls_the_heartbeat(
    root: Path, instance: dg.DagsterInstance, told: AlertServer
) -> None:
    skene(root, "pause", "retention")
    (root / "loops" / "other.yaml").write_text("type: retention\nname: other\n", encoding="utf-8")

    first = look(root, instance)
    look(root, instance)

    assert first.skip_message == "2 things to look at: skene-dagster status. Told: 2 incidents."
    (text,) = told.texts()
    assert "*retention*: paused.\nSince " in text
    assert "→ `skene-dagster resume retention`" in text
    assert ":red_circle: loops/other.yaml is broken." in text
    assert sorted(told.incidents()) == [("open", "broken_file"), ("open", "paused")]
    assert told.calls == ["/beat", "/beat"]


def test_a_look_that_is_not_whole_does_not_call_the_heartbeat(
    root: Path, instance: dg.DagsterInstance, told: AlertServer
) -> None:
    told.answers["/slack"] = [500]
    skene(root, "pause", "retention")
    not_told = look(root, instance)
    do(root, "DROP TABLE skene_preferences")
    look(root, instance)

    assert "Not told: SLACK_WEBHOOK_URL: answered 500; the next look tries again." in not_told.skip_message
    assert told.calls == []
    assert len(told.texts()) == 2, "a part that fails leaves the others alone"


def test_a_key_that_is_missing_in_production_is_told(
    root: Path, instance: dg.DagsterInstance, told: AlertServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKENE_ENV", "production")
    monkeypatch.setenv("RESEND_API_KEY", "")
    skene(root, "adopt", "--yes")

    assert not run(root)
    look(root, instance)

    (text,) = told.texts()
    assert text.startswith(":red_circle: *retention, step main*: its run fails: SKENE_ENV is production, but RESEND")
    assert told.calls == [], "a look that cannot do all it should is no heartbeat"


def test_status_tells_where_no_daemon_runs(root: Path, told: AlertServer) -> None:
    skene(root, "pause", "retention")

    first = skene(root, "status", "--tell")
    skene(root, "status", "--tell")

    assert first.exit_code == 4
    assert len(told.texts()) == 1
    assert skene(root, "status").exit_code == 4


def test_status_says_who_could_not_be_told(root: Path, told: AlertServer) -> None:
    told.answers["/json"] = [404]
    skene(root, "pause", "retention")

    first = skene(root, "status", "--tell")
    again = skene(root, "status")

    assert "Not told: OPS_URL: answered 404; it is tried again in an hour, or" in " ".join(first.output.split())
    assert "The alerts for OPS_URL are refused: answered 404; set it anew" in " ".join(again.output.split())
    assert told.url not in first.output + again.output


def test_status_says_why_a_run_stopped(root: Path) -> None:
    do(
        root,
        "INSERT INTO users SELECT id + 1000 * n, 'x', 'x', '2020-01-01 00:00:00' FROM users, "
        "(WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 200) SELECT n FROM c) WHERE id < 4",
    )

    assert not run(root)
    stopped = " ".join(skene(root, "status").output.split())
    skene(root, "accept", "retention")
    assert run(root)

    assert (
        "retention, step main: its run fails: Segment retention.main has 3 members and would gain 600 "
        "(limits.explosion is 3); nothing was written" in stopped
    )
    assert "skene-dagster accept retention" in stopped
    assert "Nothing needs a person." in skene(root, "status").output


def test_doctor_says_which_addresses_are_set_and_shows_none(
    root: Path, told: AlertServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPS_URL")
    said = " ".join(skene(root, "doctor").output.split())

    assert "Alerts go to a Slack webhook: SLACK_WEBHOOK_URL is set." in said
    assert "OPS_URL is not set: nothing is sent to it from here." in said
    assert "The heartbeat is called: HEARTBEAT_URL is set." in said
    assert told.url not in said


@pytest.mark.parametrize(
    ("alerts", "value", "said"),
    [
        ("alerts: [{slack: https://hooks.example.com/T0KEN}]", "", "is not the name of an environment variable"),
        ("alerts: [{}]", "", "An alert needs one of 'slack' and 'url'."),
        ("alerts: [{slack: A, url: B}]", "", "An alert needs one of 'slack' and 'url'."),
        ("alerts: [{slack: A_URL}]", "hooks.example.com/T0KEN", "A_URL is not an http(s) address."),
        ("heartbeat: A_URL", "https://example.com/T0KEN\n", "A_URL is not an http(s) address."),
    ],
)
def test_an_address_in_the_wrong_place_is_refused_and_not_quoted(
    root: Path, monkeypatch: pytest.MonkeyPatch, alerts: str, value: str, said: str
) -> None:
    (root / "skene.yaml").write_text(f"{SETTINGS}{alerts}\n", encoding="utf-8")
    monkeypatch.setenv("A_URL", value)

    refused = skene(root, "validate")

    assert refused.exit_code == 1
    assert said in " ".join(refused.output.split())
    assert "T0KEN" not in refused.output
