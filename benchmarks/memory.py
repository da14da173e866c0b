"""The peak memory of the retention job's process, and of an empty job's, as the number of users grows.

Two in five users are in the segment and each of them is decided about; one in a hundred of those may be mailed, so that
the time goes into what grows with the segment, not into writing hundreds of thousands of files.
"""

import argparse
import shutil
import tempfile
from contextlib import closing
from pathlib import Path

from benchmarks import databases, product
from benchmarks.processes import environment, job, run
from benchmarks.shown import seconds, show

POPULATIONS = (100_000, 1_000_000)
MAILABLE = 0.01


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true", help="few users")
    options.add_argument("--mail-all", action="store_true", help="mail the whole segment, of fewer users")
    chosen = options.parse_args()
    populations = (2_000, 10_000) if chosen.quick else (10_000, 100_000) if chosen.mail_all else POPULATIONS
    rows: list[list[str]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        root = product.write_project(folder / "project")
        home = product.write_home(folder / "dagster")
        empty = run(job("benchmarks.empty_job", "empty"), environ={"DAGSTER_HOME": str(home)}, log=folder / "log")
        rows.append(["an empty job", "", "", seconds([empty.seconds]), f"{empty.peak:.0f} MiB"])
        with closing(databases.each(folder)) as running:
            for database, url in running:
                for users in populations:
                    with product.opened(url, users, mailable=1 if chosen.mail_all else MAILABLE):
                        environ = environment(home, root, url)
                        ended = run(job("skene_dagster.definitions", "retention"), environ=environ, log=folder / "log")
                    emails = sum(1 for _ in (root / ".skene" / "outbox").rglob("*.eml"))
                    shutil.rmtree(root / ".skene")
                    rows.append(
                        [database, f"{users:,}", f"{emails:,}", seconds([ended.seconds]), f"{ended.peak:.0f} MiB"]
                    )
    show(
        "dagster job execute: the retention job's first run (aim: the same peak for any number, at most 250 MB)",
        ["database", "users", "emails", "wall time", "peak memory"],
        rows,
    )


if __name__ == "__main__":
    main()
