"""What became of accepted mail by the domain of the address that it went to: each provider judges senders by itself.

A domain that few people have names them: it is counted with the others.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, case, distinct, func, or_, select

from skene_dagster.delivery.ledger.receipt_counts import MACHINE
from skene_dagster.store.moments import later
from skene_dagster.store.tables import receipts

FEW = 10
"""Fewer people than these are not counted by their domain."""


@dataclass(frozen=True)
class Became:
    """Emails that were accepted in some time, and what became of them; the words are those of `ReceiptCounts`."""

    accepted: int
    delivered: int
    bounced: int
    complained: int
    said_no: int
    clicked: int
    opened: int


@dataclass(frozen=True)
class ByDomain:
    """What became of emails."""

    domains: Sequence[tuple[str, Became]]
    """Those with the most emails, the largest first."""
    others: Became
    """All others, and of older releases, which did not write it down."""


def counted_by_domain(
    connection: Connection, mode: str, loops: Collection[str], since: datetime, most: int
) -> ByDomain:
    """Count the emails of some loops that were accepted after a moment, receipt by receipt.

    Args:
        most: domains that are listed.
    """
    mine = (receipts.c.mode == mode, receipts.c.loop.in_(loops), receipts.c.accepted_at > since)
    all_ = Became(*map(int, connection.execute(_counts().where(*mine)).one()))
    domain = receipts.c.domain
    query = (
        _counts(domain)
        .where(*mine, domain.is_not(None))
        .group_by(domain)
        .having(func.count(distinct(receipts.c.user_id)) >= FEW)
        .order_by(func.count().desc(), domain)
        .limit(most)
    )
    found = [(name, Became(*map(int, numbers))) for name, *numbers in connection.execute(query)]
    names = [field.name for field in fields(Became)]
    left = {name: getattr(all_, name) - sum(getattr(one, name) for _, one in found) for name in names}
    return ByDomain(found, Became(**left))


def _counts(*key: ColumnElement[str]) -> Select[Any]:
    told = receipts.c
    kinds = (
        told.delivered_at.is_not(None),
        told.bounce == "hard",
        told.complained_at.is_not(None),
        told.unsubscribed_at.is_not(None),
        _by_a_person(told.last_clicked_at),
        _by_a_person(told.last_opened_at),
    )
    numbers: list[ColumnElement[Any]] = [*key, func.count(), *(func.count(case((kind, 1))) for kind in kinds)]
    return select(*numbers)


def _by_a_person(last_at: ColumnElement[datetime]) -> ColumnElement[bool]:
    """Say it as `receipt_counts` counts it."""
    delivered = receipts.c.delivered_at
    return and_(last_at.is_not(None), or_(delivered.is_(None), last_at > later(delivered, MACHINE)))
