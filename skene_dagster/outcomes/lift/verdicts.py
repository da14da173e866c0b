"""What a comparison says: it works, it does harm, or one cannot tell yet. Every reader asks here."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Literal

from skene_dagster.outcomes.lift.arms import FEWEST_ACCOUNTS, FEWEST_PEOPLE, Accounts, Arm, Pair
from skene_dagster.outcomes.lift.differences import LEVEL, Difference, difference_of_shares
from skene_dagster.outcomes.lift.smallest import smallest_effect_of, standard_errors, weeks_until
from skene_dagster.outcomes.lift.values import (
    FEWEST_VALUES,
    ValueArm,
    comparable_pairs,
    difference_of_means,
    fewest_values,
    standard_error,
)

Verdict = Literal["works", "does harm", "cannot tell", "not comparable"]
"""`not comparable`: the sample ratio raises the alarm, and the number is not to be read."""

Harm = Literal["none seen", "harm", "too few", "not comparable"]

Lacking = Literal["people", "accounts", "values"]
"""What there is too little of for an interval: people in one of the arms, accounts, or values that are not 0."""

SURE_OF_HARM = 0.998
"""z = 3.09. Looked at daily for a year, an interval of 95 % cries wolf about 20 to 24 of 100 loops that do nothing,
this one about 2.3 (simulated)."""
FEWEST_FOR_HARM = 50
"""People whom both arms need before harm is spoken of."""


@dataclass(frozen=True)
class Lift:
    """What the comparison of two arms came to."""

    treated: int
    """People of the arms that were compared, whose windows are closed."""
    control: int
    units: int
    """For how many the coin was tossed: people, or accounts, of both arms."""
    difference: Difference | None
    """Of shares (0.028 are 2.8 points), or of mean values. None: there is too little to compare."""
    lacking: Lacking | None
    """What there is too little of; None: nothing."""
    smallest: float
    """The smallest difference that is noticed with a power of 80 %; infinite if none is."""
    factor: float
    """How many times as many units it takes until one can tell, if the difference stays what it is."""
    comparable: bool
    """False: the arms are not as large as they should be."""

    @property
    def verdict(self) -> Verdict:
        """What is said of it."""
        if not self.comparable:
            return "not comparable"
        if self.difference is not None and self.difference.above:
            return "works"
        if self.difference is not None and self.difference.below:
            return "does harm"
        return "cannot tell"

    @property
    def more(self) -> Difference | None:
        """How many more of the treated reached the goal than would have without it, or how much more they are worth.

        The difference times their number. Those of pairs that could not be compared are not among them.
        """
        if self.difference is None:
            return None
        found = self.difference
        treated, control, low, high = (
            self.treated * of_one for of_one in (found.treated, found.control, found.low, found.high)
        )
        return Difference(treated, control, low, high, found.level)

    def weeks_more(self, a_week: float) -> float:
        """Return after how many more whole weeks one can probably tell; infinite if that cannot be foreseen.

        That is when the smallest effect has become as small as the difference is now, and there are as many accounts or
        values as an interval needs.

        Args:
            a_week: For how many the coin is tossed in a week now (people, or accounts), of both arms together.
        """
        return weeks_until(self.factor, units=self.units, a_week=a_week)


def lift_of_shares(pairs: Sequence[Pair[Arm]], *, comparable: bool, level: float = LEVEL) -> Lift:
    """Compare the shares of people who reached a goal.

    Args:
        pairs: The two arms, of closed windows only; one pair for each share that the holdout has had.
        comparable: What `sample_ratio.comparable` says of them.
        level: Of the interval.

    Raises:
        ValueError: the level is not between 0 and 1.
    """
    difference = difference_of_shares(pairs, level=level)
    smallest = smallest_effect_of(pairs, level=level)
    if difference is None:
        accounts = any(isinstance(arm, Accounts) for pair in pairs for arm in (pair.treated, pair.control))
        lacking: Lacking = "accounts" if accounts else "people"
        there = max((min(pair.treated.units, pair.control.units) for pair in pairs), default=0)
        factor = _times(FEWEST_ACCOUNTS if accounts else FEWEST_PEOPLE, there)
        return _lift(pairs, None, lacking, inf, factor, comparable)
    compared = [pair for pair in pairs if pair.treated.enough and pair.control.enough]
    return _lift(compared, difference, None, smallest, _growth(smallest, difference), comparable)


def lift_of_values(pairs: Sequence[Pair[ValueArm]], *, comparable: bool, level: float = LEVEL) -> Lift:
    """Compare what the people of two arms are worth, each, capped; the arguments are as in `lift_of_shares`.

    Raises:
        ValueError: the level is not between 0 and 1.
    """
    difference = difference_of_means(pairs, level=level)
    compared = comparable_pairs(pairs)
    if difference is None:
        factor = _times(FEWEST_VALUES, fewest_values(pairs))
        return _lift(compared or pairs, None, "values", inf, factor, comparable)
    smallest = standard_errors(level) * standard_error(pairs)
    return _lift(compared, difference, None, smallest, _growth(smallest, difference), comparable)


def judge_harm(pairs: Sequence[Pair[Arm]], *, comparable: bool) -> Harm:
    """Say whether mail keeps people from the goal: only what an interval of 99.8 % is sure of, from 50 in both arms.

    The check `no_harm`; the arguments are those of `lift_of_shares`.
    """
    if not comparable:
        return "not comparable"
    lift = lift_of_shares(pairs, comparable=comparable, level=SURE_OF_HARM)
    if lift.difference is None or min(lift.treated, lift.control) < FEWEST_FOR_HARM:
        return "too few"
    return "harm" if lift.difference.below else "none seen"


def _times(needed: float, there: float) -> float:
    return needed / there if there else inf


def _growth(smallest: float, difference: Difference) -> float:
    """By how much the arms have to grow until the difference is the smallest effect, which shrinks by the root."""
    times = _times(smallest, abs(difference.estimate))
    return times * times


def _lift(
    pairs: Sequence[Pair[Arm] | Pair[ValueArm]],
    difference: Difference | None,
    lacking: Lacking | None,
    smallest: float,
    factor: float,
    comparable: bool,
) -> Lift:
    return Lift(
        treated=sum(pair.treated.people for pair in pairs),
        control=sum(pair.control.people for pair in pairs),
        units=sum(pair.treated.units + pair.control.units for pair in pairs),
        difference=difference,
        lacking=lacking,
        smallest=smallest,
        factor=factor,
        comparable=comparable,
    )
