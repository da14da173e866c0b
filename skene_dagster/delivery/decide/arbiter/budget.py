"""The budget of a day: how many emails all loops together may plan for it, by limits.daily and a domain's warm-up."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from sqlalchemy import Connection

from skene_dagster.delivery import ledger
from skene_dagster.delivery.decide.arbiter.claims import Claimant, claimants, name_of, planned_by, whatever_the_sender
from skene_dagster.delivery.decide.arbiter.split import room
from skene_dagster.delivery.ledger import PlannedEmails, StepProgress
from skene_dagster.loops.plan import Email, LoopPlan, StepPlan
from skene_dagster.settings import Settings, WarmUp

DAYS = 3
"""For how many days, beginning with this one, a tick may plan emails by the hours of their recipients."""

_A_DAY = timedelta(days=1)


def has_budget(settings: Settings, email: Email) -> bool:
    """Whether an email has a day's budget that it counts for."""
    return settings.limits.daily is not None or settings.domain_of(email.topic, email.sender) in settings.warm_ups


@dataclass
class Budget:
    """How many more marketing emails a step may plan for each day. What is decided of a page counts at once."""

    mode: str
    name: str
    """Whose claim it is."""
    domain: str
    """Whence the emails come."""
    daily: int | None
    warm_up: WarmUp | None
    claimants: Sequence[Claimant]
    at: datetime
    is_gathering: bool = False
    """Nobody is mailed yet: first it is found out who could be."""
    taken: Counter[date] = field(default_factory=Counter)
    warm_up_waits: set[date] = field(default_factory=set)
    """The days for which the warm-up is too small."""
    _planned: Sequence[PlannedEmails] = ()
    _progress: dict[tuple[str, str], StepProgress] = field(default_factory=dict)
    _is_warm: bool = False
    _rooms: dict[date, tuple[int | None, int | None]] = field(default_factory=dict)
    """Of each day that was asked about: by limits.daily, and by the warm-up."""

    @staticmethod
    def of(
        connection: Connection,
        mode: str,
        plan: LoopPlan,
        step: StepPlan,
        settings: Settings,
        others: Sequence[LoopPlan],
        at: datetime,
        *,
        has_plans: bool = True,
    ) -> "Budget | None":
        """Say how much a step may send as of a moment; None: nothing limits it, or it waits for nothing.

        Args:
            others: the loops of the project.
            has_plans: whether the tables are there that say what is planned.
        """
        assert step.email is not None
        email = step.email
        if email.topic is None or not has_budget(settings, email):
            return None
        others = [one for one in others if one.name != plan.name]
        found = claimants(connection if has_plans else None, mode, plan, others, settings, at)
        domain = settings.domain_of(email.topic, email.sender)
        daily, warm_up = settings.limits.daily, settings.warm_ups.get(domain)
        budget = Budget(mode, name_of(plan, step), domain, daily, warm_up, found, at)
        if has_plans:
            budget.look(connection, at)
        return budget

    def look(self, connection: Connection, at: datetime) -> None:
        """Read what is planned by now, which is all that counts from here on."""
        self.at = at
        self.taken, self.warm_up_waits, self._rooms = Counter(), set(), {}
        self._planned = ledger.planned_since(connection, self.mode, at.date())
        self._progress = ledger.progress_of_steps(connection, self.mode)
        self._is_warm = self.warm_up is not None and ledger.warm_up_is_over(
            connection, self.mode, self.domain, since=self.warm_up.from_, today=at.date()
        )

    def room(self, day: date) -> int | None:
        """Say how many more emails may be planned for a day, which may be less than none; None: any number."""
        if day not in self._rooms:
            self._rooms[day] = self._daily_room(day), self._warm_up_room(day)
        rooms = [one for one in self._rooms[day] if one is not None]
        return min(rooms) - self.taken[day] if rooms else None

    def least_room(self, days: int) -> int | None:
        """Say how many more emails may be planned for each of so many days; None: any number."""
        rooms = [self.room(self.at.date() + number * _A_DAY) for number in range(days)]
        return min((one for one in rooms if one is not None), default=None)

    def room_of_all(self, days: int) -> int | None:
        """Say how many more emails may be planned for so many days together; None: any number."""
        rooms = [self.room(self.at.date() + number * _A_DAY) for number in range(days)]
        left = [max(one, 0) for one in rooms if one is not None]
        return sum(left) if len(left) == days else None

    def is_full(self, day: date) -> bool:
        """Whether nobody more may be mailed on a day."""
        left = self.room(day)
        return left is not None and left <= 0

    def refuse(self, day: date) -> None:
        """Somebody waits for whom the day has no room; but whoever is only gathered may still find some."""
        if self.is_gathering:
            return
        left, by_warm_up = self.room(day), self._rooms[day][1]
        if by_warm_up is not None and left == by_warm_up - self.taken[day]:
            self.warm_up_waits.add(day)

    def take(self, day: date) -> None:
        """Count an email that is planned for a day."""
        self.taken[day] += 1

    def keep(self, connection: Connection) -> None:
        """Write down for which days the warm-up is too small."""
        for day in sorted(self.warm_up_waits):
            ledger.warm_up_waits(connection, self.mode, self.domain, day)

    def _daily_room(self, day: date) -> int | None:
        return (
            None
            if self.daily is None
            else self._room(self.daily, day, whatever_the_sender(self.claimants), self._planned)
        )

    def _warm_up_room(self, day: date) -> int | None:
        total = None if self.warm_up is None or self._is_warm else self.warm_up.emails(day)
        if total is None:
            return None
        same = [one for one in self.claimants if one.domain == self.domain]
        return self._room(total, day, same, [one for one in self._planned if one.domain in {None, self.domain}])

    def _room(self, total: int, day: date, sharing: Sequence[Claimant], emails: Sequence[PlannedEmails]) -> int:
        on_it = [one for one in sharing if one.ticks_on(day) or one.claim.name == self.name]
        planned = planned_by(sharing, [one for one in emails if one.day == day])
        to_come = {one.claim.name for one in on_it if one.is_to_come(day, self.at, self._progress)}
        return room(total, planned, [one.claim for one in on_it], to_come, self.name)
