"""What became of a step's accepted mail, counted."""

from dataclasses import dataclass, fields
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, and_, case, func, select

from skene_dagster.delivery.ledger.scope import StepScope, rows_of
from skene_dagster.store.moments import later
from skene_dagster.store.tables import receipts

MACHINE = timedelta(seconds=10)
"""What is opened or clicked this soon after delivery, and never again, a machine opened: a filter that follows links,
or a mail program that loads images in advance."""


@dataclass(frozen=True)
class Outcomes:
    """Emails that were accepted in some time, and what became of them. One may count several times."""

    accepted: int = 0
    delivered: int = 0
    bounced: int = 0
    """For good: their address gets nothing more."""
    bounced_softly: int = 0
    """For now; not those that were delivered after all."""
    blocked: int = 0
    """Refused because of us: our DNS, or what was sent."""
    failed: int = 0
    """Not sent by the provider after all: a quota, or its own list of suppressions."""
    complained: int = 0
    said_no: int = 0
    """Their recipient unsubscribed by a link in them."""
    opened: int = 0
    """By people, as far as it can be told."""
    clicked: int = 0
    by_machines: int = 0
    """Opened or clicked by machines alone."""

    def rate(self, name: str) -> float:
        """Return what part of the accepted emails a count is."""
        number: int = getattr(self, name)
        return number / self.accepted if self.accepted else 0.0


def outcomes(connection: Connection, scope: StepScope, since: datetime) -> Outcomes:
    """Count what became of the emails of a step that were accepted since then."""
    told = receipts.c
    opened, clicked = _by_people(told.last_opened_at), _by_people(told.last_clicked_at)
    counted = {
        "delivered": told.delivered_at.is_not(None),
        "bounced": told.bounce == "hard",
        "bounced_softly": and_(told.bounce == "soft", told.delivered_at.is_(None)),
        "blocked": told.bounce == "blocked",
        "failed": told.failed_at.is_not(None) | told.rejected_at.is_not(None),
        "complained": told.complained_at.is_not(None),
        "said_no": told.unsubscribed_at.is_not(None),
        "opened": opened,
        "clicked": clicked,
        "by_machines": and_(told.opened_at.is_not(None) | told.clicked_at.is_not(None), ~opened, ~clicked),
    }
    assert ["accepted", *counted] == [field.name for field in fields(Outcomes)]
    numbers = (func.count(case((condition, 1))) for condition in counted.values())
    query = select(func.count(), *numbers).where(rows_of(scope, receipts), told.accepted_at >= since)
    return Outcomes(*connection.execute(query).one())


def _by_people(last_at: ColumnElement[datetime]) -> ColumnElement[bool]:
    """Whether it happened once more than right after delivery; where the delivery was not told, it counts."""
    delivered_at = receipts.c.delivered_at
    return and_(last_at.is_not(None), delivered_at.is_(None) | (last_at > later(delivered_at, MACHINE)))
