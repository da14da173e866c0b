"""Whom the condition of a step selected at a past moment, and how exactly that is known."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, literal, or_, select
from typing_extensions import assert_never

from skene_dagster.behaviour import adoption, days, engagement, milestones, usage_limits
from skene_dagster.behaviour.rollup.chunks import Chunk
from skene_dagster.behaviour.rollup.counted import counted_whole
from skene_dagster.behaviour.rollup.roll_up import NAME
from skene_dagster.loops.plan import AtLevel, InState, LoopPlan, Query, Reached, StepPlan, UsedUp, segment_name
from skene_dagster.loops.planning.usage import plan_usage
from skene_dagster.segments import conditions
from skene_dagster.settings import Settings
from skene_dagster.store.engine import users_table
from skene_dagster.store.key_ranges import Span
from skene_dagster.store.leasing import leases
from skene_dagster.store.leasing.leases import ROLLUP
from skene_dagster.store.tables import OPEN, Moment, engagement_levels, segment_members
from skene_dagster.store.tables import milestones as reached

_EVERYBODY = Chunk(Span(), None)

_DAY = "%d %b %Y"


@dataclass(frozen=True)
class Selection:
    """Where it is known from whom a step selected."""

    plan: LoopPlan
    step: StepPlan
    settings: Settings
    has_own_history: bool
    """Its segment was refreshed from the first tick on, so that its members tell what its SQL selected."""
    counted_since: datetime | None
    """Since when what users do is counted; None: the condition does not ask for it."""

    @staticmethod
    def of(
        connection: Connection,
        plan: LoopPlan,
        step: StepPlan,
        settings: Settings,
        first: datetime,
        *,
        has_tables: bool,
        is_as_it_ran: bool = True,
    ) -> "Selection":
        """Find out where it is known from.

        Args:
            first: the first tick that is replayed.
            has_tables: whether the database has our tables.
            is_as_it_ran: the segment's history is that of this condition, as far as anybody knows.

        Raises:
            NotCounted: the condition asks for what is not counted.
        """
        counted = counted_whole(connection, step.condition, settings)
        row = leases.state(connection, segment_name(plan.name, step.ledger_name)) if has_tables else None
        has_own = is_as_it_ran and row is not None and row.first_as_of is not None and row.first_as_of <= first
        rollup = leases.state(connection, NAME, ROLLUP) if counted is not None else None
        since = None if rollup is None else rollup.first_as_of
        return Selection(plan, step, settings, isinstance(step.condition, Query) and has_own, since)

    @property
    def is_of_then(self) -> bool:
        """Whether it is known of that time; else the tables are asked as they are today."""
        return self.has_own_history or not isinstance(self.step.condition, Query)

    def at(self, connection: Connection, tick: datetime) -> set[object]:
        """Return the keys of the users whom it selected at a tick, as the users table spells them.

        Raises:
            QueryRejected, StoreError: the condition cannot be evaluated.
        """
        users = self.settings.users
        key = users_table(users).c[users.key]
        found = self._selected(connection, tick).subquery("found")
        query = select(key).where(key.in_(select(found.c[0]).where(found.c[0].is_not(None))))
        return set(connection.execute(query).scalars())

    def how_exact(self, first: datetime) -> str:
        """Say in a sentence how exactly it is known."""
        match self.step.condition:
            case Query(tables=tables):
                if self.has_own_history:
                    return "who was inside: exact, from the loop's own history, as its condition was then"
                return f"{', '.join(tables)}: as they are today, asked with the clock of each tick"
            case AtLevel():
                what = "levels"
            case InState(feature=feature):
                what = f"the feature {feature}"
            case Reached(milestone=milestone):
                what = f"the milestone {milestone}"
            case UsedUp():
                return "uses: exact, counted by days; plans: as they are today"
            case _:
                assert_never(self.step.condition)
        since = self.counted_since
        if since is not None and since > first and isinstance(self.step.condition, AtLevel):
            return f"{what}: exact since {since:{_DAY}}; before, as far as they were found then"
        return f"{what}: exact"

    def _selected(self, connection: Connection, tick: datetime) -> Select[Any]:
        condition = self.step.condition
        usage = plan_usage(self.settings)
        match condition:
            case Query():
                if self.has_own_history:
                    return self._members(tick)
                answer = conditions.answer(connection, self.plan, self.step, self.settings, tick)
                return select(answer.rows.c[0])
            case AtLevel():
                row = engagement_levels.c
                then = select(row.user_id, row.level, row.entered_at, literal(OPEN, Moment).label("left_at")).where(
                    row.entered_at <= tick, row.left_at > tick
                )
                levels = then.subquery("levels_then")
                return engagement.at_level(condition.level, as_of=tick, for_=condition.for_, levels=levels)
            case InState():
                features = [one for one in usage.features if one.name == condition.feature]
                known = days.known(connection, usage, None, since=tick.date(), before=tick)
                adopted = adoption.computed(features, _EVERYBODY, tick, known).subquery("adoption_then")
                return adoption.in_state(
                    connection,
                    condition.feature,
                    condition.state,
                    as_of=tick,
                    for_=condition.for_,
                    users=self.settings.users,
                    adoption=adopted,
                )
            case Reached():
                ever = milestones.reached(condition.milestone, self.settings.milestones[condition.milestone])
                # What the first rollup found was reached before, on a day that is known.
                was_found_first = and_(reached.c.recorded_at == self.counted_since, reached.c.reached_on < tick.date())
                return ever.where(or_(reached.c.recorded_at <= tick, was_found_first))
            case UsedUp():
                since = (tick - condition.period).date()
                known = days.known(connection, usage, None, since=tick.date(), before=tick, from_=since)
                return usage_limits.used_up(condition, tick, self.settings.users, days=known)
            case _:
                assert_never(condition)

    def _members(self, tick: datetime) -> Select[Any]:
        member = segment_members.c
        return select(member.user_id).where(
            member.segment == segment_name(self.plan.name, self.step.ledger_name),
            member.exited_at > tick,
            member.entered_at <= tick,
        )


def inside_before(connection: Connection, plan: LoopPlan, step: StepPlan, first: datetime) -> dict[object, datetime]:
    """Say who was inside a step's segment before the first tick, and since when."""
    member = segment_members.c
    query = select(member.user_id, member.entered_at).where(
        member.segment == segment_name(plan.name, step.ledger_name),
        member.exited_at >= first,
        member.entered_at < first,
    )
    return {row.user_id: row.entered_at for row in connection.execute(query)}
