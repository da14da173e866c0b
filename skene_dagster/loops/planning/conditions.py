"""Planning of a condition: every kind says which users are in the segment, and what an email can show of them."""

import math
from datetime import timedelta

from typing_extensions import assert_never

from skene_dagster.documents import Path_, one_of, shown
from skene_dagster.errors import DocumentError
from skene_dagster.loops import model
from skene_dagster.loops.dialect import read_query
from skene_dagster.loops.plan import AtLevel, Condition, InState, Query, Reached, UsedUp
from skene_dagster.loops.planning.faults import Faults
from skene_dagster.loops.triggers import Calls, Rows, Trigger
from skene_dagster.settings import FILE, Accounts, Feature, Keyed, Milestone, Settings

_NOTHING = Query("", "", None, "", (), (), None, "", own_key=False, by_row=False, by_key=False, plain=False, binds=())
"""Replaces a query that cannot be read; its fault is noted, and there will be no plan."""


def plan_condition(
    condition: model.Condition,
    path: Path_,
    trigger: Trigger,
    settings: Settings,
    faults: Faults,
    *,
    selects: Keyed,
) -> Condition:
    """Resolve a condition.

    Args:
        selects: the table whose rows it selects.
    """
    match condition:
        case model.QueryCondition():
            return _query(condition, path, trigger, settings, faults, selects)
        case model.LevelCondition():
            return AtLevel(condition.is_, condition.for_)
        case model.FeatureCondition():
            _check_known(condition.name, settings.features, "feature", path, faults)
            if condition.state == "untried" and condition.for_ and settings.users.created_at is None:
                advice = f"Add `created_at: <the column>` under `users:` in {FILE}."
                faults.refuse((*path, "for"), "The time without trying it is counted from sign-up.", advice)
            return InState(condition.name, condition.state, condition.for_)
        case model.MilestoneCondition():
            _check_known(condition.name, settings.milestones, "milestone", path, faults)
            return Reached(condition.name)
        case model.UsageCondition():
            if selects.plan is None:
                whose, part = ("an account", "accounts") if isinstance(selects, Accounts) else ("a user", "users")
                advice = f"Add `plan: <the column>` under `{part}:` in {FILE}."
                faults.refuse((*path, "limit"), f"It is unknown which plan {whose} is on.", advice)
            if condition.period % timedelta(days=1):
                advice = "Uses are counted by the day (UTC): write 1d, 7d or 30d."
                faults.refuse((*path, "period"), "The period is not a number of whole days.", advice)
            limits = tuple((plan, limit) for plan, limit in condition.limit.items() if math.isfinite(limit))
            pattern = trigger.pattern if isinstance(trigger, Calls) else None
            return UsedUp(limits, condition.period, pattern)
        case _:
            assert_never(condition)


def columns_of(condition: Condition, *, per_account: bool = False) -> tuple[str, ...] | None:
    """List the columns that `{{row.x}}` can name; None if only the database knows them."""
    match condition:
        case Query():
            return condition.columns
        case AtLevel():
            return ("level", "since")
        case InState():
            told = () if condition.state == "untried" else ("since", "first_at", "last_at", "uses")
            # On how many days one or another of an account used it, no count of single users says.
            return (*told, "days") if told and not per_account else told
        case Reached():
            return ("reached_on",)
        case UsedUp():
            return ("uses", "allowed")
        case _:
            assert_never(condition)


def about(condition: Condition, settings: Settings) -> tuple[tuple[str, Feature | Milestone], ...]:
    """Return what a template can show of skene.yaml, and by which name."""
    match condition:
        case InState() if condition.feature in settings.features:
            return (("feature", settings.features[condition.feature]),)
        case Reached() if condition.milestone in settings.milestones:
            return (("milestone", settings.milestones[condition.milestone]),)
        case _:
            return ()


def _query(
    condition: model.QueryCondition,
    path: Path_,
    trigger: Trigger,
    settings: Settings,
    faults: Faults,
    selects: Keyed,
) -> Query:
    inner = (*path, "query")
    query = read_condition(condition.query, inner, settings, faults, selects=selects)
    if query.by_row and not isinstance(trigger, Rows):
        advice = "Use a trigger of type database or event, or leave it out."
        faults.refuse(inner, "$1 is the row that triggered the step, and this trigger has none.", advice)
    return query


def read_condition(sql: str, path: Path_, settings: Settings, faults: Faults, *, selects: Keyed | None = None) -> Query:
    """Read the SQL at a place of the file; what is wrong with it is noted.

    Args:
        selects: the table whose rows it selects; None: the users table.
    """
    document = faults.document
    try:
        return read_query(
            sql,
            users=selects or settings.users,
            place=document.text_place(path),
            lines=document.text_lines(path),
            schema=settings.schema,
        )
    except DocumentError as refused:
        faults.note(refused)
        return _NOTHING


def _check_known(name: str, known: object, what: str, path: Path_, faults: Faults) -> None:
    assert isinstance(known, dict)
    if name not in known:
        advice = one_of(name, known) if known else f"{FILE} has no {what}s; add it there, under `{what}s:`."
        faults.refuse((*path, "name"), f"{shown(name)} is not a {what} of {FILE}.", advice)
