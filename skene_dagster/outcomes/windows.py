"""Measure who reached a goal in the time that it gives them: in the database, both arms alike, as often as is needed.

Each person's window begins when they enter the comparison. While it is open, and as long after its end as events may
come late, it is asked again; then it is final, and never asked again. A goal that is added today is measured for
everybody who is compared. Then who became final is
counted (`goals/kept.py`). This module owns skene_outcomes and skene_goals.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Select,
    SelectBase,
    Table,
    and_,
    case,
    func,
    insert,
    literal,
    null,
    select,
    update,
)
from sqlalchemy.dialects.mysql import insert as insert_on_server
from sqlalchemy.dialects.sqlite import insert as insert_in_sqlite

from skene_dagster.goals.arms import Comparison, comparison_of
from skene_dagster.goals.happened import Happened, happened, refuse_unfit
from skene_dagster.goals.kept import keep
from skene_dagster.loops.all_loops import Compared
from skene_dagster.loops.plan import GoalPlan
from skene_dagster.settings import Settings
from skene_dagster.store.engine import is_sqlite, reading, transaction
from skene_dagster.store.key_ranges import Parts, Span
from skene_dagster.store.moments import later
from skene_dagster.store.tables import Moment, arms, goals, outcomes

CHUNK = 50_000
"""People per transaction."""

_KEY = "mode", "loop", "draw", "goal"
_ANSWER = "reached_at", "value", "state"
"""What another time may change. A server assigns in this order: the state, which decides, comes last."""
_arm, _outcome, _goal = arms.c, outcomes.c, goals.c


@dataclass(frozen=True)
class Measured:
    """What was asked about a goal."""

    goal: GoalPlan
    asked: int
    """About how many people: those whose windows were not final."""
    known_until: datetime
    """Nothing later was known."""


def measure(
    engine: Engine,
    *,
    plan: Compared,
    goal: GoalPlan,
    settings: Settings,
    mode: str,
    as_of: datetime,
    chunk: int = CHUNK,
) -> Measured:
    """Ask about everybody in a loop's present comparison whether they reached a goal. Again changes nothing.

    Args:
        plan: a loop, or all of them together.
        goal: one of its goals.
        as_of: what happens later does not count.
        chunk: about how many people a transaction is about.

    Raises:
        NotCounted: the goal depends on what users do, which is not counted.
        QueryRejected: the goal's query cannot be asked here.
        StoreError: the database refused; what was half-written is repaired by the next time.
    """
    asking, asked, known_until = reading(
        engine, partial(_begin, plan=plan, goal=goal, settings=settings, mode=mode, as_of=as_of)
    )

    def write(connection: Connection, span: Span) -> int:
        who = asking.who(span)
        return _ask(connection, asking, who, happened(connection, plan, goal, settings, who, as_of=as_of))

    Parts(engine, write, [asking.enrolled()], chunk).by_ranges()
    reach = {"measured_as_of": as_of, "final_before": asking.final_before(known_until)}
    transaction(engine, lambda connection: _remember(connection, asking.key, reach))
    if not any(step.per_account for step in plan.steps):
        keep(engine, asking.comparison, goal.key, late_ticks=_late_ticks(settings))
    return Measured(goal, asked, known_until)


def give_up(engine: Engine, mode: str, plans: Sequence[Compared], chunk: int = CHUNK) -> int:
    """End the open windows of goals that are gone; what is final stays.

    A goal that comes back is measured for those people, too.

    Args:
        plans: all loops of a project, and all of them together; none of its files is broken.

    Returns:
        How many there were.
    """

    def gone(connection: Connection) -> list[dict[str, object]]:
        draws = {plan.name: comparison_of(connection, mode, plan.name).draw for plan in plans}
        asked = {(plan.name, draws[plan.name], goal.key) for plan in plans for goal in plan.goals}
        not_ended = _goal.mode == mode, _goal.final_before.is_not(None)
        known = connection.execute(select(_goal.loop, _goal.draw, _goal.goal).where(*not_ended))
        return [dict(zip(_KEY, (mode, *row), strict=True)) for row in known if tuple(row) not in asked]

    return sum(_end(engine, key, chunk) for key in reading(engine, gone))


@dataclass(frozen=True)
class _Asking:
    """A goal, and about whom it is asked."""

    comparison: Comparison
    goal: GoalPlan
    since: datetime | None
    """Who was enrolled until then is final; None: nobody is known to be."""
    late: timedelta

    @property
    def key(self) -> dict[str, object]:
        return {**self.comparison.key, "goal": self.goal.key}

    def final_before(self, known_until: datetime) -> datetime:
        """Say until when those were enrolled whose windows are final, if all is known until a moment."""
        return known_until - self.goal.within - self.late

    def who(self, span: Span) -> Select[Any]:
        """Select the keys of those who are asked about, in a range."""
        return self.enrolled().where(span.of(_arm.user_id))

    def enrolled(self) -> Select[Any]:
        """Select the keys of those who may have to be asked about: of these a range is quickly found."""
        found = select(_arm.user_id).where(_is(arms, self.comparison.key))
        return found if self.since is None else found.where(_arm.enrolled_at > self.since)


def _begin(
    connection: Connection, *, plan: Compared, goal: GoalPlan, settings: Settings, mode: str, as_of: datetime
) -> tuple[_Asking, int, datetime]:
    comparison = comparison_of(connection, mode, plan.name)
    before = select(_goal.final_before).where(_is(goals, {**comparison.key, "goal": goal.key}))
    final_before = connection.execute(before).scalar_one_or_none()
    since = None if final_before is None else final_before - _late_ticks(settings)
    asking = _Asking(comparison, goal, since, settings.events.late)
    refuse_unfit(connection, plan, goal, settings, asking.enrolled())
    known_until = happened(connection, plan, goal, settings, asking.enrolled(), as_of=as_of).known_until
    not_final = replace(asking, since=final_before).enrolled()
    people = connection.execute(not_final.with_only_columns(func.count())).scalar_one()
    return asking, people, known_until


def _late_ticks(settings: Settings) -> timedelta:
    """Say how long after its moment a tick may still enrol people, as of then; a day more, to be sure."""
    return settings.limits.expires_after + timedelta(days=1)


def _ask(connection: Connection, asking: _Asking, who: Select[Any], what: Happened) -> int:
    """Write the outcomes of a range of people, but for those that are final; return how many the database counts."""
    ends = later(_arm.enrolled_at, asking.goal.within)
    # Two conditions: TiDB 8.5, 2026-11, computes LEAST() of two moments as texts.
    is_known = what.first_at <= literal(what.known_until, Moment)
    counts = and_(what.user_id == _arm.user_id, what.inside(_arm.enrolled_at, ends), is_known)
    is_final = _arm.enrolled_at <= literal(asking.final_before(what.known_until), Moment)
    found = who.add_columns(
        func.max(ends, type_=Moment),
        func.min(what.at(_arm.enrolled_at), type_=Moment),
        null() if what.value is None else func.sum(case((what.user_id.is_not(None), what.value))),
        # Each has one row of theirs: the aggregate is that row's.
        func.max(case((is_final, "final"), else_="open")),
    )
    found = found.select_from(arms.outerjoin(what.rows, counts)).group_by(_arm.user_id)
    named = [literal(value).label(name) for name, value in asking.key.items()]
    return _write(connection, found.with_only_columns(*named, *found.selected_columns, maintain_column_froms=True))


def _write(connection: Connection, rows: SelectBase) -> int:
    """Insert outcomes, or put them in the place of those that are not final."""
    into = [*_KEY, "user_id", "window_ends_at", *_ANSWER]
    is_final = _outcome.state == "final"
    if is_sqlite(connection):
        lite = insert_in_sqlite(outcomes).from_select(into, rows)
        anew = {name: lite.excluded[name] for name in _ANSWER}
        lite = lite.on_conflict_do_update(index_elements=list(outcomes.primary_key), set_=anew, where=~is_final)
        return connection.execute(lite).rowcount
    served = insert_on_server(outcomes).from_select(into, rows)
    kept = [(name, case((is_final, _outcome[name]), else_=served.inserted[name])) for name in _ANSWER]
    return connection.execute(served.on_duplicate_key_update(kept)).rowcount


def _remember(connection: Connection, key: dict[str, object], reach: dict[str, datetime]) -> None:
    if not connection.execute(update(goals).where(_is(goals, key)).values(reach)).rowcount:
        connection.execute(insert(goals).values(**key, **reach))


def _end(engine: Engine, key: dict[str, object], chunk: int) -> int:
    is_open = and_(_is(outcomes, key), _outcome.state == "open")

    def write(connection: Connection, span: Span) -> int:
        ended = update(outcomes).where(is_open, span.of(_outcome.user_id)).values(state="not_asked")
        return connection.execute(ended).rowcount

    ended = Parts(engine, write, [select(_outcome.user_id).where(is_open)], chunk).by_ranges()
    # Last: a run that dies is repeated.
    anew = update(goals).where(_is(goals, key)).values(final_before=None)
    transaction(engine, lambda connection: connection.execute(anew).rowcount)
    return ended


def _is(table: Table, key: dict[str, object]) -> ColumnElement[bool]:
    return and_(*(table.c[name] == value for name, value in key.items()))
