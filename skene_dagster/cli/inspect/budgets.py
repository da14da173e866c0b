"""What `status`, `doctor` and `preview` say of the budgets of the day."""

from collections.abc import Sequence

from skene_dagster.delivery.decide.arbiter.today import DaysBudget
from skene_dagster.wording import how_many


def budgets_in_words(budgets: Sequence[DaysBudget]) -> str:
    """Say how many emails may be planned for the day, and are."""
    day = f"planned for {budgets[0].day:%d %b} UTC" if budgets else ""
    return f"{day}: {'; '.join(map(_budget_in_words, budgets))}"


def _budget_in_words(one: DaysBudget) -> str:
    what = "limits.daily" if one.domain is None else f"warm-up of {one.domain}"
    if one.domain is not None and one.emails is not None:
        what += f", day {one.number}" if one.number is not None else ", which has not begun"
    if one.is_over:
        what += ", which is over: two days with email made nobody wait"
    elif one.emails is None:
        what += ", which has outgrown any limit"
    return f"{one.planned:,} of {how_many(one.emails, 'email')} ({what})" if one.emails else f"{one.planned:,} ({what})"
