"""`dagster dev` with one loop and with a hundred, each with a goal and a holdout, and nothing to do.

How many things Dagster has to know; how long it takes to start, and to load the code location again, in a new process;
what each process holds in memory when it has started and after some minutes in which the sensor looked; and how long a
browser takes to draw the lineage of all assets.
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import product
from benchmarks.browser import Asked, NoBrowser, browsing
from benchmarks.load import Case, write_loops
from benchmarks.processes import environment, processor_seconds
from benchmarks.shown import seconds, show

PATIENCE = 300.0
CODE = "code server"

ROLES = {
    " dev ": "dagster dev itself",
    " code-server ": "starts code servers",
    " grpc ": CODE,
    "dagster_webserver": "webserver",
    "dagster._daemon": "daemon",
}
"""What tells the processes apart: a part of their command."""

COUNTED = """
{ repositoriesOrError { ... on RepositoryConnection { nodes {
    sensors { name } schedules { name } jobs { name }
    assetNodes { isMaterializable description assetChecksOrError { ... on AssetChecks { checks { name } } } }
} } } }
"""

RELOAD = """
mutation { reloadRepositoryLocation(repositoryLocationName: "skene_dagster.definitions") { __typename
    ... on WorkspaceLocationEntry { locationOrLoadError { __typename } } } }
"""

DRAWN = "document.querySelectorAll('foreignObject').length > 0"
"""Dagster 1.13, 2026-11: each node in sight is one; there is none while the layout is computed."""


@dataclass(frozen=True)
class Process:
    """What a process has, and has used."""

    resident: float
    """MiB."""
    proportional: float
    """MiB: of what it shares with others only its share."""
    processor: float
    """Seconds."""


@dataclass(frozen=True)
class Measured:
    """What one start told."""

    counts: Mapping[str, int]
    start: float
    reload: float
    begun: Mapping[str, Process]
    """By their roles, once everything answers."""
    later: Mapping[str, Process]
    """After the rest."""
    reloaded: Process
    """The code server that was started again."""
    rest: float
    drawn: list[float]
    """Seconds of the first visit with an empty profile, and of the second; nothing where there is no browser."""
    asked: list[Asked]
    """What the page asked of its server until it was drawn first."""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true", help="few loops, five seconds of rest, one round")
    options.add_argument("--loops", type=int, nargs="+", metavar="N", help="how many, instead of 1 and 100")
    options.add_argument("--rounds", type=int, default=1, metavar="N")
    options.add_argument("--rest", type=float, default=60.0, metavar="SECONDS", help="between two looks at the memory")
    chosen = options.parse_args()
    numbers = chosen.loops or ((1, 6) if chosen.quick else (1, 100))
    rest = 5.0 if chosen.quick else chosen.rest
    for number in range(chosen.rounds):
        with tempfile.TemporaryDirectory() as name:
            found = {loops: measure(Path(name) / str(loops), loops, rest) for loops in numbers}
        _show(found, f"round {number + 1}, at a load of {os.getloadavg()[0]:.0f}")


def measure(folder: Path, loops: int, rest: float) -> Measured:
    """Start everything on a project of so many loops, look, and end it."""
    folder.mkdir()
    root = product.write_project(folder / "project")
    write_loops(root, Case(loops, 1))
    _compare(root)
    url = f"sqlite:///{folder / 'skene.db'}"
    environ = environment(product.write_home(folder / "home"), root, url)
    with product.opened(url, 1_000):
        began = time.perf_counter()
        with _running(folder, environ) as (address, process):
            counts = _counts(_answered(address, COUNTED, patience=PATIENCE))
            start = time.perf_counter() - began
            begun, began = _processes(process.pid), time.perf_counter()
            time.sleep(rest)
            later, rested = _processes(process.pid), time.perf_counter() - began
            drawn, asked = _lineage(address, folder / "browser")
            began = time.perf_counter()
            loaded = _answered(address, RELOAD)["reloadRepositoryLocation"]["locationOrLoadError"]["__typename"]
            reload = time.perf_counter() - began
            assert loaded == "RepositoryLocation", loaded
            # The old one lives on for a while, as long as it is asked something.
            reloaded = min((one for role, one in _family(process.pid) if role == CODE), key=lambda one: one.processor)
    return Measured(counts, start, reload, begun, later, reloaded, rested, drawn, asked)


def _compare(root: Path) -> None:
    """Give each loop a goal and a holdout."""
    words = {
        ".yaml": ("type: retention", "type: retention\ngoal: {returns_within: 7d}\nholdout: 10%"),
        ".ts": ("type: 'retention'", "type: 'retention', goal: { returns_within: '7d' }, holdout: '10%'"),
        ".py": ('type="retention"', 'type="retention", goal={"returns_within": "7d"}, holdout="10%"'),
    }
    for file in (root / "loops").iterdir():
        text = file.read_text(encoding="utf-8")
        before, after = words[file.suffix]
        assert before in text, file
        file.write_text(text.replace(before, after, 1), encoding="utf-8")


@contextmanager
def _running(folder: Path, environ: Mapping[str, str]) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """Run `dagster dev` on a free port; yield its address, at which nothing may listen yet."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SKENE_", "DAGSTER_", "RESEND_"))}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "dagster", "dev", "-m", "skene_dagster.definitions", "-h", "127.0.0.1"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "-p", str(port)], cwd=folder, env=kept | dict(environ), stdout=log, stderr=log
        )
    try:
        yield f"http://127.0.0.1:{port}", process
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


