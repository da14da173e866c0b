"""How much more the people of one arm are worth than those of the other: means with zeros in, capped, after Welch.

A few large purchases decide a mean. So what is compared is capped at the 95 % quantile of all non-zero values of both
arms; the uncapped sum stands without an interval.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import ceil, sqrt

from skene_dagster.outcomes.lift.arms import Pair, variance_of_ratio, weights
from skene_dagster.outcomes.lift.differences import LEVEL, Difference
from skene_dagster.outcomes.lift.quantiles import FEWEST_DEGREES, student_quantile

CAPPED_AT = Fraction(95, 100)
FEWEST_VALUES = 100
"""Non-zero values that each arm needs: with 10 to 100 uncapped ones intervals cover 80 to 93 % (simulated)."""

Number = int | float | Decimal


def rank_of_cap(non_zero: int) -> int:
    """Return which of so many non-zero values, sorted, is the cap: the first is 0, as OFFSET counts.

    The nearest rank, which is one of the values, as a database finds it without interpolation.

    Raises:
        ValueError: there are none.
    """
    if non_zero < 1:
        raise ValueError("no values have no quantile")
    return ceil(CAPPED_AT * non_zero) - 1


@dataclass(frozen=True)
class Values:
    """The values of an arm's people, in the goal's own unit, with 0 for those who have none.

    Where the coin was tossed for accounts, use AccountValues.
    """

    people: int
    non_zero: int
    total: Number
    """Σ x, uncapped."""
    capped: Number
    """Σ min(x, cap)"""
    capped_squared: Number
    """Σ min(x, cap)²"""

    @property
    def units(self) -> int:
        """For how many the coin was tossed."""
        return self.people

    @property
    def mean(self) -> float:
        """Capped, for each person. Raises ZeroDivisionError in an empty arm."""
        return float(Fraction(self.capped) / self.people)

    @property
    def variance(self) -> float:
        """Of the mean: Σ (x - mean)² / (n·(n - 1))."""
        n = self.people
        return float(
            variance_of_ratio(n, n, Fraction(self.capped), n, Fraction(self.capped), Fraction(self.capped_squared))
        )


@dataclass(frozen=True)
class AccountValues:
    """The values of an arm of accounts: of account j, n are its people in the comparison and x their capped values."""

    accounts: int
    people: int
    """Σ n"""
    non_zero: int
    """People whose value is not 0."""
    total: Number
    """The sum of all values, uncapped."""
    capped: Number
    """Σ x"""
    capped_squared: Number
    """Σ x²"""
    people_squared: int
    """Σ n²"""
    products: Number
    """Σ n·x"""

    @property
    def units(self) -> int:
        """For how many the coin was tossed."""
        return self.accounts

    @property
    def mean(self) -> float:
        """Capped, for each person. Raises ZeroDivisionError in an empty arm."""
        return float(Fraction(self.capped) / self.people)

    @property
    def variance(self) -> float:
        """Of the mean, which is a ratio: k/(k - 1) · Σ (x - mean·n)² / (Σ n)² over the k accounts."""
        total, products, squares = (Fraction(sum_) for sum_ in (self.capped, self.products, self.capped_squared))
        return float(variance_of_ratio(self.accounts, self.people, total, self.people_squared, products, squares))


ValueArm = Values | AccountValues


def comparable_pairs(pairs: Sequence[Pair[ValueArm]]) -> Sequence[Pair[ValueArm]]:
    """Return the pairs that can be compared: of both arms a hundred units. Of smaller ones no variance is known."""
    return [pair for pair in pairs if min(pair.treated.units, pair.control.units) > FEWEST_DEGREES]


def fewest_values(pairs: Sequence[Pair[ValueArm]]) -> int:
    """Return how many non-zero values the arm has that has fewer, of the pairs that can be compared."""
    compared = comparable_pairs(pairs)
    return min(sum(pair.treated.non_zero for pair in compared), sum(pair.control.non_zero for pair in compared))


def standard_error(pairs: Sequence[Pair[ValueArm]]) -> float:
    """Return the standard error of the weighted difference of the means."""
    return sqrt(sum(variance for variance, _ in _parts(pairs)))


def difference_of_means(pairs: Sequence[Pair[ValueArm]], *, level: float = LEVEL) -> Difference | None:
    """Compare the capped means of two arms, in the goal's unit for each person; None where there are too few values.

    Welch, Biometrika 34 (1947), 28-35: d ∓ t·√(v₁ + v₀), with (v₁ + v₀)² / (v₁²/(n₁ - 1) + v₀²/(n₀ - 1)) degrees of
    freedom. Of several pairs the differences are weighted as shares are.

    Raises:
        ValueError: the level is not between 0 and 1.
    """
    if fewest_values(pairs) < FEWEST_VALUES:
        return None
    compared = comparable_pairs(pairs)
    weighted = list(zip(_weights(compared), compared, strict=True))
    treated = sum(weight * pair.treated.mean for weight, pair in weighted)
    control = sum(weight * pair.control.mean for weight, pair in weighted)
    parts = _parts(pairs)
    variance = sum(part for part, _ in parts)
    spread = sum(part**2 / degrees for part, degrees in parts)
    # Where all values are the same there is no variance, and nothing to be unsure about.
    reach = student_quantile(level, max(FEWEST_DEGREES, variance**2 / spread)) * sqrt(variance) if spread else 0.0
    return Difference(treated, control, treated - control - reach, treated - control + reach, level)


def _weights(compared: Sequence[Pair[ValueArm]]) -> list[float]:
    return weights((pair.treated.people, pair.control.people) for pair in compared)


def _parts(pairs: Sequence[Pair[ValueArm]]) -> list[tuple[float, int]]:
    """Give each arm's part of the variance, and its degrees of freedom."""
    compared = comparable_pairs(pairs)
    return [
        (weight**2 * arm.variance, arm.units - 1)
        for weight, pair in zip(_weights(compared), compared, strict=True)
        for arm in (pair.treated, pair.control)
    ]
