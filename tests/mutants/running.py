"""Run tests in a process that has all imports but ours behind it: a copy of this one, made for each run."""

import os
import re
import resource
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from reach import command, environment

LIBRARIES = (
    *("pytest", "hypothesis", "sqlalchemy", "pymysql", "alembic", "sqlglot", "pydantic", "jinja2", "mrml", "resend"),
    *("dagster", "starlette", "uvicorn", "click", "lxml.html", "tree_sitter", "greenlet", "pandas"),
)

MOST_MEMORY = 4 * 1024**3
"""Bytes that a process of the tests may have: a fault may fill a machine's memory, and who does that has been seen."""

FAILED = 3
"""Exit code of pytest: it broke off."""

PASSED = (0, 5)
"""Its exit codes where all passed, or there were none."""


def preload() -> None:
    """Import what the tests import, but for what a fault may be put into."""
    for library in LIBRARIES:
        with suppress(ImportError):
            import_module(library)


def run_tests(tree: Path, tests: Sequence[str], *, on_servers: bool, limit: float) -> str:
    """Run tests of a tree until one fails; return which, or that they hung for so many seconds. Empty: none did.

    Args:
        tests: node ids, and options of pytest.
        on_servers: tests on a server are not left out.

    Raises:
        RuntimeError: no test failed, and yet they did not pass.
    """
    said = tree.with_suffix(".said")
    child = os.fork()
    if child == 0:
        code = FAILED
        try:
            code = _in_the_child(tree, tests, said, on_servers=on_servers)
        finally:
            # Whatever happens, only one of the two goes on.
            os._exit(code)
    ends = time.monotonic() + limit
    while time.monotonic() < ends:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return "" if os.waitstatus_to_exitcode(status) in PASSED else _who(said)
        time.sleep(0.02)
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "it hung"


def _in_the_child(tree: Path, tests: Sequence[str], said: Path, *, on_servers: bool) -> int:
    os.setsid()
    os.chdir(tree)
    with said.open("w") as output:
        for stream in (1, 2):
            os.dup2(output.fileno(), stream)
    os.environ |= environment(tree, on_servers=on_servers)
    sys.path[:0] = [str(tree)]
    # A changed file may be as long as before, and written within the same second.
    sys.dont_write_bytecode = True
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    resource.setrlimit(resource.RLIMIT_DATA, (MOST_MEMORY, MOST_MEMORY))
    # It is pytest's to import, as a plugin.
    del sys.modules["reach"]
    import pytest  # noqa: PLC0415 - the parent has imported it

    imported_before = ("-W", "ignore::pytest.PytestAssertRewriteWarning")
    return int(pytest.main([*command()[3:], *imported_before, "-x", *tests]))


def _who(said: Path) -> str:
    told = said.read_text(encoding="utf-8", errors="replace")
    if failed := re.search(r"^(?:FAILED|ERROR) (.*)", told, re.MULTILINE):
        return failed[1]
    if "while loading conftest" in told:
        return "it cannot be imported"
    raise RuntimeError(f"the tests cannot be run: {told[-2000:] or said}")
