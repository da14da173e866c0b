"""The judge of gates: a table that must have changed lately, and the approval of first emails."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from eyes import Eyes
from manners import Violated
from scheduler import START

WITHIN = timedelta(hours=26)
"""How long before a tick the product's table must have been loaded."""

FIRST_WAVE = 2
"""How many emails a loop may send before anybody has approved its first ones."""


@dataclass(frozen=True)
class Found:
    """How things stood when a loop began to decide."""

    is_stale: bool
    is_accepted: bool
    is_first: bool
    """The loop never mailed anybody, and nobody has approved that it does."""


@dataclass
class Gates:
    """What people did about gates."""

    eyes: Eyes
    loaded_at: datetime = START
    accepted: set[str] = field(default_factory=set)
    """Loops whose next tick may pass."""
    approved: set[str] = field(default_factory=set)

    def before(self, loop: str, as_of: datetime) -> Found:
        """Look at what a loop finds that is about to decide."""
        is_first = loop not in self.approved and not any(row.loop == loop for row in self.eyes.batches())
        return Found(as_of - self.loaded_at > WITHIN, loop in self.accepted, is_first)

    def judge_decided(self, loop: str, as_of: datetime, begun: datetime, found: Found, violated: Violated) -> None:
        """Judge what a loop has just decided: nothing behind a shut gate, and few emails before they are approved."""
        mine = [row for row in self.eyes.sends().values() if (row.loop, row.as_of) == (loop, as_of)]
        new = sum(row.state == "reserved" and row.decided_at >= begun for row in mine)
        is_shut = found.is_stale and as_of - self.loaded_at > WITHIN
        if is_shut and new and not found.is_accepted and loop not in self.accepted:
            violated("decided behind a shut gate", f"{loop}: {new} emails")
        if new and found.is_accepted:
            self.accepted.discard(loop)
        if found.is_first and loop not in self.approved and new > FIRST_WAVE:
            violated("a large first wave that nobody has approved", f"{loop}: {new} emails")
