"""A Dagster run in a process of its own: how long it took, and how much memory it had at its peak."""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.product import REPOSITORY

_UNIT = 1024**2 if sys.platform == "darwin" else 1024
"""What `ru_maxrss` has to be divided by to be MiB."""


@dataclass(frozen=True)
class Ended:
    """A process that has ended well."""

    seconds: float
    cpu: float
    """Seconds of processor time, of the process and its children."""
    largest: int
    """Of the process and its children, in the units of `ru_maxrss`."""

    @property
    def peak(self) -> float:
        """MiB of resident memory, of the process or the largest of its children.

        Raises:
            RuntimeError: we are larger than that.
        """
        # Linux, 2026-11: until it executes its program a child counts as large as its parent.
        if self.largest <= resource.getrusage(resource.RUSAGE_SELF).ru_maxrss:
            raise RuntimeError("The process that measures is larger than the one that is measured.")
        return self.largest / _UNIT


def run(command: Sequence[str], *, environ: Mapping[str, str], log: Path) -> Ended:
    """Run a command of this Python's, in the repository; raise RuntimeError with the end of its output if it fails."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SKENE_", "DAGSTER_", "RESEND_"))}
    with log.open("wb") as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, *command], cwd=REPOSITORY, env=kept | dict(environ), stdout=output, stderr=output
        )
        _, status, usage = os.wait4(process.pid, 0)
        took = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{log.read_text(encoding='utf-8')[-3000:]}")
    return Ended(took, usage.ru_utime + usage.ru_stime, usage.ru_maxrss)


def processor_seconds(pid: int) -> float:
    """Return what a running process has used so far, all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / float(os.sysconf("SC_CLK_TCK"))


def environment(home: Path, root: Path, url: str) -> dict[str, str]:
    """Return the variables of a run: Dagster's own storage, the project, its database."""
    return {"DAGSTER_HOME": str(home), "SKENE_PROJECT": str(root), "SKENE_DATABASE_URL": url}


def job(module: str, name: str, *tags: str) -> list[str]:
    """Return the command that executes a job."""
    return ["-m", "dagster", "job", "execute", "-m", module, "-j", name, *tags]
