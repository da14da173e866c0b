"""A run shows that it is alive for as long as its process lives; who is gone without a word is found."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from skene_dagster.compiler import signs_of_life


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as opened:
        yield opened


def started(instance: dg.DagsterInstance) -> str:
    @dg.job
    def job() -> None: ...

    run = instance.create_run_for_job(job_def=job)
    instance.report_dagster_event(
        dg.DagsterEvent(dg.DagsterEventType.PIPELINE_START.value, job_name="job"), run_id=run.run_id
    )
    return run.run_id


def status(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRunStatus:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status


def left_by_a_killed_process(instance: dg.DagsterInstance, run_id: str) -> None:
    folder = Path(instance.root_directory, signs_of_life.FOLDER)
    folder.mkdir(exist_ok=True)
    (folder / run_id).touch()


def test_a_run_whose_process_lives_is_left_alone_and_leaves_nothing_behind(instance: dg.DagsterInstance) -> None:
    run_id = started(instance)

    with signs_of_life.shown(instance, run_id):
        found = signs_of_life.fail_the_dead(instance)

    assert (found, status(instance, run_id)) == ([], dg.DagsterRunStatus.STARTED)
    assert list(Path(instance.root_directory, signs_of_life.FOLDER).iterdir()) == []


def test_a_run_whose_process_is_gone_is_failed_once(instance: dg.DagsterInstance) -> None:
    run_id = started(instance)
    left_by_a_killed_process(instance, run_id)

    found = [signs_of_life.fail_the_dead(instance), signs_of_life.fail_the_dead(instance)]

    assert (found, status(instance, run_id)) == ([[run_id], []], dg.DagsterRunStatus.FAILURE)


def test_a_run_that_has_ended_stays_as_it_ended(instance: dg.DagsterInstance) -> None:
    run_id = started(instance)
    instance.report_run_canceled(instance.get_run_by_id(run_id))  # type: ignore[arg-type]  # it is there
    left_by_a_killed_process(instance, run_id)

    assert signs_of_life.fail_the_dead(instance) == []
    assert status(instance, run_id) == dg.DagsterRunStatus.CANCELED
