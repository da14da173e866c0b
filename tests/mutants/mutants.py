"""Put faults into a copy of the package, one after the other, and see which of them the tests see: `make mutants`.

The faults are drawn by a seed out of all that `faults` knows, so a draw can be made again. Each is put into a copy of
the tree, and the tests that come to its line are run until one fails. Nothing in the tree itself is touched.
"""

import argparse
import ast
import difflib
import json
import multiprocessing
import os
import random
import re
import shutil
import subprocess
import sys
import time
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from faults import Fault, changes, faults
from reach import Reach, learned
from running import preload, run_tests

ROOT = Path(__file__).parents[2]
STATE = ROOT / ".skene" / "mutants"

A_STORY = "skene_dagster/demo/"
"""Left out: what the people of the demo do is made up, and may be another story."""

FIRST = 30
"""Tests that are tried before the others: to collect many takes longer than to run few."""

PROCESSES = {
    "skene_dagster/": ["tests/docs/test_claims.py", "tests/docs/test_tables.py"],
    "skene_dagster/web/": ["tests/web"],
    "skene_dagster/cli/demo.py": ["tests/acceptance/test_demo.py"],
    "skene_dagster/cli/serve.py": ["tests/web"],
    "skene_dagster/compiler/jobs/dead_runs.py": ["tests/acceptance/test_signs_of_life.py"],
    "skene_dagster/store/tables/": ["tests/store/test_migrations.py"],
}
"""Tests of what runs in processes of its own, or as a whole when it is imported: no line tells which come to it."""


@dataclass(frozen=True)
class Mutant:
    """A fault of a file."""

    file: str
    fault: Fault

    def diff(self, tree: Path) -> str:
        """Show what it changes."""
        source = (tree / self.file).read_text(encoding="utf-8")
        pair = (source.splitlines(), self.fault.into(source).splitlines())
        return "\n".join(list(difflib.unified_diff(*pair, lineterm="", n=1))[2:])

    def __str__(self) -> str:
        return f"{self.file}:{self.fault.line} ({self.fault.kind})"


def main() -> int:
    """Print the fate of each fault, and the score; 1 if one survived."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seed", type=int, required=True)
    arguments.add_argument("--count", type=int, default=100)
    arguments.add_argument("--within", default="skene_dagster/", help="only files whose path begins so")
    arguments.add_argument("--again", action="store_true", help="only those of this draw that survived last time")
    arguments.add_argument("--seconds", type=float, default=120.0, help="of tests that are tried per fault")
    arguments.add_argument("--workers", type=int, default=min(os.cpu_count() or 1, 4), help="faults tried at a time")
    asked = arguments.parse_args()
    tree = _copied(STATE / "tree-0")
    reach = learned(tree, STATE / "reach", asked.workers)
    drawn, possible = _drawn(tree, asked.seed, asked.count, asked.within)
    report = STATE / f"survivors-{asked.seed}.json"
    if asked.again:
        before = json.loads(report.read_text(encoding="utf-8"))
        drawn = [mutant for mutant in drawn if mutant.diff(tree) in before]
    survivors = []
    preload()
    known.append(reach)
    with ProcessPoolExecutor(asked.workers, multiprocessing.get_context("fork")) as pool:
        fates = pool.map(partial(_fate, seconds=asked.seconds), drawn)
        for number, (mutant, (seen, took)) in enumerate(zip(drawn, fates, strict=True), start=1):
            if seen:
                print(f"{number:4} killed    {mutant}  {took}: {seen}", flush=True)
            else:
                survivors.append(mutant.diff(tree))
                print(f"{number:4} SURVIVED  {mutant}  {took}\n{survivors[-1]}", flush=True)
    report.write_text(json.dumps(survivors), encoding="utf-8")
    killed = len(drawn) - len(survivors)
    print(
        f"\nseed {asked.seed}: {killed} of {len(drawn)} faults were seen ({killed / max(len(drawn), 1):.1%}), ", end=""
    )
    print(f"drawn from {possible:,}; {len(survivors)} survived.")
    return 1 if survivors else 0


def _copied(tree: Path) -> Path:
    """Copy the tree as it is now, with what is not committed."""
    shutil.rmtree(tree, ignore_errors=True)
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in listed.stdout.decode().split("\0"):
        if name and (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / name)
    # What some tests ask for beside the package.
    (tree / ".venv").symlink_to(ROOT / ".venv")
    return tree


def _drawn(tree: Path, seed: int, count: int, within: str) -> tuple[list[Mutant], int]:
    """Draw so many faults, and say out of how many."""
    sources = {
        str(file.relative_to(tree)): file.read_text(encoding="utf-8")
        for file in sorted(tree.glob("skene_dagster/**/*.py"))
    }
    possible = [
        Mutant(name, fault)
        for name, text in sources.items()
        if name.startswith(within) and not name.startswith(A_STORY)
        for fault in faults(text)
    ]
    order = random.Random(seed).sample(possible, len(possible))
    drawn: list[Mutant] = []
    for mutant in order:
        if len(drawn) == count:
            break
        if changes(sources[mutant.file], mutant.fault):
            drawn.append(mutant)
    return drawn, len(possible)


def _chosen(tests: Sequence[str], reach: Reach, seconds: float) -> list[str]:
    """Choose so many seconds of tests: half of that the fastest, and half of each file one after the other."""
    fast, taken = [], 0.0
    for test in tests:
        if taken >= seconds / 2:
            break
        fast.append(test)
        taken += reach.seconds.get(test, 1.0)
    by_file: dict[str, deque[str]] = defaultdict(deque)
    for test in tests[len(fast) :]:
        by_file[test.partition("::")[0]].append(test)
    chosen = list(fast)
    while by_file and taken < seconds:
        for file in list(by_file):
            test = by_file[file].popleft()
            chosen.append(test)
            taken += reach.seconds.get(test, 1.0)
            if not by_file[file]:
                del by_file[file]
    return chosen


known: list[Reach] = []
"""What the processes have from the one that they are copies of."""


def _fate(mutant: Mutant, *, seconds: float) -> tuple[str, str]:
    """Put a fault into a tree of this process's own, run tests until one fails; say who saw it, and what that took."""
    started, tree, (reach,) = time.monotonic(), STATE / f"tree-of-{os.getpid()}", known
    if not tree.exists():
        _copied(tree)
    file = tree / mutant.file
    source = file.read_text(encoding="utf-8")
    file.write_text(mutant.fault.into(source), encoding="utf-8")
    tried, seen = 0, ""
    try:
        for tests, on_servers in _parts(mutant, source, reach, seconds):
            tried += len(tests)
            limit = 60 + 10 * sum(reach.seconds.get(test, 10.0) for test in tests)
            if seen := run_tests(tree, tests, on_servers=on_servers, limit=limit):
                break
    finally:
        file.write_text(source, encoding="utf-8")
    return seen, f"{tried} tests, {time.monotonic() - started:.0f} s"


