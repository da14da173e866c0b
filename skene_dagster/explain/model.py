"""What is said about one user. Reasons stay the ledger's words; commands turn them into sentences.

Moments are UTC. Each class is an object of `why --json`, with these fields.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from skene_dagster.consent.permission import Refusal
from skene_dagster.delivery.model import HoldReason, Reason, SendState
from skene_dagster.segments.parts import Checked

AddressState = Literal["none", "invalid", "suppressed", "bounced", "works", "unknown"]
"""`unknown`: no email to it was accepted yet, or nothing came back."""

ComingKind = Literal["on its way", "in flight", "asked again", "new", "held", "follows"]
"""`on its way`: decided, not yet made; `in flight`: the provider may have it; `new`: the next tick decides; `held`:
nobody of the step is decided now; `follows`: a later step, after an email of an earlier one."""

Outcome = Literal[SendState, "deferred"]


@dataclass(frozen=True)
class Person:
    """Who they are."""

    key: object = field(repr=False)
    user: str
    """The users key, as text."""
    name: str | None
    address: str | None
    mailable: bool
    """Whether `users.mailable` lets them be mailed at all."""
    level: str | None
    level_since: datetime | None
    last_active_at: datetime | None
    timezone: str | None


@dataclass(frozen=True)
class TopicState:
    """Whether they get the emails of a topic."""

    topic: str
    refusal: Refusal | None
    """Why not; None: they do."""
    scope: str | None
    """What stops it: `all`, `marketing`, or the topic itself."""
    since: datetime | None
    source: str | None
    """Who says so: a page, a mail program, a file, a command."""
    loop: str | None
    """The loop whose email they answered."""


@dataclass(frozen=True)
class AddressHealth:
    """Whether email reaches their address."""

    state: AddressState
    since: datetime | None
    """Since when; of one that works, the last delivery."""
    reason: str | None
    """Of the suppression, or of the bounce."""
    source: str | None


@dataclass(frozen=True)
class CapRoom:
    """How much room a frequency cap has for them."""

    count: int
    within: timedelta
    mails: tuple[datetime, ...]
    """When those left that count, the oldest first."""
    may_leave: int
    """Emails that count because they may still leave, or may have left."""
    full: bool
    room_at: datetime | None
    """When there is room again, if it is known."""


@dataclass(frozen=True)
class Coming:
    """What may come next."""

    at: datetime | None
    """When; None: at the step's next run, or after what stands above it."""
    loop: str
    step: str
    kind: ComingKind
    reason: Reason | HoldReason | Literal["quiet_hours"] | None
    detail: str | None
    """What was said of it last, by the provider or when its email was made."""
    after: timedelta | None = None
    """How long after the email that it follows."""


@dataclass(frozen=True)
class Happened:
    """A decision about them, and what became of it."""

    at: datetime
    """The tick."""
    loop: str
    step: str
    outcome: Outcome
    reason: Reason | None
    detail: str | None
    """What was said of it last."""
    send_id: str | None
    subject: str | None
    """Only while the frozen email is kept."""
    accepted_at: datetime | None
    delivered_at: datetime | None = None
    bounced_at: datetime | None = None
    bounce: str | None = None
    complained_at: datetime | None = None
    opened_at: datetime | None = None
    clicked_at: datetime | None = None
    unsubscribed_at: datetime | None = None
    failed_at: datetime | None = None
    rejected_at: datetime | None = None
    language: str | None = None
    """The tag of the files that the email was made from; None: those for everybody."""
    ask_at: datetime | None = None
    """From which tick on it is decided again."""
    account: str | None = None
    """The key of the account that it is about; None: it is about the user."""


@dataclass(frozen=True)
class Outside:
    """A step whose segment they are not in."""

    loop: str
    step: str
    as_of: datetime | None
    """Of its last refresh; None: there was none yet."""
    left_at: datetime | None
    left_because: str | None
    """left | gone | set"""
    was_inside: bool | None
    """None: it was not looked up, for it would have taken too long."""
    parts: tuple[Checked, ...]
    """Of its condition; empty where it is no plain SELECT over the users table, or they left."""


@dataclass(frozen=True)
class Explained:
    """What is known about one user."""

    person: Person
    may_be_mailed: bool
    topics: tuple[TopicState, ...]
    address: AddressHealth
    caps: tuple[CapRoom, ...]
    paused: bool
    """All loops are."""
    coming: tuple[Coming, ...]
    happened: tuple[Happened, ...]
    more: bool
    """There are older decisions."""
    outside: tuple[Outside, ...]
