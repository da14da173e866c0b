"""What is said of a comparison, from which numbers on, and how much longer it takes."""

from math import ceil, inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.power import NormalIndPower

from skene_dagster.outcomes.lift.arms import Accounts, Arm, Pair, People
from skene_dagster.outcomes.lift.families import Arms, level_of, lifts_by_level, lifts_of_variants
from skene_dagster.outcomes.lift.smallest import expected_share, smallest_effect, smallest_effect_of, weeks_until
from skene_dagster.outcomes.lift.values import Values
from skene_dagster.outcomes.lift.verdicts import Lift, judge_harm, lift_of_shares, lift_of_values


def lift(treated: Arm, control: Arm, *, comparable: bool = True) -> Lift:
    return lift_of_shares([Pair(treated, control)], comparable=comparable)


def accounts(number: int, reached: int) -> Accounts:
    """Accounts of ten people each, of so many of which all did it."""
    return Accounts(number, 10 * number, 10 * reached, 100 * number, 100 * reached, 100 * reached)


@pytest.mark.parametrize(
    ("treated", "control", "said"),
    [
        (People(9_000, 1_080), People(1_000, 90), "works"),
        (People(9_000, 810), People(1_000, 130), "does harm"),
        (People(9_000, 810), People(1_000, 90), "cannot tell"),
        (People(63, 63), People(7, 0), "cannot tell"),
        (People(72, 72), People(8, 0), "works"),
        (People(90, 90), People(10, 0), "works"),
        (People(90, 90), People(0, 0), "cannot tell"),
        (People(0, 0), People(0, 0), "cannot tell"),
        (accounts(900, 450), accounts(100, 30), "works"),
        (accounts(900, 450), accounts(99, 0), "cannot tell"),
    ],
    ids=str,
)
def test_what_an_interval_says(treated: Arm, control: Arm, said: str) -> None:
    assert lift(treated, control).verdict == said


def test_arms_that_are_not_as_large_as_they_should_be_are_not_read() -> None:
    assert lift(People(9_000, 1_080), People(1_000, 90), comparable=False).verdict == "not comparable"


def test_how_many_more_came_back() -> None:
    found = lift(People(9_000, 1_080), People(1_000, 90))

    # 12 % against 9 %: 3 points of 9,000.
    assert found.more is not None
    assert found.difference is not None
    assert found.more.estimate == pytest.approx(270)
    assert (found.more.treated, found.more.control) == pytest.approx((1_080, 810))
    assert found.more.low == pytest.approx(9_000 * found.difference.low)
    assert found.more.high == pytest.approx(9_000 * found.difference.high)


@pytest.mark.parametrize(("users", "effect"), [(1_000, 0.064), (10_000, 0.020), (100_000, 0.0064), (1_000_000, 0.0020)])
def test_the_smallest_effects_at_five_per_cent_and_a_tenth_held_out(users: int, effect: float) -> None:
    assert smallest_effect(0.05, 0.9 * users, 0.1 * users) == pytest.approx(effect, rel=0.02)


def test_the_smallest_effect_of_the_sketch() -> None:
    assert smallest_effect(0.09, 10_902, 1_208) == pytest.approx(0.024, abs=0.0005)


@given(st.floats(0.001, 0.999), st.integers(2, 10**7), st.integers(2, 10**7))
def test_statsmodels_says_the_same_of_the_smallest_effect(rate: float, treated: int, control: int) -> None:
    effect = smallest_effect(rate, treated, control)

    judged = NormalIndPower().power(effect / (rate * (1 - rate)) ** 0.5, treated, 0.05, ratio=control / treated)
    assert judged == pytest.approx(0.8, abs=1e-4)


def test_the_smallest_effect_is_noticed_by_four_of_five() -> None:
    draw = np.random.default_rng(17)
    mailed, held_out, rate, rounds = 18_000, 2_000, 0.09, 1_000
    effect = smallest_effect(rate, mailed, held_out)

    seen = 0
    for one, other in zip(
        draw.binomial(mailed, rate + effect, rounds), draw.binomial(held_out, rate, rounds), strict=True
    ):
        seen += lift(People(mailed, int(one)), People(held_out, int(other))).verdict == "works"

    # 800 of 1,000; the formula's variance is that of the rate, so it is a little less or more.
    assert 750 <= seen <= 860


def test_without_a_holdout_no_difference_is_ever_noticed() -> None:
    assert smallest_effect(0.05, 1_000, 0) == smallest_effect(0.05, 0, 1_000) == inf
    assert smallest_effect_of([Pair(People(10, 1), People(0, 0))]) == smallest_effect_of([]) == inf


