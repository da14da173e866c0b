"""A rollup of what users do: the first one, and one after a further day that brings 1 % of all events.

Over a hundred days each user is active on ten, with ten events on each; so a day brings events of a tenth of the users.
Each rollup runs in a process of its own, whose peak memory is measured.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    case,
    cast,
    func,
    insert,
    literal,
    select,
    text,
)

from benchmarks import databases
from benchmarks.shown import seconds, show
from skene_dagster.settings import Users
from skene_dagster.store import schema
from skene_dagster.store.engine import is_sqlite, open_engine
from skene_dagster.store.moments import later
from skene_dagster.store.tables import Moment, events

FIRST = datetime(2026, 1, 1)
DAYS = 100
EACH = 100
"""Events of a user in these days."""
A_DAY = 10
"""Events of a user on a day."""

SETTINGS = """\
users: {created_at: created_at}
features:
  export: {title: Export, events: [exported]}
  share: {title: Share, events: [shared, invited], adopted_uses: 5, adopted_days: 3}
  ask: {title: Ask, events: [asked]}
milestones:
  fifty: {title: Fifty questions, event: asked, count: 50}
  streak: {title: Three days in a row, streak: 3}
  quarter: {title: A quarter with us, anniversary: 90d}
"""

_metadata = MetaData()
users = Table(
    "users", _metadata, Column("id", BigInteger, primary_key=True, autoincrement=False), Column("created_at", Moment)
)
numbers = Table("numbers", _metadata, Column("n", Integer, primary_key=True, autoincrement=False))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--events", type=int, default=1_000_000, help="how many, a multiple of 100,000")
    options.add_argument("--quick", action="store_true", help="few events")
    options.add_argument("--only", help="this database alone: SQLite, MariaDB or TiDB")
    options.add_argument("--statements", action="store_true", help="also what each statement takes")
    chosen = options.parse_args()
    number = 100_000 if chosen.quick else chosen.events
    rows: list[list[str]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "skene.yaml").write_text(SETTINGS, encoding="utf-8")
        with closing(databases.each(folder)) as running:
            for database, url in running:
                if chosen.only in (None, database):
                    rows += _measure(folder, database, url, number, statements=chosen.statements)
    show(
        "A rollup after one more day (1 % of the events, of a tenth of the users), against the first (aim: 0.05)",
        ["database", "events", "rollup", "users", "time", "ratio", "peak memory"],
        rows,
    )


def _measure(folder: Path, database: str, url: str, number: int, *, statements: bool) -> list[list[str]]:
    engine = open_engine(url)
    _fill(engine, number)
    rows: list[list[str]] = []
    first: float | None = None
    for name, day in (("first", DAYS), ("a day more", DAYS + 1), ("nothing new", DAYS + 1)):
        if name == "a day more":
            _add_day(engine)
        at = FIRST + timedelta(days=day, hours=12 if name == "nothing new" else 0)
        told = _roll_up(folder, url, at)
        first = first or told["seconds"]
        rows.append(
            [
                database, f"{number:,}", name, "all" if told["users"] is None else f"{told['users']:,}",
                seconds([told["seconds"]]), f"{told['seconds'] / first:.3f}", f"{told['peak']:.0f} MiB",
            ]
        )  # fmt: skip
        if statements:
            show(
                f"{database}, {number:,} events, {name}: {told['seconds']:.2f} s",
                ["statement", "times", "together"],
                [[sql, str(times), seconds([together])] for sql, times, together in told["statements"]],
            )
    engine.dispose()
    return rows


def _roll_up(folder: Path, url: str, as_of: datetime) -> Mapping[str, Any]:
    command = [sys.executable, "-m", "benchmarks.rollup_once", str(folder), as_of.isoformat()]
    environ = os.environ | {"SKENE_DATABASE_URL": url}
    told: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environ).stdout)
    return told


def _fill(engine: Engine, number: int) -> None:
    """Write the users and their events inside the database."""
    _metadata.create_all(engine)
    schema.upgrade(engine, Users())
    with engine.begin() as connection:
        connection.execute(insert(numbers), [{"n": n} for n in range(1000)])
    thousands, ones = numbers.alias(), numbers.alias()
    key = (thousands.c.n * 1000 + ones.c.n).label("id")
    everyone = select(key, literal(FIRST, Moment)).join_from(thousands, ones, literal(1) == 1)
    with engine.begin() as connection:
        connection.execute(insert(users).from_select(list(users.c), everyone.where(key < number // EACH)))
    for start in range(0, number // EACH, 2000):
        _insert_events(engine, start, min(start + 2000, number // EACH), EACH // A_DAY)
    _refresh_statistics(engine)


def _insert_events(engine: Engine, start: int, end: int, days: int) -> None:
    k = numbers.c.n
    # Of some users the active days follow each other, of others they are up to nine days apart.
    day = (users.c.id * 7919 + cast(func.floor(k / A_DAY), Integer) * (1 + users.c.id % 10)) % DAYS
    _insert(engine, day, (users.c.id >= start) & (users.c.id < end) & (k < days * A_DAY))


def _add_day(engine: Engine) -> None:
    """Write the events of the day after: ten each of a tenth of the users."""
    _insert(engine, literal(DAYS, Integer), (users.c.id % 10 == 3) & (numbers.c.n < A_DAY))


def _insert(engine: Engine, day: Any, where: Any) -> None:
    user, k = users.c.id, numbers.c.n
    said = (
        select(user, k, day.label("day"), (day * 86400 + 3600 + (k % A_DAY) * 5000 + user % 3600).label("seconds"))
        .join_from(users, numbers, literal(1) == 1)
        .where(where)
        .subquery()
        .c
    )
    words = cast(said.day, String(10)) + "-" + cast(said.id, String(20)) + "-" + cast(said.n, String(10))
    names = {0: "asked", 1: "asked", 2: "asked", 3: "asked", 4: "exported", 5: "exported", 6: "shared", 7: "invited"}
    name = case(names, value=said.n % 10, else_="seen")
    at = later(literal(FIRST, Moment), said.seconds)
    rows = select(words, said.id, name, at, later(at, timedelta(seconds=1)))
    with engine.begin() as connection:
        connection.execute(insert(events).from_select([found.name for found in events.c][:5], rows))


def _refresh_statistics(engine: Engine) -> None:
    # A server that is in use has its statistics; here they would come in the middle of a measurement.
    with engine.begin() as connection:
        if is_sqlite(engine):
            connection.execute(text("ANALYZE"))
        else:
            connection.execute(text("ANALYZE TABLE users, skene_events"))


if __name__ == "__main__":
    main()
