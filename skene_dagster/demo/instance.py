"""Dagster's instance as the demo opens it, whose hundreds of runs share one process.

The files are Dagster's own, and what stands in them is what it writes for any run. But it expects a run to have a
process to itself, and does for each event, and starts for each run, what is needed once: a third of the demo's time.
"""

import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import dagster as dg
from dagster._core.execution.compute_logs import redirect_to_file
from dagster._core.storage.compute_log_manager import CapturedLogContext
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME, SqliteEventLogStorage
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from sqlalchemy import Connection, Engine, create_engine, event

from skene_dagster.settings import Settings

TAG = "skene/demo"
"""The tag of the demo's runs."""

_BUSY_SECONDS = 30


@contextmanager
def open_instance(home: Path, settings: Settings) -> Iterator[dg.DagsterInstance]:
    """Open Dagster's instance in a folder; the project's dagster.yaml is copied there if there is none.

    The runs of an earlier demo are removed from it.
    """
    home.mkdir(parents=True, exist_ok=True)
    configured = settings.root / "dagster.yaml"
    if configured.exists() and not (home / "dagster.yaml").exists():
        shutil.copyfile(configured, home / "dagster.yaml")
    with dg.DagsterInstance.from_config(str(home)) as instance, ExitStack() as closing:
        log, outputs = instance.event_log_storage, instance.compute_log_manager
        if isinstance(log, SqliteEventLogStorage):
            closing.enter_context(_kept_open(log))
        if isinstance(outputs, LocalComputeLogManager):
            _capture_here(outputs)
        for run in instance.get_runs(dg.RunsFilter(tags={TAG: "true"})):
            instance.delete_run(run.run_id)
        yield instance


class _EventFiles:
    """Dagster's files of events: the present run's, and the index of all runs, which stay open."""

    def __init__(self, log: SqliteEventLogStorage) -> None:
        self._log = log
        self._engines: dict[str, Engine] = {}
        self._empty = b""
        """A file without events."""

    @contextmanager
    def connect(self, shard: str) -> Iterator[Connection]:
        """Do what the storage's own method does."""
        with self._log._db_lock, self._engine(shard).begin() as connection:  # noqa: SLF001 - see `_kept_open`
            yield connection

    def close(self, *, but: str = "") -> None:
        """Close the files, or all but one."""
        for shard in self._engines.keys() - {but}:
            self._engines.pop(shard).dispose()

    def _engine(self, shard: str) -> Engine:
        if shard not in self._engines:
            self.close(but=INDEX_SHARD_NAME)
            engine = create_engine(self._log.conn_string_for_shard(shard), connect_args={"timeout": _BUSY_SECONDS})
            # A power cut may take the last events, for which there is another demo; the file stays whole.
            event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous = NORMAL"))
            self._make(Path(self._log.path_for_shard(shard)), engine)
            self._engines[shard] = engine
        return self._engines[shard]

    def _make(self, file: Path, engine: Engine) -> None:
        """Make a file with its tables, if it is not there."""
        if self._empty and not file.exists():
            file.write_bytes(self._empty)
            return
        is_new = not file.exists()
        self._log._initdb(engine)  # noqa: SLF001
        if is_new:
            engine.dispose()
            self._empty = file.read_bytes()


@contextmanager
def _kept_open(log: SqliteEventLogStorage) -> Iterator[None]:
    files = _EventFiles(log)
    # Dagster 1.13, 2026-11: for each event it opens a file, compiles its statements, and closes the file again, which
    # flushes it seven times; and it makes each file by way of Alembic.
    log._connect = files.connect  # type: ignore[method-assign]  # noqa: SLF001
    try:
        yield
    finally:
        files.close()


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
