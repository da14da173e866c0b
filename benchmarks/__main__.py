"""Every benchmark, one after the other: `python -m benchmarks`, or `--quick` for a look at whether they run."""

import sys
import time

from benchmarks import job, load, memory, refresh


def main() -> None:
    started = time.perf_counter()
    for benchmark in (load, job, refresh, memory):
        print(f"\n{benchmark.__doc__}")
        benchmark.main(sys.argv[1:])
    print(f"\n{(time.perf_counter() - started) / 60:.1f} minutes in all.")


if __name__ == "__main__":
    main()
