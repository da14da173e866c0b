"""What is counted of an arm: people who were decided one by one, or whole accounts.

A comparison is of pairs: the two arms that one coin with one share made. Where a share was changed there are several,
and only within each are the arms alike: people who came when fewer were held out are more of the one arm than of the
other, and may come back more or less often by themselves.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Generic, TypeVar

FEWEST_PEOPLE = 8
"""Below so many people in an arm nobody would notice that it is too small (`sample_ratio`); and with one person held
out, mail that does nothing "works" in up to 9 of 100 loops (computed)."""
FEWEST_ACCOUNTS = 100
"""Below so many accounts in an arm their interval is too narrow: with 50 it covers 92 %, not 95 (simulated)."""


@dataclass(frozen=True)
class People:
    """An arm of people, each of whom the coin was tossed for. Only those whose windows have closed count.

    Raises:
        ValueError: more reached the goal than there are, or a number is negative.
    """

    people: int
    reached: int
    """How many of them reached the goal."""

    def __post_init__(self) -> None:
        _possible(self.people, self.reached)

    @property
    def units(self) -> int:
        """For how many the coin was tossed."""
        return self.people

    @property
    def enough(self) -> bool:
        """Whether an interval can be told."""
        return self.people >= FEWEST_PEOPLE

    @property
    def share(self) -> float:
        """The share of people who reached the goal, from 0 to 1. Raises ZeroDivisionError in an empty arm."""
        return self.reached / self.people

    @property
    def effective(self) -> float:
        """As many independent people as they say."""
        return float(self.people)


@dataclass(frozen=True)
class Accounts:
    """An arm of accounts: the coin was tossed for each, and its people are not independent.

    Of account j, n are its people in the comparison and y those of them who reached the goal; all of these are sums
    that a database can return.

    Raises:
        ValueError: the sums cannot be of so many accounts and people.
    """

    accounts: int
    people: int
    """Σ n"""
    reached: int
    """Σ y"""
    people_squared: int
    """Σ n²"""
    products: int
    """Σ n·y"""
    reached_squared: int
    """Σ y²"""

    def __post_init__(self) -> None:
        _possible(self.people, self.reached)
        if not 0 <= self.accounts <= self.people or not self.reached_squared <= self.products <= self.people_squared:
            raise ValueError(f"{self} cannot be counted")

    @property
    def units(self) -> int:
        """For how many the coin was tossed."""
        return self.accounts

    @property
    def enough(self) -> bool:
        """Whether an interval can be told."""
        return self.accounts >= FEWEST_ACCOUNTS

    @property
    def share(self) -> float:
        """The share of people who reached the goal, from 0 to 1. Raises ZeroDivisionError in an empty arm."""
        return self.reached / self.people

    @property
    def effective(self) -> float:
        """As many independent people as they say: p·(1 - p) / v, at most their number.

        v = k/(k - 1) · Σ (y - p·n)² / (Σ n)², the variance of a share of clusters over the k accounts (Cochran,
        Sampling Techniques, 3rd edition, 6.4). Where it is 0, as where nobody reached the goal, the accounts count.
        """
        variance = variance_of_ratio(
            self.accounts, self.people, self.reached, self.people_squared, self.products, self.reached_squared
        )
        if not variance:
            return float(self.accounts)
        share = Fraction(self.reached, self.people)
        return float(min(Fraction(self.people), share * (1 - share) / variance))


def variance_of_ratio(
    clusters: int,
    size: int,
    total: Fraction | int,
    size_squared: int,
    products: Fraction | int,
    squares: Fraction | int,
) -> Fraction:
    """Return the variance of Σ y / Σ n over clusters, from sums; exact, so that nothing cancels.

    Of fewer than two clusters none is known, and it is 0.
    """
    if clusters < 2:
        return Fraction(0)
    ratio = Fraction(total) / size
    apart = squares - 2 * ratio * products + ratio * ratio * size_squared
    # A database may have added up floats, and rounded.
    return max(Fraction(0), Fraction(clusters, clusters - 1) * apart / size**2)


def _possible(people: int, reached: int) -> None:
    if not 0 <= reached <= people:
        raise ValueError(f"{reached} of {people} cannot have reached a goal")


Arm = People | Accounts

A_co = TypeVar("A_co", covariant=True)


@dataclass(frozen=True)
class Pair(Generic[A_co]):
    """Two arms that one coin with one share made."""

    treated: A_co
    """Those who are mailed, or get a variant."""
    control: A_co
    """Those who are held out, or get the first variant."""


def weights(sizes: Iterable[tuple[float, float]]) -> list[float]:
    """Return how much each pair counts, adding up to 1: by n₁·n₀/(n₁ + n₀), Cochran's, Mantel's and Haenszel's weights.

    A pair with an empty arm compares nothing, and counts 0; if all do, all are 0.
    """
    raw = [treated * control / (treated + control) if treated and control else 0.0 for treated, control in sizes]
    total = sum(raw)
    return [weight / total if total else 0.0 for weight in raw]