def _answered(address: str, query: str, *, patience: float = 0) -> Any:
    """Ask over GraphQL, again and again while nothing listens."""
    request = urllib.request.Request(
        f"{address}/graphql", json.dumps({"query": query}).encode(), {"Content-Type": "application/json"}
    )
    until = time.monotonic() + patience
    while True:
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return json.load(answer)["data"]
        except urllib.error.URLError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


def _counts(answer: Any) -> dict[str, int]:
    (repository,) = answer["repositoriesOrError"]["nodes"]
    assets = repository["assetNodes"]
    return {
        "assets": len(assets),
        "of them ours": sum(one["isMaterializable"] for one in assets),
        "checks": sum(len(one["assetChecksOrError"].get("checks", ())) for one in assets),
        "jobs": len(repository["jobs"]),
        "schedules": len(repository["schedules"]),
        "sensors": len(repository["sensors"]),
        "characters of descriptions": sum(len(one["description"] or "") for one in assets),
    }


def _lineage(address: str, profile: Path) -> tuple[list[float], list[Asked]]:
    """Let a browser draw the lineage of all assets, twice; say what it asked for over GraphQL at first."""
    try:
        with browsing(profile) as page:
            page.open(f"{address}/asset-groups")
            drawn = [page.until(DRAWN)]
            asked = [one for one in page.asked if one.name.endswith("Query")]
            page.open(f"{address}/asset-groups")
            return [*drawn, page.until(DRAWN)], asked
    except NoBrowser:
        print("The lineage is not drawn: there is no Chromium on the PATH.")
        return [], []


def _processes(pid: int) -> dict[str, Process]:
    return dict(_family(pid))


def _family(pid: int) -> Iterator[tuple[str, Process]]:
    """Look at a process and all below it; yield their roles and what they have."""
    command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    role = next((role for part, role in ROLES.items() if part in command), None)
    if role is not None:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]
        sizes = {line.split(":")[0]: int(line.split()[1]) / 1024 for line in lines}
        yield role, Process(sizes["Rss"], sizes["Pss"], processor_seconds(pid))
    children: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        # Threads come and go.
        with suppress(FileNotFoundError, ProcessLookupError):
            children += map(int, (task / "children").read_text(encoding="ascii").split())
    for child in children:
        yield from _family(child)


def _show(found: Mapping[int, Measured], when: str) -> None:
    titles = [f"{loops} loop{'s' * (loops > 1)}" for loops in found]
    each = list(found.values())
    rows = [[what, *(f"{one.counts[what]:,}" for one in each)] for what in each[0].counts]
    rows.append(["from the start until it answers", *(seconds([one.start]) for one in each)])
    rows.append(["processor, all processes", *(seconds([_processor(one.begun)]) for one in each)])
    rows.append(["to load the code location again", *(seconds([one.reload]) for one in each)])
    rows.append(["processor, the code server", *(seconds([one.reloaded.processor]) for one in each)])
    at_rest = [100 * (_processor(one.later) - _processor(one.begun)) / one.rest for one in each]
    rows.append(["processor at rest", *(f"{share:.1f} % of a core" for share in at_rest)])
    for number, which in enumerate(("first", "again")):
        rows.append([f"lineage drawn, {which}", *(seconds([one.drawn[number]]) if one.drawn else "-" for one in each)])
    show(f"dagster dev, {when}", ["", *titles], rows)
    columns = [f"{title}, {moment}" for title in titles for moment in ("started", f"{each[0].rest:.0f} s later")]
    show(
        "Memory: resident (its share of what is shared)",
        ["process", *columns],
        [[role, *(_memory(one[role]) for m in each for one in (m.begun, m.later))] for role in ROLES.values()],
    )
    for title, one in zip(titles, each, strict=True):
        times = Counter(asked.name for asked in one.asked)
        answered = {name: [a for a in one.asked if a.name == name and a.seconds is not None] for name in times}
        show(
            f"What the lineage asked its server until it was drawn, {title}",
            ["query", "times", "longest", "bytes together"],
            [
                [name, str(times[name]), _longest(all_of), f"{sum(a.size for a in all_of):,}"]
                for name, all_of in answered.items()
            ],
        )


def _processor(processes: Mapping[str, Process]) -> float:
    return sum(one.processor for one in processes.values())


def _memory(process: Process) -> str:
    return f"{process.resident:.0f} ({process.proportional:.0f}) MiB"


def _longest(asked: list[Asked]) -> str:
    return seconds([max(one.seconds or 0 for one in asked)]) if asked else "unanswered"


if __name__ == "__main__":
    main()
