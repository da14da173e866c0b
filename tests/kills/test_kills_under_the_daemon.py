"""Runs of `dagster dev` are killed: what its daemon, a re-execution and the next run do then mails everybody once.

Each test is a real `dagster dev` with its processes, on the committed dagster.yaml.
"""

import os
import signal
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import dagster as dg
import pytest
import servers
from dagster_dev import DagsterDev, dagster_dev, is_running
from killed_at import IN_CHILDREN, POST
from resends import LocalResend, local_resend
from scene import Scene, Verdict, make_scene

KEPT = Verdict()
pytestmark = pytest.mark.long
SUCCESS, FAILURE, STARTED = dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.STARTED
DELIVER = {"skene__retention__main__sends.retention__main__deliver", "skene__retention__main__sends_nothing_in_doubt"}
"""The steps of a run that are left when everybody is reserved."""


@pytest.fixture
def resend(tmp_path: Path) -> Iterator[LocalResend]:
    with local_resend(tmp_path) as running:
        yield running


@pytest.fixture(params=["sqlite", "mariadb"])
def scene(request: pytest.FixtureRequest, tmp_path: Path, resend: LocalResend) -> Iterator[Scene]:
    root = tmp_path / "project"
    if request.param == "sqlite":
        yield make_scene(root, f"sqlite:///{tmp_path / 'skene.db'}", resend, seed=0)
        return
    with servers.new_database(request.getfixturevalue("mariadb"), f"skene_{os.urandom(8).hex()}") as url:
        yield make_scene(root, url, resend, seed=0)


@pytest.fixture
def dev(scene: Scene) -> Iterator[DagsterDev]:
    with dagster_dev(scene) as running:
        yield running


def now() -> dict[str, str]:
    """Return the tag that a schedule gives its runs."""
    return {"skene/as_of": datetime.now(timezone.utc).isoformat()}


def test_the_daemon_starts_a_killed_run_again_for_the_same_moment_and_everybody_is_mailed_once(
    scene: Scene, resend: LocalResend, dev: DagsterDev
) -> None:
    scene.add_users(1500)
    resend.is_slow()
    scene.dies_in_turn("post after 2")
    tick = now()
    first = dev.launch(tags=tick)
    second = dev.retry_of(first)
    killed = dev.worker(second)
    scene.until_posts(4)
    time.sleep(scene.random.random() * 0.3)
    os.kill(killed, signal.SIGKILL)
    third = dev.retry_of(second)

    last = dev.ended(third)

    runs = [dev.run(run_id) for run_id in (first, second, third)]
    assert [run.status for run in runs] == [FAILURE, FAILURE, SUCCESS], scene.output()
    assert last.root_run_id == first
    assert [run.tags.get("dagster/retry_number") for run in runs] == [None, "1", "2"]
    assert [run.tags["skene/as_of"] for run in runs] == [tick["skene/as_of"]] * 3
    # What was done is not done again: neither the segment nor the decisions.
    assert [set(run.step_keys_to_execute or ()) for run in runs[1:]] == [DELIVER, DELIVER]
    # No step has a process of its own, which could outlive its run.
    assert {*dev.step_processes(first)} == {dev.worker(first)}
    assert scene.judge() == KEPT


@pytest.mark.parametrize("scene", ["mariadb"], indirect=True)
def test_while_the_loop_is_paused_neither_a_retry_nor_a_re_execution_posts_anything(
    scene: Scene, resend: LocalResend, dev: DagsterDev
) -> None:
    scene.add_users(300)
    scene.dies_in_turn("post suspended 2")
    killed = dev.launch(tags=now())
    scene.until_obeyed()
    before = resend.posts()
    scene.skene_dagster("pause", "retention")
    os.kill(dev.worker(killed), signal.SIGKILL)

    retry = dev.ended(dev.retry_of(killed))
    re_execution = dev.ended(dev.re_execute(killed))

    assert [retry.status, re_execution.status] == [SUCCESS, SUCCESS], scene.output()
    assert resend.posts() == before == 1
    scene.skene_dagster("resume", "retention")
    assert dev.ended(dev.re_execute(killed)).status == SUCCESS
    assert scene.judge() == KEPT


@pytest.mark.parametrize("scene", ["sqlite"], indirect=True)
def test_when_the_machine_is_back_a_run_that_died_with_everything_else_is_started_again(
    scene: Scene, dev: DagsterDev
) -> None:
    scene.add_users(500)
    scene.dies_in_turn("post suspended 2")
    tick = now()
    killed = dev.launch(tags=tick)
    scene.until_obeyed()
    scene.die_at(POST, "after", nth=1)
    (by_hand,) = (run.run_id for run in dev.instance.get_runs() if run.run_id != killed)
    dev.kill()
    assert [dev.run(run_id).status for run_id in (killed, by_hand)] == [STARTED, STARTED]
    dev.start()

    retry = dev.ended(dev.retry_of(killed))

    assert retry.status == SUCCESS, scene.output()
    assert retry.tags["skene/as_of"] == tick["skene/as_of"]
    assert scene.judge() == KEPT
    # It is failed as well, and keeps no place in the queue; but Dagster does not know how to start it again.
    assert dev.ended(by_hand).status == FAILURE
    assert dev.children(by_hand) == []
    assert dev.ended(dev.launch()).status == SUCCESS


def test_a_step_that_outlives_its_run_sends_along_with_the_retry_and_nobody_is_mailed_twice(
    scene: Scene, resend: LocalResend, dev: DagsterDev
) -> None:
    scene.add_users(2000)
    resend.is_slow()
    scene.dies_in_turn("post suspended 3")
    killed = dev.launch(job=IN_CHILDREN)
    scene.until_obeyed()
    orphan = dev.step_processes(killed)[-1]
    os.kill(dev.worker(killed), signal.SIGKILL)
    retry = dev.retry_of(killed)
    scene.until_posts(4)
    os.kill(orphan, signal.SIGCONT)

    assert dev.ended(retry).status == SUCCESS, scene.output()
    scene.until(lambda: not is_running(orphan))

    assert dev.run(killed).status == FAILURE
    assert orphan not in (dev.worker(killed), *dev.step_processes(retry))
    assert scene.judge() == KEPT
