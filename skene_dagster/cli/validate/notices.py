"""What `validate` says of a loop without errors: things that may still surprise."""

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from itertools import islice
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from skene_dagster.checks.schedule_gaps import Gap, Lost, lost
from skene_dagster.codes import Code
from skene_dagster.errors import Notice, Place
from skene_dagster.loops.all_loops import AllLoops
from skene_dagster.loops.dialect.answers.nulls import Forgotten, forgotten
from skene_dagster.loops.dialect.answers.repeats import Repeated, repeated
from skene_dagster.loops.dialect.time.clocks import AS_OF_DATE
from skene_dagster.loops.plan import LoopPlan, Query, StepPlan
from skene_dagster.loops.planning.accounts import is_per_account, selected_from
from skene_dagster.loops.sql_reads import Window
from skene_dagster.loops.times.cron import either_day
from skene_dagster.loops.times.zones import trap_of_timezone
from skene_dagster.loops.triggers import Schedule
from skene_dagster.outcomes.foreseen import of_share
from skene_dagster.settings import Settings
from skene_dagster.ticks import in_utc, ticks
from skene_dagster.wording import how_many

if TYPE_CHECKING:
    from skene_dagster.cli.validate.database_checks import Answer

_TICKS_SHOWN = 5
_EACH_DAY = 100
"""Gaps of less than a day, if there are this many a year, are shown by the time of day."""
_TIMES_SHOWN = 3


def notices(plan: LoopPlan, settings: Settings, answer: "Answer | None", now: datetime) -> Iterator[Notice]:
    """List what may surprise; `answer` is None if the database was not queried."""
    for number, step in enumerate(plan.steps):
        if isinstance(step.trigger, Schedule):
            yield from _of_a_schedule(plan, number, step.trigger, now)
        if isinstance(step.condition, Query):
            yield from _of_a_query(plan, number, step, step.condition, settings, answer)
            yield from _of_its_windows(plan, number, step, step.condition, now)
    yield from _of_the_goal(plan)


def of_all_loops(plan: AllLoops) -> Iterator[Notice]:
    """List what may surprise of what skene.yaml says of all loops together."""
    if plan.goals and not plan.holdout:
        said = "Nobody is held out of all loops, so nobody will know whether they work together. Write `holdout: 2%`."
        yield Notice(plan.document.place(("goal",)), said, Code.NO_HOLDOUT)
    elif plan.holdout and not plan.goals:
        said = (
            "Nobody will know whether the loops work together: there is no goal. Write `goal: {returns_within: 28d}`."
        )
        yield Notice(plan.document.place(("holdout",)), said, Code.NO_GOAL)
    elif plan.goals:
        yield Notice(plan.document.place(("holdout",)), of_share(plan.holdout), Code.SMALLEST_EFFECT)


def _of_the_goal(plan: LoopPlan) -> Iterator[Notice]:
    if plan.goals and not plan.holdout:
        said = "Nobody is held out, so nobody will know whether the loop works. Write `holdout: 10%`."
        yield Notice(plan.document.place(("goal",)), said, Code.NO_HOLDOUT)
    elif plan.holdout and not plan.goals:
        said = "The loop has no goal, so nobody will know whether it works. Write `goal: {returns_within: 14d}`."
        yield Notice(plan.document.place(("holdout",)), said, Code.NO_GOAL)
    elif plan.goals:
        said = of_share(plan.holdout, per_account=is_per_account(plan))
        yield Notice(plan.document.place(("holdout",)), said, Code.SMALLEST_EFFECT)


def _of_a_schedule(plan: LoopPlan, number: int, schedule: Schedule, now: datetime) -> Iterator[Notice]:
    path = ("steps", number, "trigger")
    if trap := trap_of_timezone(schedule.timezone):
        yield Notice(plan.document.place((*path, "timezone")), trap, Code.ZONE)
    if either := either_day(schedule.cron):
        day, weekday = either
        on = "it runs on every day that matches either, not only on days that match both."
        what = f"Day {day} OR weekday {weekday}: {on}"
        following = "\n".join(f"  {_day(tick)}" for tick in islice(ticks(schedule, now), _TICKS_SHOWN))
        place = plan.document.place((*path, "cron"))
        said = f"{what} The next {_TICKS_SHOWN} ticks ({schedule.timezone}):\n{following}"
        yield Notice(place, said, Code.EITHER_DAY)