def test_two_times_of_the_same_share_show_as_much_as_twice_the_people() -> None:
    once, twice = Pair(People(9_000, 900), People(1_000, 90)), Pair(People(18_000, 1_800), People(2_000, 180))

    assert smallest_effect_of([once, once]) == pytest.approx(smallest_effect_of([twice]), rel=0.01)


def test_a_time_without_a_holdout_changes_no_smallest_effect() -> None:
    pair = Pair(People(9_000, 900), People(1_000, 90))
    no_holdout = Pair(People(9_000, 900), People(0, 0))

    assert smallest_effect_of([pair, no_holdout]) == smallest_effect_of([pair])


def test_where_nobody_of_few_did_it_the_rate_is_not_taken_for_nought() -> None:
    assert expected_share(0, 100) == pytest.approx(0.0185, abs=1e-4)
    assert smallest_effect_of([Pair(People(900, 0), People(100, 0))]) > 0.03


@pytest.mark.parametrize(("rate", "treated", "control"), [(-0.1, 1, 1), (1.1, 1, 1), (0.5, -1, 1), (0.5, 1, -1)])
def test_what_is_no_rate_and_no_number_is_refused(rate: float, treated: float, control: float) -> None:
    with pytest.raises(ValueError, match="a rate of"):
        smallest_effect(rate, treated, control)


