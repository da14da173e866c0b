"""Every benchmark, one after the other: `python -m benchmarks`, or with `--quick` for a look at whether they run."""

import subprocess
import sys
import time


def main() -> None:
    started = time.perf_counter()
    # Each in a process of its own, as if it were run alone.
    for name in (
        "load",
        "dev",
        "validate",
        "job",
        "refresh",
        "reserve",
        "suppressed",
        "suppressions_import",
        "outcomes",
        "report",
        "ticks",
        "memory",
        "rollup",
        "send",
        "track",
        "webhooks",
        "unsubscribe",
        "row_bytes",
        "wake",
    ):
        subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *sys.argv[1:]], check=True)
    print(f"\n{(time.perf_counter() - started) / 60:.1f} minutes in all.")


if __name__ == "__main__":
    main()
