"""Reserving at a tick to which little came, against the refresh of the same tick.

Two in five users are members, all of whom were decided at the first tick. Each case then prepares its own second tick.
"""

import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, Engine, delete, insert, literal, null, select, update

from benchmarks import databases, options, product
from benchmarks.apart import apart
from benchmarks.refresh import FIRST, refresh, timed
from benchmarks.reserve import OUTBOX
from benchmarks.shown import ratio, seconds, show
from skene_dagster.delivery import controls
from skene_dagster.delivery.decide.reserve import reserve
from skene_dagster.loops.plan import LoopPlan
from skene_dagster.settings import Settings
from skene_dagster.store.engine import open_engine, transaction
from skene_dagster.store.tables import Moment, deferred, segment_members, sends, steps

POPULATIONS = {100_000: 3, 1_000_000: 2}
"""How many rounds with how many users."""

NEVER = datetime(2100, 1, 1)


@dataclass
class Times:
    """What the rounds of a case took, in seconds."""

    refresh: list[float] = field(default_factory=list)
    reserve: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Case:
    """A second tick."""

    name: str
    aim: float
    """The most that reserving may take, of the refresh's time."""
    prepare: Callable[..., object]
    changes: bool = False
    """One user in a hundred enters or leaves."""


def nothing(_connection: Connection, plan: LoopPlan) -> None:
    del plan


def all_wait_for_repeat(connection: Connection, plan: LoopPlan) -> None:
    connection.execute(delete(sends))
    members = select(
        *(literal(part) for part in (OUTBOX.name, plan.name, plan.steps[0].name)),
        segment_members.c.user_id,
        literal("2"),
        literal("repeat"),
        null(),
        *(literal(moment, Moment) for moment in (FIRST, FIRST, NEVER)),
        null(),
    )
    connection.execute(insert(deferred).from_select(list(deferred.c), members))


def paused_from_the_start(connection: Connection, plan: LoopPlan) -> None:
    connection.execute(delete(sends))
    connection.execute(update(steps).values(reserved_as_of=None))
    controls.pause(connection, plan.name, FIRST)


CASES = (
    Case("nothing new", 0.2, nothing),
    Case("1 % changed", 0.5, nothing, changes=True),
    Case("all wait (repeat)", 0.3, all_wait_for_repeat),
    Case("paused, all wait", 0.1, paused_from_the_start),
)


def main() -> None:
    chosen = options.parser(__doc__).parse_args()
    populations = options.populations(chosen, POPULATIONS)
    rows: list[list[str]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        root = product.write_project(folder / "project")
        with closing(databases.each(folder, chosen.only)) as running:
            for database, url in running:
                for number, rounds in populations.items():
                    with product.opened(url, number):
                        found = apart(measure, root, url, rounds).result
                    for case in CASES:
                        times = found[case.name]
                        shown = [seconds(times.refresh), seconds(times.reserve), ratio(times.reserve, times.refresh)]
                        rows.append([database, f"{number:,}", case.name, *shown, f"{case.aim:g}"])
    show(
        "Reserving at a later tick, against the refresh of the same tick",
        ["database", "users", "tick", "refresh", "reserve", "ratio", "aim"],
        rows,
    )


def measure(root: Path, url: str, rounds: int) -> dict[str, Times]:
    """Measure each case in each round, from an empty ledger on."""
    (plan, settings), engine = product.planned(root, url), open_engine(url)
    found = {case.name: Times() for case in CASES}
    for number in range(rounds):
        for case in CASES:
            product.forget_history(engine)
            product.forget_sends(engine)
            refresh(engine, plan, settings, 0)
            _reserve(engine, plan, settings, 0)
            transaction(engine, partial(case.prepare, plan=plan))
            if case.changes:
                product.change_one_percent(engine, number)
            found[case.name].refresh.append(refresh(engine, plan, settings, 1))
            found[case.name].reserve.append(timed(partial(_reserve, engine, plan, settings, 1)))
            transaction(engine, lambda connection: controls.resume(connection, plan.name, datetime(2026, 1, 1)))
    return found


def _reserve(engine: Engine, plan: LoopPlan, settings: Settings, day: int) -> None:
    as_of = FIRST + timedelta(days=day)
    reserve(
        engine,
        plan=plan,
        step=plan.steps[0],
        settings=settings,
        mode=OUTBOX,
        as_of=as_of,
        clock=lambda: as_of,
    )


if __name__ == "__main__":
    main()
