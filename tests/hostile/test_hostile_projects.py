"""Some hundred hostile projects: each is refused or harmless, in its place, quickly, and hides no other loop."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from case_runner import Worker
from corpus import CASES
from hostile import Hostile
from small_project import RETENTION, write_project

MOST_SECONDS = 2.0
MOST_MEMORY = 300 * 1024**2
LONGEST_ERROR = 700
"""Characters of an error: where it is, what is wrong with at most a line of the author's words, and what to do."""


@pytest.fixture(scope="session")
def worker() -> Iterator[Worker]:
    """The process that runs cases, kept for all of them."""
    worker = Worker()
    yield worker
    worker.stop()


def write(root: Path, case: Hostile) -> None:
    write_project(root, {"good.yaml": RETENTION})
    for name, content in case.files.items():
        file = root / name
        if not file.is_symlink():
            file.parent.mkdir(parents=True, exist_ok=True)
        if callable(content):
            content(file)
        else:
            file.write_bytes(content if isinstance(content, bytes) else content.encode())


def errors_in(output: str) -> list[str]:
    return re.findall(r"^(?:error   .*|Error: .*)(?:\n        .*)*", output, re.MULTILINE)


@pytest.mark.parametrize("name", CASES)
def test_what_is_hostile_is_refused_or_harmless(name: str, worker: Worker, tmp_path: Path) -> None:
    case = CASES[name]
    root = tmp_path / "project"
    root.mkdir()
    write(root, case)

    found: Any = worker.run(name, root)

    assert "died" not in found, found
    output = found["output"]
    assert not found["raised"], found["raised"]
    assert "Traceback" not in output
    assert "the bug is in skene-dagster" not in output, output
    assert found["seconds"] < MOST_SECONDS, found
    assert found["peak"] < MOST_MEMORY, found
    errors = errors_in(output)
    assert all(len(error) < LONGEST_ERROR for error in errors), output[:3000]
    for secret in case.secrets:
        assert secret not in output, output
        assert secret not in found["rendered"]
    if found["exit_code"] == 0:
        assert not case.says, output
    else:
        assert found["exit_code"] == case.exit_code or case.exit_code == -1, output
        assert errors, output
        assert any(" ".join(case.says.split()) in " ".join(error.split()) for error in errors), output
        for error in errors:
            assert case.at in error.splitlines()[0], error
            if re.search(r":\d+$", case.at):
                assert re.search(re.escape(case.at) + r"(?!\d)", error), error
    if not case.hides_all:
        assert re.search(r"^ok +retention +loops/good.yaml", output, re.MULTILINE), output
        if case.renders:
            assert re.search(r"^retention email \d+$", found["rendered"], re.MULTILINE), found["rendered"]
