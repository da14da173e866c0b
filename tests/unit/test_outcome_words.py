"""The words of a comparison."""

from datetime import datetime
from math import inf

import pytest

from skene_dagster.outcomes import words
from skene_dagster.outcomes.lift.arms import Accounts, Arm, Pair, People
from skene_dagster.outcomes.lift.differences import Difference
from skene_dagster.outcomes.lift.families import VariantLift
from skene_dagster.outcomes.lift.smallest import smallest_effect
from skene_dagster.outcomes.lift.values import Values
from skene_dagster.outcomes.lift.verdicts import Lift, lift_of_shares, lift_of_values


def lift(treated: Arm, control: Arm, *, comparable: bool = True) -> Lift:
    return lift_of_shares([Pair(treated, control)], comparable=comparable)


WORKS = lift(People(9_000, 1_080), People(1_000, 90))
HARM = lift(People(9_000, 810), People(1_000, 130))
NOTHING = lift(People(9_000, 855), People(1_000, 90))
FEW_ACCOUNTS = lift(Accounts(360, 720, 90, 1_440, 180, 90), Accounts(40, 80, 10, 160, 20, 10))
FEW_VALUES = lift_of_values([Pair(Values(900, 90, 900, 900, 9_000), Values(100, 10, 100, 100, 1_000))], comparable=True)


@pytest.mark.parametrize(
    ("found", "a_week", "said"),
    [
        (WORKS, 100, "works"),
        (HARM, 100, "does harm"),
        (NOTHING, 10_000, "cannot tell yet: about 29 more weeks"),
        (NOTHING, 1_000_000, "cannot tell yet: about 1 more week"),
        (NOTHING, 100, "cannot tell yet: not within a year at this rate"),
        (NOTHING, 0, "cannot tell yet: not within a year at this rate"),
        (FEW_ACCOUNTS, 60, "cannot tell yet: each group needs 100 accounts, about 10 more weeks"),
        (FEW_VALUES, 1_000, "cannot tell yet: each group needs 100 people with a value, about 9 more weeks"),
        (
            lift(People(36, 9), People(4, 1)),
            10,
            "cannot tell yet: each group needs 8 people who have had their full time, about 4 more weeks",
        ),
        (
            lift(People(0, 0), People(0, 0)),
            10,
            "cannot tell yet: each group needs 8 people who have had their full time",
        ),
        (
            lift(People(900, 108), People(300, 10), comparable=False),
            10,
            "the two groups are not as large as they should be: do not read the number",
        ),
    ],
)
def test_a_verdict_in_words(found: Lift, a_week: float, said: str) -> None:
    assert words.verdict(found, a_week=a_week) == said


def test_more_than_a_year_is_not_counted_in_weeks() -> None:
    missing = (NOTHING.factor - 1) * NOTHING.units

    assert words.verdict(NOTHING, a_week=missing / 51.9) == "cannot tell yet: about 52 more weeks"
    assert words.verdict(NOTHING, a_week=missing / 52.1) == "cannot tell yet: not within a year at this rate"


@pytest.mark.parametrize(
    ("found", "against", "said"),
    [
        (WORKS, None, "works"),
        (WORKS, "plain", "better than plain"),
        (HARM, "plain", "worse than plain"),
        (NOTHING, "plain", "cannot tell yet: about 29 more weeks"),
        (lift(People(9, 0), People(9, 0), comparable=False), "plain", words.NOT_COMPARABLE),
    ],
)
def test_a_variant_in_words(found: Lift, against: str | None, said: str) -> None:
    assert words.verdict_on_variant(VariantLift("bold", against, found), a_week=10_000) == said


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (WORKS, "about 270 more people came back (86 to 430)"),
        (HARM, "about 360 fewer people came back (180 to 570)"),
        (NOTHING, "about 45 more people came back (140 fewer to 200 more)"),
        (
            lift(People(100, 10), People(100, 10)),
            "about as many people came back as would have anyway (9 fewer to 9 more)",
        ),
        (lift(People(8, 1), People(20, 0)), "about 1 more person came back (1 fewer to 4 more)"),
        (lift(People(1, 1), People(0, 0)), ""),
    ],
)
def test_how_many_more_in_words(found: Lift, said: str) -> None:
    assert words.more_people(found, "came back") == said


