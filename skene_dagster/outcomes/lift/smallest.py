"""How large a difference has to be to be noticed, and how long it takes until it is."""

from collections.abc import Sequence
from math import ceil, inf, sqrt
from statistics import NormalDist

from skene_dagster.outcomes.lift.arms import Arm, Pair
from skene_dagster.outcomes.lift.differences import LEVEL, score_interval, weights_of
from skene_dagster.outcomes.lift.quantiles import normal_quantile

POWER = 0.8
"""How often a difference of the smallest effect is noticed."""


def standard_errors(level: float = LEVEL) -> float:
    """Return how many standard errors a difference is away from 0 if it is noticed with that power: 2.80 at 95 %."""
    return normal_quantile(level) + NormalDist().inv_cdf(POWER)


def smallest_effect(rate: float, treated: float, control: float) -> float:
    """Return the smallest difference of shares that is noticed with a power of 80 %, as a share (0.024: 2.4 points).

    (1.96 + 0.84)·√(p(1 - p)(1/n₁ + 1/n₀)), with the z of a level of 95 % and that of the power. Infinite while an arm
    is empty.

    Args:
        rate: The share p that reaches the goal without email, from 0 to 1; of one that was counted, `expected_share`.
        treated: How many independent people are mailed.
        control: How many are held out.

    Raises:
        ValueError: the rate is not between 0 and 1, or a number is negative.
    """
    if not 0 <= rate <= 1 or treated < 0 or control < 0:
        raise ValueError(f"a rate of {rate}, {treated} mailed and {control} held out")
    if not treated or not control:
        return inf
    return standard_errors() * sqrt(_variance(rate, treated, control))


def smallest_effect_of(pairs: Sequence[Pair[Arm]], *, level: float = LEVEL) -> float:
    """Return the smallest difference of shares that these arms show; infinite where there is too little to compare."""
    weighted = weights_of(pairs)
    if not any(weighted):
        return inf
    return standard_errors(level) * sqrt(
        sum(
            weight**2
            * _variance(
                expected_share(pair.control.share, pair.control.effective),
                pair.treated.effective,
                pair.control.effective,
            )
            for weight, pair in zip(weighted, pairs, strict=True)
            if weight
        )
    )


def expected_share(share: float, people: float) -> float:
    """Return the middle of a share's score interval: what to expect where so few were counted that nobody did it."""
    return sum(score_interval(share, people, normal_quantile(LEVEL))) / 2


def weeks_until(factor: float, *, units: int, a_week: float) -> float:
    """Return how many more weeks it takes until there are `factor` times as many, if as many come as now.

    Infinite if nobody comes, or if no number is enough.

    Args:
        factor: How many times as many are needed.
        units: How many there are: people, or accounts, of both arms.
        a_week: How many more there are each week.
    """
    if not a_week > 0 or factor == inf:
        return inf
    weeks = (factor - 1) * units / a_week
    return inf if weeks == inf else float(max(1, ceil(weeks)))


def _variance(rate: float, treated: float, control: float) -> float:
    return rate * (1 - rate) * (1 / treated + 1 / control)
