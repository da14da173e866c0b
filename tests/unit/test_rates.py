"""Whether so many of so many emails are too many: bad luck pauses nothing, a broken list is found at once."""

from datetime import datetime
from fractions import Fraction
from math import factorial

import numpy as np
import pytest

from skene_dagster.delivery.decide.slices import APART, Slices
from skene_dagster.feedback.rates import BOUNCES, COMPLAINTS, Limit, at_least


@pytest.mark.parametrize(
    ("limit", "of", "least"),
    [
        (COMPLAINTS, 100, 2),
        (COMPLAINTS, 1_000, 3),
        (COMPLAINTS, 10_000, 14),
        (BOUNCES, 100, 9),
        (BOUNCES, 1_000, 52),
    ],
    ids=str,
)
def test_so_many_pause_and_one_less_does_not(limit: Limit, of: int, least: int) -> None:
    assert limit.judge(least, of) == "pause"
    assert limit.judge(least - 1, of) == "warn"


def test_one_complaint_of_five_hundred_pauses_nothing() -> None:
    assert COMPLAINTS.judge(1, 500) == "warn"


def test_below_half_of_a_limit_nothing_is_said() -> None:
    assert COMPLAINTS.judge(0, 0) == "ok"
    assert COMPLAINTS.judge(4, 10_000) == "ok"
    assert COMPLAINTS.judge(5, 10_000) == "warn"
    assert BOUNCES.judge(2, 100) == "ok"


@pytest.mark.parametrize("mean", [Fraction(2, 25), Fraction(4, 5), Fraction(8), Fraction(40)], ids=str)
def test_the_probability_is_that_of_poisson_s_formula(mean: Fraction) -> None:
    # In fractions, without rounding: e^-m is its own series, summed far beyond what a float can tell.
    powers = [mean**n / factorial(n) for n in range(200)]
    for count in range(100):
        exact = 1 - sum(powers[:count], Fraction(0)) / sum(powers)
        assert at_least(count, float(mean)) == pytest.approx(float(exact), rel=1e-9, abs=1e-15)


@pytest.mark.parametrize(("count", "of"), [(40_000, 1_000_000), (0, 1_000_000), (1_000_000, 1_000_000)])
def test_a_million_emails_are_judged_too(count: int, of: int) -> None:
    assert 0.0 <= at_least(count, 0.04 * of) <= 1.0
    assert at_least(40_000, 40_000.0) == pytest.approx(0.5, abs=0.01)


LOOKS = range(100, 10_001, 100)


def least_that_pauses(limit: Limit, of: int) -> int:
    return next(number for number in range(of) if limit.judge(number, of) == "pause")


@pytest.mark.parametrize("limit", [COMPLAINTS, BOUNCES], ids=lambda limit: limit.many)
def test_at_half_of_the_limit_one_look_pauses_one_of_eighty(limit: Limit) -> None:
    assert max(at_least(least_that_pauses(limit, of), limit.rate / 2 * of) for of in LOOKS) < 1 / 80


@pytest.mark.parametrize("limit", [COMPLAINTS, BOUNCES], ids=lambda limit: limit.many)
def test_at_half_of_the_limit_a_hundred_looks_pause_one_of_forty(limit: Limit) -> None:
    draw = np.random.default_rng(16)
    came = draw.binomial(100, limit.rate / 2, size=(2_000, len(LOOKS))).cumsum(axis=1)
    least = np.array([least_that_pauses(limit, of) for of in LOOKS])

    assert (came >= least).any(axis=1).mean() < 1 / 40


@pytest.mark.parametrize("limit", [COMPLAINTS, BOUNCES], ids=lambda limit: limit.many)
def test_at_three_times_the_limit_everybody_is_paused(limit: Limit) -> None:
    draw = np.random.default_rng(16)
    came = draw.binomial(100, limit.rate * 3, size=(2_000, len(LOOKS))).cumsum(axis=1)
    least = np.array([least_that_pauses(limit, of) for of in LOOKS])

    assert (came >= least).any(axis=1).mean() > 0.99


def test_each_slice_has_twice_as_many_emails_as_the_one_before() -> None:
    slices = Slices(datetime(2026, 3, 2, 9))
    firsts = []
    for n in (0, 499, 500, 1499, 1500, 3499, 3500):
        slices.decided = n
        firsts.append(slices.wait // APART)

    assert firsts == [0, 0, 1, 1, 2, 2, 3]
