"""Users are erased between the death of a run and the next one: nothing of them is left, and all others are mailed."""

import os
import signal
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from dagster_dev import is_suspended
from killed_at import POST
from resends import LocalResend, local_resend
from scene import Scene, make_scene

pytestmark = pytest.mark.long
WAVE = 130

STOPPED = [("reserve", "after"), ("freeze", "after")]
"""Moments at which it is certain that no request was made."""

UNKNOWN = [("begin_attempt", "after"), (POST, "after"), ("settle", "inside")]
"""Moments at which it is not."""


@pytest.fixture
def resend(tmp_path: Path) -> Iterator[LocalResend]:
    with local_resend(tmp_path) as running:
        yield running


@pytest.fixture
def scene(database_url: str, tmp_path: Path, resend: LocalResend) -> Scene:
    return make_scene(tmp_path / "project", database_url, resend, seed=0)


def erase(scene: Scene, *users: int) -> None:
    """Delete them in the product, then here."""
    for user in users:
        scene.execute(f"DELETE FROM users WHERE id = {user}")
        scene.skene_dagster("users", "erase", str(user), "--yes", or_look=True)


def end(scene: Scene) -> None:
    """Let everything come to its end: the runs, and what the erasures had to leave."""
    scene.finish()
    scene.job = "skene__retention"
    assert scene.start().wait(240) == 0, scene.output()


def mailed(scene: Scene) -> Counter[str]:
    return Counter(email.to for email in scene.taker.emails())


def traces(scene: Scene, user: int) -> list[str]:
    """Where a table of ours has their address, packed or not."""
    address, found = f"u{user}@example.com", []
    for table in ("sends", "batches", "receipts", "contacts", "segment_members", "deferred", "suppressions"):
        for row in scene.ask(f"SELECT * FROM skene_{table}"):
            values = [zlib.decompress(one).decode() if isinstance(one, bytes) else str(one) for one in row]
            found += [f"skene_{table}: {one[:80]}" for one in values if address in one]
    keys = ("sends", "receipts", "contacts", "segment_members", "deferred")
    return found + [one for one in keys if scene.ask(f"SELECT 1 FROM skene_{one} WHERE user_id = {user}")]


def test_whoever_is_erased_after_a_run_died_is_forgotten_and_everybody_else_is_mailed_once(scene: Scene) -> None:
    erased: dict[tuple[str, str], int] = {}
    for point, when in [*STOPPED, *UNKNOWN]:
        scene.add_users(WAVE)
        scene.die_at(point, when, nth=1)
        erased[point, when] = scene.users - WAVE + 2
        erase(scene, erased[point, when])

    end(scene)

    times = mailed(scene)
    others = {f"u{n}@example.com" for n in range(1, scene.users + 1)} - {f"u{n}@example.com" for n in erased.values()}
    assert {to: times[to] for to in others} == dict.fromkeys(others, 1), scene.story
    assert [times[f"u{erased[moment]}@example.com"] for moment in STOPPED] == [0, 0]
    assert max(times.values()) == 1
    assert [traces(scene, user) for user in erased.values()] == [[]] * len(erased)
    assert scene.ask("SELECT count(*) FROM skene_sends") == [(scene.users,)]


def test_whoever_is_erased_while_a_run_stands_before_its_request_is_forgotten_once_it_has_ended(scene: Scene) -> None:
    scene.add_users(WAVE)
    sleeper = scene.start(POST, "suspended", 1)
    scene.until(lambda: is_suspended(sleeper.pid))
    erase(scene, 2)
    os.killpg(sleeper.pid, signal.SIGCONT)
    sleeper.wait(240)

    end(scene)

    # A process that slept for so long that its look is too old asks anew, and leaves them out.
    times = mailed(scene)
    assert {n: times[f"u{n}@example.com"] for n in range(1, WAVE + 1)} == dict.fromkeys(range(1, WAVE + 1), 1) | {
        2: min(times["u2@example.com"], 1)
    }
    assert traces(scene, 2) == []
