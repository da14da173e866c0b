"""What came of a loop: its two arms, as the database counts them, compared.

People are counted, whatever the loop is about. Where it is about accounts the coin was tossed for those, and how much
their people say is counted by account (`clusters.py`).

Only who was drawn from a share is compared: of nothing nobody is held out. Where the share was changed, those who were
drawn from each are two arms of their own, and their differences are put together (`lift/arms.py`).

A verdict is final once a month: it is read from the people whose time was over when the last month ended (UTC). Who
looks at a 95 % interval every day for a year sees it leave 0 in every fifth loop that does nothing. Only harm is looked
for every day, by an interval that is made for it (`judge_harm`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Float, func, select

from skene_dagster.goals.arms import Arm, comparison_of
from skene_dagster.loops.all_loops import Compared
from skene_dagster.loops.plan import GoalPlan
from skene_dagster.loops.planning.goals import VALUE
from skene_dagster.loops.variants import read, variants_of
from skene_dagster.outcomes.counted import ByArm, Counted, Counting, Numbers
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
    """Those of them whose time is over."""
    reached: int
    """Those of them who reached the goal in it."""
    settled: int
    """Those of them whose time was over when the last month ended: of them the verdict is."""
    settled_reached: int
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
    variant_ratios: Mapping[str, SampleRatio]
    """By how those who are mailed were divided over variants, whether so many are in each."""
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
    """How many enter the comparison in a week now: people, or accounts, whichever the coin is tossed for."""

    @property
    def has_news(self) -> bool:
        """Somebody's time is over since the end of the last month."""
        return (self.today.treated, self.today.control) != (self.lift.treated, self.lift.control)

    @property
    def alarm(self) -> bool:
        """An arm is not as large as it should be: the numbers are not to be read. (Variants have their own.)"""
        return not comparable(self.ratios.values())


def outcomes_of(
    connection: Connection, plan: Compared, mode: str, *, as_of: datetime, late: timedelta
) -> tuple[LoopOutcome, ...]:
    """Compare the arms of a loop by each of its goals, as far as they are measured; it measures nothing.

    Args:
        as_of: up to when it is counted how many enter in a week; the month before it is the last one.
        late: how long after the end of somebody's time it may still be told what they did in it.
    """
    about = Counting(comparison_of(connection, mode, plan.name), any(step.per_account for step in plan.steps))
    a_week = about.a_week(connection, as_of)
    variants = [name for name, _ in variants_of(plan)]
    month = as_of.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return tuple(_outcome_of(connection, about, goal, variants, a_week, month, late) for goal in plan.goals)


def _outcome_of(
    connection: Connection,
    about: Counting,
    goal: GoalPlan,
    variants: Sequence[str],
    a_week: float,
    month: datetime,
    late: timedelta,
) -> LoopOutcome:
    # Whoever is among them stays, and nobody comes in later: late events of their time could have come by then.
    settled = replace(about, closed_by=month - late)
    counted = about.count(connection, goal, month - late)
    sizes = about.sizes(connection, counted)
    ratios = _ratios(sizes)
    is_comparable = comparable(ratios.values())
    variant_ratios = _variant_ratios(connection, about) if variants else {}
    closed = _pairs(connection, about, goal, _by_arm(counted))
    then = _by_arm(counted, settled=True)
    accounts = sizes if about.per_account else None
    return LoopOutcome(
        about.comparison.loop,
        goal,
        _size(counted, "mailed", accounts),
        _size(counted, "held_out", accounts),
        ratios,
        variant_ratios,
        month,
        lift_of_shares(_pairs(connection, settled, goal, then), comparable=is_comparable),
        lift_of_shares(closed, comparable=is_comparable),
        judge_harm(closed, comparable=is_comparable),
        lifts_by_level(_by_level(connection, settled, goal, counted), comparable=is_comparable),
        _worth(connection, settled, goal, is_comparable=is_comparable),
        _variants(
            connection,
            settled,
            goal,
            variants,
            is_comparable=is_comparable and comparable(variant_ratios.values()),
        ),
        a_week,
    )


