"""What came of a loop: its two arms, as the database counts them, compared.

Only who was drawn from a share is compared: of nothing nobody is held out. Where the share was changed, those who were
drawn from each are two arms of their own, and their differences are put together (`lift/arms.py`).

A verdict is final once a month: it is read from the people whose time was over when the last month ended (UTC). Who
looks at a 95 % interval every day for a year sees it leave 0 in every fifth loop that does nothing. Only harm is looked
for every day, by an interval that is made for it (`judge_harm`).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, Float, and_, case, func, select

from skene_dagster.goals.arms import Arm, Comparison, comparison_of
from skene_dagster.loops.all_loops import Compared
from skene_dagster.loops.plan import GoalPlan
from skene_dagster.loops.planning.goals import VALUE
from skene_dagster.loops.variants import variants_of
from skene_dagster.outcomes.lift.arms import Pair, People
from skene_dagster.outcomes.lift.families import Arms, VariantLift, lifts_by_level, lifts_of_variants
from skene_dagster.outcomes.lift.sample_ratio import SampleRatio, comparable, sample_ratio
from skene_dagster.outcomes.lift.values import Values, rank_of_cap
from skene_dagster.outcomes.lift.verdicts import Harm, Lift, judge_harm, lift_of_shares, lift_of_values
from skene_dagster.store.tables import arms, outcomes

LATELY = timedelta(weeks=4)
"""How far back it is counted how many enter a comparison."""

_arm, _outcome = arms.c, outcomes.c


@dataclass(frozen=True)
class ArmSize:
    """One arm, of all shares together."""

    people: int
    """Everybody who is in it."""
    closed: int
    """Those of them whose time is over."""
    reached: int
    """Those of them who reached the goal in it."""
    settled: int
    """Those of them whose time was over when the last month ended: of them the verdict is."""
    settled_reached: int
    """Those of them who reached the goal in it."""

    @property
    def open(self) -> int:
        """Those who have time left, or were not asked."""
        return self.people - self.closed


@dataclass(frozen=True)
class Worth:
    """What the people of both arms are worth, by a goal that says so."""

    lift: Lift
    cap: float
    """At which values are capped to be compared, in the goal's unit."""
    mailed: float
    """The sum of their values, uncapped."""
    held_out: float


@dataclass(frozen=True)
class LoopOutcome:
    """What came of a loop by one of its goals, of the present draw of its arms."""

    loop: str
    goal: GoalPlan
    mailed: ArmSize
    held_out: ArmSize
    ratios: Mapping[float, SampleRatio]
    """By the share that is held out, whether so many are."""
    settled_at: datetime
    """The end of the last month (UTC): its people are in the verdict, and in all but `today` and `harm`."""
    lift: Lift
    today: Lift
    """Of everybody whose time is over by now: provisional, and no verdict."""
    harm: Harm
    """Of everybody whose time is over by now."""
    by_level: Mapping[str, Lift]
    """By engagement level when they were enrolled; a hint. Without those whose level is unknown."""
    worth: Worth | None
    """None: the goal says no value, or nobody has one."""
    variants: tuple[VariantLift, ...]
    """Each variant of the emails against those who are held out, and against the first one."""
    a_week: float
    """How many enter the comparison in a week now."""

    @property
    def has_news(self) -> bool:
        """Somebody's time is over since the end of the last month."""
        return (self.today.treated, self.today.control) != (self.lift.treated, self.lift.control)

    @property
    def alarm(self) -> bool:
        """An arm is not as large as it should be: the numbers are not to be read."""
        return not comparable(self.ratios.values())


def outcomes_of(
    connection: Connection, plan: Compared, mode: str, *, as_of: datetime, late: timedelta
) -> tuple[LoopOutcome, ...]:
    """Compare the arms of a loop by each of its goals, as far as they are measured; it measures nothing.

    Args:
        as_of: up to when it is counted how many enter in a week; the month before it is the last one.
        late: how long after the end of somebody's time it may still be told what they did in it.
    """
    comparison = comparison_of(connection, mode, plan.name)
    a_week = _a_week(connection, comparison, as_of)
    variants = [name for name, _ in variants_of(plan)]
    month = Month.before(as_of, late)
    return tuple(_outcome_of(connection, comparison, goal, variants, month, a_week) for goal in plan.goals)


