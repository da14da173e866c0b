"""Processes are killed at every point of the protocol, and at random: nobody's email is lost, nobody's is doubled.

Every run is a real `dagster job execute` in a process of its own (see forked.py); the provider is an HTTP server of its
own process, which counts what it accepted: one with faults, and one that others made. The verdict is taken from its
count and the ledger, never from what the runs said.
"""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import servers
from dagster_dev import is_suspended
from killed_at import POINTS, POST
from resend_emulator import Emulator
from resends import STORM, EmulatedResend, LocalResend, local_resend
from scene import Scene, Verdict, make_scene

KEPT = Verdict()
pytestmark = pytest.mark.long
CUTS = [(point, when) for point in [*POINTS, POST] for when in ("inside", "after")]


@pytest.fixture
def resend(tmp_path: Path) -> Iterator[LocalResend]:
    with local_resend(tmp_path) as running:
        yield running


@pytest.fixture
def scene(database_url: str, tmp_path: Path, resend: LocalResend) -> Scene:
    return make_scene(tmp_path / "project", database_url, resend, seed=0)


@pytest.fixture
def judged_by_others(database_url: str, tmp_path: Path, emulator: Emulator) -> Scene:
    return make_scene(tmp_path / "project", database_url, EmulatedResend(emulator), seed=2)


@pytest.mark.parametrize("half", [0, 1])
def test_death_at_each_point_of_the_protocol(scene: Scene, half: int) -> None:
    for point, when in CUTS[half::2]:
        scene.add_users(130)
        scene.die_at(point, when, nth=1)

    scene.finish()

    assert scene.judge() == KEPT
    assert scene.kills == len(CUTS[half::2])


def test_death_at_random_moments_while_answers_are_lost(scene: Scene, resend: LocalResend) -> None:
    resend.faults(**STORM)
    while scene.kills < 10:
        scene.add_users(400)
        scene.die_while_sending()
    resend.faults()

    scene.finish()

    assert scene.judge() == KEPT, scene.story


def test_an_independent_judge_finds_nobody_lost_and_nobody_doubled(judged_by_others: Scene) -> None:
    scene = judged_by_others
    for number, point in enumerate([POST, *POINTS, POST]):
        scene.add_users(130)
        scene.die_at(point, "after" if number % 2 else "inside", nth=1)
    # The emulator tells no limit of Resend's kind: the runs would stay at two calls a second, and die while they wait.
    scene.execute("UPDATE skene_pacing SET per_second = 1000")
    named = scene.kills
    while scene.kills < named + 4:
        scene.add_users(400)
        scene.die_while_sending()

    scene.finish()

    assert scene.judge() == KEPT, scene.story


def test_two_runs_at_once_one_of_which_dies(scene: Scene) -> None:
    # One whose tick was overtaken by the other's ends before it sends, and is no kill.
    while not scene.kills:
        scene.add_users(900)
        other = scene.start()
        scene.die_while_sending()
        other.wait(120)

    scene.finish()

    assert scene.judge() == KEPT, scene.story


def test_a_run_that_is_suspended_before_its_request_wakes_up_after_another_has_finished(
    scene: Scene, resend: LocalResend
) -> None:
    scene.add_users(300)
    sleeper = scene.start(POST, "suspended", 2)
    scene.until(lambda: is_suspended(sleeper.pid))
    scene.finish()
    before = resend.posts()
    os.killpg(sleeper.pid, signal.SIGCONT)
    sleeper.wait(120)

    scene.finish()

    assert resend.posts() == before + 1
    assert scene.judge() == KEPT


def test_after_a_pause_nothing_is_posted_whoever_runs_until_it_ends(scene: Scene, resend: LocalResend) -> None:
    scene.add_users(300)
    scene.die_at(POST, "after", nth=1)
    scene.skene_dagster("pause", "--all")
    before = resend.posts()

    scene.finish()

    assert resend.posts() == before == 1
    scene.skene_dagster("resume", "--all")
    scene.finish()
    assert scene.judge() == KEPT


def test_the_database_itself_is_killed_and_comes_back(tmp_path: Path, resend: LocalResend) -> None:
    folder = tmp_path / "mariadb"
    folder.mkdir()
    mariadb = servers.MortalMariadb(folder)
    try:
        scene = make_scene(tmp_path / "project", mariadb.url, resend, seed=1)
        for _ in range(4):
            scene.add_users(400)
            process = scene.start()
            scene.until_posts(resend.posts() + 2)
            mariadb.kill()
            mariadb.start()
            process.wait(120)

        scene.finish()

        assert scene.judge() == KEPT
    finally:
        mariadb.kill()
