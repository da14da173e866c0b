"""What comes next: emails on their way, what is decided again and when, and what a step waits for as a whole."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection

from skene_dagster.delivery import controls, ledger
from skene_dagster.delivery.controls import EVERY, Pause
from skene_dagster.delivery.ledger import StepProgress, people
from skene_dagster.delivery.ledger.people import PutOff, StepName
from skene_dagster.delivery.model import HoldReason
from skene_dagster.explain.model import Coming, ComingKind
from skene_dagster.explain.scope import Asked
from skene_dagster.loops.plan import LoopPlan, StepPlan, segment_name
from skene_dagster.loops.times.calendar_days import later
from skene_dagster.loops.triggers import After, Schedule
from skene_dagster.segments import clearance
from skene_dagster.segments.triggers import trigger_rows

MOST = 50
"""The most emails, and decisions that are taken again, that are listed."""

_FOLLOWED = 5
"""The newest emails of a step that are looked at for one that is still to be followed."""


@dataclass(frozen=True)
class _User:
    """What is known of them already."""

    user_id: object
    inside: Mapping[str, datetime]
    """When they entered the segments that they are in."""
    waiting: list[PutOff]


def coming(
    connection: Connection,
    asked: Asked,
    names: list[StepName],
    user_id: object,
    *,
    inside: Mapping[str, datetime],
    waiting: list[PutOff],
) -> list[Coming]:
    """List what may come next, the soonest first; what has no moment comes last."""
    user = _User(user_id, inside, waiting)
    paused = controls.paused(connection)
    progress = ledger.progress_of_steps(connection, asked.mode)
    gates = _gates(connection, asked, progress)
    found = [*_on_their_way(connection, asked, names, user, paused), *_asked_again(asked, user, paused, gates)]
    for name, (plan, step) in asked.planned.items():
        if step.email is not None:
            hold = _Held("paused", None) if _hold(paused, plan.name) else gates.get(name)
            found += _undecided(connection, asked, name, plan, step, user, progress.get(name), hold)
    found.sort(key=lambda one: (one.at is None, one.at or asked.now, one.loop, one.step))
    found += _following(connection, asked, user, found)
    # What follows at an unknown moment stays behind what it follows.
    return sorted(found, key=lambda one: (one.at is None, one.at or asked.now))


@dataclass(frozen=True)
class _Held:
    """Why nobody of a step is decided now, and what its gates say."""

    reason: HoldReason
    said: str | None


def _gates(connection: Connection, asked: Asked, progress: Mapping[StepName, StepProgress]) -> Mapping[StepName, _Held]:
    """Say which steps gates hold, unless a person has let their next tick pass since."""
    found = {}
    for name in asked.planned:
        known = progress.get(name)
        if known is None or not known.said:
            continue
        if said := known.held_by(approved=controls.orders(connection, *name).approved):
            found[name] = _Held(next(iter(said)), " ".join(said.values()))
    return found


def _hold(paused: Mapping[str, Pause], loop: str) -> HoldReason | None:
    return "paused" if loop in paused or EVERY in paused else None


def _on_their_way(
    connection: Connection, asked: Asked, names: list[StepName], user: _User, paused: Mapping[str, Pause]
) -> Iterator[Coming]:
    sends = people.to_be_sent(connection, asked.mode, names, user.user_id, limit=MOST)
    batches = people.carriers(connection, [one.batch_id for one in sends if one.batch_id is not None])
    for one in sends:
        batch = batches.get(one.batch_id or "")
        kind: ComingKind = "on its way"
        moments, said, hours = [], None, None
        if batch is not None:
            kind = "in flight" if batch.unresolved_since is not None else kind
            moments = [at for at in (batch.not_before, batch.due_at) if at is not None and at > asked.now]
            said = batch.refusal or batch.error
            hours = batch.not_before if batch.not_before is not None and batch.not_before > asked.now else None
        hold = _hold(paused, one.loop)
        reason: HoldReason | Literal["quiet_hours"] | None = hold or (None if hours is None else "quiet_hours")
        at = None if hold else max(moments, default=None)
        yield Coming(at, one.loop, asked.shown((one.loop, one.step)), kind, reason, said)


def _asked_again(
    asked: Asked, user: _User, paused: Mapping[str, Pause], gates: Mapping[StepName, _Held]
) -> Iterator[Coming]:
    for one in user.waiting:
        name = (one.loop, one.step)
        if name not in asked.planned:
            continue  # Its loop is gone, or its file is broken: nobody asks again.
        plan, step = asked.planned[name]
        if not step.by_row and segment_name(*name) not in user.inside:
            yield Coming(_next(asked, plan, step, one.ask_at), one.loop, step.name, "asked again", "left_segment", None)
            continue
        if _hold(paused, one.loop):
            yield Coming(None, one.loop, step.name, "asked again", "paused", one.detail)
        elif name in gates:
            yield Coming(None, one.loop, step.name, "held", gates[name].reason, gates[name].said)
        else:
            at = _next(asked, plan, step, one.ask_at)
            yield Coming(at, one.loop, step.name, "asked again", one.reason, one.detail)


def _undecided(
    connection: Connection,
    asked: Asked,
    name: StepName,
    plan: LoopPlan,
    step: StepPlan,
    user: _User,
    progress: StepProgress | None,
    hold: _Held | None,
) -> Iterator[Coming]:
    """Say what nobody has decided yet: who entered since the last tick that decided, or whose row triggered since."""
    segment = segment_name(*name)
    decided_up_to = None if progress is None else progress.reserved_as_of
    waits = {one.occurrence for one in user.waiting if (one.loop, one.step) == name}
    if step.by_row:
        rows = trigger_rows.found_for(connection, asked.mode, segment, user.user_id, decided_up_to, MOST)
        rows = [row for row in rows if row[0] not in waits]
        if rows:
            decided = people.decided_about(connection, asked.mode, [name], user.user_id, limit=MOST)
            rows = [row for row in rows if row[0] not in {one.occurrence for one in decided}]
        is_new = bool(rows)
    else:
        entered_at = user.inside.get(segment)
        is_new = entered_at is not None and not waits and (decided_up_to is None or entered_at > decided_up_to)
        if is_new:
            last = people.decided_about(connection, asked.mode, [name], user.user_id, limit=1)
            is_new = not last or entered_at is None or last[0].as_of < entered_at
        if is_new and plan.start == "new_only":
            cleared = clearance.of(connection, segment)
            if cleared is not None and cleared.first_as_of == entered_at:
                yield Coming(None, plan.name, step.name, "held", "there_at_start", None)
                return
    if not is_new:
        return
    if hold is not None:
        yield Coming(None, plan.name, step.name, "held", hold.reason, hold.said)
    else:
        yield Coming(_next(asked, plan, step, asked.now), plan.name, step.name, "new", None, None)


def _following(connection: Connection, asked: Asked, user: _User, before: list[Coming]) -> Iterator[Coming]:
    """Say which later steps may follow what was mailed, or what comes before them."""
    will_come = {(one.loop, one.step) for one in before if one.reason not in ("there_at_start", "left_segment")}
    for name, (plan, step) in asked.planned.items():
        if not isinstance(step.trigger, After):
            continue
        parent, wait = plan.step(step.trigger.step), step.trigger.wait
        if (plan.name, parent.name) in will_come:
            yield Coming(None, plan.name, step.name, "follows", None, None, wait)
            will_come.add((plan.name, step.name))
            continue
        of_parent = [(plan.name, parent.ledger_name)]
        mails = people.decided_about(connection, asked.mode, of_parent, user.user_id, limit=_FOLLOWED)
        due = [later(one.as_of, wait, plan.zone_of(parent)) for one in mails if one.state == "accepted"]
        due = [at for at in due if at > asked.now]
        if due and not any((one.loop, one.step) == (plan.name, step.name) for one in before):
            at = _next(asked, plan, step, min(due))
            yield Coming(at or min(due), plan.name, step.name, "follows", _hold_of(connection, name), None, wait)
            will_come.add((plan.name, step.name))


def _hold_of(connection: Connection, name: StepName) -> HoldReason | None:
    return "paused" if controls.orders(connection, *name).paused else None


def _next(asked: Asked, plan: LoopPlan, step: StepPlan, at: datetime) -> datetime | None:
    """Say at which tick of its schedule a step runs next, from a moment on; None: it has no schedule."""
    trigger = plan.root_of(step).trigger
    return asked.next_tick(trigger, max(at, asked.now)) if isinstance(trigger, Schedule) else None
