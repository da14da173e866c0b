"""`skene-dagster suppressions import` of a file of addresses, in a process of its own: how long, in how much memory.

Every second address is a user's, who gets a row, too; the users table is read for each page of 10,000 rows. Against the
bare statement that writes as many rows into an empty table of the same columns and keys, from this process, by the same
driver: 1,000 rows in a statement, a page in a transaction. It checks nothing and finds nobody.
"""

import hashlib
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path

from sqlalchemy import Connection, Engine, insert, table, text
from sqlalchemy import column as named

from benchmarks import databases, options, product
from benchmarks.processes import Ended, environment, run
from benchmarks.refresh import table_like
from benchmarks.shown import seconds, show
from skene_dagster.consent.imports.importing import PAGE
from skene_dagster.store.engine import is_sqlite, transaction
from skene_dagster.store.tables import suppressions

ROWS = (100_000, 1_000_000)
PROGRAM = """
from benchmarks.peak import peak
from skene_dagster.cli import main

ended = main(standalone_mode=False)
assert not ended, ended
print(peak())
"""
AT_ONCE = 1_000
"""Rows of one bare statement."""


def main() -> None:
    asked = options.parser(__doc__)
    asked.add_argument("--rows", type=int, nargs="+", metavar="N", help=f"of the file, instead of {ROWS}")
    chosen = asked.parse_args()
    files = chosen.rows or ((1_000, 10_000) if chosen.quick else ROWS)
    rows: list[list[str]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        root = product.write_project(folder / "project")
        with closing(databases.each(folder, chosen.only)) as running:
            for database, url in running:
                for users in options.populations(chosen, {max(files): 1}):
                    with product.opened(url, users) as engine:
                        for length in files:
                            file = _write(folder / "addresses.csv", length, users)
                            done = imported(engine, root, url, file)
                            forget(engine)
                            bare = insert_bare(engine, done.written)
                            rows.append([database, f"{users:,}", f"{length:,}", *_shown(done, bare)])
    show(
        f"suppressions import, at a load of {os.getloadavg()[0]:.0f}",
        ["database", "users", "rows of the file", "written", "import", "its CPU", "bare", "ratio", "peak memory"],
        rows,
    )


def _write(file: Path, length: int, users: int) -> Path:
    """Write a file of addresses, every second of them a user's, in no order of the users table's."""
    with file.open("w", encoding="utf-8") as written:
        written.write("Email\n")
        for number in range(length):
            # 7919 is prime to any multiple of 1,000.
            address = f"user-{number * 7919 % users}@example.com" if number % 2 else f"reader-{number}@example.org"
            written.write(f"{address}\n")
    return file


@dataclass(frozen=True)
class Imported:
    """What an import took."""

    ended: Ended
    peak: float
    """MiB at most; as it says itself, for it is smaller than this process."""
    written: int
    """Rows of the list."""


def imported(engine: Engine, root: Path, url: str, file: Path) -> Imported:
    """Import a file."""
    home = root.parent
    command = ["-c", PROGRAM, "suppressions", "import", str(file), "--scope", "marketing"]
    ended = run(command, environ=environment(home, root, url), log=home / "log")
    told = (home / "log").read_text(encoding="utf-8").splitlines()[-1]
    with engine.connect() as connection:
        written = connection.execute(text("SELECT COUNT(*) FROM skene_suppressions")).scalar_one()
    return Imported(ended, float(told), written)


def insert_bare(engine: Engine, number: int) -> float:
    """Write so many rows into an empty table that is like skene_suppressions; return the seconds."""
    rows = _rows(number)
    columns = ("recipient", "scope", "lifted_at", "since", "repeated_at", "reason", "source", "address")
    bare = insert(table("bare", *(named(name, suppressions.c[name].type) for name in columns)))

    def write(connection: Connection) -> None:
        for start in range(0, len(page), AT_ONCE):
            connection.execute(bare, page[start : start + AT_ONCE])

    with table_like(engine, suppressions.name):
        began = time.perf_counter()
        while page := list(islice(rows, PAGE)):
            transaction(engine, write)
        return time.perf_counter() - began


def _rows(number: int) -> Iterator[dict[str, object]]:
    at, never = datetime(2026, 11, 1), datetime(9999, 12, 31)
    for n in range(number):
        yield {
            "recipient": f"1:{hashlib.sha256(str(n).encode()).hexdigest()}",
            "scope": "marketing",
            "lifted_at": never,
            "since": at,
            "repeated_at": at,
            "reason": "said_no",
            "source": "addresses.csv",
            "address": f"reader-{n}@example.org" if n % 3 else None,
        }


def forget(engine: Engine) -> None:
    """Make the list empty."""
    with engine.begin() as connection:
        how = "DELETE FROM" if is_sqlite(engine) else "TRUNCATE TABLE"
        connection.execute(text(f"{how} {suppressions.name}"))


def _shown(done: Imported, bare: float) -> list[str]:
    took = done.ended
    shown = [f"{done.written:,}", seconds([took.seconds]), seconds([took.cpu]), seconds([bare])]
    return [*shown, f"{took.seconds / bare:.2f}", f"{done.peak:.0f} MiB"]


if __name__ == "__main__":
    main()