@dataclass(frozen=True)
class Month:
    """The last month that is over: whoever is in its verdicts stays in them, and nobody comes in later."""

    end: datetime
    """The first moment of the month that follows (UTC)."""
    late: timedelta

    @staticmethod
    def before(as_of: datetime, late: timedelta) -> "Month":
        """Find the last month that was over at a moment."""
        return Month(as_of.replace(day=1, hour=0, minute=0, second=0, microsecond=0), late)

    def is_settled(self) -> ColumnElement[bool]:
        """Whether the time of an outcome was over in it, and late events could have come."""
        return and_(_outcome.state == "final", _outcome.window_ends_at <= self.end - self.late)


@dataclass(frozen=True)
class _Counted:
    """People of one arm that was drawn from one share, at one level, whose windows are over or not."""

    share: float
    arm: Arm
    level: str | None
    is_closed: bool
    is_settled: bool
    people: int
    reached: int


def _outcome_of(
    connection: Connection,
    comparison: Comparison,
    goal: GoalPlan,
    variants: Sequence[str],
    month: Month,
    a_week: float,
) -> LoopOutcome:
    counted = _count(connection, comparison, goal, month)
    ratios = _ratios(counted)
    is_comparable = comparable(ratios.values())
    closed = _pairs(one for one in counted if one.is_closed)
    settled = [one for one in counted if one.is_settled]
    levels = sorted({one.level for one in settled if one.level is not None})
    by_level = {level: _pairs(one for one in settled if one.level == level) for level in levels}
    return LoopOutcome(
        comparison.loop,
        goal,
        _size(counted, "mailed"),
        _size(counted, "held_out"),
        ratios,
        month.end,
        lift_of_shares(_pairs(settled), comparable=is_comparable),
        lift_of_shares(closed, comparable=is_comparable),
        judge_harm(closed, comparable=is_comparable),
        lifts_by_level(by_level, comparable=is_comparable),
        _worth(connection, comparison, goal, month, is_comparable=is_comparable),
        _variants(connection, comparison, goal, variants, month, is_comparable=is_comparable),
        a_week,
    )


def _is_compared(comparison: Comparison) -> ColumnElement[bool]:
    ours = [_arm[name] == value for name, value in comparison.key.items()]
    return and_(*ours, _arm.share > 0, _arm.share < 1)


def _theirs(comparison: Comparison, goal: GoalPlan) -> ColumnElement[bool]:
    """Join the outcomes of a goal to the arms."""
    key = {**comparison.key, "goal": goal.key}
    return and_(*(_outcome[name] == value for name, value in key.items()), _outcome.user_id == _arm.user_id)


def _count(connection: Connection, comparison: Comparison, goal: GoalPlan, month: Month) -> list[_Counted]:
    closed = case((_outcome.state == "final", 1), else_=0).label("closed")
    settled = case((month.is_settled(), 1), else_=0).label("settled")
    found = (
        select(_arm.share, _arm.arm, _arm.level, closed, settled, _outcome.reached_at)
        .select_from(arms.outerjoin(outcomes, _theirs(comparison, goal)))
        .where(_is_compared(comparison))
        # MariaDB, 2026-11: it does not recognize the second CASE again in GROUP BY (1055); a column it does.
        .subquery("found")
    )
    of = found.c
    query = select(of.share, of.arm, of.level, of.closed, of.settled, func.count(), func.count(of.reached_at)).group_by(
        of.share, of.arm, of.level, of.closed, of.settled
    )
    return [
        _Counted(share, arm, level, bool(is_closed), bool(is_settled), people, reached)
        for share, arm, level, is_closed, is_settled, people, reached in connection.execute(query)
    ]


def _size(counted: Sequence[_Counted], arm: Arm) -> ArmSize:
    ours = [one for one in counted if one.arm == arm]
    closed = [one for one in ours if one.is_closed]
    settled = [one for one in ours if one.is_settled]
    return ArmSize(
        people=sum(one.people for one in ours),
        closed=sum(one.people for one in closed),
        reached=sum(one.reached for one in closed),
        settled=sum(one.people for one in settled),
        settled_reached=sum(one.reached for one in settled),
    )


