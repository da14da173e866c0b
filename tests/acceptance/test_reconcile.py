"""The reconcile job and its sensor, as Dagster runs them: what is left open is closed, and the check says so."""

import sqlite3
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from resend_server import ResendServer, Scripted, resend_server
from small_project import RETENTION, write_project, write_users

from skene_dagster.compiler import compile_folder
from skene_dagster.compiler.jobs import wake
from skene_dagster.compiler.jobs.reconcile import NAME
from skene_dagster.settings import load
from skene_dagster.store.engine import open_engine

CHECK = dg.AssetCheckKey(dg.AssetKey(["skene", "retention", "main", "sends"]), "nothing_in_doubt")
LOST = Scripted(None, accepts=True)


@pytest.fixture
def resend(monkeypatch: pytest.MonkeyPatch) -> Iterator[ResendServer]:
    with resend_server() as server:
        monkeypatch.setenv("RESEND_API_URL", server.url)
        monkeypatch.setenv("RESEND_API_KEY", "re_test")
        monkeypatch.setenv("SKENE_REDIRECT_TO", "me@example.com")
        yield server


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    (tmp_path / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as opened:
        yield opened


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = write_project(tmp_path / "project", {"retention.yaml": RETENTION.replace("retries: 2", "retries: 0")})
    write_users(root, dormant=3)
    return root


def run(root: Path, instance: dg.DagsterInstance, job: str) -> bool:
    definition = compile_folder(root).resolve_job_def(job)
    return bool(definition.execute_in_process(instance=instance, raise_on_error=False).success)


def reconciles(seen: Any) -> int:
    """Count the runs of reconcile that a look starts; a provider without a webhook is asked besides."""
    return sum(request.job_name == NAME for request in seen.run_requests or [])


def tick(root: Path, instance: dg.DagsterInstance) -> Any:
    repository = compile_folder(root).get_repository_def()
    engine = open_engine(load(root).database_url)
    try:
        context = dg.build_sensor_context(
            instance=instance, repository_def=repository, resources={"skene_database": engine}
        )
        return repository.get_sensor_def(wake.NAME).evaluate_tick(context)
    finally:
        engine.dispose()


def hours_pass(root: Path, hours: int) -> None:
    """Let the attempts, and what waits for its time, lie so far back."""
    with sqlite3.connect(root / ".skene" / "skene.db") as connection:
        for column in ("unresolved_since", "unanswered_at", "last_attempt_at", "due_at"):
            connection.execute(
                f"UPDATE skene_batches SET {column} = strftime('%Y-%m-%d %H:%M:%f000', {column}, ?)",
                [f"-{hours} hours"],
            )


def states(root: Path) -> list[tuple[str, bool]]:
    with sqlite3.connect(root / ".skene" / "skene.db") as connection:
        return connection.execute("SELECT DISTINCT state, provider_id IS NOT NULL FROM skene_sends").fetchall()


def check_of(instance: dg.DagsterInstance) -> bool:
    records = instance.event_log_storage.get_asset_check_execution_history(CHECK, limit=1)
    evaluation = records[0].event.asset_check_evaluation if records and records[0].event else None
    assert evaluation is not None
    return evaluation.passed


def test_nothing_is_started_where_nothing_is_open(root: Path, instance: dg.DagsterInstance) -> None:
    before = tick(root, instance)
    assert run(root, instance, "retention")

    after = tick(root, instance)

    assert (before.run_requests, after.run_requests) == ([], [])


def test_an_unreachable_database_is_a_sentence_and_no_failure(
    root: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKENE_DATABASE_URL", "mysql+pymysql://somebody:secret@127.0.0.1:1/product")

    said = tick(root, instance)

    assert said.run_requests == []
    assert "The database cannot be reached" in str(said.skip_message)


def test_what_a_run_left_without_answer_is_sent_again_under_its_key(
    root: Path, instance: dg.DagsterInstance, resend: ResendServer
) -> None:
    resend.script.append(LOST)
    assert not run(root, instance, "retention")
    hours_pass(root, 1)

    requested = tick(root, instance)
    assert run(root, instance, NAME)

    assert reconciles(requested) == 1
    assert len({request.headers["Idempotency-Key"] for request in resend.posts}) == 1
    assert len(resend.emails) == 3
    assert states(root) == [("accepted", 1)]


def test_a_doubt_is_asked_about_once_an_hour_and_the_check_turns_green_by_itself(
    root: Path, instance: dg.DagsterInstance, resend: ResendServer
) -> None:
    resend.script.append(LOST)
    assert not run(root, instance, "retention")
    hours_pass(root, 24)
    resend.may_read = False
    assert run(root, instance, "retention")
    in_doubt, doubted = states(root), check_of(instance)
    at_once = tick(root, instance)
    hours_pass(root, 2)
    later = tick(root, instance)
    resend.may_read = True

    assert run(root, instance, NAME)

    assert (reconciles(at_once), reconciles(later)) == (0, 1)
    assert (in_doubt, doubted) == ([("in_doubt", 0)], False)
    assert states(root) == [("accepted", 1)]
    assert check_of(instance)
    assert len(resend.emails) == 3


@pytest.mark.parametrize(("hours", "started"), [(0.5, 0), (2, 1)], ids=["just now", "and killed long ago"])
def test_a_run_that_has_not_ended_keeps_another_back_but_not_for_ever(
    root: Path, instance: dg.DagsterInstance, resend: ResendServer, hours: float, started: int
) -> None:
    resend.script.append(LOST)
    assert not run(root, instance, "retention")
    hours_pass(root, 1)
    began = datetime.now(timezone.utc) - timedelta(hours=hours)
    other = dg.DagsterRun(job_name=NAME, status=dg.DagsterRunStatus.STARTED)
    instance.run_storage.add_historical_run(other, began)

    assert reconciles(tick(root, instance)) == started


def test_reconcile_leaves_the_database_of_another_environment_alone(
    root: Path, instance: dg.DagsterInstance, resend: ResendServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    resend.script.append(LOST)
    assert not run(root, instance, "retention")
    hours_pass(root, 1)
    monkeypatch.setenv("SKENE_ENV", "test")

    assert not run(root, instance, NAME)
    assert len(resend.posts) == 1
