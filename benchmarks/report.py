"""Writing the report of 50 loops, whose emails went out over a year; of the last four weeks all is counted.

Every user had ten decisions, of ten loops; each loop has a goal, a holdout, members, and users who wait. `--sends` says
how many decisions there are, a multiple of 10,000, and `--statements` what each statement of the report takes.
"""

import tempfile
import time
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Engine,
    Integer,
    Select,
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

from benchmarks import databases, options, product, statements
from benchmarks.apart import apart
from benchmarks.shown import seconds, show
from skene_dagster.goals.arms import Arm, Comparison
from skene_dagster.goals.kept import keep
from skene_dagster.project import load_project
from skene_dagster.report.numbers import read
from skene_dagster.report.page import TITLE, save
from skene_dagster.settings import load
from skene_dagster.store import tables
from skene_dagster.store.engine import database_clock, is_sqlite, open_engine
from skene_dagster.store.moments import day_of, later
from skene_dagster.store.tables import OPEN, Moment

LOOPS = 50
SIZES = (100_000, 1_000_000)
QUICK = (20_000,)
DAYS = 360
OPEN_FOR = timedelta(days=30)
"""As long after their enrolment people's outcomes are not final."""
A_DAY = 86_400
SETTINGS = (
    product.SETTINGS
    + """\
limits: {caps: [{count: 2, within: 7d}]}
events: {table: events, at: happened_at}
features:
  boards: {title: Boards, events: [Board Shared]}
  summaries: {title: Summaries, events: [Summary Opened]}
milestones:
  tenth: {title: The tenth, event: Board Shared, count: 10}
"""
)
LOOP = """\
name: {name}
type: retention
holdout: 10%
goal: {{returns_within: 14d}}
steps:
  - trigger: {{type: schedule, cron: "0 {hour} * * *"}}
    condition: {{type: query, query: SELECT id FROM users WHERE re_engagement_sent}}
    action:
      type: email
      template: re_engagement
      personalization: {{name: "{{{{user.name}}}}", lastActivity: "{{{{user.last_activity_at}}}}"}}
"""


