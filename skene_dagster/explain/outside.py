"""Which loops somebody is not in: when they left, or which part of the condition they never met."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta

from sqlalchemy import Connection
from typing_extensions import assert_never

from skene_dagster.behaviour import adoption, milestones
from skene_dagster.durations import duration_text
from skene_dagster.explain.model import Outside, Person
from skene_dagster.explain.scope import Asked
from skene_dagster.loops.plan import AtLevel, Condition, InState, Query, Reached, StepPlan, UsedUp, segment_name
from skene_dagster.loops.triggers import After
from skene_dagster.segments import members, parts
from skene_dagster.segments.members import Left
from skene_dagster.segments.parts import Checked
from skene_dagster.segments.triggers import trigger_rows


def steps_outside(
    connection: Connection, asked: Asked, person: Person, inside: Mapping[str, datetime]
) -> list[Outside]:
    """List the steps of the project that the user is not in, with the parts of their conditions.

    When they left is not looked up here: see `with_history`.
    """
    looked = {row.segment: row.as_of for row in members.all_segments(connection)}
    found = []
    for name, (plan, step) in asked.planned.items():
        segment = segment_name(*name)
        as_of = looked.get(segment)
        # Of a step about accounts nobody is inside: who of one is mailed, the emails say.
        if segment in inside or isinstance(step.trigger, After) or step.per_account:
            continue
        if step.by_row and trigger_rows.found_for(connection, asked.mode, segment, person.key, None, 1):
            continue
        at = as_of or asked.now
        if isinstance(step.condition, Query):
            checked = parts.check(connection, plan, step, asked.settings, person.key, at)
        else:
            checked = _of_behaviour(connection, step.condition, person, at)
        found.append(Outside(plan.name, step.name, as_of, None, None, None, tuple(checked)))
    return found


def segments_of(asked: Asked, outside: list[Outside]) -> dict[tuple[str, str], str]:
    """Name the segments of steps whose past members are known: loop and step, as they are shown, to the segment."""
    steps: dict[tuple[str, str], StepPlan] = {(plan.name, step.name): step for plan, step in asked.planned.values()}
    return {
        (one.loop, one.step): segment_name(one.loop, steps[one.loop, one.step].ledger_name)
        for one in outside
        if not steps[one.loop, one.step].by_row
    }


def with_history(asked: Asked, outside: list[Outside], left: Mapping[str, Left] | None) -> list[Outside]:
    """Add when they left, of which `left` knows it by segment; None: nobody could look it up in time."""
    segments = segments_of(asked, outside)
    found = []
    for one in outside:
        segment = segments.get((one.loop, one.step))
        last = None if left is None or segment is None else left.get(segment)
        was_inside = None if left is None and segment is not None else last is not None
        left_at, because = (None, None) if last is None else (last.exited_at, last.reason or "left")
        found.append(Outside(one.loop, one.step, one.as_of, left_at, because, was_inside, one.parts))
    return found


def _of_behaviour(connection: Connection, condition: Condition, person: Person, as_of: datetime) -> list[Checked]:
    """Check what a condition says about what users do, with what is counted now."""
    match condition:
        case AtLevel():
            level = Checked(
                f"level {condition.level}", person.level == condition.level, (("level", person.level or "none"),)
            )
            return _lasting(level, condition.for_, person.level_since, as_of)
        case InState():
            known = adoption.state_of(connection, person.key, condition.feature)
            state, since = known or ("untried", None)
            so = Checked(
                f"feature {condition.feature} {condition.state}", state == condition.state, (("state", state),)
            )
            return _lasting(so, condition.for_, since, as_of)
        case Reached():
            on: date | None = milestones.reached_on(connection, person.key, condition.milestone)
            # One that was reached before it was celebrated does not count: who has it is not looked into further.
            is_met = False if on is None else None
            return [Checked(f"milestone {condition.milestone}", is_met, (("reached_on", on),))]
        case UsedUp() | Query():
            return []
        case _:
            assert_never(condition)


def _lasting(state: Checked, for_: timedelta | None, since: datetime | None, as_of: datetime) -> list[Checked]:
    if for_ is None or not state.holds:
        return [state]
    is_over = None if since is None else since <= as_of - for_
    return [state, Checked(f"for {duration_text(for_)}", is_over, (("since", since),))]
