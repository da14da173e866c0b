"""What `status`, `doctor` and `preview` say of the budgets of the day."""

from collections.abc import Sequence

from skene_dagster.delivery.decide.arbiter.today import DaysBudget
from skene_dagster.wording import how_many


def budgets_in_words(budgets: Sequence[DaysBudget]) -> str:
    """Say how many emails may be planned today, and are; a phrase for each budget."""
    return "; ".join(map(_budget_in_words, budgets))


def _budget_in_words(one: DaysBudget) -> str:
    what = "limits.daily" if one.domain is None else f"warm-up of {one.domain}"
    if one.domain is not None and one.emails is not None:
        what += f", day {one.number}" if one.number is not None else ", which has not begun"
    if one.is_over:
        return f"the {what} is over: two days with email have made nobody wait"
    if one.emails is None:
        return f"the {what} limits nothing any more"
    return f"{one.planned:,} of {how_many(one.emails, 'email')} planned for today, {one.day:%d %b} UTC ({what})"