@given(st.integers(200, 20_000), st.integers(20, 2_000), st.integers(1, 90), st.integers(1, 90), st.integers(1, 5_000))
def test_after_so_many_weeks_one_can_tell_if_the_shares_stay(
    mailed: int, held_out: int, one: int, other: int, a_week: int
) -> None:
    counts = (mailed, mailed * one // 100, held_out, held_out * other // 100)
    now = lift(People(*counts[:2]), People(*counts[2:]))
    weeks = now.weeks_more(a_week)

    assert weeks >= 1
    assert now.difference is not None
    if now.difference.estimate == 0:
        assert weeks == inf
        return
    grown = 1 + weeks * a_week / (mailed + held_out)
    n, y, m, z = (round(grown * count) for count in counts)
    then = lift(People(n, y), People(m, z))
    assert then.difference is not None
    # Rounding to whole people moves both a little.
    assert then.smallest <= abs(then.difference.estimate) * 1.1 + 1 / m


def test_weeks_are_whole_and_at_least_one() -> None:
    assert weeks_until(2, units=1_000, a_week=300) == 4
    assert weeks_until(0.5, units=1_000, a_week=300) == 1


@pytest.mark.parametrize(("factor", "a_week"), [(inf, 100), (2, 0), (2, -1), (1e300, 1e-300)])
def test_what_cannot_be_foreseen_takes_for_ever(factor: float, a_week: float) -> None:
    assert weeks_until(factor, units=1_000, a_week=a_week) == inf


def test_no_difference_at_all_takes_for_ever() -> None:
    found = lift(People(900, 90), People(100, 10))

    assert found.factor == inf
    assert found.weeks_more(1_000) == inf


def test_accounts_are_waited_for_until_there_are_a_hundred() -> None:
    found = lift(accounts(360, 90), accounts(40, 10))

    # 400 accounts have 40 in the smaller arm; 100 are there with 1,000, which is 600 more, at 60 a week.
    assert (found.lacking, found.difference, found.weeks_more(60)) == ("accounts", None, 10)


def test_what_is_lacking_is_judged_by_the_pair_that_has_most_of_it() -> None:
    pairs = [Pair(accounts(360, 90), accounts(40, 10)), Pair(accounts(20, 9), accounts(2, 1))]

    assert lift_of_shares(pairs, comparable=True).factor == 100 / 40
    assert lift_of_shares(pairs[::-1], comparable=True).factor == 100 / 40


def values(people: int, non_zero: int, each: float) -> Values:
    total = non_zero * each
    return Values(people, non_zero, total, total, total * each)


def test_values_are_waited_for_until_there_are_a_hundred() -> None:
    found = lift_of_values([Pair(values(9_000, 450, 20), values(1_000, 50, 20))], comparable=True)

    assert (found.lacking, found.difference, found.weeks_more(1_000)) == ("values", None, 10)


def test_values_say_whether_it_works() -> None:
    found = lift_of_values([Pair(values(9_000, 1_350, 20), values(1_000, 100, 20))], comparable=True)

    # 3 against 2 for each person; so 9,000 of them are worth 9,000 more.
    assert found.verdict == "works"
    assert found.more is not None
    assert found.more.estimate == pytest.approx(9_000)
    assert found.smallest > 0


@pytest.mark.parametrize(
    ("treated", "control", "said"),
    [
        (People(9_000, 810), People(1_000, 130), "harm"),
        (People(9_000, 810), People(1_000, 110), "none seen"),  # at 95 % it would be harm, at 99.8 % it is not
        (People(9_000, 1_080), People(1_000, 90), "none seen"),
        (People(450, 0), People(50, 50), "harm"),
        (People(450, 0), People(49, 49), "too few"),
        (People(49, 0), People(450, 450), "too few"),
        (People(450, 0), People(0, 0), "too few"),
        (accounts(900, 0), accounts(100, 50), "harm"),
        (accounts(900, 0), accounts(99, 50), "too few"),
    ],
    ids=str,
)
def test_harm_is_only_what_is_all_but_certain(treated: Arm, control: Arm, said: str) -> None:
    assert judge_harm([Pair(treated, control)], comparable=True) == said


def test_harm_between_arms_of_the_wrong_size_is_not_read() -> None:
    assert lift(People(9_000, 790), People(1_000, 110)).verdict == "does harm"
    assert judge_harm([Pair(People(9_000, 0), People(1_000, 500))], comparable=False) == "not comparable"


def test_looked_at_daily_a_harmless_loop_is_seldom_called_harmful() -> None:
    draw = np.random.default_rng(17)
    loops, days, a_day = 400, 365, 60
    mailed = draw.binomial(int(0.9 * a_day), 0.09, (loops, days)).cumsum(axis=1)
    held_out = draw.binomial(int(0.1 * a_day), 0.09, (loops, days)).cumsum(axis=1)
    cried = once = 0
    for one, other in zip(mailed, held_out, strict=True):
        # Every fourth day: what is red for a day stays so for some.
        looks = [
            [Pair(People(54 * (day + 1), int(one[day])), People(6 * (day + 1), int(other[day])))]
            for day in range(3, days, 4)
        ]
        cried += any(judge_harm(pairs, comparable=True) == "harm" for pairs in looks)
        once += any(lift_of_shares(pairs, comparable=True).verdict == "does harm" for pairs in looks)

    assert cried <= 0.05 * loops
    assert once > 0.1 * loops


def test_several_levels_have_wider_intervals() -> None:
    pair = Pair(People(9_000, 980), People(1_000, 90))
    nobody: Pair[Arm] = Pair(People(0, 0), People(0, 0))
    found = lifts_by_level({"active": [pair], "dormant": [pair], "new": [nobody]}, comparable=True)

    assert [one.difference and one.difference.level for one in found.values()] == [0.975, 0.975, None]
    assert level_of(1) == level_of(0) == pytest.approx(0.95)


def test_variants_are_compared_with_the_holdout_and_with_the_first() -> None:
    a, b, c = People(4_500, 450), People(4_500, 600), People(4_500, 330)
    found = lifts_of_variants([Arms(People(1_000, 90), {"a": a, "b": b, "c": c})], comparable=True)

    assert [(one.variant, one.against, one.lift.verdict) for one in found] == [
        ("a", None, "cannot tell"),
        ("b", None, "works"),
        ("c", None, "cannot tell"),
        ("b", "a", "works"),
        ("c", "a", "does harm"),
    ]
    assert {one.lift.difference and one.lift.difference.level for one in found} == {0.99}


def test_variants_without_a_holdout_are_compared_with_the_first() -> None:
    found = lifts_of_variants([Arms(None, {"a": People(500, 50), "b": People(500, 60)})], comparable=True)

    assert [(one.variant, one.against) for one in found] == [("b", "a")]
    assert lifts_of_variants([], comparable=True) == ()


def test_a_variant_that_was_added_later_is_compared_with_people_of_its_own_time() -> None:
    before = Arms(People(1_000, 400), {"a": People(9_000, 3_600)})
    after = Arms(People(1_000, 50), {"a": People(4_500, 225), "b": People(4_500, 225)})

    b = [one.lift for one in lifts_of_variants([before, after], comparable=True) if one.variant == "b"]

    assert [one.verdict for one in b] == ["cannot tell", "cannot tell"]
    assert [one.control for one in b] == [1_000, 4_500]


def test_of_all_comparisons_together_one_in_twenty_at_most_is_wrong() -> None:
    draw = np.random.default_rng(17)
    rounds, wrong = 600, 0
    for _ in range(rounds):
        arms = Arms(
            People(1_000, int(draw.binomial(1_000, 0.1))),
            {name: People(3_000, int(draw.binomial(3_000, 0.1))) for name in "abc"},
        )
        wrong += any(one.lift.verdict != "cannot tell" for one in lifts_of_variants([arms], comparable=True))

    # At most 30 of 600 on average; so many are beyond 99.9 % of that binomial.
    assert wrong <= 47


def test_weeks_round_up() -> None:
    assert weeks_until(1.05, units=1_000, a_week=49) == ceil(50 / 49)
