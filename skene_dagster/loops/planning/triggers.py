"""Planning of a trigger: when a step runs, or which rows run it."""

from collections.abc import Sequence

from typing_extensions import assert_never

from skene_dagster.documents import Path_, one_of, shown
from skene_dagster.loops import model
from skene_dagster.loops.planning.faults import Faults
from skene_dagster.loops.times.cron import fault_of_cron
from skene_dagster.loops.times.zones import fault_of_timezone
from skene_dagster.loops.triggers import After, Calls, Manual, Materialized, Rows, Schedule, Trigger
from skene_dagster.settings import FILE, Accounts, Keyed, MomentColumn, Settings, Users

OWN = "skene"
"""The first part of the keys of our own assets."""


def plan_trigger(
    trigger: model.Trigger,
    path: Path_,
    earlier: Sequence[model.Step],
    settings: Settings,
    faults: Faults,
    *,
    per_account: bool,
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
            return _rows(trigger, path, settings, faults, per_account=per_account)
        case model.EventTrigger():
            return Rows.of_events(settings.events, trigger.name)
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
        case model.AssetTrigger():
            return _materialized(trigger, path, faults)
        case model.ManualTrigger():
            return Manual()
        case _:
            assert_never(trigger)


def is_by_row(trigger: Trigger) -> bool:
    """Whether a trigger is about single rows, each of which is mailed about once."""
    return isinstance(trigger, Rows | After)


def _materialized(trigger: model.AssetTrigger, path: Path_, faults: Faults) -> Materialized:
    named = (*path, "asset")
    for key in trigger.asset:
        if not all(key.split("/")):
            faults.refuse(
                named, f"{shown(key)} is not the key of an asset.", "Write it as Dagster shows it: dbt/orders."
            )
        elif key.split("/")[0] == OWN:
            advice = "A step that follows an email is `type: after`."
            faults.refuse(named, f"{shown(key)} is an asset of these loops, which would wait for themselves.", advice)
    if trigger.wait_for_fresh and len(trigger.asset) == 1:
        said = "`wait_for_fresh` is about several assets; a step waits for the only one anyway."
        faults.refuse((*path, "wait_for_fresh"), said, "Leave it out, or name the other assets.")
    return Materialized(tuple(dict.fromkeys(trigger.asset)), trigger.wait_for_fresh)


def _rows(
    trigger: model.DatabaseTrigger, path: Path_, settings: Settings, faults: Faults, *, per_account: bool
) -> Rows:
    known: list[Keyed] = [settings.users, *([] if settings.accounts is None else [settings.accounts])]
    mapped = next((one for one in known if one.table == trigger.table), None)
    key = trigger.key or ("id" if mapped is None else mapped.key)
    named, of_accounts = _whose(trigger, path, mapped, faults, per_account=per_account)
    if trigger.event == "insert":
        at = _moment(trigger.at, mapped.created_at if isinstance(mapped, Users) else None, "created_at")
        return Rows(trigger.table, key, named, at, changes=False, name=None, of_accounts=of_accounts)
    updated = None if mapped is None else mapped.updated_at
    at = _moment(trigger.at, updated, "updated_at")
    if mapped is not None and (updated is None or at.column != updated.column):
        whose = "users" if isinstance(mapped, Users) else "accounts"
        faults.refuse(
            (*path, "event"),
            f"An action's `set` is an update of the {whose} table too, and must not trigger this step.",
            f"Add `updated_at: <the column>` under `{whose}:` in {FILE}; `set` then leaves that column as it is.",
        )
    return Rows(trigger.table, key, named, at, changes=True, name=None, of_accounts=of_accounts)


def _whose(
    trigger: model.DatabaseTrigger, path: Path_, mapped: Keyed | None, faults: Faults, *, per_account: bool
) -> tuple[str, bool]:
    """Say by which column it is known whose a row is, and whether that is an account."""
    if trigger.account is not None and not per_account:
        advice = "Leave it out, or write `per: account`."
        faults.refuse((*path, "account"), "'account' says whose a row is; this loop is about users.", advice)
    if trigger.account is not None and trigger.user is not None:
        said = "The account of a row is that of its user, or the row names it."
        faults.refuse((*path, "user"), said, "Leave out `user`, or `account`.")
    if trigger.account is not None:
        return trigger.account, True
    if per_account and isinstance(mapped, Accounts) and trigger.user is None:
        return mapped.key, True
    return trigger.user or (mapped.key if isinstance(mapped, Users) else "user_id"), False


def _moment(named: MomentColumn | None, mapped: MomentColumn | None, usual: str) -> MomentColumn:
    """Choose a trigger's moment: the column that it names, which skene.yaml may know, or the one that is usual."""
    if named is not None and (mapped is None or named.column != mapped.column or named.unit is not None):
        return named
    return mapped or MomentColumn(column=usual)
