"""Reserving emails for the members of a segment, against the bare INSERT … SELECT of as many rows of skene_sends.

The bare statement decides nothing: it writes a row for each member, with a batch and a place in it by ROW_NUMBER.
Then again with every rule on (frequency caps, quiet hours, send_at, a list of suppressions on which every member is
looked up), and with none of them, as for a transactional email.
"""

import cProfile
import datetime as dt
import pstats
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from sqlalchemy import Connection, Engine, String, cast, delete, func, insert, literal, null, select, table, text
from sqlalchemy import column as named

from benchmarks import databases, options, product, statements
from benchmarks.apart import apart
from benchmarks.refresh import FIRST, refresh, table_like, timed
from benchmarks.shown import Grown, growth, ratio, seconds, show
from skene_dagster.consent.recipient import Recipients
from skene_dagster.consent.suppressions import Suppression, suppress
from skene_dagster.delivery.decide.reserve import reserve
from skene_dagster.delivery.modes import Mode
from skene_dagster.loops.plan import Email, LoopPlan
from skene_dagster.loops.times.hours import ANY_HOUR, Hours
from skene_dagster.segments.difference import Segment, inside
from skene_dagster.settings import Cap, QuietHours, Settings
from skene_dagster.store.engine import is_sqlite, open_engine, transaction
from skene_dagster.store.tables import Moment, segment_members, sends
from skene_dagster.store.tables import suppressions as suppressed

POPULATIONS = {100_000: 3, 1_000_000: 2}
"""How many rounds with how many users; two in five are members."""

SUPPRESSED = 100_000
"""People on the list of suppressions; no member is among them."""

OUTBOX = Mode("outbox", "a benchmark")


@dataclass
class Times:
    """What the rounds took, in seconds."""

    bare: list[float] = field(default_factory=list)
    ours: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    """Of ours, on this side of the connection."""
    ruled: list[float] = field(default_factory=list)
    """With every rule on."""
    unruled: list[float] = field(default_factory=list)
    """Of an email that its recipient asked for."""


def main() -> None:
    asked = options.parser(__doc__)
    asked.add_argument("--statements", action="store_true", help="also what each statement takes, and each function")
    chosen = asked.parse_args()
    populations = options.populations(chosen, POPULATIONS)
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
                        now = number, times.ours, times.bare
                        shown = [seconds(times.bare), seconds(times.ours), ratio(times.ours, times.bare)]
                        shown += [ratio(times.processor, times.ours), ratio(times.ruled, times.unruled)]
                        shown += [growth(before, now)]
                        rows.append([database, f"{number:,}", *shown, ended.memory])
                        before = now
                        if chosen.statements:
                            _show_where(engine, *product.planned(root, url), f"{database}, {number:,} users")
    show(
        "Reserving for 40 % of the users, against the bare INSERT … SELECT of their rows (aim: a ratio of 2)",
        [
            "database",
            "users",
            "bare",
            "reserve",
            "ratio",
            "of it our CPU",
            "all rules, to none (aim: 1.4)",
            "exponent (bare)",
            "peak (idle)",
        ],
        rows,
    )


def measure(root: Path, url: str, rounds: int) -> Times:
    """Refresh once, and reserve in rounds of both, which take turns at being first."""
    (plan, settings), engine = product.planned(root, url), open_engine(url)
    times = Times()
    refresh(engine, plan, settings, 0)
    for number in range(rounds):
        product.forget_sends(engine)
        if number % 2:
            times.bare.append(insert_bare(engine, plan))
        started = time.process_time()
        times.ours.append(timed(lambda: reserve_all(engine, plan, settings)))
        times.processor.append(time.process_time() - started)
        if not number % 2:
            times.bare.append(insert_bare(engine, plan))
        product.forget_sends(engine)
        times.unruled.append(timed(lambda: reserve_all(engine, *_without_rules(plan, settings))))
        product.forget_sends(engine)
        transaction(engine, _suppress_others)
        times.ruled.append(timed(lambda: reserve_all(engine, *_with_rules(plan, settings))))
        transaction(engine, lambda connection: connection.execute(delete(suppressed)))
    return times


