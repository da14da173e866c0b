"""A loop runs through Dagster: in this process, from the command line, and by the clock under the daemon."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import dagster as dg
import pytest
from commands import skene
from forked import completed, dagster
from resend_server import Scripted, refusal, resend_server
from small_project import RETENTION, SETTINGS, write_project, write_users
from smtp_server import mail_server

from skene_dagster.compiler import compile_folder, compile_project
from skene_dagster.compiler.retry_policy import working
from skene_dagster.errors import StoreError
from skene_dagster.project import Project, load_project
from skene_dagster.settings import load

SEGMENT = dg.AssetKey(["skene", "retention", "main", "segment"])
SENDS = dg.AssetKey(["skene", "retention", "main", "sends"])
TICK = "2026-03-14T08:00:00+00:00"
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    (tmp_path / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as opened:
        yield opened


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = write_project(tmp_path / "project", {"retention.yaml": RETENTION})
    write_users(root, dormant=3)
    return root


def run(
    root: Path, instance: dg.DagsterInstance, tags: Mapping[str, str] | None = None, job: str = "retention"
) -> dg.ExecuteInProcessResult:
    definition = compile_folder(root).resolve_job_def(job)
    return definition.execute_in_process(instance=instance, tags=dict(tags or {}), raise_on_error=False)


def emails(root: Path) -> list[str]:
    return sorted(file.read_text(encoding="utf-8") for file in (root / ".skene" / "outbox").rglob("*.eml"))


def reported(result: dg.ExecuteInProcessResult | dg.JobExecutionResult, key: dg.AssetKey) -> dict[str, object]:
    events = (event for event in result.all_events if event.is_step_materialization and event.asset_key == key)
    (event,) = events
    metadata = event.step_materialization_data.materialization.metadata
    return {name: value.value for name, value in metadata.items()}


def failures(result: dg.ExecuteInProcessResult) -> list[tuple[str, str]]:
    """List the ops that failed, and what a person reads about each."""
    return [
        (event.step_key or "", event.step_failure_data.user_failure_data.description or "")
        for event in result.get_step_failure_events()
        if event.step_failure_data.user_failure_data is not None
    ]


def retries(result: dg.ExecuteInProcessResult) -> int:
    return sum(event.event_type_value == "STEP_UP_FOR_RETRY" for event in result.all_events)


def test_the_job_fills_the_segment_and_mails_each_member_once(root: Path, instance: dg.DagsterInstance) -> None:
    result = run(root, instance, {"skene/as_of": TICK})

    assert result.success
    assert [f"To: user-{n}@example.com" in email for n, email in enumerate(emails(root), start=1)] == [True] * 3
    segment, sends = reported(result, SEGMENT), reported(result, SENDS)
    assert {name: segment[name] for name in ("dagster/row_count", "entered", "exited", "unknown_keys", "as_of")} == {
        "dagster/row_count": 3,
        "entered": 3,
        "exited": 0,
        "unknown_keys": 0,
        "as_of": "2026-03-14 08:00:00 UTC",
    }
    assert "last_activity_at" in str(segment["sql"])
    assert str(segment["database"]).startswith("SQLite 3.")
    assert {
        name: sends[name] for name in ("accepted", "skipped", "deferred", "refused", "in_doubt", "batches_waiting")
    } == {
        "batches_waiting": 0,
        "accepted": 3,
        "skipped": 0,
        "deferred": 0,
        "refused": 0,
        "in_doubt": 0,
    }
    assert str(sends["mode"]).startswith("outbox: SKENE_ENV is development")
    assert Path(str(sends["outbox"])).is_file()


def test_the_retention_job_deletes_what_is_old_and_tells_how_much(root: Path, instance: dg.DagsterInstance) -> None:
    settings = SETTINGS + "retention: {history: 90d, events: 90d, payloads: 90d}\n"
    write_project(root, {"retention.yaml": RETENTION}, settings)
    run(root, instance, {"skene/as_of": TICK})
    database = sqlite3.connect(root / ".skene" / "skene.db")
    with database:
        for event, at in {"old": "2026-01-01 00:00:00.000000", "new": "2999-01-01 00:00:00.000000"}.items():
            row = (event, 1, "visit", at, at)
            database.execute("INSERT INTO skene_events VALUES (?, ?, ?, ?, ?, NULL)", row)
    assert run(root, instance, job="skene__usage").success

    kept_since = datetime.now(timezone.utc).date() - timedelta(days=90)
    result = run(root, instance, job="skene__retention")

    (output,) = (e for e in result.all_events if e.event_type_value == "STEP_OUTPUT")
    metadata = {name: value.value for name, value in output.step_output_data.metadata.items()}
    assert result.success
    assert metadata == {
        "skene_events": 1,
        "skene_engagement_levels": 0,
        "skene_entitlements": 0,
        "skene_segment_members": 0,
        "skene_account_members": 0,
        "skene_triggered": 0,
        "skene_account_triggered": 0,
        "skene_contacts": 0,
        "skene_webhooks": 0,
        "skene_incidents": 0,
        "opens_forgotten": 0,
        "events_kept_since": metadata["events_kept_since"],
    }
    # Midnight may lie between the two.
    assert metadata["events_kept_since"] in {str(kept_since), str(kept_since + timedelta(days=1))}
    assert database.execute("SELECT event_id FROM skene_events").fetchall() == [("new",)]
    database.close()


def test_another_run_for_the_same_moment_sends_nothing_more(root: Path, instance: dg.DagsterInstance) -> None:
    run(root, instance, {"skene/as_of": TICK})

    again = run(root, instance, {"skene/as_of": TICK})

    assert again.success
    assert len(emails(root)) == 3
    assert reported(again, SEGMENT)["refreshed_before"] is True
    assert reported(again, SENDS)["accepted"] == 3


def test_a_run_without_the_tag_is_for_the_moment_at_which_it_started(root: Path, instance: dg.DagsterInstance) -> None:
    before = datetime.now(timezone.utc).replace(tzinfo=None)

    result = run(root, instance)

    moment = datetime.fromisoformat(str(reported(result, SEGMENT)["as_of"]).removesuffix(" UTC"))
    assert before <= moment <= datetime.now(timezone.utc).replace(tzinfo=None)
    assert len(emails(root)) == 3


def retention() -> dg.JobDefinition:
    """Return the job as a process that re-executes a run would find it."""
    return compile_folder(Path(os.environ["SKENE_PROJECT"])).resolve_job_def("retention")


def test_a_re_execution_is_for_the_same_moment_as_its_run(
    root: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKENE_PROJECT", str(root))
    first = dg.execute_job(dg.reconstructable(retention), instance)

    options = dg.ReexecutionOptions(first.run_id)
    again = dg.execute_job(dg.reconstructable(retention), instance, reexecution_options=options)

    assert again.run_id != first.run_id
    assert reported(again, SEGMENT)["as_of"] == reported(first, SEGMENT)["as_of"]
    assert reported(again, SEGMENT)["refreshed_before"] is True


def adopted_by_another() -> dg.JobDefinition:
    """Return the job again; Dagster keeps what a function returned, and another test's is in another folder."""
    return retention()


