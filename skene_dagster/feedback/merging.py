"""What events change in a receipt: the same in whatever order they come, and however often."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from skene_dagster.delivery.ledger import Bounce, Receipt
from skene_dagster.delivery.providers.feedback import Kind, Report
from skene_dagster.feedback.bounces import judge

FIRST: Mapping[Kind, str] = {
    "delivered": "delivered_at",
    "delayed": "delayed_at",
    "failed": "failed_at",
    "rejected": "rejected_at",
    "complained": "complained_at",
    "opened": "opened_at",
    "clicked": "clicked_at",
    "unsubscribed": "unsubscribed_at",
}
"""The moment that says when something first happened."""

LAST: Mapping[Kind, str] = {"opened": "last_opened_at", "clicked": "last_clicked_at"}
"""The moment that says when it happened last."""

_GRAVITY: Mapping[Bounce, int] = {"hard": 0, "blocked": 1, "soft": 2}


def merged(receipt: Receipt, reports: Iterable[Report]) -> Receipt:
    """Return a receipt with what was told of its email."""
    for report in reports:
        receipt = _merged(receipt, report)
    return receipt


def _merged(receipt: Receipt, report: Report) -> Receipt:
    if report.kind == "bounced":
        return _bounced(receipt, report)
    changes: dict[str, datetime] = {}
    if report.kind in FIRST:
        before: datetime | None = getattr(receipt, FIRST[report.kind])
        changes[FIRST[report.kind]] = report.at if before is None else min(before, report.at)
    if report.kind in LAST:
        last: datetime | None = getattr(receipt, LAST[report.kind])
        changes[LAST[report.kind]] = report.at if last is None else max(last, report.at)
    return replace(receipt, **changes)  # type: ignore[arg-type]


def _bounced(receipt: Receipt, report: Report) -> Receipt:
    """Keep the gravest bounce, and of those the earliest."""
    told = replace(
        receipt,
        bounced_at=report.at,
        bounce=judge(report.bounce_type, report.bounce_sub_type, report.status_codes),
        bounce_type=report.bounce_type,
        bounce_sub_type=report.bounce_sub_type,
        status_codes=report.status_codes or None,
    )
    return min(receipt, told, key=_weight) if receipt.bounced_at is not None else told


def _weight(receipt: Receipt) -> tuple[object, ...]:
    assert receipt.bounce is not None
    words = (receipt.bounce_type, receipt.bounce_sub_type, receipt.status_codes)
    return _GRAVITY[receipt.bounce], receipt.bounced_at, *(word or "" for word in words)
