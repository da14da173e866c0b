"""Planning of a trigger: when a step runs, or which rows run it."""

from collections.abc import Sequence

from typing_extensions import assert_never

from skene_dagster.documents import Path_, one_of, shown
from skene_dagster.loops import model
from skene_dagster.loops.plan import After, Calls, Manual, Rows, Schedule, Trigger
from skene_dagster.loops.planning.faults import Faults
from skene_dagster.loops.times.cron import fault_of_cron
from skene_dagster.loops.times.zones import fault_of_timezone
from skene_dagster.settings import FILE, MomentColumn, Settings, Users


def plan_trigger(
    trigger: model.Trigger, path: Path_, earlier: Sequence[model.Step], settings: Settings, faults: Faults
) -> Trigger:
    """Resolve a trigger; `earlier` are the steps before its own."""
    match trigger:
        case model.ScheduleTrigger():
            if fault := fault_of_cron(trigger.cron):
                faults.refuse((*path, "cron"), f"{shown(trigger.cron)} is not a cron expression.", fault)
            if fault := fault_of_timezone(trigger.timezone):
                faults.refuse((*path, "timezone"), f"{shown(trigger.timezone)} is not a time zone.", fault)
            return Schedule(" ".join(trigger.cron.split()), trigger.timezone)
        case model.DatabaseTrigger():
            return _rows(trigger, path, settings.users, faults)
        case model.EventTrigger():
            events = settings.events
            at = events.arrived or events.at
            return Rows(events.table, events.key, events.user, at, changes=False, name=(events.name, trigger.name))
        case model.AfterTrigger():
            known = [step.name for step in earlier if step.name]
            if trigger.step not in known:
                advice = one_of(trigger.step, known) if known else "There is no step before this one."
                faults.refuse((*path, "step"), f"{shown(trigger.step)} is not an earlier step.", advice)
            elif next(step for step in earlier if step.name == trigger.step).action.type == "block":
                faults.refuse((*path, "step"), f"{shown(trigger.step)} blocks; no step can follow it.", "")
            return After(trigger.step, trigger.wait)
        case model.ApiTrigger():
            return Calls(trigger.endpoint, trigger.method)
        case model.ManualTrigger():
            return Manual()
        case _:
            assert_never(trigger)


def is_by_row(trigger: Trigger) -> bool:
    """Whether a trigger is about single rows, each of which is mailed about once."""
    return isinstance(trigger, Rows | After)


def _rows(trigger: model.DatabaseTrigger, path: Path_, users: Users, faults: Faults) -> Rows:
    of_users = trigger.table == users.table
    key = trigger.key or (users.key if of_users else "id")
    user = trigger.user or (users.key if of_users else "user_id")
    if trigger.event == "insert":
        at = _moment(trigger.at, users.created_at if of_users else None, "created_at")
        return Rows(trigger.table, key, user, at, changes=False, name=None)
    at = _moment(trigger.at, users.updated_at if of_users else None, "updated_at")
    if of_users and (users.updated_at is None or at.column != users.updated_at.column):
        faults.refuse(
            (*path, "event"),
            "An action's `set` is an update of the users table too, and must not trigger this step.",
            f"Add `updated_at: <the column>` under `users:` in {FILE}; `set` then leaves that column as it is.",
        )
    return Rows(trigger.table, key, user, at, changes=True, name=None)


def _moment(named: MomentColumn | None, mapped: MomentColumn | None, usual: str) -> MomentColumn:
    """Choose a trigger's moment: the column that it names, which skene.yaml may know, or the one that is usual."""
    if named is not None and (mapped is None or named.column != mapped.column or named.unit is not None):
        return named
    return mapped or MomentColumn(column=usual)