def test_how_much_more_they_are_worth_in_words() -> None:
    found = lift_of_values(
        [Pair(Values(9_000, 1_350, 50_000, 27_000, 540_000), Values(1_000, 100, 2_000, 2_000, 40_000))], comparable=True
    )
    turned = lift_of_values(
        [Pair(Values(9_000, 900, 18_000, 18_000, 360_000), Values(1_000, 150, 3_000, 3_000, 60_000))], comparable=True
    )

    assert (
        words.more_value(found, unit="€", cap=240)
        == "worth about 9,000 € more (5,400 € to 13,000 €), values capped at 240 €"
    )
    assert words.more_value(turned, unit="€", cap=1_234.5) == (
        "worth about 9,000 € less (4,900 € to 13,000 €), values capped at 1,234.5 €"
    )
    assert words.more_value(found, unit="", cap=240) == "worth about 9,000 more (5,400 to 13,000), values capped at 240"
    assert words.more_value(FEW_VALUES, unit="€", cap=240) == ""


@pytest.mark.parametrize(
    ("effect", "said"),
    [
        (0.0243, "with so few held out, less than 2.4 points cannot be seen"),
        (0.0064, "with so few held out, less than 0.64 points cannot be seen"),
        (0.01, "with so few held out, less than 1 point cannot be seen"),
        (0.0996, "with so few held out, less than 10 points cannot be seen"),
        (0.64, "with so few held out, less than 64 points cannot be seen"),
        (1.2, "with so few held out, no difference can be seen"),
        (inf, "with so few held out, no difference can be seen"),
    ],
)
def test_the_smallest_effect_in_words(effect: float, said: str) -> None:
    assert words.smallest(effect) == said


def test_whether_a_plan_can_be_measured_in_words() -> None:
    effect = smallest_effect(0.09, 10_902, 1_208)

    assert words.measurable(1_208, effect) == "yes: 1,208 held out show a difference of 2.4 points or more"
    assert words.measurable(1, 1.5) == "no: with 1 held out, no difference can be seen"
    assert words.measurable(0, inf) == "no: with 0 held out, no difference can be seen"


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (Difference(0.128, 0.1, 0.011, 0.045, 0.95), "+2.8 points (+1.1 to +4.5)"),
        (Difference(0.085, 0.1, -0.031, 0.0004, 0.95), "-1.5 points (-3.1 to 0.0)"),
        (Difference(0.1014, 0.1, 0.0004, 0.0024, 0.95), "+0.14 points (+0.04 to +0.24)"),
        (Difference(0.1, 0.1, -0.01, 0.01, 0.95), "0.0 points (-1.0 to +1.0)"),
    ],
)
def test_an_interval_in_points(found: Difference, said: str) -> None:
    assert words.interval_in_points(found) == said


def test_points_have_a_sign_only_below_nought() -> None:
    assert words.points(-0.015) == "-1.5 points"
    assert words.points(0.0) == words.points(-1e-9) == "0 points"


def test_of_a_hundred_people() -> None:
    assert words.of_a_hundred(0.1239) == "12.4"


def test_harm_in_words() -> None:
    assert words.harm("none seen") == "no harm seen"
    assert words.harm("harm") == "does harm: fewer of the mailed than of those held out reach the goal"
    assert words.harm("too few") == "too few to tell: each group needs 50 people who have had their full time"
    assert words.harm("not comparable") == words.NOT_COMPARABLE


def test_a_verdict_has_its_month_and_what_is_known_since_is_provisional() -> None:
    assert words.month_of(datetime(2026, 11, 1)) == "as of the end of October 2026"
    assert (
        words.provisional(WORKS)
        == "by now, provisional: +3.0 points (+1.0 to +4.8), of 9,000 mailed and 1,000 held out"
    )
    assert words.provisional(lift(People(9_000, 1_080), People(1_000, 90), comparable=False)) == ""
    assert words.provisional(lift(People(9, 1), People(1, 0))) == ""
