"""`skene-dagster validate`, a whole process: of one loop, and of 300 with a template each."""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import product
from benchmarks.load import Case, write_loops
from benchmarks.shown import seconds, show

COMMAND = [sys.executable, "-c", "from skene_dagster.cli import main; main()", "validate"]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true", help="few loops, one round")
    quick = options.parse_args().quick
    one, many, rounds = Case(1, 1), Case(6, 6) if quick else Case(300, 300), 1 if quick else 5
    taken: dict[Case, list[float]] = {one: [], many: []}
    with tempfile.TemporaryDirectory() as name:
        for case in taken:
            write_loops(product.write_project(Path(name) / str(case.loops)), case)
        # The first round is for what Python compiles and the disk reads.
        for number in range(-1, rounds):
            for case, found in taken.items():
                environ = os.environ | {"SKENE_PROJECT": str(Path(name) / str(case.loops))}
                started = time.perf_counter()
                subprocess.run(COMMAND, env=environ, check=True, stdout=subprocess.DEVNULL)
                if number >= 0:
                    found.append(time.perf_counter() - started)
    further = [(b - a) / (many.loops - 1) for a, b in zip(taken[one], taken[many], strict=True)]
    show(
        "skene-dagster validate (aim for 300 loops with a template each: 3 s)",
        [one.name, many.name, "each further loop"],
        [[seconds(taken[one]), seconds(taken[many]), seconds(further)]],
    )


if __name__ == "__main__":
    main()