def _parts(mutant: Mutant, source: str, reach: Reach, seconds: float) -> Iterator[tuple[list[str], bool]]:
    """List the tests to try, one part after the other, and whether they are those on a server."""
    if _is_in_a_function(source, mutant.fault.line):
        found = reach.tests_of([mutant.file], mutant.fault.line)
    else:
        found = reach.tests_of([mutant.file, *_importers(mutant.file)], None)
    tests = _chosen(found, reach, seconds)
    yield from ((part, False) for part in (tests[:FIRST], tests[FIRST:]) if part)
    processes = [test for file, of in PROCESSES.items() if mutant.file.startswith(file) for test in of]
    if processes:
        yield processes, False
    if shutil.which("mariadbd"):
        yield from ((part, True) for part in [_on_a_server(tests)] if part)


def _on_a_server(tests: Sequence[str]) -> list[str]:
    """Ask for those of the first tests that are also made on a server, there."""
    made_on_both = [test for test in tests if "sqlite" in test.partition("[")[2]][:FIRST]
    names = sorted({re.split(r"::|\[", test)[-2] for test in made_on_both})
    files = sorted({test.partition("::")[0] for test in made_on_both})
    return [*files, "-k", f"mariadb and ({' or '.join(names)})"] if names else []


def _importers(file: str) -> list[str]:
    """List the files that import something of a file: what it holds may be used there alone."""
    name = file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    package, _, module = (re.escape(part) for part in name.rpartition("."))
    imports = re.compile(rf"^ *from {package}(?:\.{module} | import (?:.*, )?{module}\b)", re.MULTILINE)
    others = (str(one.relative_to(ROOT)) for one in sorted(ROOT.glob("skene_dagster/**/*.py")))
    return [one for one in others if one != file and imports.search((ROOT / one).read_text(encoding="utf-8"))]


def _is_in_a_function(source: str, line: int) -> bool:
    """Whether a line runs when something is called, and not when its file is imported."""
    functions = [
        node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    return any(node.body[0].lineno <= line <= (node.end_lineno or line) for node in functions)


if __name__ == "__main__":
    sys.exit(main())
