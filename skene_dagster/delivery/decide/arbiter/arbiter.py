"""What a step shares with other loops: the emails of a day, and a recipient's places under a cap."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from skene_dagster.delivery.decide.arbiter.budget import DAYS, Budget, has_budget
from skene_dagster.delivery.decide.arbiter.rivals import Rivals
from skene_dagster.loops.plan import Email, LoopPlan, StepPlan
from skene_dagster.loops.times.hours import ANY_HOUR
from skene_dagster.settings import Settings


@dataclass(frozen=True)
class Arbiter:
    """Between a step and the other loops of its project."""

    budget: Budget | None = None
    """Of the days; None: nothing limits it."""
    rivals: Rivals | None = None
    """To whom last places are left; None: to nobody."""

    @staticmethod
    def of(  # noqa: PLR0913 - what it is about, each by its name
        connection: Connection,
        mode: str,
        plan: LoopPlan,
        step: StepPlan,
        settings: Settings,
        others: Sequence[LoopPlan],
        *,
        as_of: datetime,
        at: datetime,
        has_plans: bool,
    ) -> "Arbiter":
        """Read what a step shares at a tick.

        Args:
            others: the loops of the project.
            at: the moment of the decisions, in the time in which days are counted.
            has_plans: whether the tables are there that say what is planned.
        """
        budget = Budget.of(connection, mode, plan, step, settings, others, at, has_plans=has_plans)
        return Arbiter(budget, Rivals.of(mode, plan, step, settings, others, as_of) if has_plans else None)

    def room_at_most(self, days: int) -> int | None:
        """Say how many emails may be planned for so many days together; None: any number."""
        return None if self.budget is None else self.budget.room_of_all(days)

    def gather(self, *, is_gathering: bool) -> None:
        """Mail nobody yet for whom there may be no room, or go on mailing."""
        if self.budget is not None:
            self.budget.is_gathering = is_gathering

    def keep(self, connection: Connection) -> None:
        """Write down what was found to be too small."""
        if self.budget is not None:
            self.budget.keep(connection)


def is_arbitrated(settings: Settings, email: Email) -> bool:
    """Whether an email is counted together with those of other loops: by caps, or by the budget of a day."""
    return email.topic is not None and (bool(settings.limits.caps) or has_budget(settings, email))


def days_of(email: Email, *, in_slices: bool) -> int:
    """Say for how many days a tick may plan an email: by its recipients' hours, and in slices."""
    return DAYS if in_slices or email.hours != ANY_HOUR else 1


NOBODY_ELSE = Arbiter()
"""Nothing is shared."""
