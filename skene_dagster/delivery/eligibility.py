"""Who is mailed at a tick: a pure function with one answer and one reason. DESIGN §3 «Repeats».

A member is mailed when he has entered the segment since the step's last final decision about him, and `repeat` has
passed since its last mail to him. What is `Deferred` is decided again at the next tick, in the same row.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from skene_dagster.delivery.templates import Unrenderable, check_address

UNDECIDED = frozenset({"deferred"})
IN_FLIGHT = frozenset({"reserved"})
"""States of a send that forbid another occurrence: it may still become a mail."""


@dataclass(frozen=True)
class Past:
    """What the ledger knows about one user and one step."""

    occurrences: int
    """How many rows there are, the deferred one included."""
    state: str
    """Of the latest decision."""
    reason: str | None
    decided_as_of: datetime
    mailed_as_of: datetime | None
    """The tick of the last mail that the provider accepted, or may have: a doubt counts as a mail."""


@dataclass(frozen=True)
class Facts:
    """Everything that a decision about one member depends on."""

    entered_at: datetime
    email: str | None
    mailable: bool
    past: Past | None


@dataclass(frozen=True)
class Rules:
    """What the loop says about whom to mail."""

    repeat: Literal["once", "every_entry"] | timedelta
    start: Literal["everyone", "new_only"]
    first_as_of: datetime
    """The tick of the segment's first refresh."""
    hold: str | None = None
    """Why nobody is mailed for now, whom the next tick may mail; a person's order."""
    is_cancelled: bool = False
    """Whether a person has cancelled what this tick would mail."""


@dataclass(frozen=True)
class Mail:
    """Mail him; this is the how-manieth time."""

    occurrence: int


@dataclass(frozen=True)
class Skip:
    """Do not mail him for this entry, finally."""

    occurrence: int
    reason: str


@dataclass(frozen=True)
class Defer:
    """Do not mail him now; ask again at the next tick."""

    occurrence: int
    reason: str


@dataclass(frozen=True)
class Decided:
    """There is nothing to decide: it was decided before, and he has not entered since."""


Decision = Mail | Skip | Defer | Decided


def decide(facts: Facts, rules: Rules, as_of: datetime) -> Decision:
    """Decide about one member at one tick."""
    past = facts.past
    if past is None:
        occurrence = 1
    elif past.state in UNDECIDED:
        occurrence = past.occurrences
    elif past.state in IN_FLIGHT or facts.entered_at <= past.decided_as_of:
        return Decided()
    else:
        occurrence = past.occurrences + 1

    if rules.start == "new_only" and facts.entered_at == rules.first_as_of:
        return Skip(occurrence, "there_at_start")
    if past is not None and past.mailed_as_of is not None:
        if rules.repeat == "once":
            return Skip(occurrence, "once")
        if isinstance(rules.repeat, timedelta) and as_of - past.mailed_as_of < rules.repeat:
            return Defer(occurrence, "repeat")
    if not facts.mailable:
        return Defer(occurrence, "not_mailable")
    if facts.email is None or not facts.email.strip():
        return Defer(occurrence, "no_address")
    try:
        check_address(facts.email)
    except Unrenderable:
        return Defer(occurrence, "invalid_address")
    if rules.is_cancelled:
        return Skip(occurrence, "cancelled")
    return Defer(occurrence, rules.hold) if rules.hold is not None else Mail(occurrence)
