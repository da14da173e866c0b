"""What a question is about: the project's loops, and those that the database still knows, in one mode."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from sqlalchemy import Connection

from skene_dagster.delivery import ledger
from skene_dagster.delivery.ledger.people import StepName
from skene_dagster.loops.plan import LoopPlan, StepPlan
from skene_dagster.loops.triggers import Schedule
from skene_dagster.segments import members
from skene_dagster.settings import Settings

NextTick = Callable[[Schedule, datetime], datetime]
"""Says when a schedule ticks next, from a moment on (both UTC)."""


@dataclass(frozen=True)
class Asked:
    """Where a question looks, and when it is asked."""

    settings: Settings
    plans: Sequence[LoopPlan]
    mode: str
    now: datetime
    next_tick: NextTick
    loop: str | None = None
    """Only this one."""
    limit: int = 10
    """The most decisions that are listed."""

    @cached_property
    def planned(self) -> Mapping[StepName, tuple[LoopPlan, StepPlan]]:
        """The steps of the project, by what the ledger calls them."""
        return {
            (plan.name, step.ledger_name): (plan, step)
            for plan in self.plans
            for step in plan.steps
            if self.loop in (None, plan.name)
        }

    def known(self, connection: Connection) -> list[StepName]:
        """List the steps that decisions may be of, those of loops that are gone included."""
        names = {*self.planned, *ledger.progress_of_steps(connection, self.mode)}
        for row in members.all_segments(connection):
            loop, _, step = row.segment.partition(".")
            names.add((loop, step))
        return sorted(name for name in names if self.loop in (None, name[0]))

    def shown(self, name: StepName) -> str:
        """Name a step as its file does now."""
        return self.planned[name][1].name if name in self.planned else name[1]