def _of_a_query(
    plan: LoopPlan, number: int, step: StepPlan, query: Query, settings: Settings, answer: "Answer | None"
) -> Iterator[Notice]:
    users, nullable = settings.users, answer.nullable if answer else None
    path = ("steps", number, "condition", "query")
    place = plan.document.text_place(path)
    if query.sqlite is None and nullable is None:
        yield Notice(place, f"{query.needs_tidb}; the embedded SQLite database cannot run it.", Code.NEEDS_TIDB)
    lines, unique = plan.document.text_lines(path), answer.unique if answer else None
    if found := repeated(query, selected_from(step, settings), lines, schema=settings.schema, unique=unique):
        said = _comes_twice(found, "An account" if step.per_account else "A user")
        yield Notice(_below(place, found.line), said, Code.COMES_TWICE)
    for missed in forgotten(query) if query.tables == (users.table,) else ():
        if _may_be_null(missed, nullable):
            who = f"Users whose {missed.column} is NULL are not among them."
            instead = f"({missed.written}\n   OR {missed.column} IS NULL)"
            said = f"{who} To include them, write instead:\n  {instead}"
            yield Notice(plan.document.text_place(path, missed.at), said, Code.NEVER)


def _of_its_windows(plan: LoopPlan, number: int, step: StepPlan, query: Query, now: datetime) -> Iterator[Notice]:
    schedule = step.trigger
    if not isinstance(schedule, Schedule):
        return
    place = plan.document.text_place(("steps", number, "condition", "query"))
    for window in query.windows:
        if found := lost(window, map(in_utc, ticks(schedule, now)), ZoneInfo(schedule.timezone)):
            yield Notice(_below(place, window.line - 1), _left_out(found, window, schedule), Code.BETWEEN_TICKS)


def _below(place: Place, lines: int) -> Place:
    return Place(place.file, None if place.line is None else place.line + lines, place.part)


def _left_out(found: Lost, window: Window, schedule: Schedule) -> str:
    column, zone = window.column, ZoneInfo(schedule.timezone)
    each_day = len(found.gaps) >= _EACH_DAY and all(gap.end - gap.start < timedelta(days=1) for gap in found.gaps)
    why = f"ticks are up to {_hours(found.longest)} apart, and a window is shorter."
    if each_day and AS_OF_DATE in window.sqlite:
        why = f"CURDATE() is the date in {schedule.timezone}, and {column} is in UTC."
    when = _times(found.gaps, zone) if each_day else _dates(found.gaps, zone)
    cure = "Windows may overlap: a user who is in two of them in a row is mailed once."
    if found.instead:
        cure += f" Replace the condition on {column} with:\n  {found.instead}".replace(" AND ", "\n  AND ")
    return f"Users whose {column} is {when} are in no tick's window: {why} {cure}"


def _times(gaps: tuple[Gap, ...], zone: ZoneInfo) -> str:
    """Say at which times of day the daily gaps are; they may differ between summer and winter."""
    found = dict.fromkeys(_between(gap, zone, "%H:%M") for gap in gaps)
    return " or ".join([*found][:_TIMES_SHOWN])


def _dates(gaps: tuple[Gap, ...], zone: ZoneInfo) -> str:
    """Say when the first gap is, and how many there are."""
    first, more = _between(gaps[0], zone, "%d %b %Y, %H:%M"), len(gaps) - 1
    return f"{first} (and in {how_many(more, 'more such gap')} within a year)" if more else first


def _between(gap: Gap, zone: ZoneInfo, form: str) -> str:
    start, end = (moment.replace(tzinfo=timezone.utc).astimezone(zone) for moment in (gap.start, gap.end))
    local = "" if zone.key == "UTC" else f" ({_and(start, end, form)} {start:%Z})"
    return f"between {_and(gap.start, gap.end, form)} UTC{local}"


def _and(start: datetime, end: datetime, form: str) -> str:
    return f"{start:{form}} and {end:{'%H:%M' if start.date() == end.date() else form}}"


def _hours(time: timedelta) -> str:
    hours = time / timedelta(hours=1)
    return how_many(round(hours), "hour") if hours <= 100 else how_many(round(hours / 24), "day")


def _day(tick: datetime) -> str:
    return f"{tick:%a %d %b %Y, %H:%M}"


def next_ticks(plan: LoopPlan, now: datetime) -> str:
    """Say when a loop's schedules tick next; empty for a loop without one."""
    schedules = dict.fromkeys(step.trigger for step in plan.steps if isinstance(step.trigger, Schedule))
    return "; ".join(f"{_day(next(ticks(schedule, now)))} {schedule.timezone}" for schedule in schedules)


def _comes_twice(found: Repeated, who: str) -> str:
    if not found.source:
        return f"{who} in both SELECTs is returned twice, and the run fails. Write UNION instead of UNION ALL."
    comes = f"{who} with several rows in {found.source} is returned several times, and the run fails."
    if found.shown:
        return f"{comes} Write GROUP BY {found.key}, and MAX(…) or similar around the columns of {found.source}."
    instead = f"WHERE EXISTS (SELECT 1 FROM {found.source} WHERE …)"
    return f"{comes} Write SELECT DISTINCT {found.key}, or {instead} instead of the join."


def _may_be_null(missed: Forgotten, nullable: frozenset[str] | None) -> bool:
    if nullable is None:
        # Without the database, only column names tell: what happened `last` may never have happened.
        return missed.column.lower().startswith("last_")
    return missed.column.lower() in nullable
