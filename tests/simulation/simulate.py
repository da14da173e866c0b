"""Play the histories of many seeds; of each violation, print its seed and the fewest choices that lead to it.

python tests/simulation/simulate.py 0-9999 --workers 2
python tests/simulation/simulate.py 4711                       one history, told
python tests/simulation/simulate.py '{"mode0#0": 4}'           that of a script, told
"""

import argparse
import gc
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from choices import Made, shrink
from history import Played, play
from product import Product, product

SHRINKING_SECONDS = 60.0
A_PART = 50
"""Seeds that one process plays before it tells."""


@dataclass
class Found:
    """What came of some seeds."""

    histories: int = 0
    choices: int = 0
    requests: int = 0
    failed: list[tuple[int, str]] = field(default_factory=list)
    """Seeds, and what was violated, with the fewest choices."""

    def add(self, other: "Found") -> None:
        self.histories += other.histories
        self.choices += other.choices
        self.requests += other.requests
        self.failed += other.failed


def shortest(made: Product, script: Made, kind: str, seconds: float = SHRINKING_SECONDS) -> dict[str, int]:
    """Find the fewest choices that still violate the same."""

    def fails(fewer: Made) -> bool:
        violation = play(made, script=fewer).violation
        return violation is not None and violation.kind == kind

    return shrink(script, fails, seconds)


def played(made: Product, seeds: Sequence[int]) -> Found:
    """Play the histories of some seeds."""
    found = Found()
    # SQLAlchemy's statements are full of cycles: to look for them takes a tenth of the time.
    gc.disable()
    try:
        for seed in seeds:
            found.add(_one(made, seed))
    finally:
        gc.enable()
    return found


def _one(made: Product, seed: int) -> Found:
    one = play(made, seed=seed)
    found = Found(1, len(one.made), one.requests)
    if one.violation is not None:
        script = shortest(made, one.made, one.violation.kind)
        found.failed.append((seed, f"{one.violation}\n{json.dumps(script)}"))
    return found


def _in_a_process(seeds: Sequence[int]) -> Found:
    with product() as made:
        return played(made, seeds)


def _all(seeds: range, workers: int) -> Iterator[Found]:
    parts = [seeds[start : start + A_PART] for start in range(0, len(seeds), A_PART)]
    if workers == 1:
        with product() as made:
            yield from (played(made, part) for part in parts)
        return
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(_in_a_process, parts)


def _told(one: Played) -> int:
    print("\n".join(one.told))
    print(json.dumps(one.made))
    return int(one.violation is not None)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("seeds", help="FIRST-LAST, one seed, or the choices of a history as JSON")
    parser.add_argument("--workers", default="auto", help="processes; auto: one for each core")
    arguments = parser.parse_args()
    first, _, last = arguments.seeds.partition("-")
    if arguments.seeds.startswith("{"):
        with product() as made:
            return _told(play(made, script=json.loads(arguments.seeds)))
    if not last:
        with product() as made:
            return _told(play(made, seed=int(first)))
    workers = (os.cpu_count() or 1) if arguments.workers == "auto" else int(arguments.workers)
    total, begun = Found(), time.monotonic()
    for part in _all(range(int(first), int(last) + 1), workers):
        total.add(part)
        for seed, said in part.failed:
            print(f"seed {seed}: {said}", flush=True)
    minutes = (time.monotonic() - begun) / 60
    print(
        f"{total.histories:,} histories in {minutes:.1f} minutes ({total.histories / minutes:,.0f} a minute), "
        f"with {total.choices:,} choices and {total.requests:,} requests that the provider worked on"
    )
    print(f"{len(total.failed):,} violations")
    return int(bool(total.failed))


if __name__ == "__main__":
    sys.exit(main())
