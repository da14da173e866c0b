"""A real `dagster dev` on a scene: its webserver, daemon, code server and run workers, with the committed dagster.yaml.

Runs are launched as the UI launches them, over its GraphQL; what became of them is read from Dagster's own storage.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
from scene import HERE, PATIENCE, REPOSITORY, Scene
from servers import free_port

LOCATION = "code_location"
ENDED = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)

LAUNCH = """
mutation ($job: String!, $location: String!, $tags: [ExecutionTag!]!) {
  launchRun(executionParams: {
    selector: {jobName: $job, repositoryName: "__repository__", repositoryLocationName: $location}
    executionMetadata: {tags: $tags}
  }) { __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } }
}
"""
RE_EXECUTE = """
mutation ($parent: String!) {
  launchRunReexecution(reexecutionParams: {parentRunId: $parent, strategy: FROM_FAILURE}) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
  }
}
"""
LOADED = """
query ($location: String!) {
  repositoryOrError(repositorySelector: {repositoryName: "__repository__", repositoryLocationName: $location}) {
    __typename
  }
}
"""


@dataclass
class DagsterDev:
    scene: Scene
    instance: dg.DagsterInstance
    port: int
    temporary: str
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        """Start it, and wait until it serves the code location."""
        command = [sys.executable, "-m", "dagster", "dev", "-m", LOCATION, "-h", "127.0.0.1", "-p", str(self.port)]
        environment = self.scene.environment() | {
            "PYTHONPATH": os.pathsep.join(map(str, (REPOSITORY, HERE, HERE.parent))),
            "TMPDIR": self.temporary,
        }
        with self.scene.output_file() as output:
            # Dagster, 2026-11: killed alone, it leaves its webserver, daemon and code server; all are of its session.
            self.process = subprocess.Popen(
                command, cwd=self.scene.root, env=environment, stdout=output, stderr=output, start_new_session=True
            )
        self.scene.until(self._is_loaded, every=0.2)

    def kill(self) -> None:
        """SIGKILL all of it, run workers and their children too, as a machine that loses its power."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def end(self, number: signal.Signals) -> int:
        """Send it a signal, once; wait until it has ended, and all that it started; return how."""
        assert self.process is not None
        self.process.send_signal(number)
        status = self.process.wait(PATIENCE)
        session = self.process.pid
        self.scene.until(lambda: not processes_of(session))
        self.process = None
        return status

    def launch(self, job: str = "retention", tags: Mapping[str, str] | None = None) -> str:
        """Launch a run, as the button in the UI does; return its id."""
        given = [{"key": key, "value": value} for key, value in (tags or {}).items()]
        return self._launched(LAUNCH, job=job, location=LOCATION, tags=given)

    def re_execute(self, parent: str) -> str:
        """Re-execute a run from its failure, as the button in the UI does; return the new run's id."""
        return self._launched(RE_EXECUTE, parent=parent)

    def run(self, run_id: str) -> dg.DagsterRun:
        return run_of(self.instance, run_id)

    def ended(self, run_id: str) -> dg.DagsterRun:
        """Wait until a run has ended."""
        self.scene.until(lambda: self.run(run_id).status in ENDED)
        return self.run(run_id)

    def retry_of(self, run_id: str) -> str:
        """Wait for the run that the daemon starts in place of this one; return its id."""
        self.scene.until(lambda: bool(self.children(run_id)))
        (retry,) = self.children(run_id)
        return retry

    def children(self, run_id: str) -> list[str]:
        """List the retries and re-executions of a run."""
        return [run.run_id for run in self.instance.get_runs() if run.parent_run_id == run_id]

    def worker(self, run_id: str) -> int:
        """Wait until a run has started; return its process."""
        return self._processes(run_id, dg.DagsterEventType.RUN_START)[0]

    def step_processes(self, run_id: str) -> list[int]:
        """Wait until a step has started; return the process of each that has, in their order."""
        return self._processes(run_id, dg.DagsterEventType.STEP_START)

    def _processes(self, run_id: str, start: dg.DagsterEventType) -> list[int]:
        found: list[int] = []

        def look() -> bool:
            events = [entry.dagster_event for entry in self.instance.all_logs(run_id, of_type=start)]
            found[:] = [event.pid for event in events if event is not None and event.pid is not None]
            return bool(found)

        self.scene.until(look)
        return found

    def _is_loaded(self) -> bool:
        with suppress(OSError):
            return bool(
                ask(self._webserver, LOADED, location=LOCATION)["repositoryOrError"]["__typename"] == "Repository"
            )
        return False

    def _launched(self, mutation: str, **variables: object) -> str:
        return launched(self._webserver, mutation, **variables)

    @property
    def _webserver(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def dagster_dev(scene: Scene) -> Iterator[DagsterDev]:
    """Run it until the end of the block; nothing of it outlives that."""
    home = scene.make_home()
    # The paths of its sockets may have 107 characters: a folder of pytest's is too deep.
    with tempfile.TemporaryDirectory(prefix="skene") as temporary, opened(home) as instance:
        dev = DagsterDev(scene, instance, free_port(), temporary)
        try:
            dev.start()
            yield dev
        finally:
            dev.kill()


def launched(webserver: str, mutation: str, **variables: object) -> str:
    """Launch a run by one of the mutations above; return its id."""
    (answer,) = ask(webserver, mutation, **variables).values()
    assert "run" in answer, answer
    return str(answer["run"]["runId"])


def ask(webserver: str, query: str, **variables: object) -> Any:
    """Ask a webserver's GraphQL."""
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(f"{webserver}/graphql", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        given = json.load(answer)
    assert given.get("data") is not None, given
    return given["data"]


def opened(home: Path) -> dg.DagsterInstance:
    """Open an instance of Dagster, and close it with the block."""
    return dg.DagsterInstance.from_config(str(home))


def run_of(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRun:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run


def is_running(pid: int) -> bool:
    """Whether there is such a process. One that ended and has a parent that does not ask for it is none."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or _state_and_session(stat)[0] != "Z"


def is_suspended(pid: int) -> bool:
    """Whether a process was stopped, and may be woken up (on Linux)."""
    return _state_and_session(Path(f"/proc/{pid}/stat"))[0] == "T"


def processes_of(session: int) -> list[Path]:
    """List what still runs of a session (on Linux)."""
    found = ((_state_and_session(stat), stat) for stat in Path("/proc").glob("[0-9]*/stat"))
    return [stat for (state, of), stat in found if of == session and state != "Z"]


def _state_and_session(stat: Path) -> tuple[str, int]:
    with suppress(OSError):  # it ends just now
        fields = stat.read_text(encoding="utf-8").rpartition(")")[2].split()
        return fields[0], int(fields[3])
    return "Z", 0
