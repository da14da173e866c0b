"""Which runs are dead: the file that their process held is still there, and nobody holds it.

Dagster, 2026-11: the code server fails a run whose process was killed. If it died as well (a power cut), and for
`dagster job execute`, nobody does: the run stays STARTED, and blocks its loop in the queue until `max_runtime_seconds`
have passed, a day. All other ticks of the loop wait for it.
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
"""Seconds after which a run should have been retried: the daemon looks every 5."""


@contextmanager
def shown(instance: dg.DagsterInstance, run_id: str) -> Iterator[None]:
    """Show that a run is alive until the end of the block: lock its file; if it is killed, the system releases it."""
    file = Path(instance.root_directory, FOLDER, run_id)
    held: BinaryIO | None = None
    # Without a writable folder, or locks, the run still works; only its death would not be noticed.
    with suppress(OSError):
        held = _hold(file)
    try:
        yield
    finally:
        if held is not None:
            # Delete the file first, then release it: whoever finds it released checks whether it still exists.
            file.unlink(missing_ok=True)
            held.close()


def fail_the_dead(instance: dg.DagsterInstance) -> list[str]:
    """Fail the runs whose process is gone, as if it had just been noticed; the daemon retries those that it launched.

    Dagster, 2026-11: a failure is an event before it becomes the run's status. A daemon that looks between the two
    skips that run for ever. So a run that is still not retried at the next look is failed once more, which has no
    effect on a run that has its retry.

    Returns:
        the ids of those that were shown as started.
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
    """Whether the daemon should have retried the run; it can only retry runs that it launched."""
    run = record.dagster_run
    return run.is_complete_and_waiting_to_retry and run.remote_job_origin is not None


def _hold(file: Path) -> BinaryIO | None:
    if fcntl is None:
        return None
    file.parent.mkdir(exist_ok=True)
    # It gets its name once it is locked, so that it never looks like a dead run's.
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
