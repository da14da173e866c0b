"""Put faults into a copy of the package, one after the other, and see which of them the tests see: `make mutants`.

The faults are drawn by a seed out of all that `faults` knows, so a draw can be made again. Each is put into a copy of
the tree, and the tests that come to its line are run until one fails. Nothing in the tree itself is touched.
"""

import argparse
import difflib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import defaultdict, deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from faults import Fault, changes, faults
from reach import Reach, command, environment, learned

ROOT = Path(__file__).parents[2]
STATE = ROOT / ".skene" / "mutants"

A_STORY = "skene_dagster/demo/"
"""Left out: what the people of the demo do is made up, and may be another story."""

PATIENCE = 60.0
"""Seconds that a fault's tests may take beyond ten times what they took without it: who hangs has been seen."""


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
    trees = [_copied(STATE / f"tree-{number}") for number in range(asked.workers)]
    tree = trees[0]
    reach = learned(tree, STATE / "reach", asked.workers)
    drawn, possible = _drawn(tree, asked.seed, asked.count, asked.within)
    report = STATE / f"survivors-{asked.seed}.json"
    if asked.again:
        before = json.loads(report.read_text(encoding="utf-8"))
        drawn = [mutant for mutant in drawn if mutant.diff(tree) in before]
    free: SimpleQueue[Path] = SimpleQueue()
    for copy in trees:
        free.put(copy)

    def fate(mutant: Mutant) -> tuple[str, str]:
        tests = _chosen(reach.tests_of(mutant.file, mutant.fault.line), reach, asked.seconds)
        copy, started = free.get(), time.monotonic()
        try:
            seen = _tried(copy, mutant, tests, reach)
        finally:
            free.put(copy)
        return seen, f"{len(tests)} tests, {time.monotonic() - started:.0f} s"

    survivors = []
    with ThreadPoolExecutor(asked.workers) as pool:
        for number, (mutant, (seen, took)) in enumerate(zip(drawn, pool.map(fate, drawn), strict=True), start=1):
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
    """Choose so many seconds of tests, the fastest first, and of each file one after the other."""
    by_file: dict[str, deque[str]] = defaultdict(deque)
    for test in tests:
        by_file[test.partition("::")[0]].append(test)
    chosen, taken = [], 0.0
    while by_file and taken < seconds:
        for file in list(by_file):
            test = by_file[file].popleft()
            chosen.append(test)
            taken += reach.seconds.get(test, 1.0)
            if not by_file[file]:
                del by_file[file]
    return chosen


def _tried(tree: Path, mutant: Mutant, tests: Sequence[str], reach: Reach) -> str:
    """Put a fault in, run tests until one fails, and take it out. Say who saw it; nothing where it survived."""
    if not tests:
        return ""
    file, listed, said = tree / mutant.file, tree.with_suffix(".tests"), tree.with_suffix(".said")
    source = file.read_text(encoding="utf-8")
    listed.write_text("\n".join(tests), encoding="utf-8")
    patience = PATIENCE + 10 * sum(reach.seconds.get(test, 1.0) for test in tests)
    file.write_text(mutant.fault.into(source), encoding="utf-8")
    with said.open("w") as output:
        run = subprocess.Popen(
            [*command(), "-x", f"@{listed}"],
            cwd=tree,
            env=environment(tree),
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        if run.wait(patience) == 0:
            return ""
    except subprocess.TimeoutExpired:
        return "it hung"
    finally:
        _end(run)
        file.write_text(source, encoding="utf-8")
    failed = re.search(r"^(?:FAILED|ERROR) (.*)", said.read_text(encoding="utf-8", errors="replace"), re.MULTILINE)
    return failed[1] if failed else "it cannot be imported"


def _end(run: "subprocess.Popen[bytes]") -> None:
    """End a run with all that it has started."""
    with suppress(ProcessLookupError):
        os.killpg(run.pid, signal.SIGKILL)
    run.wait()


if __name__ == "__main__":
    sys.exit(main())
