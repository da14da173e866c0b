"""Planning of goals: what has to come of a loop, and by which key the database knows it."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Literal

from skene_dagster.documents import Document, Path_, one_of, shown, together
from skene_dagster.durations import duration_text
from skene_dagster.errors import SettingsError
from skene_dagster.loops.all_loops import AllLoops
from skene_dagster.loops.plan import GoalPlan, Query
from skene_dagster.loops.planning.conditions import read_condition
from skene_dagster.loops.planning.faults import Faults
from skene_dagster.settings import FILE, Goal, Settings

AT = "at"
"""The column of a goal's query that says when it happened."""
VALUE = "value"
"""The column of a goal's query that says what it is worth."""

_EXAMPLE = "SELECT user_id, paid_at AS at, amount AS value FROM invoices"
_A_DAY = timedelta(days=1)
_KINDS = "returns_within, event, feature, level and query"


def plan_goals(goals: Sequence[Goal], settings: Settings, faults: Faults) -> tuple[GoalPlan, ...]:
    """Resolve goals, of a loop or of all loops; what is impossible is noted."""
    listed = isinstance(faults.document.data.get("goal"), list)
    planned: dict[str, int] = {}
    found = []
    for number, goal in enumerate(goals):
        path: Path_ = ("goal", number) if listed else ("goal",)
        plan = _goal(goal, path, settings, faults)
        if plan is None:
            continue
        if plan.key in planned:
            faults.refuse(path, f"Goal {planned[plan.key] + 1} is the same.", "Keep one.")
        planned.setdefault(plan.key, number)
        found.append(plan)
    return tuple(found)


def plan_all_loops(settings: Settings, document: Document | None = None) -> AllLoops:
    """Resolve what skene.yaml says of all loops together.

    Args:
        document: the file, for the lines of what is wrong.

    Raises:
        DocumentErrors, or a single SettingsError: everything that is impossible.
    """
    faults = Faults(document or Document(FILE, {}))
    goals = plan_goals(settings.goals, settings, faults)
    if faults.found:
        raise together([SettingsError(one.message, advice=one.advice, place=one.place) for one in faults.found])
    return AllLoops(goals, settings.holdout, faults.document)


def _goal(goal: Goal, path: Path_, settings: Settings, faults: Faults) -> GoalPlan | None:
    query = None if goal.query is None else _query(goal.query, (*path, "query"), settings, faults)
    given = list(_given(goal))
    if len(given) != 1:
        faults.refuse(path, "The goal is not one goal.", f"Write exactly one of {_KINDS}.")
        return None
    ((kind, value),) = given
    within, at = (goal.returns_within, "returns_within") if kind == "returns" else (goal.within, "within")
    if kind == "returns" and goal.within is not None:
        faults.refuse((*path, "within"), "returns_within already says the time.", "Leave `within` out.")
    if within is None:
        faults.refuse(path, f"The goal {kind!r} has no time limit.", "Add a time limit: `within: 14d`.")
        return None
    if kind in ("returns", "event", "feature") and within < _A_DAY:
        advice = "Write 1d or more: what users do is counted by the day."
        faults.refuse((*path, at), f"{duration_text(within)} is too short a time.", advice)
    if kind == "feature" and value not in settings.features:
        known = sorted(settings.features)
        advice = one_of(value, known) if known else f"{FILE} has no features; add it there, under `features:`."
        faults.refuse((*path, "feature"), f"{shown(value)} is not a feature of {FILE}.", advice)
    return GoalPlan(kind, value, within, _key(kind, value if query is None else query.mysql, within), query)


def _given(goal: Goal) -> Iterator[tuple[Literal["returns", "event", "feature", "level", "query"], str]]:
    if goal.returns_within is not None:
        yield "returns", ""
    if goal.event is not None:
        yield "event", goal.event
    if goal.feature is not None:
        yield "feature", goal.feature
    if goal.level is not None:
        yield "level", goal.level
    if goal.query is not None:
        yield "query", goal.query


def _key(kind: str, value: str, within: timedelta) -> str:
    said = json.dumps([kind, value, within.total_seconds()])
    return f"{kind}-{hashlib.sha256(said.encode()).hexdigest()[:32]}"


def _query(sql: str, path: Path_, settings: Settings, faults: Faults) -> Query:
    """Read the SQL of a goal.

    It says what happened when, and never how long ago: that is asked about each user from their own first decision on,
    also about those of last month.
    """
    query = read_condition(sql, path, settings, faults)
    if not query.key:
        return query
    if query.by_row:
        faults.refuse(path, "$1 is the row that triggered a step; a goal has none.", "Leave it out.")
    elif query.binds:
        faults.refuse(
            path,
            "The goal's query asks what time it is now, but it is asked about each user from when they entered the "
            "comparison on.",
            f"Leave the clock out; return when it happened: {_EXAMPLE}",
        )
    elif query.columns is None:
        faults.refuse(path, "The goal's query returns *, so nobody knows its columns.", f"Name them: {_EXAMPLE}")
    elif AT not in query.columns:
        faults.refuse(path, "The goal's query does not return when it happened.", f"Call that column at: {_EXAMPLE}")
    elif others := [name for name in query.columns if name not in (query.key, AT, VALUE)]:
        faults.refuse(
            path,
            f"Nobody reads the column {others[0]!r} of the goal's query.",
            f"What it is worth is called value: {_EXAMPLE}",
        )
    return query
