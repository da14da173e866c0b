"""What a loop adds to the time in which the code location loads, for folders of 1, 20 and 100 loops.

A third of the loops each in YAML, TypeScript and Python; all with the example's template, then each with one of its
own. Beside them stand as many hand-written Dagster assets, ops, jobs and schedules, empty: Dagster's own part.
"""

import argparse
import json
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks import product
from benchmarks.processes import environment, run
from benchmarks.shown import seconds, show


@dataclass(frozen=True)
class Case:
    """A folder of loops."""

    loops: int
    templates: int

    @property
    def name(self) -> str:
        return f"{self.loops} loop{'s' * (self.loops > 1)}" + (", a template each" if self.templates > 1 else "")


CASES = (Case(1, 1), Case(20, 1), Case(100, 1), Case(100, 100))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true", help="few loops, one round")
    quick = options.parse_args().quick
    cases, rounds = ((Case(1, 1), Case(6, 1), Case(6, 6)), 1) if quick else (CASES, 5)
    taken: dict[Case, list[dict[str, float]]] = {case: [] for case in cases}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environs: dict[Case, dict[str, str]] = {}
        for case in cases:
            root = folder / f"{case.loops}_{case.templates}"
            write_loops(product.write_project(root), case)
            environs[case] = environment(folder, root, f"sqlite:///{folder / 'skene.db'}")
        # The first round is for what Python compiles and the disk reads.
        for number in range(-1, rounds):
            for case in cases:
                run(["-m", "benchmarks.loading"], environ=environs[case], log=folder / "parts")
                if number >= 0:
                    taken[case].append(json.loads((folder / "parts").read_text().splitlines()[-1]))
    shown = {part: {case: median(one[part] for one in taken[case]) for case in cases} for part in taken[cases[0]][0]}
    show(
        "Load of the code location beyond its imports (aim for its first line: 5 ms per loop)",
        ["part", *(case.name for case in cases)],
        [[part, *(seconds([whole]) for whole in by_case.values())] for part, by_case in shown.items()],
    )
    show(
        "The same per loop; where there are several, without what the first one pays for all",
        ["part", *(case.name for case in cases)],
        [
            [part, *(seconds([each_further(by_case, cases[0], case)]) for case in cases)]
            for part, by_case in shown.items()
        ],
    )


def each_further(taken: Mapping[Case, float], one: Case, many: Case) -> float:
    """Return what one loop more takes; for a single loop, what it takes."""
    return (taken[many] - taken[one]) / (many.loops - 1) if many.loops > 1 else taken[one]


def write_loops(root: Path, case: Case) -> None:
    """Fill the project's folders with loops like the example's, each under a name of its own, in three spellings."""
    (config,) = (root / "loops").iterdir()
    texts = {"ts": config.read_text(encoding="utf-8")}
    config.unlink()
    for ending in ("yaml", "py"):
        texts[ending] = (product.REPOSITORY / "tests" / "loops" / f"seed.{ending}").read_text(encoding="utf-8")
    for number in range(case.loops):
        ending = ("yaml", "ts", "py")[number % 3]
        name, template = f"loop_{number}", f"mail_{number % case.templates}"
        # Not the column `re_engagement_sent`; and of the three ways to write the type, each file has one.
        text = re.sub(r"\bre_engagement\b", template, texts[ending])
        text = text.replace("type: retention", f"name: {name}\ntype: retention")
        text = text.replace("type: 'retention'", f"name: '{name}', type: 'retention'")
        text = text.replace('type="retention"', f'name="{name}", type="retention"')
        (root / "loops" / f"{name}.{ending}").write_text(text, encoding="utf-8")
    for ending in ("mjml", "txt"):
        example = root / "templates" / f"re_engagement.{ending}"
        text = example.read_text(encoding="utf-8")
        example.unlink()
        for number in range(case.templates):
            file = root / "templates" / f"mail_{number}.{ending}"
            file.write_text(text.replace("Orbit", f"Orbit {number}"), encoding="utf-8")


if __name__ == "__main__":
    main()
