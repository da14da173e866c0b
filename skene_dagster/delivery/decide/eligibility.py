"""Who is mailed at a tick: a pure function with one answer and one reason.

A member is mailed when they have entered the segment since the step's last final decision about them, and `repeat`
has passed since its last mail to them. Who is deferred is decided again, under the same occurrence, from `ask_at` on.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from skene_dagster.consent.permission import Refusal
from skene_dagster.delivery.decide.caps import Room
from skene_dagster.delivery.email.templates import Unrenderable, check_address
from skene_dagster.delivery.model import (
    NEXT_TICK,
    DeferReason,
    HoldReason,
    Past,
    SendState,
    SkipReason,
    Waiting,
)
from skene_dagster.goals.comparing import HeldOutOf
from skene_dagster.loops.times.calendar_days import later

LEFT: Literal["left_segment"] = "left_segment"
"""Why a user, or a row, is not mailed that did not qualify any more when the email was to be made."""

ADDRESS_ASKED_EVERY = timedelta(days=1)
"""How often it is asked whether an address that is none has become one."""


@dataclass(frozen=True)
class Addressee:
    """The user to whom an email would go, as they are now."""

    email: str | None
    mailable: bool
    refusal: Refusal | None = None
    """Why this email may not be sent to them."""
    has_reached_goal: bool = False
    """Since they entered, they have done what the loop is for."""
    shares_address: bool = False
    """Somebody with the same address gets this email at this tick."""
    full: Room | None = None
    """A frequency cap has no room for them, until then."""
    waits_for_room: datetime | None = None
    """The day of their email has got as many as it may: the tick from which on it is asked again."""
    left_until: datetime | None = None
    """They have one place left under a cap, and a loop of higher priority wants it: the tick from which on it is asked
    again."""
    held_out: HeldOutOf | None = None
    """They are one of those who get none of it, so that it can be measured."""
    not_before: datetime | None = None
    """From when on it may leave, by their clock; None: at once."""


NOBODY = Addressee(None, mailable=False)
"""There is no such user."""


@dataclass(frozen=True)
class Facts:
    """Everything that a decision about one member depends on."""

    entered_at: datetime | None
    """None: they are not inside any more."""
    addressee: Addressee
    past: Past | None
    waiting: Waiting | None = None
    """They were deferred, and are decided again."""


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
    found_at: datetime | None
    """The tick at which its condition held; None: it is too long ago to be known."""
    addressee: Addressee
    state: SendState | None
    """What was decided about it before."""
    mailed_as_of: datetime | None
    """The tick of the step's last mail to its user that the provider accepted, or may have."""


@dataclass(frozen=True)
class Mail:
    """Mail them; this is the how-manieth time, or about which row."""

    occurrence: str
    not_before: datetime | None = None
    """From when on; None: at once."""


@dataclass(frozen=True)
class Skip:
    """Do not mail them for this entry, finally."""

    occurrence: str
    reason: SkipReason


@dataclass(frozen=True)
class HoldOut:
    """Do not mail them, whom else it would mail: they are compared with those who are."""

    occurrence: str
    of: HeldOutOf


@dataclass(frozen=True)
class Defer:
    """Do not mail them now; decide again later."""

    occurrence: str
    reason: DeferReason
    ask_at: datetime
    """From which tick on."""


@dataclass(frozen=True)
class AlreadyDecided:
    """There is nothing to decide: it was decided before, and they have not entered since."""


Decision = Mail | HoldOut | Skip | Defer | AlreadyDecided


def decide(facts: Facts, rules: Rules, as_of: datetime) -> Decision:
    """Decide about one member at one tick."""
    found = occurrence_of(facts.entered_at, facts.past, facts.waiting, rules, as_of)
    return by_person(found, facts.addressee, rules, as_of) if isinstance(found, str) else found


