"""Who takes a recipient's last place under a cap: a loop leaves it to one of higher priority that wants them, too."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Connection

from skene_dagster.delivery import controls, ledger
from skene_dagster.delivery.decide.accounts.wanting import wanted_recipients
from skene_dagster.delivery.decide.arbiter.claims import LATE
from skene_dagster.delivery.ledger import StepProgress, scope_of
from skene_dagster.delivery.model import NEXT_TICK
from skene_dagster.loops.plan import LoopPlan, StepPlan, segment_name
from skene_dagster.loops.triggers import Schedule
from skene_dagster.segments import clearance
from skene_dagster.settings import Settings
from skene_dagster.ticks import last_tick, next_tick

A_DAY = timedelta(days=1)
"""How long a place is left to another loop, at most."""

_CLOCKS_CHANGE = timedelta(hours=1)


@dataclass(frozen=True)
class Rivals:
    """The steps of loops of higher priority that tick soon."""

    mode: str
    settings: Settings
    as_of: datetime
    steps: Sequence[tuple[LoopPlan, StepPlan, Schedule]]

    @staticmethod
    def of(
        mode: str, plan: LoopPlan, step: StepPlan, settings: Settings, others: Sequence[LoopPlan], as_of: datetime
    ) -> "Rivals | None":
        """Say to whom a step leaves its places at a tick; None: to nobody.

        A step that does not tick again within a day leaves none: its users would wait for longer.
        """
        assert step.email is not None
        if not settings.limits.caps or step.email.transactional or not _ticks_daily(plan, step, as_of):
            return None
        found = [
            (other, one, trigger)
            for other in others
            if other.priority > plan.priority and other.name != plan.name
            for one in other.steps
            if one.email is not None and not one.email.transactional
            if isinstance(trigger := other.root_of(one).trigger, Schedule)
        ]
        return Rivals(mode, settings, as_of, found) if found else None

    def wanting(self, connection: Connection, keys: Sequence[object]) -> dict[object, datetime]:
        """Say which users are left to others now, and from which tick on they are asked about again."""
        progress = ledger.progress_of_steps(connection, self.mode)
        left: dict[object, datetime] = {}
        for plan, step, schedule in self.steps if keys else ():
            scope = scope_of(self.mode, plan, step)
            known = progress.get((plan.name, step.ledger_name))
            tick = _tick_to_come(schedule, self.as_of, known)
            if tick is None or not self._may_mail(connection, plan, step, known):
                continue
            since = known.reserved_as_of if known is not None else None
            if since is None and plan.start == "new_only":
                cleared = clearance.of(connection, segment_name(plan.name, step.ledger_name))
                since = cleared.first_as_of if cleared is not None else self.as_of
            # A run between two ticks has deferred users who are due already, although the last tick came before it.
            tick = max(tick, self.as_of)
            ask_at = min(tick + NEXT_TICK, self.as_of + A_DAY)
            wanted = partial(ledger.wanted, connection, scope)
            if step.recipient is not None:
                wanted = partial(wanted_recipients, connection, scope, step.recipient, self.settings)
            for user_id in wanted(keys, since=since, until=tick):
                left[user_id] = min(left.get(user_id, ask_at), ask_at)
        return left

    def _may_mail(self, connection: Connection, plan: LoopPlan, step: StepPlan, known: StepProgress | None) -> bool:
        orders = controls.orders(connection, plan.name, step.ledger_name)
        if orders.paused or (known is not None and known.held_by(approved=orders.approved)):
            return False
        if orders.approved or self.mode != "live" or (known is not None and known.reserved_as_of is not None):
            return True
        # Whether its first wave has to be approved, only its first run finds out.
        cleared = clearance.of(connection, segment_name(plan.name, step.ledger_name))
        return cleared is not None and cleared.members <= self.settings.limits.first_wave


def _ticks_daily(plan: LoopPlan, step: StepPlan, as_of: datetime) -> bool:
    trigger = plan.root_of(step).trigger
    return isinstance(trigger, Schedule) and next_tick(trigger, as_of + NEXT_TICK) <= as_of + A_DAY + _CLOCKS_CHANGE


def _tick_to_come(schedule: Schedule, as_of: datetime, known: StepProgress | None) -> datetime | None:
    """Return the next tick within a day, or the last one if its run is still expected."""
    last = last_tick(schedule, as_of)
    decided = None if known is None else known.reserved_as_of
    if last > as_of - LATE and (decided is None or decided < last):
        return last
    following = next_tick(schedule, as_of + NEXT_TICK)
    return following if following <= as_of + A_DAY else None
