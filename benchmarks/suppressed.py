"""Looking up a page of users in a list of suppressions of any length, against the same in a short one.

A page is 5,000 users, each by two names. Of one page nobody is on the list, of the other one name in ten. The list is
written inside the database, in the order of its keys, and spread evenly over all names that there may be.
"""

import hashlib
import tempfile
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from statistics import median

from sqlalchemy import Engine, text

from benchmarks import databases, options, product
from benchmarks.refresh import FIRST, timed
from benchmarks.shown import seconds, show
from skene_dagster.consent import suppressions
from skene_dagster.delivery.decide.send_audience import PAGE
from skene_dagster.store.engine import is_sqlite, open_engine, reading

SHORT, LONG = 10_000, 10_000_000
PREFIX = 10
"""Hex digits in which names differ."""
AT_ONCE = 100_000
ROUNDS = 5


def main() -> None:
    asked = options.parser(__doc__)
    asked.add_argument("--rows", type=int, help=f"of the long list, instead of {LONG:,}; a multiple of {AT_ONCE:,}")
    chosen = asked.parse_args()
    long = chosen.rows or (AT_ONCE if chosen.quick else LONG)
    rows = []
    with tempfile.TemporaryDirectory() as name, closing(databases.each(Path(name), chosen.only)) as running:
        for database, url in running:
            before: list[float] | None = None
            for length in (SHORT, long):
                with product.opened(url, 1_000) as engine:
                    fill(engine, length)
                    times = [_look_ups(url, length, listed) for listed in (0, 2 * PAGE // 10)]
                medians = [median(one) for one in times]
                to_short = (
                    [f"{now / then:.2f}" for now, then in zip(medians, before, strict=True)] if before else ["", ""]
                )
                before = medians
                rows.append([database, f"{length:,}", seconds(times[0]), to_short[0], seconds(times[1]), to_short[1]])
    show(
        f"Looking up {PAGE:,} users by two names each, {ROUNDS} rounds",
        ["database", "on the list", "none listed", "to the short list", "one name in ten listed", "to the short list"],
        rows,
    )


def fill(engine: Engine, length: int) -> None:
    """Put so many people on the list."""
    spread = 16**PREFIX // length
    name = (
        f"printf('u:%0{PREFIX}x', n * {spread}) || '{_REST}'"
        if is_sqlite(engine)
        else f"CONCAT('u:', LPAD(LOWER(HEX(n * {spread})), {PREFIX}, '0'), '{_REST}')"
    )
    thousands = (
        "(SELECT a.n * 1000 + b.n AS n FROM numbers a JOIN numbers b ON b.n < 1000 WHERE a.n >= :low AND a.n < :high)"
    )
    statement = text(
        "INSERT INTO skene_suppressions (recipient, scope, lifted_at, since, repeated_at, reason, source) "
        f"SELECT {name}, 'marketing', '9999-12-31', :at, :at, 'said_no', 'a benchmark' "
        f"FROM {thousands} AS some ORDER BY n"
    )
    for start in range(0, length, AT_ONCE):
        end = min(start + AT_ONCE, length)
        with engine.begin() as connection:
            connection.execute(statement, {"low": start // 1000, "high": end // 1000, "at": FIRST})


_REST = "0" * (64 - PREFIX)


def _look_ups(url: str, length: int, listed: int) -> list[float]:
    engine = open_engine(url)
    times = []
    for number in range(ROUNDS + 1):
        names = _names(number, length, listed)

        times.append(timed(partial(_look_up, engine, names, listed)))
    engine.dispose()
    # The first opened the connection.
    return times[1:]


def _look_up(engine: Engine, names: Sequence[str], listed: int) -> None:
    found = reading(engine, lambda connection: suppressions.stopped(connection, names, ("all", "marketing"), FIRST))
    assert len(found) == listed


def _names(number: int, length: int, listed: int) -> list[str]:
    spread = 16**PREFIX // length
    there = (
        f"u:{(number * 7919 + index * (length // listed)) % length * spread:0{PREFIX}x}{_REST}"
        for index in range(listed)
    )
    others = (f"u:{hashlib.sha256(f'{number}/{index}'.encode()).hexdigest()}" for index in range(2 * PAGE - listed))
    return [*there, *others]


if __name__ == "__main__":
    main()
