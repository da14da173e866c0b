"""Whether so many of so many emails are too many, or only bad luck.

The limits are those that providers ask for (their documentation, 2026-11): complaints below 0.08 %, bounces below 4 %.
Of a hundred emails one complaint is 1 %, and says nothing: what counts is how likely so many would be at the limit's
rate.
"""

from dataclasses import dataclass
from math import exp, lgamma, log
from typing import Literal

Verdict = Literal["ok", "warn", "pause"]

UNLIKELY = 1 / 20
"""How rarely so many come at the limit's rate that it is taken to be broken."""

_NOTHING = 1e-12


@dataclass(frozen=True)
class Limit:
    """How many of all emails may come back in some way."""

    one: str
    many: str
    """What comes back."""
    rate: float

    def judge(self, count: int, of: int) -> Verdict:
        """Judge so many of so many: warn above half of the limit, pause where the limit would seldom allow it."""
        if count and at_least(count, self.rate * of) < UNLIKELY:
            return "pause"
        return "warn" if count > self.rate / 2 * of else "ok"

    def in_words(self, count: int) -> str:
        """Say how many came, and how many may."""
        return f"{count:,} {self.one if count == 1 else self.many} (limit {self.rate:.2%})"


COMPLAINTS = Limit("complaint", "complaints", 0.0008)
BOUNCES = Limit("dead address", "dead addresses", 0.04)
REFUSALS = Limit('"no" by a link', '"no"s by a link', 0.02)
"""Gmail reports no complaints to senders: an unsubscribe is the nearest that it tells."""


def at_least(count: int, mean: float) -> float:
    """Return the probability that a Poisson variable of this mean is at least so large."""
    if count <= 0:
        return 1.0
    if mean <= 0:
        return 0.0
    # From the mean on each term is smaller than the one before it; those above it are added up, or those below.
    if count > mean:
        return _sum_from(count, mean, +1)
    return 1.0 - _sum_from(count - 1, mean, -1)


def _sum_from(number: int, mean: float, step: Literal[1, -1]) -> float:
    total = 0.0
    while number >= 0:
        term = exp(number * log(mean) - mean - lgamma(number + 1))
        total += term
        if term < _NOTHING * total or term == 0.0:
            break
        number += step
    return total
