"""Processes are killed at every point of the protocol, and at random: nobody's email is lost, nobody's is doubled.

Every run is a real `dagster job execute`; the provider is an HTTP server of its own process, which counts what it
accepted. The verdict is taken from the two, never from what the runs said.
"""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import servers
from killed_at import POINTS, POST
from scene import Scene, Verdict, make_scene, resend_process

KEPT = Verdict()
CUTS = [(point, when) for point in [*POINTS, POST] for when in ("inside", "after")]
STORM = {"drop_after": 0.1, "error_after": 0.1, "error_before": 0.05, "throttle": 0.1}


@pytest.fixture
def resend() -> Iterator[str]:
    with resend_process() as url:
        yield url


@pytest.fixture(params=["sqlite", "mariadb"])
def scene(request: pytest.FixtureRequest, tmp_path: Path, resend: str) -> Iterator[Scene]:
    root = tmp_path / "project"
    if request.param == "sqlite":
        yield make_scene(root, f"sqlite:///{tmp_path / 'skene.db'}", resend, seed=0)
        return
    with servers.new_database(request.getfixturevalue("mariadb"), f"skene_{os.urandom(8).hex()}") as url:
        yield make_scene(root, url, resend, seed=0)


@pytest.mark.parametrize("half", [0, 1])
def test_death_at_each_point_of_the_protocol(scene: Scene, half: int) -> None:
    for point, when in CUTS[half::2]:
        scene.add_users(130)
        scene.die_at(point, when, nth=1)

    scene.finish()

    assert scene.judge() == KEPT
    assert scene.kills == len(CUTS[half::2])


def test_death_at_random_moments_while_answers_are_lost(scene: Scene) -> None:
    scene.faults(**STORM)
    while scene.kills < 10:
        scene.add_users(400)
        scene.die_while_sending()
    scene.faults()

    scene.finish()

    assert scene.judge() == KEPT, scene.story


def test_two_runs_at_once_one_of_which_dies(scene: Scene) -> None:
    scene.add_users(900)
    other = scene.start()
    scene.die_while_sending()
    other.wait(120)

    scene.finish()

    assert scene.judge() == KEPT, scene.story


def test_a_run_that_is_suspended_before_its_request_wakes_up_after_another_has_finished(scene: Scene) -> None:
    scene.add_users(300)
    sleeper = scene.start(POST, "suspended", 2)
    os.waitid(os.P_PID, sleeper.pid, os.WSTOPPED)
    scene.finish()
    before = scene.posts()
    os.killpg(sleeper.pid, signal.SIGCONT)
    sleeper.wait(120)

    scene.finish()

    assert scene.posts() == before + 1
    assert scene.judge() == KEPT


def test_after_a_pause_nothing_is_posted_whoever_runs_until_it_ends(scene: Scene) -> None:
    scene.add_users(300)
    scene.die_at(POST, "after", nth=1)
    scene.execute("INSERT INTO skene_controls (loop_, step) VALUES ('*', '*')".replace("loop_", _quoted(scene)))
    scene.execute("UPDATE skene_controls SET paused_at = '2026-01-01 00:00:00.000000'")
    before = scene.posts()

    scene.finish()

    assert scene.posts() == before == 1
    scene.execute("UPDATE skene_controls SET paused_at = NULL")
    scene.finish()
    assert scene.judge() == KEPT


def _quoted(scene: Scene) -> str:
    # `loop` is a reserved word on MySQL and MariaDB.
    return '"loop"' if scene.url.startswith("sqlite") else "`loop`"


def test_the_database_itself_is_killed_and_comes_back(tmp_path: Path, resend: str) -> None:
    folder = tmp_path / "mariadb"
    folder.mkdir()
    mariadb = servers.MortalMariadb(folder)
    try:
        scene = make_scene(tmp_path / "project", mariadb.url, resend, seed=1)
        for _ in range(4):
            scene.add_users(400)
            process = scene.start()
            scene.until_posts(scene.posts() + 2)
            mariadb.kill()
            mariadb.start()
            process.wait(120)

        scene.finish()

        assert scene.judge() == KEPT
    finally:
        mariadb.kill()
