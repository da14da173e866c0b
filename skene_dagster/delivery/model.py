"""The ledger's batches and sends: their states and reasons, and which state follows which.

A batch, which is one call of the provider:

    reserved ──▶ frozen ──▶ accepted ──▶ settled        accepted: `set` is still to be written
       │           ├──────────────────────▶ settled     accepted without a `set`; or nobody of it is to be mailed
       │           ├──▶ in_doubt ──▶ accepted, settled, split
       └───────────┴──▶ split                           cut up, or replaced: its sends are in other batches

A send, which is one email to one user:

    reserved ──▶ accepted, refused, skipped             or deferred: it goes back to those who are asked again
       └──▶ in_doubt ──▶ accepted, skipped, reserved    reserved again: by its author's word, or a person's
    held_out                                            never an email: one of those who get none, to be compared with

Who is deferred waits in a table of their own, under the key that their send will have.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Literal

ModeName = Literal["live", "redirect", "outbox"]
"""Where emails go; see `modes`."""

BatchState = Literal["reserved", "frozen", "in_doubt", "accepted", "settled", "split"]

SendState = Literal["skipped", "held_out", "reserved", "in_doubt", "accepted", "refused"]

GateName = Literal["fresh", "unmailable", "volume", "first_wave"]
"""What may hold a step at a tick, by the setting that it is about; see `decide.gates`."""

HoldReason = Literal["paused", GateName]
"""Why nobody of a step is decided now: a person's order, or a gate."""

DeferReason = Literal[
    HoldReason,
    "repeat",
    "in_flight",
    "left_segment",
    "no_recipient",
    "new_recipient",
    "other_account",
    "cap",
    "budget",
    "outranked",
    "new_address",
    "reconsidered",
    "not_mailable",
    "no_address",
    "invalid_address",
    "missing_value",
    "unrenderable",
    "too_large",
]
"""Why a user is not mailed now, and is decided again at a later tick.

`in_flight`: they entered again while their last email is still to be sent; `left_segment`: they did not qualify any
more when their email was to be made, and no refresh has seen them leave yet; `cap`: their address has got as many
emails as `limits.caps` allow; `budget`: the day has got as many as it may; `outranked`: the last of these is left to a
loop of higher priority; `new_address`: they have another address than when it was decided; `no_recipient`: an account
has nobody who may be mailed; `new_recipient`: another of it is to be mailed by now; `other_account`: whom it would mail
gets this email about another one at this tick.
"""

SkipReason = Literal[
    "there_at_start",
    "once",
    "repeat",
    "too_late",
    "cancelled",
    "left_segment",
    "gone",
    "not_mailable",
    "suppressed",
    "said_no",
    "no_consent",
    "goal_reached",
    "same_address",
    "step_removed",
    "doubt",
    "erased",
]
"""Why a user is not mailed for this entry, or this row, at all.

`suppressed`: nothing may reach their address; `said_no`: they want no marketing, or none of the topic; `no_consent`:
they never said yes to a topic that waits for it; `goal_reached`: they did what it is for; `same_address`: somebody
with the same address gets this email;
`erased`: a person had them erased while their email was on its way.
"""

Reason = Literal[DeferReason, SkipReason, "provider", "no_answer", "global"]
"""`provider`: it refused the email; `no_answer`: nobody knows whether it accepted it; `global`: they are held out of
all loops, not of this one."""

NEXT_TICK = timedelta(microseconds=1)
"""How long after a tick somebody is decided again whom its very next one may mail."""

BATCH_BECOMES: Mapping[BatchState, frozenset[BatchState]] = MappingProxyType(
    {
        "reserved": frozenset({"frozen", "settled", "split"}),
        "frozen": frozenset({"accepted", "settled", "in_doubt", "split"}),
        "in_doubt": frozenset({"accepted", "settled", "in_doubt", "split"}),
        "accepted": frozenset({"settled"}),
        "settled": frozenset(),
        "split": frozenset(),
    }
)

SEND_BECOMES: Mapping[SendState, frozenset[SendState]] = MappingProxyType(
    {
        "skipped": frozenset(),
        "held_out": frozenset(),
        "reserved": frozenset({"accepted", "refused", "skipped", "in_doubt", "reserved"}),
        "in_doubt": frozenset({"accepted", "skipped", "reserved"}),
        "accepted": frozenset(),
        "refused": frozenset(),
    }
)