def _ratios(counted: Iterable[_Counted]) -> dict[float, SampleRatio]:
    people = Counter[tuple[float, Arm]]()
    for one in counted:
        people[one.share, one.arm] += one.people
    shares = sorted({share for share, _ in people})
    return {
        share: sample_ratio((people[share, "mailed"], people[share, "held_out"]), (1 - share, share))
        for share in shares
    }


def _pairs(counted: Iterable[_Counted]) -> list[Pair[People]]:
    people, reached = Counter[tuple[float, Arm]](), Counter[tuple[float, Arm]]()
    for one in counted:
        people[one.share, one.arm] += one.people
        reached[one.share, one.arm] += one.reached

    def arm(share: float, name: Arm) -> People:
        return People(people[share, name], reached[share, name])

    return [Pair(arm(share, "mailed"), arm(share, "held_out")) for share in sorted({share for share, _ in people})]


def _worth(
    connection: Connection, comparison: Comparison, goal: GoalPlan, month: Month, *, is_comparable: bool
) -> Worth | None:
    if goal.query is None or VALUE not in (goal.query.columns or ()):
        return None
    value = func.coalesce(_outcome.value, 0, type_=Float())
    closed = (
        select(_arm.share, _arm.arm, value.label("value"))
        .select_from(arms.join(outcomes, _theirs(comparison, goal)))
        .where(_is_compared(comparison), month.is_settled())
    )
    non_zero = closed.where(_outcome.value != 0).subquery("non_zero")
    count = connection.execute(select(func.count()).select_from(non_zero)).scalar_one()
    if not count:
        return None
    ranked = select(non_zero.c.value).order_by(non_zero.c.value).offset(rank_of_cap(count)).limit(1)
    cap = float(connection.execute(ranked).scalar_one())
    of = closed.subquery("closed").c
    capped = case((of.value > cap, cap), else_=of.value)
    sums = [func.sum(of.value), func.sum(capped), func.sum(capped * capped)]
    query = select(of.share, of.arm, func.count(), func.sum(case((of.value != 0, 1), else_=0)), *sums)
    found = {
        (share, arm): Values(people, int(some), float(total), float(low), float(squared))
        for share, arm, people, some, total, low, squared in connection.execute(query.group_by(of.share, of.arm))
    }
    nobody = Values(0, 0, 0.0, 0.0, 0.0)
    pairs = [
        Pair(found.get((share, "mailed"), nobody), found.get((share, "held_out"), nobody))
        for share in sorted({share for share, _ in found})
    ]
    totals = {arm: sum(float(values.total) for (_, of_arm), values in found.items() if of_arm == arm)
              for arm in ("mailed", "held_out")}  # fmt: skip
    lift = lift_of_values(pairs, comparable=is_comparable)
    return Worth(lift, cap, totals["mailed"], totals["held_out"])


def _variants(
    connection: Connection,
    comparison: Comparison,
    goal: GoalPlan,
    names: Sequence[str],
    month: Month,
    *,
    is_comparable: bool,
) -> tuple[VariantLift, ...]:
    if not names:
        return ()
    ours = [_arm[name] == value for name, value in comparison.key.items()]
    key = _arm.share, _arm.arm, _arm.variant
    query = select(*key, func.count(), func.count(_outcome.reached_at)).select_from(
        arms.join(outcomes, _theirs(comparison, goal))
    )
    found: dict[tuple[float, Arm, str | None], People] = {
        (share, arm, variant): People(people, reached)
        for share, arm, variant, people, reached in connection.execute(
            query.where(*ours, month.is_settled()).group_by(*key)
        )
    }
    nobody = People(0, 0)
    strata = [
        Arms(
            # Where nobody was held out, variants are compared with each other all the same.
            found.get((share, "held_out", None)),
            {name: found.get((share, "mailed", name), nobody) for name in names},
        )
        for share in sorted({share for share, _, _ in found})
    ]
    return lifts_of_variants(strata, comparable=is_comparable)


def _a_week(connection: Connection, comparison: Comparison, as_of: datetime) -> float:
    lately = _arm.enrolled_at > as_of - LATELY, _arm.enrolled_at <= as_of
    people = select(func.count()).select_from(arms).where(_is_compared(comparison), *lately)
    return connection.execute(people).scalar_one() / (LATELY / timedelta(weeks=1))
