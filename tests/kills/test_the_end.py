"""Told to end, everything ends at once, though its database takes connections and then says nothing."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from dagster_dev import dagster_dev
from resends import LocalResend, local_resend
from scene import PATIENCE, Scene, write_project

ENDS_WITHIN = 45.0
"""Seconds: a sensor waits 10 for the database, Dagster's processes need some on a busy machine. None waits for ever."""


pytestmark = pytest.mark.long


@pytest.fixture
def mute() -> Iterator[socket.socket]:
    """A database that hangs, as one does that was stopped, or whose disk does not answer."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        listener.settimeout(PATIENCE)
        yield listener


@pytest.fixture
def resend(tmp_path: Path) -> Iterator[LocalResend]:
    with local_resend(tmp_path) as running:
        yield running


@pytest.fixture
def scene(tmp_path: Path, mute: socket.socket, resend: LocalResend) -> Scene:
    root = tmp_path / "project"
    write_project(root)
    return Scene(root, f"mysql+pymysql://me@127.0.0.1:{mute.getsockname()[1]}/product", resend, Random(0))


def test_dagster_dev_ends_at_the_first_sigterm_while_a_sensor_waits_for_the_database(
    scene: Scene, mute: socket.socket
) -> None:
    with dagster_dev(scene) as dev:
        sensor, _ = mute.accept()
        told = time.monotonic()

        status = dev.end(signal.SIGTERM)

        assert status == 0, scene.output()
        assert time.monotonic() - told < ENDS_WITHIN
        sensor.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_ends_at_the_first_signal_while_it_waits_for_the_database(
    scene: Scene, mute: socket.socket, number: signal.Signals
) -> None:
    command = [sys.executable, "-m", "dagster", "job", "execute", "-m", "skene_dagster.definitions", "-j", "retention"]
    with scene.output_file() as output:
        run = subprocess.Popen(command, cwd=scene.root, env=scene.environment(), stdout=output, stderr=output)
    waiting, _ = mute.accept()

    run.send_signal(number)

    assert run.wait(PATIENCE) == 1
    assert "DagsterExecutionInterruptedError" in scene.output()
    # It was told to end, and tried nothing more.
    mute.setblocking(False)
    with pytest.raises(BlockingIOError):
        mute.accept()
    waiting.close()
