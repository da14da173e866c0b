"""Differences of shares: Newcombe's own examples, statsmodels as judge, and what holds for all counts."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from skene_dagster.outcomes.lift.arms import Accounts, Arm, Pair, People, weights
from skene_dagster.outcomes.lift.differences import Difference, difference_of_shares, score_interval
from skene_dagster.outcomes.lift.quantiles import normal_quantile

LEVELS = [0.95, 0.998, 1 - 0.05 / 7]


def compare(treated: Arm, control: Arm, level: float = 0.95) -> Difference:
    found = difference_of_shares([Pair(treated, control)], level=level)
    assert found is not None
    return found


def arms(most: int = 10**9) -> st.SearchStrategy[People]:
    return st.integers(8, most).flatmap(lambda n: st.integers(0, n).map(lambda y: People(n, y)))


LevelStrategy = st.sampled_from(LEVELS)


@pytest.mark.parametrize(
    ("treated", "control", "low", "high"),
    [
        (People(70, 56), People(80, 48), 0.0524, 0.3339),
        (People(10, 9), People(10, 3), 0.1705, 0.8090),
        (People(56, 5), People(29, 0), -0.0381, 0.1926),
        (People(10, 0), People(20, 0), -0.1611, 0.2775),
        (People(10, 0), People(10, 0), -0.2775, 0.2775),
        (People(10, 10), People(20, 0), 0.6791, 1.0),
        (People(10, 10), People(10, 0), 0.6075, 1.0),
    ],
    ids=str,
)
def test_newcombe_s_own_examples(treated: People, control: People, low: float, high: float) -> None:
    found = compare(treated, control)

    # His table II, method 10, has four digits.
    assert (found.low, found.high) == pytest.approx((low, high), abs=5.1e-5)


@given(arms(), arms(), LevelStrategy)
def test_statsmodels_says_the_same(treated: People, control: People, level: float) -> None:
    found = compare(treated, control, level)

    judged = confint_proportions_2indep(
        treated.reached, treated.people, control.reached, control.people, method="newcomb", alpha=1 - level
    )
    assert (found.low, found.high) == pytest.approx(judged, rel=1e-7, abs=1e-9)


@given(arms(), LevelStrategy)
def test_the_interval_of_one_share_is_wilson_s(arm: People, level: float) -> None:
    judged = proportion_confint(arm.reached, arm.people, alpha=1 - level, method="wilson")

    found = score_interval(arm.share, arm.people, normal_quantile(level))

    assert found == pytest.approx(judged, rel=1e-7, abs=1e-9)
    assert 0 <= found[0] <= arm.share <= found[1] <= 1


@given(arms(10**15), arms(10**15), LevelStrategy)
def test_an_interval_contains_its_estimate_and_is_a_difference_of_shares(t: People, c: People, level: float) -> None:
    found = compare(t, c, level)

    assert -1 <= found.low <= found.estimate <= found.high <= 1
    assert found.estimate == pytest.approx(t.reached / t.people - c.reached / c.people, abs=1e-12)


@given(arms(), arms())
def test_the_arms_changed_about_the_sign_is(treated: People, control: People) -> None:
    one, other = compare(treated, control), compare(control, treated)

    assert (one.low, one.high) == pytest.approx((-other.high, -other.low), abs=1e-12)


@given(arms(10**6), arms(10**6))
def test_whoever_did_not_is_counted_with_the_other_sign(treated: People, control: People) -> None:
    one = compare(treated, control)
    other = compare(
        People(treated.people, treated.people - treated.reached),
        People(control.people, control.people - control.reached),
    )

    assert (one.low, one.high) == pytest.approx((-other.high, -other.low), abs=1e-9)


@given(arms(10**6), arms(10**6))
def test_to_be_surer_is_to_say_less(treated: People, control: People) -> None:
    sure, surer = compare(treated, control, 0.95), compare(treated, control, 0.998)

    assert surer.low <= sure.low
    assert sure.high <= surer.high


@given(arms(10**6), arms(10**6), st.integers(2, 1_000))
def test_more_people_make_it_narrower(treated: People, control: People, times: int) -> None:
    few = compare(treated, control)
    many = compare(
        People(treated.people * times, treated.reached * times), People(control.people * times, control.reached * times)
    )

    assert many.high - many.low < few.high - few.low


@pytest.mark.parametrize("few", [People(0, 0), People(1, 0), People(1, 1), People(7, 0)], ids=str)
def test_below_eight_people_in_an_arm_nothing_is_compared(few: People) -> None:
    assert difference_of_shares([Pair(People(72, 30), few)]) is None
    assert difference_of_shares([Pair(few, People(72, 30))]) is None
    assert difference_of_shares([]) is None


def test_of_loops_that_do_nothing_one_in_twenty_says_otherwise_even_with_eight_held_out() -> None:
    mailed, held_out = 72, 8
    says_otherwise = np.array(
        [
            [
                found.above or found.below
                for y in range(held_out + 1)
                if (found := compare(People(mailed, x), People(held_out, y)))
            ]
            for x in range(mailed + 1)
        ]
    )
    for rate in np.arange(0.01, 1, 0.01):
        x, y = (binom.pmf(np.arange(n + 1), n, rate) for n in (mailed, held_out))
        assert (np.outer(x, y) * says_otherwise).sum() < 0.055


@pytest.mark.parametrize(("people", "reached"), [(1, 2), (-1, -1), (5, -1)])
def test_nobody_counts_more_than_there_are(people: int, reached: int) -> None:
    with pytest.raises(ValueError, match="cannot have reached"):
        People(people, reached)


def of_accounts(
    sizes: "np.ndarray[tuple[int], np.dtype[np.int64]]", reached: "np.ndarray[tuple[int], np.dtype[np.int64]]"
) -> Accounts:
    """Add up what a database would."""
    n, y = sizes.astype(object), reached.astype(object)
    return Accounts(len(n), n.sum(), y.sum(), (n * n).sum(), (n * y).sum(), (y * y).sum())


def test_accounts_count_as_many_people_as_a_clustered_regression_says() -> None:
    draw = np.random.default_rng(17)
    sizes = draw.integers(1, 30, 150)
    reached = draw.binomial(sizes, draw.beta(1, 4, 150))
    arm = of_accounts(sizes, reached)

    account = np.repeat(np.arange(150), sizes)
    did = np.concatenate([np.arange(n) < y for n, y in zip(sizes, reached, strict=True)]).astype(float)
    # G/(G - 1)·(N - 1)/(N - 1): the correction of statsmodels is ours where there is nothing but a mean.
    judged = OLS(did, np.ones(len(did))).fit(cov_type="cluster", cov_kwds={"groups": account})
    p = did.mean()
    assert arm.share == pytest.approx(p)
    assert arm.effective == pytest.approx(p * (1 - p) / judged.cov_params()[0, 0], rel=1e-9)
    assert arm.effective < arm.people / 2


@given(
    st.lists(st.integers(1, 50).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))), min_size=1, max_size=30)
)
def test_effective_people_are_never_more_than_people(accounts: list[tuple[int, int]]) -> None:
    sizes, reached = np.array(accounts).T
    arm = of_accounts(sizes, reached)

    k, people, p = len(accounts), sum(sizes), Fraction(int(sum(reached)), int(sum(sizes)))
    apart = sum((y - p * n) ** 2 for n, y in accounts)
    v = Fraction(k, max(1, k - 1)) * apart / int(people) ** 2
    assert 0 < arm.effective <= people
    assert arm.effective == pytest.approx(float(min(people, p * (1 - p) / v)) if k > 1 and v else k)


def test_accounts_of_which_nobody_did_it_count_as_accounts() -> None:
    arm = of_accounts(np.full(120, 10), np.zeros(120, dtype=int))

    assert arm.effective == 120
    found = compare(arm, arm)
    assert (found.low, found.high) == (
        compare(People(120, 0), People(120, 0)).low,
        compare(People(120, 0), People(120, 0)).high,
    )


def test_accounts_of_one_person_each_are_people() -> None:
    reached = np.repeat([1, 0], [40, 160])

    # The sample's variance has one degree of freedom fewer than people have.
    assert of_accounts(np.ones(200, dtype=int), reached).effective == pytest.approx(199)


def test_below_a_hundred_accounts_nothing_is_compared() -> None:
    enough, few = (of_accounts(np.full(k, 5), np.arange(k) % 5) for k in (100, 99))

    assert difference_of_shares([Pair(enough, enough)]) is not None
    assert difference_of_shares([Pair(enough, few)]) is None
    assert difference_of_shares([Pair(few, enough)]) is None


def test_sums_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot be counted"):
        Accounts(accounts=3, people=2, reached=1, people_squared=2, products=1, reached_squared=1)
    with pytest.raises(ValueError, match="cannot be counted"):
        Accounts(accounts=2, people=2, reached=1, people_squared=2, products=1, reached_squared=2)


@pytest.mark.parametrize("held_out", [200, 400])
def test_an_interval_of_accounts_contains_what_is_true_where_a_naive_one_does_not(held_out: int) -> None:
    draw = np.random.default_rng(17)
    k, rounds = 2_000, 300
    covered = naive = 0
    for _ in range(rounds):
        sizes = draw.geometric(0.1, k)
        reached = draw.binomial(sizes, draw.beta(0.8, 7.2, k))  # the same in both arms: nothing works
        one, other = (of_accounts(sizes[part], reached[part]) for part in (slice(held_out, None), slice(held_out)))
        found = compare(one, other)
        as_people = compare(People(one.people, one.reached), People(other.people, other.reached))
        covered += found.low <= 0 <= found.high
        naive += as_people.low <= 0 <= as_people.high

    # 95 % of 300 are 285; the middle 99.9 % of that binomial are 271 to 296.
    assert 271 <= covered <= 296
    assert naive < 0.8 * rounds


def test_a_share_that_was_changed_compares_only_people_of_the_same_share() -> None:
    # No effect. Of those who wait at the start 20 % come back, and 10 % are held out; later it is 5 %, and half are.
    first = Pair(People(90_000, 18_000), People(10_000, 2_000))
    later = Pair(People(10_000, 500), People(10_000, 500))

    together = compare(People(100_000, 18_500), People(20_000, 2_500))
    apart = difference_of_shares([first, later])

    assert together.low > 0.05
    assert apart is not None
    assert apart.estimate == pytest.approx(0, abs=1e-12)
    assert apart.low < 0 < apart.high


def test_people_of_a_time_without_holdout_are_left_out() -> None:
    pair = Pair(People(900, 90), People(100, 5))

    found = difference_of_shares([pair, Pair(People(5_000, 2_500), People(0, 0))])

    assert found == difference_of_shares([pair])


def test_pairs_count_as_cochran_mantel_and_haenszel_weigh_them() -> None:
    pairs = [Pair(People(80, 40), People(20, 5)), Pair(People(30, 6), People(30, 3))]
    found = difference_of_shares(pairs)

    # 80·20/100 = 16 and 30·30/60 = 15; the differences are 0.25 and 0.1.
    assert found is not None
    assert found.estimate == pytest.approx((16 * 0.25 + 15 * 0.1) / 31)


def test_the_interval_of_several_pairs_contains_what_is_true() -> None:
    draw = np.random.default_rng(17)
    rounds, effect = 1_000, 0.03
    settings = [(1_800, 200, 0.2), (500, 500, 0.05), (60, 60, 0.01)]
    covered = 0
    for _ in range(rounds):
        pairs = [
            Pair(People(n, int(draw.binomial(n, p + effect))), People(m, int(draw.binomial(m, p))))
            for n, m, p in settings
        ]
        found = difference_of_shares(pairs)
        covered += found is not None and found.low <= effect <= found.high

    # 950 of 1,000; the middle 99.9 % of that binomial are 926 to 971.
    assert 926 <= covered <= 971


@given(st.lists(st.tuples(st.floats(0, 1e9), st.floats(0, 1e9)), max_size=8))
def test_weights_add_up_to_one_or_there_is_nothing_to_weigh(sizes: list[tuple[float, float]]) -> None:
    found = weights(sizes)

    assert sum(found) == pytest.approx(1) or not any(found)
    assert all(weight >= 0 for weight in found)