def main() -> None:
    asked = options.parser(__doc__)
    asked.add_argument("--sends", type=int, nargs="+", help="how many decisions, instead of 100,000 and 1,000,000")
    asked.add_argument("--statements", action="store_true", help="also what each statement takes")
    chosen = asked.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as name, closing(databases.each(Path(name), chosen.only)) as running:
        root = _write_project(Path(name) / "project")
        for database, url in running:
            for size in chosen.sends or (QUICK if chosen.quick else SIZES):
                with product.opened(url, size // 10) as engine:
                    _fill(engine, _goal(root, url))
                    if chosen.statements:
                        statements.show_longest(engine, f"{database}, {size:,}", lambda: _written(engine, root, url)[0])  # noqa: B023
                    ended = apart(_alone, root, url)
                    taken, bytes_ = ended.result
                    rows.append([database, f"{size:,}", seconds([taken]), f"{bytes_ / 2**20:.2f} MiB", ended.memory])
    show(
        f"The report of {LOOPS} loops (aim: 10,000,000 decisions in 10 s, 2 MB)",
        ["database", "decisions", "report", "page", "memory (idle)"],
        rows,
    )


def _alone(root: Path, url: str) -> tuple[float, int]:
    engine = open_engine(url, read_only=True)
    try:
        return _written(engine, root, url)
    finally:
        engine.dispose()


def _written(engine: Engine, root: Path, url: str) -> tuple[float, int]:
    started = time.perf_counter()
    settings = load(root, {"SKENE_DATABASE_URL": url})
    numbers = read(engine, settings, load_project(settings), "live", database_clock(engine))
    assert len(numbers.loops) == LOOPS
    assert numbers.loops[0].total("mailed")
    assert numbers.loops[0].outcomes[0].mailed.reached
    assert numbers.pressure.month.get(1)
    size = save(numbers, root / "report.html", title=TITLE)
    return time.perf_counter() - started, size


def _write_project(root: Path) -> Path:
    product.write_project(root)
    for file in (root / "loops").iterdir():
        file.unlink()
    for number in range(LOOPS):
        text_ = LOOP.format(name=_name(number), hour=6 + number % 12)
        (root / "loops" / f"{_name(number)}.yaml").write_text(text_, encoding="utf-8")
    (root / "skene.yaml").write_text(SETTINGS, encoding="utf-8")
    return root


def _name(number: int) -> str:
    return f"loop_{number:02d}"


def _goal(root: Path, url: str) -> str:
    (key,) = {goal.key for plan in load_project(load(root, {"SKENE_DATABASE_URL": url})).loops for goal in plan.goals}
    return key


def _fill(engine: Engine, goal: str) -> None:
    """Write what a year has left, inside the database."""
    with engine.connect() as connection:
        now: datetime = connection.execute(select(func.now())).scalar_one()
    now = now.replace(microsecond=0, tzinfo=None) if isinstance(now, datetime) else datetime.fromisoformat(str(now))
    begin = now - timedelta(days=DAYS)
    for number in range(LOOPS):
        for table, rows in _of_loop(number, goal, begin, now):
            _insert(engine, table, rows)
    for table, rows in _of_users(now):
        _insert(engine, table, rows)
    with engine.begin() as connection:
        _rolled_up(connection, begin, now)
        for number in range(LOOPS):
            reach = {"goal": goal, "measured_as_of": now, "final_before": now - OPEN_FOR}
            connection.execute(insert(tables.goals), [Comparison("live", _name(number)).key | reach])
    names = ", ".join(table.name for table in tables.metadata.sorted_tables)
    with engine.begin() as connection:
        connection.execute(text("ANALYZE" if is_sqlite(engine) else f"ANALYZE TABLE {names}"))
    for number in range(LOOPS):
        # As the daily job does, a day's at a time.
        keep(engine, Comparison("live", _name(number)), goal, late_ticks=timedelta(days=4))


def _of_loop(number: int, goal: str, begin: datetime, now: datetime) -> list[tuple[Table, Select[Any]]]:
    key, loop = product.users.c.id, _name(number)
    scope = {"mode": literal("live"), "loop": literal(loop), "step": literal("main")}
    mine, kind = key % 5 == number % 5, (key * 31 + number) % 20
    as_of = _after(begin, (key * 7919 + number * 131) % DAYS * A_DAY)
    is_late = (key * 7919 + number * 131) % DAYS >= DAYS - OPEN_FOR.days
    state = case((kind == 3, "skipped"), (kind < 2, "held_out"), else_="accepted")
    send_id = func.substr(literal(f"{number:02d}") + cast(key, String(20)) + literal("x" * 30), 1, 32)
    arm: dict[str, ColumnElement[Any]] = {
        "mode": scope["mode"],
        "loop": scope["loop"],
        "draw": literal(1, Integer),
        "user_id": key,
    }
    held_out: Arm = "held_out"
    return [
        (
            tables.sends,
            _rows(
                mine,
                scope
                | {
                    "user_id": key,
                    "occurrence": literal("1"),
                    "send_id": send_id,
                    "state": state,
                    "reason": case((kind == 3, "said_no")),
                    "as_of": as_of,
                    "decided_at": as_of,
                    "accepted_at": case((kind > 3, as_of)),
                },
            ),
        ),
        (
            tables.contacts,
            _rows(
                mine & is_late & (kind != 3),
                scope
                | {
                    "user_id": key,
                    "occurrence": literal("1"),
                    "recipient": func.substr(literal("1:") + cast(key, String(20)) + literal("x" * 64), 1, 66),
                    "decided_at": as_of,
                },
            ),
        ),
        (
            tables.deferred,
            _rows(
                mine & (kind == 7) & (key % 10 == 7),
                scope
                | {
                    "user_id": key,
                    "occurrence": literal("2"),
                    "reason": case((key % 3 == 0, "repeat"), else_="cap"),
                    "as_of": literal(now, Moment),
                    "decided_at": literal(now, Moment),
                    "ask_at": _after(now, key % 20 * A_DAY),
                },
            ),
        ),
        (
            tables.segment_members,
            _rows(
                mine & (kind > 9),
                {
                    "segment": literal(f"{loop}.main"),
                    "exited_at": case((kind > 14, literal(OPEN, Moment)), else_=_after(begin, key % DAYS * A_DAY + 1)),
                    "user_id": key,
                    "entered_at": as_of,
                },
            ),
        ),
        (
            tables.arms,
            _rows(
                mine & (kind != 3),
                arm
                | {
                    "arm": case((kind < 2, held_out), else_="mailed"),
                    "share": literal(0.1),
                    "enrolled_at": as_of,
                    "level": literal("active"),
                },
            ),
        ),
        (
            tables.outcomes,
            _rows(
                mine & (kind != 3),
                arm
                | {
                    "goal": literal(goal),
                    "window_ends_at": _after(begin, (key * 7919 + number * 131) % DAYS * A_DAY + 14 * A_DAY),
                    "reached_at": case((key % 7 == 0, as_of)),
                    "state": case((is_late, "open"), else_="final"),
                },
            ),
        ),
    ]


def _of_users(now: datetime) -> list[tuple[Table, Select[Any]]]:
    key = product.users.c.id
    moved = key % 10 == 0
    at = _after(now, -(key % 25 + 1) * A_DAY)
    level = {"user_id": key, "changes_at": literal(OPEN, Moment)}
    found = [
        (
            tables.engagement_levels,
            _rows(
                key >= 0,
                level
                | {
                    "left_at": literal(OPEN, Moment),
                    "level": case((moved, "dormant"), (key % 3 == 0, "power"), else_="active"),
                    "entered_at": case((moved, at), else_=_after(now, -(key % 300 + 40) * A_DAY)),
                },
            ),
        ),
        (
            tables.engagement_levels,
            _rows(
                moved,
                level
                | {"left_at": at, "level": literal("slipping"), "entered_at": _after(now, -(key % 300 + 40) * A_DAY)},
            ),
        ),
        (
            tables.milestones,
            _rows(
                key % 4 == 0,
                {
                    "milestone": literal("tenth"),
                    "user_id": key,
                    "reached_on": day_of(at),
                    "recorded_at": literal(now, Moment),
                },
            ),
        ),
    ]
    for feature, part in (("boards", 2), ("summaries", 3)):
        row = {
            "user_id": key,
            "feature": literal(feature),
            "first_at": at,
            "last_at": at,
            "uses": literal(7, Integer),
            "days": literal(3, Integer),
            "state": case((key % 4 == 0, "adopted"), (key % 4 == 1, "lapsed"), else_="tried"),
            "state_since": _after(now, -(key % 200) * A_DAY),
        }
        found.append((tables.feature_adoption, _rows(key % part == 0, row)))
    return found


def _rows(which: ColumnElement[bool], columns: dict[str, ColumnElement[Any]]) -> Select[Any]:
    return select(*(column.label(name) for name, column in columns.items())).select_from(product.users).where(which)


def _after(moment: datetime, seconds_: ColumnElement[Any]) -> ColumnElement[Any]:
    # In parentheses: in SQLite `||` comes before `*`.
    return later(literal(moment, Moment), cast(seconds_, Integer))


def _insert(engine: Engine, table: Table, rows: Select[Any]) -> None:
    names: list[Column[Any]] = [table.c[column.name] for column in rows.selected_columns]
    with engine.begin() as connection:
        connection.execute(insert(table).from_select(names, rows))


def _rolled_up(connection: Connection, begin: datetime, now: datetime) -> None:
    row = {"rollup": "usage", "as_of": now, "first_as_of": begin, "writing_as_of": now, "fence": 1}
    connection.execute(insert(tables.rollups), [row])
    for number in range(LOOPS):
        scope = {"mode": "live", "loop": _name(number), "step": "main"}
        connection.execute(insert(tables.steps), [scope | {"reserved_as_of": now, "digest": "x", "fence": 1}])


if __name__ == "__main__":
    main()
