"""Slices: a large wave of a loop that has mailed few leaves in parts, so that what comes back of one stops the next."""

from dataclasses import dataclass
from datetime import datetime, timedelta

FIRST = 500
"""Emails of the first slice; each further one has twice as many."""

APART = timedelta(minutes=30)
"""How long after a slice the next one leaves."""

LARGE = 1_000
"""Emails of a wave that leaves at once."""

NEW = timedelta(days=30)
"""A step of which fewer than `LARGE` emails were accepted in this time is new."""


@dataclass
class Slices:
    """The slices of one wave, and how many of its emails are decided by now."""

    begins: datetime
    decided: int = 0

    @property
    def wait(self) -> timedelta:
        """How long after the first slice the next email may leave."""
        # The slices before number n have FIRST · (2^n - 1) emails.
        return ((self.decided // FIRST + 1).bit_length() - 1) * APART
