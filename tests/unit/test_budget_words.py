"""What people read of the budgets of a day."""

from datetime import date

import pytest

from skene_dagster.cli.inspect.budgets import budgets_in_words
from skene_dagster.delivery.decide.arbiter.today import DaysBudget

DAY = date(2026, 12, 3)


def warm_up(number: int | None, emails: int | None, *, is_over: bool = False) -> DaysBudget:
    return DaysBudget("example.com", DAY, number, emails, 120, is_over=is_over)


@pytest.mark.parametrize(
    ("budget", "said"),
    [
        pytest.param(DaysBudget(None, DAY, None, 5_000, 1_200), "1,200 of 5,000 emails (limits.daily)", id="daily"),
        pytest.param(warm_up(3, 384), "120 of 384 emails (warm-up of example.com, day 3)", id="on its third day"),
        pytest.param(
            warm_up(None, 150), "120 of 150 emails (warm-up of example.com, which has not begun)", id="before it begins"
        ),
        pytest.param(
            warm_up(9, None, is_over=True),
            "120 (warm-up of example.com, which is over: two days with email made nobody wait)",
            id="once it is over",
        ),
        pytest.param(
            warm_up(99, None), "120 (warm-up of example.com, which has outgrown any limit)", id="after a long time"
        ),
    ],
)
def test_a_budget_says_how_much_of_it_is_planned(budget: DaysBudget, said: str) -> None:
    assert budgets_in_words([budget]) == f"planned for 03 Dec UTC: {said}"


def test_several_budgets_are_of_one_day() -> None:
    daily = DaysBudget(None, DAY, None, 1, 0)

    assert budgets_in_words([daily, warm_up(1, 150)]) == (
        "planned for 03 Dec UTC: 0 of 1 email (limits.daily); 120 of 150 emails (warm-up of example.com, day 1)"
    )