def occurrence_of(
    entered_at: datetime | None, past: Past | None, waiting: Waiting | None, rules: Rules, as_of: datetime
) -> str | Skip | Defer | AlreadyDecided:
    """Say for which occurrence a member may be mailed at a tick, whoever they are; or why for none."""
    if waiting is not None and waiting.ask_at > as_of:
        return Defer(waiting.occurrence, waiting.reason, waiting.ask_at)
    if waiting is not None:
        occurrence = waiting.occurrence
    elif past is None:
        occurrence = "1"
    elif entered_at is not None and entered_at > past.decided_as_of:
        occurrence = str(past.occurrences + 1)
    else:
        return AlreadyDecided()

    if entered_at is None:
        return Skip(occurrence, LEFT)
    if rules.start == "new_only" and entered_at == rules.first_as_of:
        return Skip(occurrence, "there_at_start")
    mailed_as_of = past.mailed_as_of if past else None
    if mailed_as_of is not None and rules.repeat == "once":
        return Skip(occurrence, "once")
    if past is not None and past.is_in_flight:
        return Defer(occurrence, "in_flight", as_of + NEXT_TICK)
    if mailed_as_of is not None and isinstance(rules.repeat, timedelta):
        again = later(mailed_as_of, rules.repeat, rules.zone)
        if as_of < again:
            return Defer(occurrence, "repeat", again)
    return occurrence


def decide_row(facts: RowFacts, rules: Rules, as_of: datetime, expires_after: timedelta) -> Decision:
    """Decide about one row that triggered, at one tick. What has to wait too long is skipped."""
    if facts.state is not None:
        return AlreadyDecided()
    why_not = of_row(facts.occurrence, facts.found_at, facts.mailed_as_of, rules, as_of, expires_after)
    return why_not or by_person(facts.occurrence, facts.addressee, rules, as_of)


def of_row(
    occurrence: str,
    found_at: datetime | None,
    mailed_as_of: datetime | None,
    rules: Rules,
    as_of: datetime,
    expires_after: timedelta,
) -> Skip | None:
    """Say why nobody may be mailed about a row at a tick, whoever they are; None: somebody may."""
    if mailed_as_of is not None:
        if rules.repeat == "once":
            return Skip(occurrence, "once")
        if isinstance(rules.repeat, timedelta) and as_of < later(mailed_as_of, rules.repeat, rules.zone):
            return Skip(occurrence, "repeat")
    if found_at is None or as_of - found_at > expires_after:
        return Skip(occurrence, "too_late")
    return None


def by_person(occurrence: str, person: Addressee, rules: Rules, as_of: datetime) -> Mail | HoldOut | Skip | Defer:
    """Decide whether a person is mailed, for an occurrence or about a row."""
    if not person.mailable:
        return Defer(occurrence, "not_mailable", as_of + NEXT_TICK)
    if (fault := fault_of(person.email)) is not None:
        wait = ADDRESS_ASKED_EVERY if fault == "invalid_address" else NEXT_TICK
        return Defer(occurrence, fault, as_of + wait)
    if person.refusal is not None:
        return Skip(occurrence, person.refusal)
    if person.has_reached_goal:
        return Skip(occurrence, "goal_reached")
    if rules.is_cancelled:
        return Skip(occurrence, "cancelled")
    if rules.hold is not None:
        return Defer(occurrence, rules.hold, as_of + NEXT_TICK)
    if person.shares_address:
        return Skip(occurrence, "same_address")
    if person.full is not None:
        return Defer(occurrence, "cap", max(person.full.at or as_of, as_of + NEXT_TICK))
    if person.waits_for_room is not None:
        return Defer(occurrence, "budget", person.waits_for_room)
    if person.left_until is not None:
        return Defer(occurrence, "outranked", person.left_until)
    # The last: all that can make somebody wait, or refuses them, is the same for those who are compared.
    if person.held_out is not None:
        return HoldOut(occurrence, person.held_out)
    return Mail(occurrence, person.not_before)


def fault_of(email: str | None) -> Literal["no_address", "invalid_address"] | None:
    """Say for which reason nobody can be mailed at an address; None where somebody can."""
    if email is None or not email.strip():
        return "no_address"
    try:
        check_address(email)
    except Unrenderable:
        return "invalid_address"
    return None
