"""Measuring a goal of everybody who is compared, against the bare join; and again a day later.

People were enrolled over a year, and each did three things around then. The first time asks about all of them; the day
after only about those whose windows are not final: some of the last three weeks. The bare join is one INSERT … SELECT.
"""

import tempfile
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Engine,
    Index,
    Integer,
    MetaData,
    Table,
    and_,
    case,
    cast,
    func,
    insert,
    literal,
    select,
    text,
)

from benchmarks import databases, options, product
from benchmarks.refresh import FIRST, timed
from benchmarks.shown import ratio, seconds, show
from skene_dagster.documents import parse
from skene_dagster.errors import LoopInvalid, LoopSyntaxError
from skene_dagster.loops.model import Loop
from skene_dagster.loops.plan import LoopPlan
from skene_dagster.loops.planning.loop import plan_loop
from skene_dagster.outcomes.comparisons import outcomes_of
from skene_dagster.outcomes.windows import measure
from skene_dagster.settings import Settings
from skene_dagster.store.engine import is_sqlite, reading, transaction
from skene_dagster.store.moments import later
from skene_dagster.store.tables import Moment, arms
from skene_dagster.yaml_document import parse_yaml

SIZES = (1_000_000,)
QUICK = (20_000,)
DAYS = 360
A_DAY = 86_400
LAST = FIRST + timedelta(days=DAYS + 1)
LATE = timedelta(days=3)
LOOP = """\
type: retention
holdout: 10%
goal: {query: "SELECT user_id, at FROM visits", within: 14d}
steps:
  - trigger: {type: schedule, cron: 0 9 * * *}
    condition: {type: query, query: SELECT id FROM users}
    action: {type: email, template: re_engagement}
"""

_metadata = MetaData()
visits = Table(
    "visits",
    _metadata,
    Column("user_id", BigInteger, nullable=False),
    Column("at", Moment, nullable=False),
    Index("visits_user", "user_id", "at"),
)
bare = Table(
    "bare",
    _metadata,
    Column("user_id", BigInteger, primary_key=True, autoincrement=False),
    Column("window_ends_at", Moment, nullable=False),
    Column("reached_at", Moment),
)


def main() -> None:
    asked = options.parser(__doc__)
    asked.add_argument("--people", type=int, help="how many, instead of 1,000,000; a multiple of 1,000")
    chosen = asked.parse_args()
    sizes = (chosen.people,) if chosen.people else QUICK if chosen.quick else SIZES
    rows = []
    with tempfile.TemporaryDirectory() as name, closing(databases.each(Path(name), chosen.only)) as running:
        root = product.write_project(Path(name) / "project")
        for database, url in running:
            for size in sizes:
                with product.opened(url, size) as engine:
                    _, settings = product.planned(root, url)
                    rows.append([database, f"{size:,}", *_measured(engine, settings)])
    show(
        "Measuring a goal (aim: 1.5 times the bare join; the next day 0.1 times)",
        ["database", "people", "bare join", "measured", "to bare", "the next day", "to bare", "compared"],
        rows,
    )


def _measured(engine: Engine, settings: Settings) -> list[str]:
    document = parse_yaml(LOOP, "loops/retention.yaml", LoopSyntaxError)
    plan = plan_loop(parse(Loop, document, LoopInvalid), document, settings)
    _metadata.create_all(engine)
    try:
        _fill(engine)
        ours, bare_ = [], []
        alone = timed(partial(_bare, engine))
        bare_.append(alone)
        ours.append(timed(_asking(engine, plan, settings, 0)))
        next_day = timed(_asking(engine, plan, settings, 1))
        compared = timed(partial(_compare, engine, plan))
        return [
            seconds(bare_),
            seconds(ours),
            ratio(ours, bare_),
            seconds([next_day]),
            ratio([next_day], bare_),
            seconds([compared]),
        ]
    finally:
        _metadata.drop_all(engine)


def _asking(engine: Engine, plan: LoopPlan, settings: Settings, day: int) -> Callable[[], object]:
    as_of = LAST + timedelta(days=day)
    return partial(measure, engine, plan=plan, goal=plan.goals[0], settings=settings, mode="live", as_of=as_of)


def _compare(engine: Engine, plan: LoopPlan) -> object:
    return reading(engine, lambda connection: outcomes_of(connection, plan, "live", as_of=LAST, late=LATE))


def _fill(engine: Engine) -> None:
    key = product.users.c.id
    enrolled = _so_much_later((key * 7919) % DAYS * A_DAY)
    arm = case((key % 10 == 0, "held_out"), else_="mailed")
    with engine.begin() as connection:
        drawn = select(literal("live"), literal("retention"), literal(1), key, arm, literal(0.1), enrolled)
        into = ["mode", "loop", "draw", "user_id", "arm", "share", "enrolled_at"]
        connection.execute(insert(arms).from_select(into, drawn))
    for number in (3, 11, 29):
        at = _so_much_later(((key * 7919) % DAYS + (key * number) % 60 - 20) * A_DAY + 3600)
        with engine.begin() as connection:
            connection.execute(insert(visits).from_select(["user_id", "at"], select(key, at)))
    with engine.begin() as connection:
        connection.execute(text("ANALYZE" if is_sqlite(engine) else "ANALYZE TABLE skene_arms, visits"))


def _so_much_later(seconds_: ColumnElement[Any]) -> ColumnElement[Any]:
    # In parentheses: in SQLite `||` comes before `*`.
    return later(literal(FIRST, Moment), cast(seconds_, Integer))


def _bare(engine: Engine) -> None:
    ends = later(arms.c.enrolled_at, timedelta(days=14))
    inside = and_(visits.c.user_id == arms.c.user_id, visits.c["at"] > arms.c.enrolled_at, visits.c["at"] <= ends)
    found = (
        select(arms.c.user_id, func.max(ends, type_=Moment), func.min(visits.c["at"], type_=Moment))
        .select_from(arms.outerjoin(visits, inside))
        .group_by(arms.c.user_id)
    )
    into = ["user_id", "window_ends_at", "reached_at"]
    transaction(engine, lambda connection: connection.execute(insert(bare).from_select(into, found)).rowcount)


if __name__ == "__main__":
    main()
