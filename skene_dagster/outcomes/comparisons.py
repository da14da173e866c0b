"""What came of a loop: its two arms, as the database counts them, compared.

People are counted, whatever the loop is about. Where it is about accounts the coin was tossed for those, and how much
their people say is counted by account (`clusters.py`).

Only who was drawn from a share is compared: of nothing nobody is held out. Where the share was changed, those who were
drawn from each are two arms of their own, and their differences are put together (`lift/arms.py`).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Float, func, select

from skene_dagster.goals.arms import Arm, comparison_of
from skene_dagster.loops.plan import GoalPlan, LoopPlan
from skene_dagster.loops.planning.goals import VALUE
from skene_dagster.loops.variants import variants_of
from skene_dagster.outcomes.counted import ByArm, Counted, Counting
from skene_dagster.outcomes.lift.arms import Arm as LiftArm
from skene_dagster.outcomes.lift.arms import Pair, People
from skene_dagster.outcomes.lift.families import Arms, VariantLift, lifts_by_level, lifts_of_variants
from skene_dagster.outcomes.lift.sample_ratio import SampleRatio, comparable, sample_ratio
from skene_dagster.outcomes.lift.values import rank_of_cap
from skene_dagster.outcomes.lift.verdicts import Harm, Lift, judge_harm, lift_of_shares, lift_of_values
from skene_dagster.store.tables import arms, outcomes

_arm, _outcome = arms.c, outcomes.c


@dataclass(frozen=True)
class ArmSize:
    """One arm, of all shares together."""

    people: int
    """Everybody who is in it."""
    closed: int
    """Those of them whose time is over, who are compared."""
    reached: int
    """Those of them who reached the goal in it."""
    accounts: int | None = None
    """Of how many accounts they are; None: the loop is about users."""

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
    lift: Lift
    harm: Harm
    by_level: Mapping[str, Lift]
    """By engagement level when they were enrolled; a hint. Without those whose level is unknown."""
    worth: Worth | None
    """None: the goal says no value, or nobody has one."""
    variants: tuple[VariantLift, ...]
    """Each variant of the emails against those who are held out, and against the first one."""
    a_week: float
    """How many enter the comparison in a week now: people, or accounts, whichever the coin is tossed for."""

    @property
    def alarm(self) -> bool:
        """An arm is not as large as it should be: the numbers are not to be read."""
        return not comparable(self.ratios.values())


def outcomes_of(connection: Connection, plan: LoopPlan, mode: str, *, as_of: datetime) -> tuple[LoopOutcome, ...]:
    """Compare the arms of a loop by each of its goals, as far as they are measured; it measures nothing.

    Args:
        as_of: up to when it is counted how many enter in a week.
    """
    about = Counting(comparison_of(connection, mode, plan.name), any(step.per_account for step in plan.steps))
    a_week = about.a_week(connection, as_of)
    variants = [name for name, _ in variants_of(plan)]
    return tuple(_outcome_of(connection, about, goal, variants, a_week) for goal in plan.goals)


def _outcome_of(
    connection: Connection, about: Counting, goal: GoalPlan, variants: Sequence[str], a_week: float
) -> LoopOutcome:
    counted = about.count(connection, goal)
    sizes = about.sizes(connection, counted)
    ratios = _ratios(sizes)
    is_comparable = comparable(ratios.values())
    pairs, by_level = _pairs(connection, about, goal, [one for one in counted if one.is_closed])
    accounts = sizes if about.per_account else None
    return LoopOutcome(
        about.comparison.loop,
        goal,
        _size(counted, "mailed", accounts),
        _size(counted, "held_out", accounts),
        ratios,
        lift_of_shares(pairs, comparable=is_comparable),
        judge_harm(pairs, comparable=is_comparable),
        lifts_by_level(by_level, comparable=is_comparable),
        _worth(connection, about, goal, is_comparable=is_comparable),
        _variants(connection, about, goal, variants, is_comparable=is_comparable),
        a_week,
    )


def _size(counted: Sequence[Counted], arm: Arm, accounts: Mapping[ByArm, int] | None) -> ArmSize:
    ours = [one for one in counted if one.arm == arm]
    closed = [one for one in ours if one.is_closed]
    return ArmSize(
        sum(one.people for one in ours),
        sum(one.people for one in closed),
        sum(one.reached for one in closed),
        None if accounts is None else sum(number for (_, of_arm), number in accounts.items() if of_arm == arm),
    )


def _ratios(sizes: Mapping[ByArm, int]) -> dict[float, SampleRatio]:
    shares = sorted({share for share, _ in sizes})
    return {
        share: sample_ratio((sizes.get((share, "mailed"), 0), sizes.get((share, "held_out"), 0)), (1 - share, share))
        for share in shares
    }


def _pairs(
    connection: Connection, about: Counting, goal: GoalPlan, closed: Sequence[Counted]
) -> tuple[list[Pair[LiftArm]], dict[str, list[Pair[LiftArm]]]]:
    """Pair the arms of those whose time is over: of all, and by level."""
    levels = sorted({one.level for one in closed if one.level is not None})
    if not about.per_account:
        by_level = {level: _paired(about, _people(one for one in closed if one.level == level)) for level in levels}
        return _paired(about, _people(closed)), by_level
    # Of an account that has people of several levels, the sums of those are not the sums of all.
    of_all = about.arms_by(connection, goal, [about.drawn], _arm.share, _arm.arm)
    of_levels = about.arms_by(connection, goal, [about.drawn], _arm.share, _arm.arm, _arm.level)
    by_level = {
        level: _paired(about, {(share, arm): some for (share, arm, of), some in of_levels.items() if of == level})
        for level in levels
    }
    return _paired(about, of_all), by_level


def _people(counted: Iterable[Counted]) -> dict[tuple[float, Arm], People]:
    people, reached = Counter[ByArm](), Counter[ByArm]()
    for one in counted:
        people[one.share, one.arm] += one.people
        reached[one.share, one.arm] += one.reached
    return {key: People(number, reached[key]) for key, number in people.items()}


def _paired(about: Counting, found: Mapping[tuple[Any, ...], LiftArm]) -> list[Pair[LiftArm]]:
    return [
        Pair(found.get((share, "mailed"), about.nobody), found.get((share, "held_out"), about.nobody))
        for share in sorted({share for share, _ in found})
    ]


def _worth(connection: Connection, about: Counting, goal: GoalPlan, *, is_comparable: bool) -> Worth | None:
    if goal.query is None or VALUE not in (goal.query.columns or ()):
        return None
    value = func.coalesce(_outcome.value, 0, type_=Float())
    people, is_closed = about.closed(goal)
    non_zero = select(value.label("value")).select_from(people).where(about.drawn, is_closed, _outcome.value != 0)
    some = non_zero.subquery("non_zero")
    count = connection.execute(select(func.count()).select_from(some)).scalar_one()
    if not count:
        return None
    ranked = select(some.c.value).order_by(some.c.value).offset(rank_of_cap(count)).limit(1)
    cap = float(connection.execute(ranked).scalar_one())
    found = about.values(connection, goal, value, cap)
    pairs = [
        Pair(found.get((share, "mailed"), about.nothing), found.get((share, "held_out"), about.nothing))
        for share in sorted({share for share, _ in found})
    ]
    totals = {arm: sum(float(values.total) for (_, of_arm), values in found.items() if of_arm == arm)
              for arm in ("mailed", "held_out")}  # fmt: skip
    lift = lift_of_values(pairs, comparable=is_comparable)
    return Worth(lift, cap, totals["mailed"], totals["held_out"])


def _variants(
    connection: Connection, about: Counting, goal: GoalPlan, names: Sequence[str], *, is_comparable: bool
) -> tuple[VariantLift, ...]:
    if not names:
        return ()
    found = about.arms_by(connection, goal, about.ours(arms), _arm.share, _arm.arm, _arm.variant)
    strata = [
        Arms(
            # Where nobody was held out, variants are compared with each other all the same.
            found.get((share, "held_out", None)),
            {name: found.get((share, "mailed", name), about.nobody) for name in names},
        )
        for share in sorted({share for share, _, _ in found})
    ]
    return lifts_of_variants(strata, comparable=is_comparable)
