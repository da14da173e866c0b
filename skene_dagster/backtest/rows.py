"""The rows that triggered a step at past ticks: the product's own, or the emails of an earlier step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from skene_dagster.backtest.state import Place
from skene_dagster.delivery.ledger import send_id
from skene_dagster.delivery.ledger.looking_back import decisions
from skene_dagster.delivery.ledger.scope import StepScope
from skene_dagster.loops.plan import LoopPlan, Query, StepPlan, segment_name
from skene_dagster.loops.times.calendar_days import later
from skene_dagster.loops.triggers import After, Rows
from skene_dagster.segments.triggers import finding
from skene_dagster.segments.triggers.trigger_windows import window
from skene_dagster.settings import Settings
from skene_dagster.store.leasing import leases


@dataclass
class Found:
    """Rows of a table of the product's."""

    plan: LoopPlan
    step: StepPlan
    settings: Settings
    scope: StepScope
    has_own_history: bool
    not_replayed: str = ""
    _seen: set[Place] = field(default_factory=set)

    @property
    def how_exact(self) -> str:
        """Say in a sentence how exactly it is known which rows triggered."""
        assert isinstance(self.step.trigger, Rows)
        if self.has_own_history:
            return "which rows triggered: exact, from the loop's own history, as its condition was then"
        tables = {self.step.trigger.table}
        if isinstance(self.step.condition, Query):
            tables |= set(self.step.condition.tables)
        return f"{', '.join(sorted(tables))}: as they are today, asked with the clock of each tick"

    def at(self, connection: Connection, tick: datetime, before: datetime | None, first: datetime) -> list[Place]:
        """List the rows that a tick finds and none before it found."""
        if self.has_own_history:
            return decisions.rows_found(connection, self.scope, tick)
        within = window(self.step, tick, last=before, first=None if before is None else first, at=None)
        found = finding.found_within(connection, self.plan, self.step, self.settings, self.scope.mode, within, tick)
        rows = [(user_id, str(key)) for user_id, key in connection.execute(select(found.c.user_id, found.c.occurrence))]
        new = [row for row in rows if row not in self._seen]
        self._seen.update(new)
        return new


@dataclass(frozen=True)
class Followed:
    """Emails of an earlier step, as they were replayed."""

    plan: LoopPlan
    step: StepPlan
    scope: StepScope
    parent: str
    wait: timedelta
    not_replayed: str = ""
    how_exact: str = ""

    def due(
        self, mailed: Mapping[object, Sequence[datetime]], tick: datetime, before: datetime | None, first: datetime
    ) -> list[Place]:
        """List the emails of the earlier step that a tick follows, if the condition holds."""
        within = window(self.step, tick, last=before, first=None if before is None else first, at=None)
        zone, parent = self.plan.zone_of(self.step), self.plan.step(self.parent)
        name = StepScope(self.scope.mode, self.scope.loop, parent.ledger_name)
        return [
            (key, send_id(name, key, f"{at:%Y%m%d%H%M%S}"))
            for key, ticks in mailed.items()
            for at in ticks
            if within.low < later(at, self.wait, zone) <= within.high
        ]


def rows_of(
    connection: Connection,
    plan: LoopPlan,
    step: StepPlan,
    settings: Settings,
    scope: StepScope,
    first: datetime,
    *,
    has_tables: bool,
    is_as_it_ran: bool,
) -> Found | Followed:
    """Find out where the rows of a step come from.

    Args:
        first: the first tick that is replayed.
        is_as_it_ran: what the step found before, it would find as it is now.
    """
    if isinstance(step.trigger, After):
        is_by_row = isinstance(step.condition, Query) and step.condition.by_row
        why = "its condition asks for single emails ($1), which a replay does not write" if is_by_row else ""
        return Followed(plan, step, scope, step.trigger.step, step.trigger.wait, why)
    row = leases.state(connection, segment_name(plan.name, step.ledger_name)) if has_tables else None
    has_own = is_as_it_ran and row is not None and row.first_as_of is not None and row.first_as_of <= first
    return Found(plan, step, settings, scope, has_own)
