"""Runs cases one after the other, each in a process of its own that may be killed; started by `conftest.py`.

Reads a case's name and folder per line, answers with what became of it as JSON. It forks rather than starts, for the
imports take longer than a case, and it has one thread, so that it may.
"""

import gc
import io
import json
import os
import resource
import select
import signal
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import dagster._utils.schedules
import sqlglot.dialects.mysql
from click.testing import CliRunner
from corpus import CASES
from hostile import Hostile
from rendered import render_all

from skene_dagster.checks import scans, unreadable
from skene_dagster.cli import main
from skene_dagster.cli.doctor import doctor
from skene_dagster.cli.validate import database_checks, validate

IMPORTED = (dagster._utils.schedules, sqlglot.dialects.mysql, validate, database_checks, scans, unreadable, doctor)
"""What is imported only when it is used: else each case would do so, which takes twenty times as long as the case."""
HANGS_AFTER = 20.0
"""Seconds of waiting, on a machine that may have other work; the processor time that a case may take is far less."""
MOST_MEMORY = 2 * 1024**3
"""Bytes of addresses: so much that a test can say what was used, so little that the machine lives."""


def outcome(case: Hostile, root: Path) -> dict[str, object]:
    """Run one case in a child and wait for it."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        with os.fdopen(write, "w") as answer:
            json.dump(_in_the_child(case, root), answer)
        os._exit(0)
    os.close(write)
    parts: list[bytes] = []
    ends = time.monotonic() + HANGS_AFTER
    while select.select([read], [], [], max(0.0, ends - time.monotonic()))[0]:
        part = os.read(read, 65536)
        if not part:
            break
        parts.append(part)
    else:
        os.kill(child, signal.SIGKILL)
    os.close(read)
    _, status = os.waitpid(child, 0)
    try:
        found: dict[str, object] = json.loads(b"".join(parts))
    except ValueError:
        return {"died": f"status {status}"}
    return found


def _in_the_child(case: Hostile, root: Path) -> dict[str, object]:
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    before = resource.getrusage(resource.RUSAGE_SELF)
    printed = io.StringIO()
    with redirect_stderr(printed), redirect_stdout(printed):
        result = CliRunner().invoke(main, ["--project", str(root), *case.command.split()], env=dict(case.environ))
        rendered = render_all(root, case.environ) if case.renders else ""
    used = resource.getrusage(resource.RUSAGE_SELF)
    raised = result.exception
    return {
        "exit_code": result.exit_code,
        "output": result.output + printed.getvalue(),
        "raised": "" if raised is None or isinstance(raised, SystemExit) else repr(raised)[:500],
        "rendered": rendered,
        "seconds": used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime,
        "peak": used.ru_maxrss * 1024,
    }


if __name__ == "__main__":
    # Else the collector of each child would go through all that was imported, and so copy it.
    gc.freeze()
    print("ready", flush=True)
    for line in sys.stdin:
        name, folder = json.loads(line)
        print(json.dumps(outcome(CASES[name], Path(folder))), flush=True)
