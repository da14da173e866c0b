"""What a bounce says of an address: that it is dead, that something of ours is wrong, or nothing yet."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import dropwhile, takewhile

from skene_dagster.delivery.ledger import Bounce, Outcome

HARD = "Permanent"
"""The type of a bounce after which an address is not mailed again; the SDK and Amazon SES call it so."""

ABOUT_US_TYPES = frozenset({"ContentRejected", "MessageTooLarge", "AttachmentRejected"})
"""Sub types about what was sent."""

ABOUT_US_CODES = ("5.7.", "5.3.4", "5.2.3")
"""Enhanced status codes about what was sent, or by whom (RFC 3463): our policy or DNS, or a message that is too
large. A broken DMARC record must not cost thousands of good addresses."""

IN_A_ROW = 3
"""Soft bounces of as many emails that suppress an address for a while."""

FOR_AS_LONG = timedelta(days=7)
"""From the first of them to the last, at least."""

FIRST_TIME = timedelta(days=30)
"""How long the address is suppressed; then, if it comes to that again, for twice as long."""

LOOKED_AT = 50
"""The most emails to an address that are looked at."""


def judge(bounce_type: str | None, sub_type: str | None, status_codes: str) -> Bounce:
    """Judge a bounce by what the provider calls it; what it does not call permanent is temporary."""
    codes = status_codes.split()
    if sub_type in ABOUT_US_TYPES or any(
        code == ours or _is_within(code, ours) for code in codes for ours in ABOUT_US_CODES
    ):
        return "blocked"
    return "hard" if bounce_type == HARD else "soft"


def _is_within(code: str, ours: str) -> bool:
    return ours.endswith(".") and code.startswith(ours)


@dataclass(frozen=True)
class Ailing:
    """An address that none of its last emails reached."""

    since: datetime
    """The last bounce."""
    until: datetime
    """How long it is let alone."""


def ailing(outcomes: Sequence[Outcome], *, again: bool) -> Ailing | None:
    """Say whether an address is suppressed for a while.

    Args:
        outcomes: of the emails to it since it was suppressed last, the newest first.
        again: it was suppressed so before.
    """
    # Of the newest, nothing may have come back yet.
    told = dropwhile(lambda one: one.bounced_at is None and one.delivered_at is None, outcomes)
    row = list(takewhile(lambda one: one.bounce == "soft" and one.delivered_at is None, told))
    moments = [one.bounced_at for one in row if one.bounced_at is not None]
    if len(moments) < IN_A_ROW or max(moments) - min(moments) < FOR_AS_LONG:
        return None
    return Ailing(max(moments), max(moments) + (2 if again else 1) * FIRST_TIME)
