"""Whether the emails arrived: by week, and by the domain of their recipients."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import Connection

from skene_dagster.delivery.ledger import ReceiptCounts
from skene_dagster.delivery.ledger.looking_back.domains import FEW, Became, counted_by_domain
from skene_dagster.loops.plan import LoopPlan
from skene_dagster.wording import percent

MOST = 12
"""Domains that are listed."""

OTHERS = f"all others (each of fewer than {FEW} people, or not among the {MOST} largest)"


@dataclass(frozen=True)
class Row:
    """Emails, and what became of them."""

    name: str
    became: Became | ReceiptCounts

    @property
    def delivered(self) -> str:
        """Say which part arrived; nothing comes back from the outbox."""
        if not self.became.delivered:
            return "-"
        return percent(round(self.became.delivered / self.became.accepted, 3))


def by_domain(connection: Connection, plans: Sequence[LoopPlan], mode: str, since: datetime) -> list[Row]:
    """Count the emails of loops by domain; nothing where all of them are of others."""
    found = counted_by_domain(connection, mode, [plan.name for plan in plans], since, MOST)
    rows = [Row(domain, became) for domain, became in found.domains]
    if rows and found.others.accepted:
        rows.append(Row(OTHERS, found.others))
    return rows


def by_week(days: Mapping[tuple[str, date], ReceiptCounts], weeks: Sequence[date]) -> list[Row]:
    """Add up what became of the emails of each week, by the day on which they were accepted."""
    names = ReceiptCounts.__dataclass_fields__
    rows = []
    for week in weeks:
        some = [one for (_, day), one in days.items() if week <= day < week + timedelta(days=7)]
        became = ReceiptCounts(**{name: sum(getattr(one, name) for one in some) for name in names})
        rows.append(Row(f"{week.day} {week:%b}", became))
    return [row for row in rows if row.became.accepted]
