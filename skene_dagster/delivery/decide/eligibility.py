"""Who is mailed at a tick: a pure function with one answer and one reason.

A member is mailed when they have entered the segment since the step's last final decision about them, and `repeat`
has passed since its last mail to them. What is `Deferred` is decided again at the next tick, in the same row.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from skene_dagster.delivery.email.templates import Unrenderable, check_address
from skene_dagster.delivery.model import (
    IN_FLIGHT,
    UNDECIDED,
    DeferReason,
    HoldReason,
    Past,
    SendState,
    SkipReason,
)
from skene_dagster.loops.times.calendar_days import later

LEFT: Literal["left_segment"] = "left_segment"
"""Why a send is skipped whose user, or row, did not qualify any more when its email was to be made."""


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
    zone: ZoneInfo
    """Whose days `repeat` counts."""
    hold: HoldReason | None = None
    """Why nobody is mailed for now, whom the next tick may mail; a person's order."""
    is_cancelled: bool = False
    """Whether a person has cancelled what this tick would mail."""


@dataclass(frozen=True)
class RowFacts:
    """Everything that a decision about one row that triggered depends on."""

    occurrence: str
    found_at: datetime
    """The tick at which its condition held."""
    email: str | None
    mailable: bool
    state: SendState | None
    """What was decided about it before."""
    mailed_as_of: datetime | None
    """The tick of the step's last mail to its user that the provider accepted, or may have."""


@dataclass(frozen=True)
class Mail:
    """Mail them; this is the how-manieth time, or about which row."""

    occurrence: int | str


@dataclass(frozen=True)
class Skip:
    """Do not mail them for this entry, finally."""

    occurrence: int | str
    reason: SkipReason


@dataclass(frozen=True)
class Defer:
    """Do not mail them now; ask again at the next tick."""

    occurrence: int | str
    reason: DeferReason


@dataclass(frozen=True)
class AlreadyDecided:
    """There is nothing to decide: it was decided before, and they have not entered since."""


Decision = Mail | Skip | Defer | AlreadyDecided


def decide(facts: Facts, rules: Rules, as_of: datetime) -> Decision:
    """Decide about one member at one tick."""
    past = facts.past
    if past is None:
        occurrence = 1
    elif past.state in UNDECIDED:
        occurrence = past.occurrences
    elif past.state in IN_FLIGHT or not (facts.entered_at > past.decided_as_of or _had_left(past, as_of)):
        return AlreadyDecided()
    else:
        occurrence = past.occurrences + 1

    if rules.start == "new_only" and facts.entered_at == rules.first_as_of:
        return Skip(occurrence, "there_at_start")
    if past is not None and past.mailed_as_of is not None:
        if rules.repeat == "once":
            return Skip(occurrence, "once")
        if isinstance(rules.repeat, timedelta) and as_of < later(past.mailed_as_of, rules.repeat, rules.zone):
            return Defer(occurrence, "repeat")
    return _by_address(occurrence, facts.email, rules, mailable=facts.mailable)


def decide_row(facts: RowFacts, rules: Rules, as_of: datetime, expires_after: timedelta) -> Decision:
    """Decide about one row that triggered, at one tick. What has to wait too long is skipped."""
    if facts.state is not None and facts.state not in UNDECIDED:
        return AlreadyDecided()
    if facts.mailed_as_of is not None:
        if rules.repeat == "once":
            return Skip(facts.occurrence, "once")
        if isinstance(rules.repeat, timedelta) and as_of < later(facts.mailed_as_of, rules.repeat, rules.zone):
            return Skip(facts.occurrence, "repeat")
    if as_of - facts.found_at > expires_after:
        return Skip(facts.occurrence, "too_late")
    return _by_address(facts.occurrence, facts.email, rules, mailable=facts.mailable)


def _had_left(past: Past, as_of: datetime) -> bool:
    """Whether a member was found to have left after an earlier tick: who is inside now has entered again since.

    No refresh need have seen it: where a tick is late, only the making of its emails sees who came back.
    """
    return past.state == "skipped" and past.reason == LEFT and past.decided_as_of < as_of


def _by_address(occurrence: int | str, email: str | None, rules: Rules, *, mailable: bool) -> Decision:
    if not mailable:
        return Defer(occurrence, "not_mailable")
    if (fault := fault_of(email)) is not None:
        return Defer(occurrence, fault)
    if rules.is_cancelled:
        return Skip(occurrence, "cancelled")
    return Defer(occurrence, rules.hold) if rules.hold is not None else Mail(occurrence)


def fault_of(email: str | None) -> Literal["no_address", "invalid_address"] | None:
    """Say for which reason nobody can be mailed at an address; None where somebody can."""
    if email is None or not email.strip():
        return "no_address"
    try:
        check_address(email)
    except Unrenderable:
        return "invalid_address"
    return None
