"""Refreshing a segment, against the bare INSERT … SELECT of its condition into an empty table of the same keys.

The bare statement is what anybody would write: no staging, no judgement, no history, and it cannot be run twice.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, Engine, insert, literal, null, select, table, text
from sqlalchemy import column as named

from benchmarks import databases, options, product, statements
from benchmarks.apart import apart
from benchmarks.shown import Grown, growth, ratio, seconds, show
from skene_dagster.loops.plan import LoopPlan
from skene_dagster.segments import conditions
from skene_dagster.segments.refresh import refresh as refresh_segment
from skene_dagster.settings import Settings
from skene_dagster.store.engine import is_sqlite, open_engine, transaction
from skene_dagster.store.tables import OPEN, Moment, segment_members

FIRST = datetime(2026, 3, 1, 9)
POPULATIONS = {100_000: 5, 1_000_000: 3}
"""How many rounds with how many users."""

_bare = table("bare", *(named(name) for name in ("segment", "exited_at", "user_id", "entered_at", "attributes")))


@dataclass
class Times:
    """What the rounds took, in seconds."""

    bare: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    unchanged: list[float] = field(default_factory=list)
    changed: list[float] = field(default_factory=list)


def main() -> None:
    asked = options.parser(__doc__)
    asked.add_argument("--statements", action="store_true", help="also what each statement of a first refresh takes")
    chosen = asked.parse_args()
    populations = options.populations(chosen, POPULATIONS, rounds=0)
    rows: list[list[str]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        root = product.write_project(folder / "project")
        with closing(databases.each(folder, chosen.only)) as running:
            for database, url in running:
                before: Grown | None = None
                for number, rounds in populations.items():
                    with product.opened(url, number) as engine:
                        ended = apart(measure, root, url, rounds)
                        times = ended.result
                        now = number, times.first, times.bare
                        rows.append([*_row(database, number, times), growth(before, now)])
                        rows[-1].append(ended.memory)
                        before = now
                        if chosen.statements:
                            plan, settings = product.planned(root, url)
                            product.forget_history(engine)
                            title = f"A first refresh, {database}, {number:,} users"
                            statements.show_longest(engine, title, partial(refresh, engine, plan, settings, 0))
    show(
        "Refresh of a segment of 40 % of the users, against the bare INSERT … SELECT (aim for the first: a ratio of 2)",
        [
            "database",
            "users",
            "bare",
            "first",
            "to bare",
            "unchanged",
            "to first",
            "1 % changed",
            "to first",
            "exponent (bare)",
            "peak (idle)",
        ],
        rows,
    )


def measure(root: Path, url: str, rounds: int) -> Times:
    """Measure in rounds of all four, those of them that are compared taking turns at being first.

    Args:
        rounds: after one that warms the caches; with 0 that one counts.
    """
    (plan, settings), engine = product.planned(root, url), open_engine(url)
    times = Times()
    for number in range(-1, rounds):
        product.forget_history(engine)
        if number % 2:
            times.bare.append(insert_bare(engine, plan, settings))
        times.first.append(refresh(engine, plan, settings, 0))
        if not number % 2:
            times.bare.append(insert_bare(engine, plan, settings))
        times.unchanged.append(refresh(engine, plan, settings, 1))
        product.change_one_percent(engine, number % 100)
        times.changed.append(refresh(engine, plan, settings, 2))
    cold = slice(min(rounds, 1), None)
    return Times(times.bare[cold], times.first[cold], times.unchanged[cold], times.changed[cold])


def refresh(engine: Engine, plan: LoopPlan, settings: Settings, day: int) -> float:
    """Refresh the loop's segment for a day; return the seconds."""
    as_of = FIRST + timedelta(days=day)
    return timed(
        lambda: refresh_segment(
            engine,
            plan=plan,
            step=plan.steps[0],
            settings=settings,
            as_of=as_of,
            clock=lambda: as_of,
            run_id="benchmark",
        )
    )


def insert_bare(engine: Engine, plan: LoopPlan, settings: Settings) -> float:
    """Insert the members into an empty table that is like ours, in one statement; return the seconds."""
    answer = conditions.answer(engine, plan, plan.steps[0], settings, FIRST).rows
    members = select(literal("bare"), literal(OPEN, Moment), answer.c[0], literal(FIRST, Moment), null())
    statement = insert(_bare).from_select(list(_bare.c), members)

    def write(connection: Connection) -> None:
        connection.execute(statement)

    with table_like(engine, segment_members.name):
        return timed(lambda: transaction(engine, write))


@contextmanager
def table_like(engine: Engine, name: str) -> Iterator[None]:
    """Have an empty table `bare` with the columns and keys of another one."""
    with engine.begin() as connection:
        if is_sqlite(engine):
            like = text("SELECT sql FROM sqlite_master WHERE name = :name")
            sql = connection.execute(like, {"name": name}).scalar_one().replace(name, "bare")
        else:
            sql = f"CREATE TABLE bare LIKE {name}"
        connection.execute(text(sql))
    try:
        yield
    finally:
        with engine.begin() as connection:
            connection.execute(text("DROP TABLE bare"))


def _row(database: str, number: int, times: Times) -> list[str]:
    shown = [database, f"{number:,}", seconds(times.bare), seconds(times.first), ratio(times.first, times.bare)]
    for again in (times.unchanged, times.changed):
        shown += [seconds(again), ratio(again, times.first)]
    return shown


def timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
