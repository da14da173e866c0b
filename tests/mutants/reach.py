"""Which tests come to which line: a plugin of pytest that asks coverage, test by test, and what it has learned.

Tests on a server are left out where the same test is made on SQLite: they take ten times as long.
"""

import hashlib
import itertools
import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import coverage
import pytest

FOLDER = "SKENE_REACH"
"""The variable that names the folder in which a run of the tests leaves what it learned."""

ON_SERVERS = "SKENE_MUTANTS_ON_SERVERS"
"""The variable that asks for the tests on a server, too."""

ANYWHERE = 0
"""The line of a file that has changed since: the test may come to any of its lines."""

SLOW = ("kills", "hostile", "docs", "sql", "mutants")
"""Folders whose tests start processes of their own: what happens there is not seen, and takes long."""


@dataclass
class Reach:
    """Which tests come to which line of which file, and how long each takes."""

    by_line: dict[str, dict[int, set[str]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(set)))
    seconds: dict[str, float] = field(default_factory=dict)

    def tests_of(self, files: Sequence[str], line: int | None) -> list[str]:
        """List the tests that come to a line of the first file (None: to any of the files), the fastest first."""
        lines = self.by_line[files[0]]
        found = set() if line is None else lines[line] | lines[ANYWHERE]
        found = found or {test for file in files for tests in self.by_line[file].values() for test in tests}
        return sorted(found, key=lambda test: (self.seconds.get(test, 1.0), test))


def learned(tree: Path, folder: Path, workers: int) -> Reach:
    """Tell what the tests of a tree come to. Those of a file that has changed since are run; the first time, all."""
    tests = {
        str(file.relative_to(tree)): _digest(file)
        for file in sorted(tree.glob("tests/*/test_*.py"))
        if file.parent.name not in SLOW
    }
    records = sorted((record for record in folder.glob("*/done.json")), key=lambda one: int(one.parent.name))
    known = {
        name: record
        for record in records
        for name, digest in _read(record)["tests"].items()
        if digest == tests.get(name)
    }
    unknown: dict[str, list[str]] = defaultdict(list)
    for name in tests:
        if name not in known:
            unknown[str(Path(name).parent)].append(name)

    def learn(number: int, names: Sequence[str]) -> Path:
        fresh = folder / str(number) / "done.json"
        _run(tree, fresh.parent, names)
        done = {"tests": {name: tests[name] for name in names}, "sources": _sources(tree)}
        fresh.write_text(json.dumps(done), encoding="utf-8")
        return fresh

    numbers = itertools.count(max((int(record.parent.name) for record in records), default=0) + 1)
    with ThreadPoolExecutor(workers) as pool:
        for names, fresh in zip(unknown.values(), pool.map(learn, numbers, unknown.values()), strict=True):
            known |= dict.fromkeys(names, fresh)
    reach, now = Reach(), _sources(tree)
    for record in set(known.values()):
        _add(reach, record, {name for name, of in known.items() if of == record}, now)
    return reach


def _add(reach: Reach, record: Path, files: set[str], now: Mapping[str, str]) -> None:
    then = _read(record)["sources"]
    seconds: dict[str, float] = json.loads((record.parent / "seconds.json").read_text(encoding="utf-8"))
    data = coverage.CoverageData(str(record.parent / "coverage"))
    data.read()
    for measured in data.measured_files():
        file = f"skene_dagster/{measured.rpartition('skene_dagster/')[2]}"
        for line, tests in data.contexts_by_lineno(measured).items():
            at = line if then.get(file) == now.get(file) else ANYWHERE
            reach.by_line[file][at] |= {test for test in tests if test in seconds and test.partition("::")[0] in files}
    reach.seconds |= seconds


def _run(tree: Path, folder: Path, files: Sequence[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    print(f"Learning which lines the tests of {len(files)} files come to, from {files[0]} on.", flush=True)
    subprocess.run(
        [*command(), "--continue-on-collection-errors", *files],
        cwd=tree,
        env=environment(tree) | {FOLDER: str(folder)},
        stdout=(folder / "tests.txt").open("w"),
        check=False,
    )


def command() -> list[str]:
    """Say how tests are run here: in their order, without servers, and without a trace."""
    told = ("-p", "reach", "-p", "no:randomly", "-p", "no:cacheprovider", "-p", "no:xdist", "-q", "--tb=no")
    return [sys.executable, "-m", "pytest", *told]


def environment(tree: Path, *, on_servers: bool = False) -> dict[str, str]:
    """Let the tests and what they start import the tree's package, not the one that is installed."""
    path = f"{tree}{os.pathsep}{tree / 'tests' / 'mutants'}"
    return os.environ | {"PYTHONPATH": path, ON_SERVERS: "1" if on_servers else ""}


def _sources(tree: Path) -> dict[str, str]:
    return {str(file.relative_to(tree)): _digest(file) for file in tree.glob("skene_dagster/**/*.py")}


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _read(record: Path) -> dict[str, dict[str, str]]:
    read: dict[str, dict[str, str]] = json.loads(record.read_text(encoding="utf-8"))
    return read


class _Recorder:
    """Notes for each test which lines it comes to, and how long it takes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seconds: dict[str, float] = {}
        self._not_passed: set[str] = set()
        self._coverage = coverage.Coverage(
            data_file=str(folder / "coverage"), source=[str(Path.cwd() / "skene_dagster")], config_file=False
        )
        # Where the copy of the tree lies does not matter.
        self._coverage.set_option("run:relative_files", value=True)
        self._coverage.start()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        self._coverage.switch_context(item.nodeid)
        try:
            return (yield)
        finally:
            self._coverage.switch_context("")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._seconds[report.nodeid] = self._seconds.get(report.nodeid, 0.0) + report.duration
        if not report.passed:
            self._not_passed.add(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        self._coverage.stop()
        self._coverage.save()
        # Who fails without a fault sees none.
        for test in self._not_passed:
            del self._seconds[test]
        (self._folder / "seconds.json").write_text(json.dumps(self._seconds), encoding="utf-8")


def pytest_configure(config: pytest.Config) -> None:
    if folder := os.environ.get(FOLDER):
        config.pluginmanager.register(_Recorder(Path(folder)), "recorder")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    made = {item.nodeid for item in items}
    again = [] if os.environ.get(ON_SERVERS) else [item for item in items if _is_made_elsewhere(item, made)]
    config.hook.pytest_deselected(items=again)
    items[:] = [item for item in items if item not in again]


def _is_made_elsewhere(item: pytest.Item, made: set[str]) -> bool:
    """Whether a test is made on another database, too, that takes less time."""
    called = getattr(item, "callspec", None)
    database = called.params.get("database_url") if called else None
    if database == "mariadb":
        return item.nodeid.replace("mariadb", "sqlite") in made
    return database == "tidb" or "tidb" in getattr(item, "fixturenames", ())
