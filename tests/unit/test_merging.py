"""A receipt says the same in whatever order its events come, and however often."""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import permutations

import pytest

from skene_dagster.delivery.ledger import Receipt
from skene_dagster.delivery.providers.feedback import Kind, Report
from skene_dagster.feedback.merging import merged

START = datetime(2026, 3, 2)
RECEIPT = Receipt("1" * 32, "an id", "live", "1:hash", START)


def report(kind: Kind, minute: float, **more: str) -> Report:
    return Report(f"{kind}-{minute}", kind, kind, START + timedelta(minutes=minute), **more)


MANY = [
    report("delivered", 2),
    report("delivered", 1),
    report("opened", 1),
    report("opened", 60),
    report("complained", 70),
    report("bounced", 3, bounce_type="Transient", bounce_sub_type="MailboxFull", status_codes="4.2.2"),
    report("bounced", 5, bounce_type="Permanent", bounce_sub_type="General", status_codes="5.1.1"),
]


def test_all_orders_of_events_give_the_same_receipt() -> None:
    found = {merged(RECEIPT, some) for some in permutations(MANY)}

    assert found == {
        replace(
            RECEIPT,
            delivered_at=START + timedelta(minutes=1),
            opened_at=START + timedelta(minutes=1),
            last_opened_at=START + timedelta(minutes=60),
            complained_at=START + timedelta(minutes=70),
            bounced_at=START + timedelta(minutes=5),
            bounce="hard",
            bounce_type="Permanent",
            bounce_sub_type="General",
            status_codes="5.1.1",
        )
    }


def test_two_bounces_of_one_moment_are_told_apart_alike_in_both_orders() -> None:
    one, other = (
        report("bounced", 1, bounce_type="Transient", bounce_sub_type=sub) for sub in ("General", "MailboxFull")
    )

    assert merged(RECEIPT, [one, other]) == merged(RECEIPT, [other, one])


def test_events_told_again_change_nothing() -> None:
    once = merged(RECEIPT, MANY)

    assert merged(once, [*MANY, *reversed(MANY)]) == once


@pytest.mark.parametrize("kind", ["queued", "sent", "other", "unknown", "listed"])
def test_what_says_nothing_of_an_outcome_changes_nothing(kind: Kind) -> None:
    assert merged(RECEIPT, [report(kind, 1)]) == RECEIPT
