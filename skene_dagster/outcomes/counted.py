"""Who is compared, as the database counts them: users by themselves, or with the accounts the coin was tossed for."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime, time, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, Table, and_, case, func, select, true

from skene_dagster.goals.arms import Arm, Comparison
from skene_dagster.goals.kept import counted_before, kept
from skene_dagster.loops.plan import GoalPlan
from skene_dagster.outcomes import clusters
from skene_dagster.outcomes.lift.arms import Accounts, People
from skene_dagster.outcomes.lift.arms import Arm as LiftArm
from skene_dagster.outcomes.lift.values import AccountValues, ValueArm, Values
from skene_dagster.store.tables import account_arms, arms, outcomes

LATELY = timedelta(weeks=4)
"""How far back it is counted how many enter a comparison."""

ByArm = tuple[float, Arm]
"""From which share they were drawn, and their arm."""

_arm, _outcome = arms.c, outcomes.c


@dataclass(frozen=True)
class Numbers:
    """How many people, and who of them reached a goal."""

    people: int = 0
    closed: int = 0
    """Those of them whose time is over now."""
    reached: int = 0
    """Those of these who reached the goal in it."""
    settled: int = 0
    """Those of them whose time was over at a moment before."""
    settled_reached: int = 0

    def __add__(self, other: "Numbers") -> "Numbers":
        return Numbers(*(sum(both) for both in zip(astuple(self), astuple(other), strict=True)))


@dataclass(frozen=True)
class Kind:
    """People of one arm that was drawn from one share, at one level."""

    share: float
    arm: Arm
    level: str | None

    @property
    def is_drawn(self) -> bool:
        """Of nothing nobody is held out."""
        return 0 < self.share < 1


Counted = Mapping[Kind, Numbers]


@dataclass(frozen=True)
class Counting:
    """Who is compared by a loop."""

    comparison: Comparison
    per_account: bool
    closed_by: datetime | None = None
    """Only whose time was over at this moment counts as closed; None: whose time is over now."""

    @property
    def drawn(self) -> ColumnElement[bool]:
        """Who was drawn from a share: of nothing nobody is held out."""
        return and_(*self.ours(arms), _arm.share > 0, _arm.share < 1)

    def ours(self, table: Table) -> list[ColumnElement[bool]]:
        """Say that a row of a table is of this comparison."""
        return [table.c[name] == value for name, value in self.comparison.key.items()]

    def closed(self, goal: GoalPlan) -> tuple[FromClause, ColumnElement[bool]]:
        """Select from the users whose time is over, with what they reached: from what, and which."""
        return self._people.join(outcomes, self._outcomes(goal)), self._is_closed

    def count(self, connection: Connection, goal: GoalPlan, settled_by: datetime) -> Counted:
        """Count people, and who of them reached a goal.

        Args:
            settled_by: whose time was over at this moment is counted apart, too.
        """
        found: dict[Kind, Numbers] = {}
        for kind, numbers in self._counted(connection, goal, settled_by):
            found[kind] = found.get(kind, Numbers()) + numbers
        return found

    def _counted(self, connection: Connection, goal: GoalPlan, settled_by: datetime) -> Iterator[tuple[Kind, Numbers]]:
        before = None if self.per_account else counted_before(connection, self.comparison, goal.key)
        if before is None:
            yield from self._read(connection, goal, settled_by, true())
            return
        yield from self._read(connection, goal, settled_by, _arm.enrolled_at >= before)
        # Of a day some may have been settled and others not: who was enrolled on it is read again.
        day = (settled_by - goal.within).date()
        for one in kept(connection, self.comparison, goal.key, day):
            kind = Kind(one.share, one.arm, one.level)
            yield kind, Numbers(one.people, one.people, one.reached, one.earlier, one.earlier_reached)
        begin = datetime.combine(day, time())
        if begin < before:
            enrolled = and_(_arm.enrolled_at >= begin, _arm.enrolled_at < begin + timedelta(days=1))
            yield from self._read(connection, goal, settled_by, enrolled)

    def _read(
        self, connection: Connection, goal: GoalPlan, settled_by: datetime, enrolled: ColumnElement[bool]
    ) -> Iterator[tuple[Kind, Numbers]]:
        kind = _arm.share, _arm.arm, _arm.level
        closed = _outcome.state == "final"
        settled = and_(closed, _outcome.window_ends_at <= settled_by)
        reached = _outcome.reached_at.is_not(None)
        each = closed, and_(closed, reached), settled, and_(settled, reached)
        sums = [func.sum(case((one, 1), else_=0)) for one in each]
        people = self._people.outerjoin(outcomes, self._outcomes(goal))
        query = select(*kind, func.count(), *sums).select_from(people).where(*self.ours(arms), enrolled)
        for share, arm, level, *numbers in connection.execute(query.group_by(*kind)):
            yield Kind(share, arm, level), Numbers(*map(int, numbers))

    def sizes(self, connection: Connection, counted: Counted) -> Mapping[ByArm, int]:
        """Count for how many the coin was tossed: people, or accounts."""
        if self.per_account:
            share = account_arms.c.share
            return clusters.sizes(connection, self.comparison, share > 0, share < 1)
        people = Counter[ByArm]()
        for kind, numbers in counted.items():
            if kind.is_drawn:
                people[kind.share, kind.arm] += numbers.people
        return people

    def arms_by(
        self, connection: Connection, goal: GoalPlan, which: Sequence[ColumnElement[bool]], *by: ColumnElement[Any]
    ) -> dict[tuple[Any, ...], LiftArm]:
        """Count those whose time is over, and who of them reached a goal, by some columns of theirs."""
        people, is_closed = self.closed(goal)
        if self.per_account:
            return {**clusters.arms_by(connection, people, [*which, is_closed], _outcome.reached_at, by)}
        query = select(*by, func.count(), func.count(_outcome.reached_at)).select_from(people)
        rows = connection.execute(query.where(*which, is_closed).group_by(*by))
        return {tuple(key): People(number, reached) for *key, number, reached in rows}

    def variants(self, connection: Connection) -> Mapping[str, Mapping[str, int]]:
        """Count who was drawn into each variant, people or accounts, by how they were divided then."""
        columns = (account_arms if self.per_account else arms).c
        which = *self.ours(columns.arm.table), columns.arm == "mailed", columns.weights.is_not(None)
        by = columns.weights, columns.variant
        found: dict[str, dict[str, int]] = {}
        for weights, variant, number in connection.execute(select(*by, func.count()).where(*which).group_by(*by)):
            found.setdefault(weights, {})[variant] = number
        return found

    def values(
        self, connection: Connection, goal: GoalPlan, value: ColumnElement[Any], cap: float
    ) -> Mapping[ByArm, ValueArm]:
        """Add up what those are worth whose time is over, capped."""
        people, is_closed = self.closed(goal)
        if self.per_account:
            return clusters.values_by_arm(connection, people, [self.drawn, is_closed], value, cap)
        each = select(_arm.share, _arm.arm, value.label("value")).select_from(people).where(self.drawn, is_closed)
        of = each.subquery("closed").c
        capped = case((of.value > cap, cap), else_=of.value)
        sums = [func.sum(of.value), func.sum(capped), func.sum(capped * capped)]
        query = select(of.share, of.arm, func.count(), func.sum(case((of.value != 0, 1), else_=0)), *sums)
        return {
            (share, arm): Values(number, int(some), float(total), float(low), float(squared))
            for share, arm, number, some, total, low, squared in connection.execute(query.group_by(of.share, of.arm))
        }

    @property
    def nobody(self) -> LiftArm:
        """An arm with nobody in it."""
        return Accounts(0, 0, 0, 0, 0, 0) if self.per_account else People(0, 0)

    @property
    def nothing(self) -> ValueArm:
        """The values of an arm with nobody in it."""
        return AccountValues(0, 0, 0, 0.0, 0.0, 0.0, 0, 0.0) if self.per_account else Values(0, 0, 0.0, 0.0, 0.0)

    def a_week(self, connection: Connection, as_of: datetime) -> float:
        """Count how many were drawn in a week lately: people, or accounts."""
        table = account_arms if self.per_account else arms
        share, enrolled_at = table.c.share, table.c.enrolled_at
        lately = share > 0, share < 1, enrolled_at > as_of - LATELY, enrolled_at <= as_of
        found = select(func.count()).select_from(table).where(*self.ours(table), *lately)
        return connection.execute(found).scalar_one() / (LATELY / timedelta(weeks=1))

    @property
    def _is_closed(self) -> ColumnElement[bool]:
        final = _outcome.state == "final"
        return final if self.closed_by is None else and_(final, _outcome.window_ends_at <= self.closed_by)

    @property
    def _people(self) -> FromClause:
        return clusters.PEOPLE if self.per_account else arms

    def _outcomes(self, goal: GoalPlan) -> ColumnElement[bool]:
        key = {**self.comparison.key, "goal": goal.key}
        return and_(*(_outcome[name] == value for name, value in key.items()), _outcome.user_id == _arm.user_id)
