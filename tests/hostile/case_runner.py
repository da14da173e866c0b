"""The process that runs hostile cases, as a test speaks to it."""

import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
NOT_OURS = ("SKENE_", "RESEND_", "DAGSTER_")


class Worker:
    """A process that runs cases; started anew where one has ended it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def run(self, name: str, root: Path) -> dict[str, object]:
        if self._process is None:
            self._process = self._start()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([name, str(root)]) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            self.stop()
            return {"died": "the worker itself"}
        found: dict[str, object] = json.loads(answer)
        return found

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _start(self) -> "subprocess.Popen[str]":
        environ = {name: value for name, value in os.environ.items() if not name.startswith(NOT_OURS)}
        folders = [str(HERE), str(HERE.parent / "acceptance"), environ.get("PYTHONPATH", "")]
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", str(HERE / "worker.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**environ, "PYTHONPATH": os.pathsep.join(folders), "COLUMNS": "100"},
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process
