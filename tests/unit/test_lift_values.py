"""Values: capped means with zeros in; SciPy and statsmodels judge, and an interval contains what is true."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from skene_dagster.outcomes.lift.arms import Pair
from skene_dagster.outcomes.lift.differences import Difference
from skene_dagster.outcomes.lift.values import AccountValues, Values, difference_of_means, rank_of_cap

Amounts = NDArray[np.float64]


def cap_of(*arms: Amounts) -> float:
    values = np.sort(np.concatenate([arm[arm != 0] for arm in arms]))
    return float(values[rank_of_cap(len(values))])


def counted(amounts: Amounts, cap: float) -> Values:
    """Add up what a database would."""
    capped = np.minimum(amounts, cap)
    return Values(
        people=len(amounts),
        non_zero=int((amounts != 0).sum()),
        total=float(amounts.sum()),
        capped=float(capped.sum()),
        capped_squared=float((capped**2).sum()),
    )


def compare(treated: Amounts, control: Amounts, level: float = 0.95) -> Difference:
    cap = cap_of(treated, control)
    found = difference_of_means([Pair(counted(treated, cap), counted(control, cap))], level=level)
    assert found is not None
    return found


def purchases(draw: np.random.Generator, people: int, buy: float = 0.05, spread: float = 1.2) -> Amounts:
    amounts: Amounts = draw.lognormal(3, spread, people) * (draw.random(people) < buy)
    return amounts


@pytest.mark.parametrize("level", [0.95, 0.998])
def test_scipy_and_statsmodels_say_the_same(level: float) -> None:
    draw = np.random.default_rng(17)
    treated, control = purchases(draw, 20_000), purchases(draw, 3_000)
    found = compare(treated, control, level)

    one, other = (np.minimum(amounts, cap_of(treated, control)) for amounts in (treated, control))
    scipy = stats.ttest_ind(one, other, equal_var=False).confidence_interval(level)
    judged = CompareMeans(DescrStatsW(one), DescrStatsW(other)).tconfint_diff(alpha=1 - level, usevar="unequal")
    assert found.estimate == pytest.approx(one.mean() - other.mean())
    assert (found.low, found.high) == pytest.approx((scipy.low, scipy.high), rel=1e-7)
    assert (found.low, found.high) == pytest.approx(judged, rel=1e-7)


@given(st.integers(1, 10**7))
def test_the_cap_is_the_ninety_fifth_of_a_hundred_values(non_zero: int) -> None:
    rank = rank_of_cap(non_zero)

    # At least 95 % of the values are no larger than the cap, and fewer than 95 % are smaller.
    assert 100 * (rank + 1) >= 95 * non_zero
    assert 100 * rank < 95 * non_zero


@pytest.mark.parametrize(("non_zero", "rank"), [(1, 0), (2, 1), (20, 18), (21, 19), (100, 94)])
def test_the_rank_of_the_cap_counts_from_nought(non_zero: int, rank: int) -> None:
    assert rank_of_cap(non_zero) == rank
    assert np.quantile(np.arange(non_zero), 0.95, method="inverted_cdf") == rank


def test_no_values_have_no_cap() -> None:
    with pytest.raises(ValueError, match="no values"):
        rank_of_cap(0)


def test_decimals_of_a_database_are_added_up_exactly() -> None:
    cents = Values(
        1_000, 1_000, Decimal("1000000000000.10"), Decimal("1000000000000.10"), Decimal("1000000000000200000000.11")
    )
    floats = np.full(1_000, 1_000_000_000.0001)

    # Each is worth the same but for a hundredth of a cent: as floats the squares would have lost that.
    assert cents.mean == pytest.approx(floats[0])
    assert cents.variance == pytest.approx(
        float(
            (Decimal("1000000000000200000000.11") - Decimal("1000000000000.10") ** 2 / 1_000) / (Decimal(1_000) * 999)
        ),
        rel=1e-9,
    )


def test_below_a_hundred_values_in_an_arm_there_is_no_interval() -> None:
    draw = np.random.default_rng(17)
    many = purchases(draw, 10_000)
    few = np.zeros(2_000)
    few[:99] = 20.0
    enough = np.zeros(2_000)
    enough[:100] = 20.0

    def found(treated: Amounts, control: Amounts) -> Difference | None:
        return difference_of_means([Pair(counted(treated, 40), counted(control, 40))])

    assert found(many, few) is None
    assert found(few, many) is None
    assert found(many, enough) is not None


def test_values_that_are_all_the_same_leave_nothing_to_be_unsure_about() -> None:
    found = compare(np.full(200, 6.0), np.full(150, 5.0))

    assert (found.low, found.estimate, found.high) == (1.0, 1.0, 1.0)


def test_what_a_purchase_costs_beyond_the_cap_changes_nothing() -> None:
    draw = np.random.default_rng(17)
    treated, control = purchases(draw, 20_000), purchases(draw, 3_000)
    richer = treated.copy()
    richer[treated.argmax()] *= 1_000

    assert compare(richer, control) == compare(treated, control)


def test_a_capped_interval_contains_what_is_true_where_an_uncapped_one_does_not() -> None:
    draw = np.random.default_rng(17)
    rounds = 600
    covered = uncapped = 0
    for _ in range(rounds):
        treated, control = (purchases(draw, n, spread=2) for n in (20_000, 3_000))
        cap = cap_of(treated, control)
        covers = [difference_of_means([Pair(counted(treated, at), counted(control, at))]) for at in (cap, float("1e9"))]
        if covers[0] is None or covers[1] is None:
            pytest.fail("of 3,000 one in twenty buys, so a hundred do; draw another seed")
        covered += covers[0].low <= 0 <= covers[0].high
        uncapped += covers[1].low <= 0 <= covers[1].high

    # 95 % of 600 are 570; the middle 99.9 % of that binomial are 551 to 586.
    assert 551 <= covered <= 586
    assert uncapped < 551


def of_accounts(sizes: NDArray[np.int64], amounts: Amounts, account: NDArray[np.int64]) -> AccountValues:
    n, x = sizes.astype(float), np.bincount(account, amounts)
    return AccountValues(
        accounts=len(sizes),
        people=int(n.sum()),
        non_zero=int((amounts != 0).sum()),
        total=float(x.sum()),
        capped=float(x.sum()),
        capped_squared=float((x * x).sum()),
        people_squared=int((n * n).sum()),
        products=float((n * x).sum()),
    )


def test_values_of_accounts_vary_as_a_clustered_regression_says() -> None:
    draw = np.random.default_rng(17)
    sizes = draw.integers(1, 20, 300)
    account = np.repeat(np.arange(300), sizes)
    amounts = purchases(draw, len(account), 0.3) * np.repeat(draw.lognormal(0, 1, 300), sizes)
    arm = of_accounts(sizes, amounts, account)

    judged = OLS(amounts, np.ones(len(amounts))).fit(cov_type="cluster", cov_kwds={"groups": account})
    assert arm.mean == pytest.approx(amounts.mean())
    assert arm.variance == pytest.approx(judged.cov_params()[0, 0])
    assert arm.variance > 1.5 * amounts.var(ddof=1) / len(amounts)


def test_values_of_fewer_than_a_hundred_accounts_are_not_compared() -> None:
    def arm(accounts: int) -> AccountValues:
        draw = np.random.default_rng(accounts)
        account = np.repeat(np.arange(accounts), 10)
        return of_accounts(np.full(accounts, 10), purchases(draw, 10 * accounts, 0.5), account)

    assert difference_of_means([Pair(arm(100), arm(100))]) is not None
    assert difference_of_means([Pair(arm(500), arm(99))]) is None


def test_a_share_that_was_changed_compares_only_people_of_the_same_share() -> None:
    draw = np.random.default_rng(17)
    # No effect: those who wait at the start buy four times as often, and fewer of them are held out.
    first = purchases(draw, 18_000, 0.2), purchases(draw, 2_000, 0.2)
    later = purchases(draw, 6_000, 0.05), purchases(draw, 6_000, 0.05)
    cap = cap_of(*first, *later)

    together = compare(np.concatenate([first[0], later[0]]), np.concatenate([first[1], later[1]]))
    apart = difference_of_means([Pair(counted(one, cap), counted(other, cap)) for one, other in (first, later)])

    assert together.low > 0
    assert apart is not None
    assert apart.low < 0 < apart.high


def test_a_pair_without_holdout_is_left_out() -> None:
    draw = np.random.default_rng(17)
    pair = Pair(counted(purchases(draw, 20_000), 100), counted(purchases(draw, 5_000), 100))
    nobody = Pair(counted(purchases(draw, 5_000), 100), counted(np.zeros(0), 100))

    assert difference_of_means([pair, nobody]) == difference_of_means([pair])
    assert difference_of_means([nobody]) is None
    assert difference_of_means([]) is None
