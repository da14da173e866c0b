"""The retention job with an empty segment, against an empty Dagster job of as many steps, each in its own process."""

import argparse
import json
import tempfile
from pathlib import Path

from benchmarks import product
from benchmarks.processes import Ended, environment, job, run
from benchmarks.shown import ratio, seconds, show

JOBS = {"empty": "benchmarks.empty_job", "retention": "skene_dagster.definitions"}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true", help="one round")
    rounds = 1 if options.parse_args().quick else 7
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        root = product.write_project(folder / "project")
        url = f"sqlite:///{folder / 'skene.db'}"
        home = product.write_home(folder / "dagster")
        environ = environment(home, root, url)
        with product.opened(url, 1000, dormant=0):
            ran: dict[str, list[Ended]] = {name: [] for name in JOBS}
            parts: dict[str, list[dict[str, float]]] = {name: [] for name in JOBS}
            # The first round makes Dagster's storage and what Python compiles.
            for number in range(-1, rounds):
                for name in list(JOBS)[:: 1 if number % 2 else -1]:
                    ended = run(job(JOBS[name], name), environ=environ, log=folder / "log")
                    run(["-m", "benchmarks.inside", name, JOBS[name]], environ=environ, log=folder / "parts")
                    if number >= 0:
                        ran[name].append(ended)
                        parts[name].append(json.loads((folder / "parts").read_text().splitlines()[-1]))
    walls = {name: [ended.seconds for ended in all_of_them] for name, all_of_them in ran.items()}
    cpus = {name: [ended.cpu for ended in all_of_them] for name, all_of_them in ran.items()}
    show(
        "dagster job execute: the retention job with an empty segment, and an empty job of 3 steps (aim: 1.3)",
        ["job", "wall time", "ratio", "processor", "ratio"],
        [
            [name, *(shown for of in (walls, cpus) for shown in (seconds(of[name]), ratio(of[name], of["empty"])))]
            for name in JOBS
        ],
    )
    names = dict.fromkeys(name for taken in parts["retention"] for name in taken)
    show(
        "The same inside of one process",
        ["part", *JOBS],
        [[name, *(_of(parts[which], name) for which in JOBS)] for name in names],
    )


def _of(rounds: list[dict[str, float]], name: str) -> str:
    return seconds([taken[name] for taken in rounds]) if name in rounds[0] else ""


if __name__ == "__main__":
    main()