@dataclass(frozen=True)
class Batch:
    """A batch as the ledger has it, without its bytes."""

    batch_id: str
    """The last part of the idempotency key."""
    mode: ModeName
    loop: str
    step: str
    state: BatchState
    size: int
    """Emails."""
    parent_id: str | None
    """The batch that it was cut out of, or replaces."""
    as_of: datetime
    reserved_at: datetime
    """When it was decided; of what goes on with another one, since when that one could have left."""
    owner: str | None
    lease_until: datetime | None
    provider: str | None
    """By whom it is sent, and who made its frozen bytes; None before it is frozen."""
    send_ids: str | None
    """Whose emails the frozen bytes hold, in their order, with spaces between: see `frozen_sends`."""
    frozen_at: datetime | None
    first_attempt_at: datetime | None
    unresolved_since: datetime | None
    """Since when the provider may have it; None: for certain it has nothing of it."""
    last_attempt_at: datetime | None
    attempts: int
    error: str | None
    """What was said last."""
    settled_at: datetime | None
    written_back_at: datetime | None
    not_before: datetime | None
    """From when on the hours of its recipients let it leave; None: from when it was reserved."""
    due_at: datetime | None
    unanswered_at: datetime | None
    """When the last attempt began that got no answer."""
    absent_at: datetime | None
    """When the provider's records first showed nothing of it."""
    refusal: str | None
    """What its key was refused with after an attempt without answer: it is used no more."""

    @property
    def waits_since(self) -> datetime:
        """Since when it could have left; what goes on with another one, since when that one could have."""
        return self.reserved_at if self.parent_id else self.not_before or self.reserved_at

    @property
    def frozen_sends(self) -> list[str]:
        """The ids of the sends whose emails the frozen bytes hold, in their order."""
        return (self.send_ids or "").split()

    @property
    def is_unresolved(self) -> bool:
        """Whether the provider may have it."""
        return self.unresolved_since is not None or self.state == "in_doubt"


@dataclass(frozen=True)
class DueBatch:
    """A batch that can go on now, and who holds it."""

    batch_id: str
    owner: str | None
    lease_until: datetime | None


@dataclass(frozen=True)
class ReservedSend:
    """An email of a batch that is still to be made."""

    send_id: str
    user_id: object
    occurrence: str


@dataclass(frozen=True)
class WaitingBatches:
    """Batches of a step that wait, and of which the same was said last."""

    batches: int
    emails: int
    since: datetime
    due_at: datetime
    key_since: datetime | None
    """Since when the first of them may have been sent."""
    provider: str | None
    refusal: str | None
    error: str | None


IN_FLIGHT: frozenset[SendState] = frozenset({"reserved"})
"""States of a send that forbid another occurrence: it may still become a mail."""

MAILED: tuple[SendState, ...] = ("accepted", "in_doubt")
"""States of a send that was a mail, or may have been one."""

COUNTED_FOR_REPEAT: tuple[SendState, ...] = (*MAILED, "held_out")
"""States of a send from which `repeat` counts: who is held out is decided as seldom as who is mailed."""


@dataclass(frozen=True)
class Past:
    """What the ledger knows about one user and one step."""

    occurrences: int
    """The last one that was decided."""
    state: SendState | None
    """Of the latest decision; None: there is none, and the other fields tell of another row of the same user."""
    reason: Reason | None
    decided_as_of: datetime
    mailed_as_of: datetime | None
    """The tick of the last mail that the provider accepted, or may have, or that they were held out of."""
    is_in_flight: bool = False
    """Whether an email to them is still to be sent, whatever was decided since."""


@dataclass(frozen=True)
class Waiting:
    """What the ledger knows about one who is decided again later."""

    occurrence: str
    reason: DeferReason
    ask_at: datetime
    """From which tick on."""
    outranked_at: datetime | None = None
    """When they left their place to another loop; None: they have not yet."""


@dataclass(frozen=True)
class Contact:
    """An email to a recipient, of any loop, that left or still may."""

    loop: str
    step: str
    user_id: object
    as_of: datetime
    """The tick of the decision."""
    at: datetime | None
    """When the provider accepted it; None: it may still leave, or may have left."""
    is_held_out: bool = False
    """It is none: its user is held out, and only nobody else of that address gets it."""
