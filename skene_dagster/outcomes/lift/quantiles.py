"""Quantiles and tails of the normal, Student's and the χ² distribution, where the standard library ends."""

from math import erfc, exp, lgamma, log, sqrt
from statistics import NormalDist

FEWEST_DEGREES = 99
"""Student's quantile is exact to seven digits from so many degrees of freedom on; below it is not asked for."""


def normal_quantile(level: float) -> float:
    """Return the z of a two-sided interval of this level: 1.96 for 0.95, 3.09 for 0.998.

    Raises:
        ValueError: the level is not between 0 and 1.
    """
    if not 0 < level < 1:
        raise ValueError(f"{level} is no level: it lies between 0 and 1")
    # Of the tail, not of 1 - tail: near 1 a float has no digits left for what matters.
    return -NormalDist().inv_cdf((1 - level) / 2)


def student_quantile(level: float, degrees: float) -> float:
    """Return the t of a two-sided interval of this level, for that many degrees of freedom.

    The series of Fisher and Cornish in 1/degrees (Abramowitz and Stegun, 26.7.5): the standard library has no quantile
    of Student's distribution, and where it is needed both arms have a hundred people or more, so Welch's degrees are
    never fewer than FEWEST_DEGREES.

    Raises:
        ValueError: the level is not between 0 and 1, or there are fewer degrees.
    """
    if not degrees >= FEWEST_DEGREES:
        raise ValueError(f"{degrees} degrees of freedom are fewer than {FEWEST_DEGREES}")
    z = normal_quantile(level)
    square = z * z
    terms = (
        (square + 1) / 4,
        ((5 * square + 16) * square + 3) / 96,
        (((3 * square + 19) * square + 17) * square - 15) / 384,
        ((((79 * square + 776) * square + 1482) * square - 1920) * square - 945) / 92_160,
    )
    return z * (1 + sum(term / degrees**power for power, term in enumerate(terms, start=1)))


def chi_square_tail(chi_square: float, degrees: int) -> float:
    """Return how probable a χ² at least so large is, for a whole number of degrees of freedom.

    The closed form (Abramowitz and Stegun, 26.4.4 and 26.4.5): a sum of as many terms as half the degrees, and for an
    odd number of degrees the tail of the normal distribution.

    Raises:
        ValueError: χ² is negative, or there is no degree of freedom.
    """
    if not chi_square >= 0 or degrees < 1:
        raise ValueError(f"a χ² of {chi_square} with {degrees} degrees of freedom")
    half = chi_square / 2
    if degrees % 2 == 0:
        tail, first = 0.0, 0.0
    else:
        tail, first = erfc(sqrt(half)), 0.5
    if half == 0:
        return 1.0
    # Through logarithms: a power and a factorial that are each too large for a float have a quotient that is not.
    return min(1.0, tail + sum(_term(half, first + n) for n in range(degrees // 2)))


def _term(half: float, power: float) -> float:
    return exp(power * log(half) - half - lgamma(power + 1))
