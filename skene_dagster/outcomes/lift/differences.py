"""How much more of the one arm than of the other reached a goal, and between which limits that lies."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

from skene_dagster.outcomes.lift.arms import Arm, Pair, weights
from skene_dagster.outcomes.lift.quantiles import normal_quantile

LEVEL = 0.95


@dataclass(frozen=True)
class Difference:
    """A difference of shares (0.028 are 2.8 points), of means or of sums, with its interval."""

    treated: float
    """Of the treated; where a share was changed, each pair weighted as in the difference."""
    control: float
    low: float
    high: float
    level: float
    """How often such an interval contains what is true: 0.95."""

    @property
    def estimate(self) -> float:
        """How much more of the treated."""
        return self.treated - self.control

    @property
    def above(self) -> bool:
        """The whole interval lies above 0."""
        return self.low > 0

    @property
    def below(self) -> bool:
        """The whole interval lies below 0."""
        return self.high < 0


def score_interval(share: float, people: float, z: float) -> tuple[float, float]:
    """Return Wilson's score interval of a share: (2np + z² ∓ z·√(z² + 4np(1 - p))) / (2(n + z²))."""
    square = z * z
    middle, reach = 2 * people * share + square, z * sqrt(square + 4 * people * share * (1 - share))
    # Rounding must not put the limits on the wrong side of the share.
    low = (middle - reach) / (2 * (people + square))
    high = (middle + reach) / (2 * (people + square))
    return max(0.0, min(low, share)), min(1.0, max(high, share))


def difference_of_shares(pairs: Sequence[Pair[Arm]], *, level: float = LEVEL) -> Difference | None:
    """Compare the shares of two arms, by Newcombe's hybrid score interval; None where there is too little to compare.

    Newcombe, Statistics in Medicine 17 (1998), 873-890, method 10: with Wilson's limits l and u of each share, from
    d - √((p₁ - l₁)² + (u₀ - p₀)²) to d + √((u₁ - p₁)² + (p₀ - l₀)²). It does not collapse where nobody or everybody
    reached the goal. Of several pairs the differences are weighted, and the squares by the squares of the weights (the
    same recovery of variances: Zou, Huang and Zhang, Computational Statistics & Data Analysis 53 (2009), 1080-1085).

    Raises:
        ValueError: the level is not between 0 and 1.
    """
    z = normal_quantile(level)
    treated, control, down, up = 0.0, 0.0, 0.0, 0.0
    weighted = weights_of(pairs)
    for weight, pair in zip(weighted, pairs, strict=True):
        if not weight:
            continue
        one, other = pair.treated.share, pair.control.share
        low, high = score_interval(one, pair.treated.effective, z)
        other_low, other_high = score_interval(other, pair.control.effective, z)
        treated += weight * one
        control += weight * other
        down += weight**2 * ((one - low) ** 2 + (other_high - other) ** 2)
        up += weight**2 * ((high - one) ** 2 + (other - other_low) ** 2)
    if not any(weighted):
        return None
    return Difference(treated, control, treated - control - sqrt(down), treated - control + sqrt(up), level)


def weights_of(pairs: Sequence[Pair[Arm]]) -> list[float]:
    """Return how much each pair counts, adding up to 1; one that cannot be compared counts 0."""
    return weights((_effective(pair.treated), _effective(pair.control)) for pair in pairs)


def _effective(arm: Arm) -> float:
    return arm.effective if arm.enough else 0.0
