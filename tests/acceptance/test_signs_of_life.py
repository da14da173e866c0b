"""A run shows that it is alive for as long as its process lives; who is gone without a word is found."""

import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.remote_origin import InProcessCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from skene_dagster.compiler.jobs import dead_runs


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    retries = {"run_retries": {"enabled": True, "max_retries": 2}}
    with dg.DagsterInstance.local_temp(str(tmp_path), overrides=retries) as opened:
        yield opened


LAUNCHED_BY_THE_DAEMON = RemoteJobOrigin(
    RemoteRepositoryOrigin(InProcessCodeLocationOrigin(LoadableTargetOrigin(module_name="product")), "__repository__"),
    "job",
)


def started(instance: dg.DagsterInstance, origin: RemoteJobOrigin | None = None) -> str:
    @dg.job
    def job() -> None: ...

    run = instance.create_run_for_job(job_def=job, remote_job_origin=origin)
    instance.report_dagster_event(
        dg.DagsterEvent(dg.DagsterEventType.PIPELINE_START.value, job_name="job"), run_id=run.run_id
    )
    return run.run_id


def status(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRunStatus:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status


def left_by_a_killed_process(instance: dg.DagsterInstance, run_id: str) -> None:
    folder = Path(instance.root_directory, dead_runs.FOLDER)
    folder.mkdir(exist_ok=True)
    (folder / run_id).touch()


def test_a_run_whose_process_lives_is_left_alone_and_leaves_nothing_behind(instance: dg.DagsterInstance) -> None:
    run_id = started(instance)

    with dead_runs.shown(instance, run_id):
        found = dead_runs.fail_the_dead(instance)

    assert (found, status(instance, run_id)) == ([], dg.DagsterRunStatus.STARTED)
    assert list(Path(instance.root_directory, dead_runs.FOLDER).iterdir()) == []


def test_a_run_whose_process_is_gone_is_failed_once(instance: dg.DagsterInstance) -> None:
    run_id = started(instance)
    left_by_a_killed_process(instance, run_id)

    found = [dead_runs.fail_the_dead(instance), dead_runs.fail_the_dead(instance)]

    assert (found, status(instance, run_id)) == ([[run_id], []], dg.DagsterRunStatus.FAILURE)


def test_a_run_that_has_ended_stays_as_it_ended(instance: dg.DagsterInstance) -> None:
    run_id = started(instance)
    instance.report_run_canceled(instance.get_run_by_id(run_id))  # type: ignore[arg-type]  # it is there
    left_by_a_killed_process(instance, run_id)

    assert dead_runs.fail_the_dead(instance) == []
    assert status(instance, run_id) == dg.DagsterRunStatus.CANCELED


def failed_for(seconds: float, instance: dg.DagsterInstance, origin: RemoteJobOrigin | None) -> str:
    """Make a run that failed so long ago, and that the daemon should retry and has not."""
    run_id = started(instance, origin)
    entry = dg.EventLogEntry(  # type: ignore[no-untyped-call]  # as Dagster left it
        error_info=None,
        level="debug",
        user_message="",
        run_id=run_id,
        timestamp=time.time() - seconds,
        dagster_event=dg.DagsterEvent(dg.DagsterEventType.PIPELINE_FAILURE.value, job_name="job"),
    )
    instance.handle_new_event(entry)
    left_by_a_killed_process(instance, run_id)
    return run_id


def failures(instance: dg.DagsterInstance, run_id: str) -> int:
    return len(instance.all_logs(run_id, of_type=dg.DagsterEventType.RUN_FAILURE))


def test_a_failure_that_the_daemon_missed_is_told_once_more(instance: dg.DagsterInstance) -> None:
    missed = failed_for(3600, instance, LAUNCHED_BY_THE_DAEMON)

    for _ in range(3):
        dead_runs.fail_the_dead(instance)

    assert failures(instance, missed) == 2


def test_the_daemon_has_time_to_retry_and_what_it_cannot_retry_is_not_told_again(instance: dg.DagsterInstance) -> None:
    just_now = failed_for(0, instance, LAUNCHED_BY_THE_DAEMON)
    by_hand = failed_for(3600, instance, None)
    retried = failed_for(3600, instance, LAUNCHED_BY_THE_DAEMON)
    instance.add_run_tags(retried, {"dagster/auto_retry_run_id": "another"})

    dead_runs.fail_the_dead(instance)

    assert [failures(instance, run_id) for run_id in (just_now, by_hand, retried)] == [1, 1, 1]
