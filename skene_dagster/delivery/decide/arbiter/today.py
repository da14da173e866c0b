"""What the budgets of a day are, and how much of them is planned: for people."""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection

from skene_dagster.delivery import ledger
from skene_dagster.settings import Settings


@dataclass(frozen=True)
class DaysBudget:
    """A budget on a day."""

    domain: str | None
    """Whose warm-up it is; None: it is limits.daily."""
    day: date
    number: int | None
    """Which day of its warm-up it is, the first being 1; None: it is no warm-up, or has not begun."""
    emails: int | None
    """None: it limits nothing any more."""
    planned: int
    is_over: bool = False
    """The warm-up has outgrown what its domain sends."""


def budgets(connection: Connection, settings: Settings, mode: str, at: datetime) -> list[DaysBudget]:
    """List the budgets of the day of a moment."""
    today, daily, warm_ups = at.date(), settings.limits.daily, settings.warm_ups
    if daily is None and not warm_ups:
        return []
    planned = [one for one in ledger.planned_since(connection, mode, today) if one.day == today]
    found = [] if daily is None else [DaysBudget(None, today, None, daily, sum(one.emails for one in planned))]
    for domain, warm_up in sorted(warm_ups.items()):
        is_over = ledger.warm_up_is_over(connection, mode, domain, since=warm_up.from_, today=today)
        number = (today - warm_up.from_).days + 1
        found.append(
            DaysBudget(
                domain,
                today,
                number if number > 0 else None,
                None if is_over else warm_up.emails(today),
                sum(one.emails for one in planned if one.domain in {None, domain}),
                is_over=is_over,
            )
        )
    return found
