"""Dagster's instance as the demo opens it, whose hundreds of runs share one process.

The files are Dagster's own, and what stands in them is what it writes for any run. But it expects a run to have a
process to itself, and does for each event, and starts for each run, what is needed once: a third of the demo's time.
"""

import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import dagster as dg
from dagster._core.execution.compute_logs import redirect_to_file
from dagster._core.storage.compute_log_manager import CapturedLogContext
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from sqlalchemy import Connection, Engine, NullPool, create_engine

from skene_dagster.settings import Settings

TAG = "skene/demo"
"""The tag of the demo's runs."""

_BUSY_SECONDS = 30
_FILES = 8
"""How many files of the event log are known at once: the run's own, and the index of all runs."""


@contextmanager
def open_instance(home: Path, settings: Settings) -> Iterator[dg.DagsterInstance]:
    """Open Dagster's instance in a folder; the project's dagster.yaml is copied there if there is none.

    The runs of an earlier demo are removed from it.
    """
    home.mkdir(parents=True, exist_ok=True)
    configured = settings.root / "dagster.yaml"
    if configured.exists() and not (home / "dagster.yaml").exists():
        shutil.copyfile(configured, home / "dagster.yaml")
    with dg.DagsterInstance.from_config(str(home)) as instance:
        if isinstance(instance.event_log_storage, SqliteEventLogStorage):
            _keep_engines(instance.event_log_storage)
        if isinstance(instance.compute_log_manager, LocalComputeLogManager):
            _capture_here(instance.compute_log_manager)
        for run in instance.get_runs(dg.RunsFilter(tags={TAG: "true"})):
            instance.delete_run(run.run_id)
        yield instance


def _keep_engines(log: SqliteEventLogStorage) -> None:
    """Have SQLAlchemy keep what it has compiled."""

    @lru_cache(_FILES)
    def engine(shard: str) -> Engine:
        made = create_engine(
            log.conn_string_for_shard(shard), poolclass=NullPool, connect_args={"timeout": _BUSY_SECONDS}
        )
        log._initdb(made)  # noqa: SLF001 - see below
        return made

    @contextmanager
    def connect(shard: str) -> Iterator[Connection]:
        with log._db_lock, engine(shard).begin() as connection:  # noqa: SLF001
            yield connection

    # Dagster 1.13, 2026-11: it makes an engine for each event, and so compiles each statement anew.
    log._connect = connect  # type: ignore[method-assign]  # noqa: SLF001


def _capture_here(outputs: LocalComputeLogManager) -> None:
    """Have what a run prints kept in its file, and copied from there at its end."""

    @contextmanager
    def capture_logs(log_key: Sequence[str]) -> Iterator[CapturedLogContext]:
        streams = {"out": sys.stdout, "err": sys.stderr}
        files = {kind: Path(outputs.get_captured_local_path(log_key, kind)) for kind in streams}
        files["out"].parent.mkdir(parents=True, exist_ok=True)
        try:
            with redirect_to_file(sys.stdout, files["out"]), redirect_to_file(sys.stderr, files["err"]):
                yield CapturedLogContext(log_key)
        finally:
            for kind, stream in streams.items():
                stream.write(files[kind].read_text(encoding="utf-8"))
            Path(outputs.get_captured_local_path(log_key, "complete")).touch()

    # Dagster 1.13, 2026-11: it starts four processes for each run, which copy while the run goes on.
    outputs.capture_logs = capture_logs  # type: ignore[method-assign]
