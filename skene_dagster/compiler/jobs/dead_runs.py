"""Which runs are dead: the file that their process held is still there, and nobody holds it.

Dagster, 2026-11: it is the code server that fails a run whose process was killed. Where that died as well (a machine
that lost its power), and for `dagster job execute`, nobody does: the run stays STARTED, and keeps its loop's place in
the queue until `max_runtime_seconds` are over, a day. All other ticks of the loop wait behind it.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import dagster as dg

try:
    import fcntl
except ImportError:  # Windows, where no dead run is found
    fcntl = None  # type: ignore[assignment]

FOLDER = "skene_runs"
"""Beside the instance's own files; a file is named after its run."""

RETRIED_WITHIN = 30.0
"""Seconds after which a run should be retried: the daemon looks every 5."""


@contextmanager
def shown(instance: dg.DagsterInstance, run_id: str) -> Iterator[None]:
    """Show that a run is alive until the end of the block: hold its file, which the system lets go if it is killed."""
    file = Path(instance.root_directory, FOLDER, run_id)
    held: BinaryIO | None = None
    # Without a folder to write to, or locks, the run is as good: it is only not found, should it die.
    with suppress(OSError):
        held = _hold(file)
    try:
        yield
    finally:
        if held is not None:
            # First it goes and then it is let go of: who finds it let go looks whether it is still there.
            file.unlink(missing_ok=True)
            held.close()


def fail_the_dead(instance: dg.DagsterInstance) -> list[str]:
    """Fail the runs whose process is gone, as if it had just been noticed; the daemon retries those that it launched.

    Dagster, 2026-11: a failure is an event before it is the run's status. A daemon that looks between the two passes
    over that run for ever. So who is still not retried at the next look is failed once more, which does nothing to a
    run whose retry is there.

    Returns:
        the ids of those that stood as started.
    """
    folder = Path(instance.root_directory, FOLDER)
    failed = []
    for file in sorted(folder.glob("[!.]*")):
        if not _is_left(file):
            continue
        record = instance.get_run_record_by_id(file.name)
        if record is not None and record.dagster_run.status == dg.DagsterRunStatus.STARTED:
            instance.report_run_failed(
                record.dagster_run, "The process of this run was killed, and so was the process that watched it."
            )
            failed.append(record.dagster_run.run_id)
            continue
        if record is not None and _is_waiting(record):
            if time.time() - (record.end_time or 0) < RETRIED_WITHIN:
                continue
            instance.report_run_failed(
                record.dagster_run, "This run was not started again: its failure is reported once more."
            )
        file.unlink(missing_ok=True)
    return failed


def _is_waiting(record: dg.RunRecord) -> bool:
    """Whether the daemon should retry the run and did not; it can only retry what it launched."""
    run = record.dagster_run
    return run.is_complete_and_waiting_to_retry and run.remote_job_origin is not None


def _hold(file: Path) -> BinaryIO | None:
    if fcntl is None:
        return None
    file.parent.mkdir(exist_ok=True)
    # It gets its name when it is held: there is no moment at which it looks like a dead run's.
    unnamed = file.with_name(f".{file.name}.{os.getpid()}")
    held = unnamed.open("wb")
    fcntl.flock(held, fcntl.LOCK_EX)
    unnamed.replace(file)
    return held


def _is_left(file: Path) -> bool:
    """Whether nobody holds the file, and its run did not end in the meantime."""
    if fcntl is None:
        return False
    with suppress(OSError), file.open("rb") as found:
        fcntl.flock(found, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return file.exists()
    return False