def _without_rules(plan: LoopPlan, settings: Settings) -> tuple[LoopPlan, Settings]:
    return _mailing(plan, topic=None, hours=ANY_HOUR), settings


def _with_rules(plan: LoopPlan, settings: Settings) -> tuple[LoopPlan, Settings]:
    quiet = QuietHours.model_validate({"from": "20:00", "to": "08:00"})
    caps = [{"count": 2, "within": "7d"}, {"count": 4, "within": "30d"}]
    changes = {"caps": tuple(Cap.model_validate(cap) for cap in caps), "quiet_hours": quiet}
    limits = settings.limits.model_copy(update=changes)
    return _mailing(plan, topic="product", hours=Hours(quiet, dt.time(9))), replace(settings, limits=limits)


def _mailing(plan: LoopPlan, *, topic: str | None, hours: Hours) -> LoopPlan:
    """Let the loop's only step send an email about something, at some hours."""
    (step,) = plan.steps
    assert isinstance(step.action, Email)
    return replace(plan, steps=(replace(step, action=replace(step.action, topic=topic, hours=hours)),))


def _suppress_others(connection: Connection) -> None:
    names = Recipients.of(connection)
    # Not all at once, or the peak of memory were that of this list.
    for start in range(0, SUPPRESSED, 1_000):
        others = (names.user(f"another-{number}") for number in range(start, start + 1_000))
        suppress(
            connection, [Suppression(name, "marketing", FIRST, "said_no", "a benchmark") for name in others], FIRST
        )


def insert_bare(engine: Engine, plan: LoopPlan) -> float:
    """Insert a row for each member into an empty table that is like skene_sends; return the seconds."""
    step, user = plan.steps[0], segment_members.c.user_id
    place = func.row_number().over(order_by=user) - 1
    padded = func.printf("%032d", user) if is_sqlite(engine) else func.lpad(cast(user, String(32)), 32, "0")
    in_batch = place % 100
    columns = {
        "mode": literal("outbox"),
        "loop": literal(plan.name),
        "step": literal(step.name),
        "user_id": user,
        "occurrence": literal("1"),
        "send_id": padded,
        "state": literal("reserved"),
        "reason": null(),
        "as_of": literal(FIRST, Moment),
        "decided_at": literal(FIRST, Moment),
        "batch_id": cast(place - in_batch, String(32)),
        "position": in_batch,
    }
    bare = table("bare", *(named(name) for name in columns))
    rows = select(*columns.values()).where(inside(Segment(f"{plan.name}.{step.name}")))
    statement = insert(bare).from_select(list(columns), rows)

    def write(connection: Connection) -> None:
        connection.execute(statement)

    with table_like(engine, sends.name):
        return timed(lambda: transaction(engine, write))


def reserve_all(engine: Engine, plan: LoopPlan, settings: Settings) -> None:
    """Decide that each of the members is mailed."""
    done = reserve(
        engine,
        plan=plan,
        step=plan.steps[0],
        settings=settings,
        mode=OUTBOX,
        as_of=FIRST,
        clock=lambda: FIRST,
    )
    with engine.connect() as connection:
        members = connection.execute(text("SELECT COUNT(*) FROM skene_segment_members")).scalar_one()
    assert done.counts == {"mail": members}


def _show_where(engine: Engine, plan: LoopPlan, settings: Settings, title: str) -> None:
    """Show where the time goes: statement by statement, and then, in another round, function by function."""
    product.forget_sends(engine)
    statements.show_longest(engine, f"Reserving, {title}", lambda: timed(lambda: reserve_all(engine, plan, settings)))
    product.forget_sends(engine)
    with cProfile.Profile() as profile:
        reserve_all(engine, plan, settings)
    pstats.Stats(profile).sort_stats("tottime").print_stats(25)


if __name__ == "__main__":
    main()