def test_each_op_alone_leaves_the_database_of_another_environment_alone(
    root: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKENE_PROJECT", str(root))
    job = dg.reconstructable(adopted_by_another)
    first = dg.execute_job(job, instance)
    with sqlite3.connect(root / ".skene" / "skene.db") as connection:
        connection.execute("UPDATE skene_meta SET value = 'production'")
    told = []

    for op in ("reserve", "deliver"):
        options = dg.ReexecutionOptions(first.run_id, [f"skene__retention__main__sends.retention__main__{op}"])
        again = dg.execute_job(job, instance, reexecution_options=options)
        told += [str(event.step_failure_data.user_failure_data) for event in again.all_events if event.is_step_failure]

    assert ["The database belongs to production" in text for text in told] == [True, True]


@pytest.mark.parametrize(
    ("answer", "retried"),
    [(Scripted(None, accepts=True), 1), (refusal(401, "invalid_api_key"), 0)],
    ids=["a lost answer", "a wrong key"],
)
def test_an_answer_is_asked_for_again_by_the_op_itself_unless_it_cannot_change(
    root: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, answer: Scripted, retried: int
) -> None:
    monkeypatch.setenv("RESEND_API_KEY", "re_test")
    monkeypatch.setenv("SKENE_REDIRECT_TO", "me@example.com")
    with resend_server() as resend:
        monkeypatch.setenv("RESEND_API_URL", resend.url)
        resend.script.append(answer)

        result = run(root, instance)

    assert (retries(result), result.success) == (retried, bool(retried))
    assert len({request.headers["Idempotency-Key"] for request in resend.posts}) == 1
    assert len(resend.emails) == (3 if retried else 0)


def test_a_redirected_run_sends_by_a_mail_server_what_that_server_then_has(
    root: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = root / "skene.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("sender:", "sender:\n  provider: smtp"), encoding="utf-8")
    monkeypatch.setenv("SKENE_REDIRECT_TO", "me@example.com")
    with mail_server(login=True) as server:
        us = "us%40example.com:p%40ss%3Aw%2Frd%25"
        monkeypatch.setenv("SKENE_SMTP_URL", f"smtp://{us}@{server.host}:{server.port}")

        result = run(root, instance)

    assert result.success
    assert [taken.recipients for taken in server.emails] == [("me@example.com",)] * 3
    assert server.connections == 1
    assert reported(result, SENDS)["accepted"] == 3


@pytest.mark.parametrize(
    "tag",
    [
        pytest.param("yesterday", id="no moment"),
        pytest.param("2026-03-14T08:00:00", id="no time zone"),
        pytest.param("", id="nothing"),
        pytest.param("0001-01-01T00:00:00+14:00", id="before the first year"),
        pytest.param("9999-12-31T00:00:00+00:00", id="the moment that means not yet"),
    ],
)
def test_a_tag_that_is_no_moment_fails_in_words_and_is_not_retried(
    tag: str, root: Path, instance: dg.DagsterInstance
) -> None:
    result = run(root, instance, {"skene/as_of": tag})

    ((_, told),) = failures(result)
    assert f"The run's tag skene/as_of is {tag!r}" in told
    assert retries(result) == 0
    assert emails(root) == []


@pytest.mark.parametrize("tag", ["2026-03-14T09:00:00+01:00", "2026-03-14T08:00:00Z", "2026-03-14T08:00:00.000+00:00"])
def test_the_moment_of_a_tag_is_kept_in_utc(tag: str, root: Path, instance: dg.DagsterInstance) -> None:
    result = run(root, instance, {"skene/as_of": tag})

    assert reported(result, SEGMENT)["as_of"] == "2026-03-14 08:00:00 UTC"


def test_the_emails_alone_without_a_refreshed_segment_fail_in_one_sentence(
    root: Path, instance: dg.DagsterInstance
) -> None:
    job = compile_folder(root).resolve_job_def("retention")

    result = job.execute_in_process(instance=instance, asset_selection=[SENDS], raise_on_error=False)

    ((op, told),) = failures(result)
    assert op.endswith("retention__main__reserve")
    assert told.startswith("The segment retention.main was not refreshed for ")
    assert retries(result) == 0
    assert emails(root) == []


def test_the_segment_alone_mails_nobody(root: Path, instance: dg.DagsterInstance) -> None:
    job = compile_folder(root).resolve_job_def("retention")

    result = job.execute_in_process(instance=instance, asset_selection=[SEGMENT])

    assert result.success
    assert reported(result, SEGMENT)["dagster/row_count"] == 3
    assert emails(root) == []


def test_what_may_pass_is_retried_as_the_loop_says(
    root: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = server.getsockname()[1]
    monkeypatch.setenv("SKENE_DATABASE_URL", f"mysql+pymysql://somebody:url-secret@127.0.0.1:{closed}/product")
    settings = load(root)
    (plan,) = load_project(settings).loops
    at_once = replace(plan, recovery=replace(plan.recovery, delay=timedelta(0)))
    job = compile_project(Project((at_once,), ()), settings).resolve_job_def("retention")

    result = job.execute_in_process(instance=instance, raise_on_error=False)

    assert retries(result) == 2
    ((op, told),) = failures(result)
    assert op == "skene__retention__main__segment"
    assert told.startswith("The database cannot be reached")
    assert "url-secret" not in "".join(str(event) for event in result.all_events)


def test_production_without_a_key_fails_in_one_sentence_and_fills_no_outbox(
    root: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKENE_ENV", "production")

    result = run(root, instance)

    ((op, told),) = failures(result)
    assert op.endswith("retention__main__reserve")
    assert told.startswith("SKENE_ENV is production, but RESEND_API_KEY is not set.")
    assert retries(result) == 0
    assert emails(root) == []


def test_production_refuses_a_moment_to_come_before_it_bars_every_real_tick(
    root: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKENE_ENV", "production")
    monkeypatch.setenv("RESEND_API_KEY", "re_test")

    result = run(root, instance, {"skene/as_of": "2999-03-14T09:00:00+00:00"})

    ((op, told),) = failures(result)
    assert op.endswith("segment")
    assert "The run is for 2999-03-14 09:00:00 UTC, which is still to come" in told
    assert retries(result) == 0


@pytest.mark.parametrize(
    ("mapped", "place", "missing"),
    [
        pytest.param("mailable: deletd_at IS NULL", "skene.yaml  users.mailable", "deletd_at", id="mailable"),
        pytest.param("email: emial", "skene.yaml  users.email", "emial", id="email"),
    ],
)
def test_a_column_that_only_the_settings_name_is_told_with_their_place(
    mapped: str, place: str, missing: str, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    settings = SETTINGS.replace("users:\n", f"users:\n  {mapped}\n")
    root = write_project(tmp_path / "project", {"retention.yaml": RETENTION}, settings)
    write_users(root, dormant=1)

    result = run(root, instance, {"skene/as_of": TICK})

    ((op, told),) = failures(result)
    assert op.endswith("retention__main__reserve")
    assert told.startswith(place)
    assert missing in told
    assert retries(result) == 0


def test_an_implausible_segment_stops_until_a_person_accepts_it(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    settings = "limits: {least_change: 1}\n" + (write_project(tmp_path / "any", {}) / "skene.yaml").read_text("utf-8")
    root = write_project(tmp_path / "project", {"retention.yaml": RETENTION}, settings)
    write_users(root, dormant=9)
    run(root, instance, {"skene/as_of": TICK})
    # As of 2019 nobody has been away for a week: the segment would lose everybody.
    everybody_back = RETENTION.replace("last_activity_at < NOW() - INTERVAL '7 days'", "last_activity_at IS NULL")
    write_project(root, {"retention.yaml": everybody_back}, settings)
    next_day = {"skene/as_of": "2026-03-15T08:00:00+00:00"}

    stopped = run(root, instance, next_day)
    said = skene(root, "accept", "retention")
    accepted = run(root, instance, next_day)

    ((op, told),) = failures(stopped)
    assert op == "skene__retention__main__segment"
    assert "skene-dagster accept retention --step main" in told
    assert (
        said.output
        == "ok      The next refresh of retention, step main, may change any number of its\n        members.\n"
    )
    assert retries(stopped) == 0
    assert accepted.success
    assert reported(accepted, SEGMENT)["exited"] == 9


def test_nothing_personal_and_no_secret_reaches_dagsters_storage_or_output(tmp_path: Path) -> None:
    root = write_project(tmp_path / "project", {"retention.yaml": RETENTION})
    write_users(root, dormant=7, key="VARCHAR(255)")
    home = tmp_path / "home"

    done = job_execute(root, home, RESEND_API_KEY="re_secret_marker")

    assert done.returncode == 0
    assert len(emails(root)) == 7
    kept = [file.read_bytes() for file in home.rglob("*") if file.is_file()]
    assert any(b"retention__main__deliver" in text for text in kept)
    for personal in (b"Marker", b"Surname", b"user-1@", b"user-7@", b"@example.com", b"re_secret_marker", b"skene.db"):
        assert not any(personal in text for text in (*kept, done.stdout.encode(), done.stderr.encode())), personal


def test_a_users_key_that_is_an_address_is_in_no_error(tmp_path: Path) -> None:
    everybody_twice = RETENTION.replace(
        "SELECT id FROM users", "SELECT users.id FROM users JOIN users AS others ON 1 = 1"
    )
    everybody_twice = everybody_twice.replace("WHERE last_activity_at", "WHERE users.last_activity_at")
    root = write_project(tmp_path / "project", {"retention.yaml": everybody_twice})
    write_users(root, dormant=2, key="VARCHAR(255)")
    home = tmp_path / "home"

    done = job_execute(root, home)

    assert done.returncode == 1
    assert "more than once" in done.stderr
    assert "@example.com" not in done.stdout + done.stderr
    assert not any(b"@example.com" in file.read_bytes() for file in home.rglob("*") if file.is_file())


def test_a_database_that_quotes_an_address_is_told_without_it() -> None:
    quoted = "Incorrect value: 'jane.doe+x@example.com' for user 'root'@'localhost' (1292)"

    with pytest.raises(dg.Failure) as told, working("a run"):
        raise StoreError(quoted)

    assert told.value.description == "Incorrect value: '(an address)' for user 'root'@'localhost' (1292)"
    assert told.value.__suppress_context__


def test_job_execute_runs_the_loop_from_the_command_line(root: Path, tmp_path: Path) -> None:
    done = job_execute(root, tmp_path / "home")

    assert done.returncode == 0, done.stderr
    assert len(emails(root)) == 3


def test_job_execute_of_a_broken_loop_says_where_and_fails(root: Path, tmp_path: Path) -> None:
    write_project(root, {"retention.yaml": RETENTION.replace("SELECT id", "SELECT nothing")})

    done = job_execute(root, tmp_path / "home")

    assert done.returncode == 1
    assert "loops/retention.yaml:" in done.stderr


def test_definitions_validate_accepts_the_committed_workspace(root: Path, tmp_path: Path) -> None:
    done = ran(root, tmp_path / "home", "definitions", "validate", "-w", str(REPOSITORY / "workspace.yaml"))

    assert done.returncode == 0, done.stderr
    assert "Validation successful for code location skene_dagster.definitions." in done.stdout


@pytest.mark.long
def test_the_schedule_fires_under_the_daemon(tmp_path: Path) -> None:
    root = write_project(tmp_path / "project", {"retention.yaml": RETENTION.replace("0 9 * * *", "* * * * *")})
    write_users(root, dormant=3)
    home = tmp_path / "home"

    with daemon(root, home), opened(home) as instance:
        (first, *_) = ended_runs(instance)

    assert first.status is dg.DagsterRunStatus.SUCCESS
    assert first.job_name == "retention"
    assert first.tags["dagster/schedule_name"] == "retention"
    assert datetime.fromisoformat(first.tags["skene/as_of"]).second == 0
    assert len(emails(root)) == 3


def ran(root: Path, home: Path, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    write_home(home)
    return completed(dagster, *arguments, cwd=root, env=environment_of(root, home) | environment)


def job_execute(
    root: Path, home: Path, job: str = "retention", **environment: str
) -> "subprocess.CompletedProcess[str]":
    return ran(root, home, "job", "execute", "-m", "skene_dagster.definitions", "-j", job, **environment)


def write_home(home: Path) -> None:
    home.mkdir()
    (home / "dagster.yaml").write_bytes((REPOSITORY / "dagster.yaml").read_bytes())


def environment_of(root: Path, home: Path) -> dict[str, str]:
    return dict(os.environ) | {
        "SKENE_PROJECT": str(root),
        "DAGSTER_HOME": str(home),
        "PYTHONPATH": str(REPOSITORY),
        # The `dagster` command says of itself that `dg` supersedes it; `dg` is no dependency of ours.
        "PYTHONWARNINGS": "ignore:Function",
    }


@contextmanager
def daemon(root: Path, home: Path) -> Iterator[None]:
    """Run Dagster's daemon on the committed dagster.yaml, and stop it with everything that it started."""
    write_home(home)
    with (home / "daemon.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "dagster._daemon", "run", "-m", "skene_dagster.definitions"],
            cwd=root,
            env=environment_of(root, home),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield
    finally:
        # Its code server and run workers are of its session; killing the daemon alone would leave them.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def opened(home: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.from_config(str(home)) as instance:
        yield instance


def ended_runs(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """Wait for a run that has ended: the next full minute, and the time that a process takes to start."""
    ended = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
    deadline = time.monotonic() + 240
    while not (runs := list(instance.get_runs(dg.RunsFilter(statuses=ended)))):
        assert time.monotonic() < deadline, "the daemon started no run"
        time.sleep(0.2)
    return runs
