"""The arms' sizes: SciPy as judge, the reference's figures, and how often a correct coin raises the alarm."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from skene_dagster.outcomes.lift.sample_ratio import comparable, sample_ratio


@given(st.lists(st.tuples(st.integers(0, 10**7), st.integers(1, 100)), min_size=2, max_size=6))
def test_scipy_says_the_same(arms: list[tuple[int, int]]) -> None:
    counts, parts = zip(*arms, strict=True)
    shares = [part / sum(parts) for part in parts]
    found = sample_ratio(counts, shares)

    if sum(counts):
        judged = stats.chisquare(counts, [share * sum(counts) for share in shares])
        assert found.chi_square == pytest.approx(judged.statistic, rel=1e-6, abs=1e-6)
        assert found.p == pytest.approx(judged.pvalue, rel=1e-6, abs=1e-300)
    else:
        assert (found.p, found.judged) == (1.0, False)


@pytest.mark.parametrize(
    ("held_out", "p", "alarm"),
    [(1_100, 0.00086, True), (1_000, 1.0, False), (1_090, 0.0027, False), (900, 0.00086, True)],
)
def test_ten_thousand_people_of_whom_a_tenth_should_be_held_out(held_out: int, p: float, alarm: bool) -> None:
    found = sample_ratio([held_out, 10_000 - held_out], [0.1, 0.9])

    assert found.p == pytest.approx(p, rel=0.01)
    assert found.alarm is alarm


def test_a_coin_that_never_holds_anybody_out_is_found() -> None:
    assert sample_ratio([0, 110], [0.1, 0.9]).alarm
    assert sample_ratio([110, 0], [0.1, 0.9]).alarm


def test_below_eight_expected_in_an_arm_nothing_is_said() -> None:
    assert not sample_ratio([0, 79], [0.1, 0.9]).judged
    assert sample_ratio([0, 80], [0.1, 0.9]).judged
    assert not sample_ratio([79, 0], [0.1, 0.9]).alarm


def test_nobody_may_be_in_an_arm_without_a_share() -> None:
    assert sample_ratio([1, 1_000], [0.0, 1.0]).alarm
    assert not sample_ratio([0, 1_000], [0.0, 1.0]).alarm
    assert not sample_ratio([0, 450, 550], [0.0, 0.5, 0.5]).alarm
    assert sample_ratio([0, 400, 600], [0.0, 0.5, 0.5]).alarm


def test_nobody_at_all_is_no_alarm() -> None:
    found = sample_ratio([0, 0], [0.1, 0.9])

    assert (found.chi_square, found.p, found.alarm) == (0.0, 1.0, False)


def test_variants_are_judged_with_the_holdout() -> None:
    assert not sample_ratio([1_000, 4_500, 4_500], [0.1, 0.45, 0.45]).alarm
    # One coin for all: of those who are left, the variants get 44 to 56.
    assert sample_ratio([1_000, 4_000, 5_000], [0.1, 0.45, 0.45]).alarm


def test_each_share_is_judged_by_itself() -> None:
    kept, changed = sample_ratio([100, 900], [0.1, 0.9]), sample_ratio([500, 500], [0.5, 0.5])

    assert comparable([kept, changed])
    # Added up, the 600 of 2,000 fit neither share; and one wrong share is not hidden by a right one.
    assert sample_ratio([600, 1_400], [0.1, 0.9]).alarm
    assert not comparable([kept, sample_ratio([600, 400], [0.5, 0.5])])
    assert comparable([])


def test_a_correct_coin_raises_the_alarm_about_once_in_a_thousand() -> None:
    draw = np.random.default_rng(17)
    held_out = draw.binomial(10_000, 0.1, 5_000)

    alarms = sum(sample_ratio([int(n), 10_000 - int(n)], [0.1, 0.9]).alarm for n in held_out)

    assert alarms <= 15  # expected are 5; so many come once in ten thousand such tests


@pytest.mark.parametrize(
    ("counts", "shares"),
    [([1], [0.5, 0.5]), ([1, -1], [0.5, 0.5]), ([1, 1], [0.5, 0.6]), ([1, 1], [1.5, -0.5]), ([], [])],
    ids=str,
)
def test_what_is_no_split_is_refused(counts: list[int], shares: list[float]) -> None:
    with pytest.raises(ValueError, match="cannot be judged"):
        sample_ratio(counts, shares)


def test_huge_counts_are_judged_too() -> None:
    assert not sample_ratio([10**14, 9 * 10**14], [0.1, 0.9]).alarm
    assert sample_ratio([10**14 + 10**9, 9 * 10**14], [0.1, 0.9]).alarm
