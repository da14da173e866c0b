"""Whether the arms are as large as their shares make them: if not, something put people into the wrong one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import fsum

from skene_dagster.outcomes.lift.arms import FEWEST_PEOPLE
from skene_dagster.outcomes.lift.quantiles import chi_square_tail

ALARM_BELOW = 0.001
"""How rarely chance makes arms so unequal that it is not believed (as GrowthBook does, 2026-08)."""


@dataclass(frozen=True)
class SampleRatio:
    """How the arms of people who were first decided with the same shares are split."""

    counts: tuple[int, ...]
    shares: tuple[float, ...]
    """Of each arm, adding up to 1."""
    chi_square: float
    p: float
    """How often chance alone makes arms that are so unequal, or more."""
    judged: bool
    """There are enough people."""

    @property
    def alarm(self) -> bool:
        """The arms are not as large as they should be."""
        return self.judged and self.p < ALARM_BELOW


def sample_ratio(counts: Sequence[int], shares: Sequence[float]) -> SampleRatio:
    """Judge how many are in each arm, of those who were first decided with the same shares.

    For whom the coin was tossed counts, people or accounts, whether their windows have closed or not.

    Pearson's Σ (count - expected)² / expected, with one degree of freedom fewer than there are arms. It is judged from
    8 *expected* in each arm: an arm that stays empty is what it is there to find. An arm of the share 0 must be empty.

    Raises:
        ValueError: a count or a share is negative, the shares do not add up to 1, or there is one for no arm.
    """
    if len(counts) != len(shares) or min(counts, default=-1) < 0 or min(shares) < 0 or abs(fsum(shares) - 1) > 1e-6:
        raise ValueError(f"{counts} of the shares {shares} cannot be judged")
    people = sum(counts)
    open_ = [(count, share * people) for count, share in zip(counts, shares, strict=True) if share]
    if any(count for count, share in zip(counts, shares, strict=True) if not share):
        chi_square, p = float("inf"), 0.0
    elif people == 0 or len(open_) < 2:
        chi_square, p = 0.0, 1.0
    else:
        chi_square = fsum((count - expected) ** 2 / expected for count, expected in open_)
        p = chi_square_tail(chi_square, len(open_) - 1)
    judged = min(expected for _, expected in open_) >= FEWEST_PEOPLE
    return SampleRatio(tuple(counts), tuple(shares), chi_square, p, judged)


def comparable(ratios: Iterable[SampleRatio]) -> bool:
    """Say whether no share's arms raise the alarm: only then may a difference between them be read."""
    return not any(ratio.alarm for ratio in ratios)
