"""Processes that begin with Dagster in memory: forked from one that has imported it once, by Python's own fork server.

Each is a process of its own in all that it does and in how it ends: its environment, its working directory, its output,
its memory, its connections, the signals that end it. It is spared the two seconds of importing, nine tenths of a small
run. What a process does until it has imported everything is tested where one is started from nothing: `dagster dev` and
the daemon in tests/kills and tests/acceptance, the command line in tests/acceptance and tests/docs, `serve` in
tests/web/test_serve.py.
"""

import functools
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import chain
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from unittest.mock import patch

REPOSITORY = Path(__file__).parents[1]
PATIENCE = 240.0
"""Seconds after which something that should end did not."""
PRELOADED = (
    "dagster._cli",
    "dagster._core.executor.in_process",
    "dagster._core.instance.factory",
    "dagster._core.instance.runs.run_domain",
    "dagster._core.storage.local_compute_log_manager",
    "dagster._core.storage.root",
    "dagster._core.storage.sqlite_storage",
    "dagster._daemon.controller",
    "dagster._utils.test.definitions",
    "skene_dagster.cli",
    "skene_dagster.cli.serve",
    "skene_dagster.compiler",
    "skene_dagster.delivery.providers.outbox.provider",
    "skene_dagster.delivery.providers.resend.provider",
    "skene_dagster.delivery.providers.smtp.provider",
    "sqlglot.dialects.mysql",
    "upath.implementations.local",
    "uvicorn.lifespan.on",
    "uvicorn.loops.auto",
)
"""What a run or `serve` imports, `skene_dagster.definitions` aside: that is the project."""


class Forked:
    """A process that runs, or has ended."""

    def __init__(
        self,
        work: Callable[..., object],
        *args: object,
        cwd: Path,
        env: Mapping[str, str],
        log: Path,
        errors: Path | None = None,
    ) -> None:
        """Start it: it does `work`, and what it says is appended to the log.

        Args:
            work: a function of a module, for the process looks it up by its name.
            errors: the log of what it says on standard error, where that is a different table.
        """
        self._process = _started(cwd, env, {1: log, 2: errors or log}, work, *args)
        assert self._process.pid is not None
        self.log = log
        self.pid: int = self._process.pid

    def poll(self) -> int | None:
        """Say how it ended, as `subprocess` does; None where it has not."""
        status: int | None = self._process.exitcode
        return status

    def wait(self, seconds: float) -> int:
        """Wait for its end, and say how it ended."""
        self._process.join(seconds)
        status = self.poll()
        assert status is not None, f"process {self.pid} has not ended after {seconds:g} s"
        return status


class Piped:
    """A process whose output is read from pipes; it is dealt with as one of `subprocess`."""

    def __init__(self, work: Callable[..., object], *args: object, env: Mapping[str, str]) -> None:
        """Start it in this working directory: it does `work`, a function of a module."""
        pipes = [multiprocessing.Pipe(duplex=False) for _ in range(2)]
        self._process = _started(Path.cwd(), env, {1: pipes[0][1], 2: pipes[1][1]}, work, *args)
        self.stdout, self.stderr = (os.fdopen(os.dup(ours.fileno()), encoding="utf-8") for ours, _ in pipes)
        for end in chain(*pipes):
            end.close()

    @property
    def returncode(self) -> int | None:
        return self.poll()

    def poll(self) -> int | None:
        status: int | None = self._process.exitcode
        return status

    def wait(self, timeout: float = PATIENCE) -> int | None:
        self._process.join(timeout)
        return self.poll()

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def send_signal(self, number: signal.Signals) -> None:
        # It may have ended, and who started it not yet have said so: `subprocess` passes over this, too.
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, number)

    def communicate(self, timeout: float = PATIENCE) -> tuple[str, str]:
        """Wait for its end; return what it said and was not read yet, each less than a pipe holds."""
        self._process.join(timeout)
        if self.poll() is None:
            raise subprocess.TimeoutExpired([], timeout)
        out, err = ("" if stream.closed else stream.read() for stream in (self.stdout, self.stderr))
        self.stdout.close()
        self.stderr.close()
        return out, err


def completed(
    work: Callable[..., object], *args: object, cwd: Path, env: Mapping[str, str]
) -> "subprocess.CompletedProcess[str]":
    """Do `work` in a forked process, to its end; what came of it is told as `subprocess.run` does."""
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        status = Forked(work, *args, cwd=cwd, env=env, log=out, errors=err).wait(PATIENCE)
        return subprocess.CompletedProcess(
            [*map(str, args)], status, *(file.read_text(encoding="utf-8") for file in (out, err))
        )


def program(text: str) -> None:
    """Do what `python -c` does."""
    exec(text, {"__name__": "__main__"})


def dagster(*arguments: str) -> None:
    """Do what the command `dagster` does."""
    from dagster._cli import main  # noqa: PLC0415 - only forked processes need it

    sys.argv = ["dagster", *arguments]
    main()  # type: ignore[no-untyped-call]


def skene_dagster(*arguments: str) -> None:
    """Do what the command `skene-dagster` does."""
    from skene_dagster.cli import main  # noqa: PLC0415

    main(arguments)


@functools.cache
def _context() -> Any:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(PRELOADED))
    # Python 3.11: the fork server knows nothing of `sys.path`.
    with patch.dict(os.environ, PYTHONPATH=str(REPOSITORY)):
        forkserver.ensure_running()
    return context


def _started(
    cwd: Path,
    env: Mapping[str, str],
    logs: Mapping[int, Path | Connection],
    work: Callable[..., object],
    *args: object,
) -> Any:
    process = _context().Process(target=_begin, args=(cwd, dict(env), logs, work, *args), daemon=True)
    process.start()
    return process


def _begin(
    cwd: Path,
    env: Mapping[str, str],
    logs: Mapping[int, Path | Connection],
    work: Callable[..., object],
    *args: object,
) -> None:
    # As in a process that was not forked: locks would leave a file behind where it is killed.
    multiprocessing.set_start_method(None, force=True)
    os.setsid()
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    for standard, log in logs.items():
        if isinstance(log, Connection):
            os.dup2(log.fileno(), standard)
            log.close()
        else:
            os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), standard)
    # Those that were there believe of a pipe that it is what the fork server wrote to.
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - they end with the process
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)  # noqa: SIM115
    work(*args)