def _size(counted: Counted, arm: Arm, accounts: Mapping[ByArm, int] | None) -> ArmSize:
    all_ = sum((numbers for kind, numbers in counted.items() if kind.is_drawn and kind.arm == arm), Numbers())
    return ArmSize(
        people=all_.people,
        closed=all_.closed,
        reached=all_.reached,
        settled=all_.settled,
        settled_reached=all_.settled_reached,
        accounts=None if accounts is None else sum(number for (_, of_arm), number in accounts.items() if of_arm == arm),
    )


def _ratios(sizes: Mapping[ByArm, int]) -> dict[float, SampleRatio]:
    shares = sorted({share for share, _ in sizes})
    return {
        share: sample_ratio((sizes.get((share, "mailed"), 0), sizes.get((share, "held_out"), 0)), (1 - share, share))
        for share in shares
    }


def _variant_ratios(connection: Connection, about: Counting) -> dict[str, SampleRatio]:
    return {
        weights: sample_ratio([drawn.get(name, 0) for name, _ in read(weights)], [share for _, share in read(weights)])
        for weights, drawn in sorted(about.variants(connection).items())
    }


def _pairs(
    connection: Connection, about: Counting, goal: GoalPlan, people: Mapping[ByArm, People]
) -> list[Pair[LiftArm]]:
    """Pair the arms of those whose time is over."""
    if about.per_account:
        return _paired(about, about.arms_by(connection, goal, [about.drawn], _arm.share, _arm.arm))
    return _paired(about, people)


def _by_level(
    connection: Connection, about: Counting, goal: GoalPlan, counted: Counted
) -> dict[str, list[Pair[LiftArm]]]:
    """Pair the arms of those whose time was over, by level."""
    some = {kind: numbers for kind, numbers in counted.items() if kind.is_drawn and numbers.settled}
    levels = sorted({kind.level for kind in some if kind.level is not None})
    if not about.per_account:
        by_level = {level: {kind: numbers for kind, numbers in some.items() if kind.level == level} for level in levels}
        return {level: _paired(about, _by_arm(of, settled=True)) for level, of in by_level.items()}
    # Of an account that has people of several levels, the sums of those are not the sums of all.
    found = about.arms_by(connection, goal, [about.drawn], _arm.share, _arm.arm, _arm.level)
    return {
        level: _paired(about, {(share, arm): some for (share, arm, of), some in found.items() if of == level})
        for level in levels
    }


def _by_arm(counted: Counted, *, settled: bool = False) -> dict[ByArm, People]:
    """Count who was drawn and whose time is over, or was: by the share from which they were, and their arm."""
    found: dict[ByArm, Numbers] = {}
    for kind, numbers in counted.items():
        if kind.is_drawn and (numbers.settled if settled else numbers.closed):
            found[kind.share, kind.arm] = found.get((kind.share, kind.arm), Numbers()) + numbers
    return {
        key: People(one.settled, one.settled_reached) if settled else People(one.closed, one.reached)
        for key, one in found.items()
    }


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
    connection: Connection,
    about: Counting,
    goal: GoalPlan,
    names: Sequence[str],
    *,
    is_comparable: bool,
) -> tuple[VariantLift, ...]:
    if not names:
        return ()
    # Where the numbers were changed, those who were drawn by each are compared among themselves, as of shares.
    drawn_by = _arm.share, _arm.weights
    found = about.arms_by(connection, goal, about.ours(arms), *drawn_by, _arm.arm, _arm.variant)
    strata = [
        Arms(
            # Where nobody was held out, variants are compared with each other all the same.
            found.get((share, weights, "held_out", None)),
            {name: found.get((share, weights, "mailed", name), about.nobody) for name in names},
        )
        for share, weights in sorted({key[:2] for key in found}, key=lambda one: (one[0], one[1] or ""))
    ]
    return lifts_of_variants(strata, comparable=is_comparable)
