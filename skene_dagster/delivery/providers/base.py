"""What a provider of email is: it takes a batch under a key, and answers in one of five ways.

A provider never raises for something that happened on the way to or at the other side: whoever calls it has to
know whether the messages may have been accepted, and only these answers say so.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Protocol

from skene_dagster.delivery.email.message import Frozen


@dataclass(frozen=True)
class Accepted:
    """Every message was accepted; the provider's ids, in the order of the messages."""

    ids: tuple[str, ...]


@dataclass(frozen=True)
class Refused:
    """Nothing was accepted, and never will be as it is; `index` names the bad message where the answer did."""

    reason: str
    index: int | None = None


@dataclass(frozen=True)
class Throttled:
    """Nothing was accepted now; the same batch may be tried again after so many seconds.

    `everybody`: it holds for every batch under this API key (a rate, a quota), not for this one alone.
    """

    after: float
    reason: str
    everybody: bool = True


@dataclass(frozen=True)
class Unknown:
    """No answer, or none that proves anything: the messages may have been accepted.

    `answered`: the provider did answer, and will say the same again to whatever comes under this key. Else it was
    silence, or what something on the way made of it.
    """

    reason: str
    answered: bool = False


@dataclass(frozen=True)
class Fatal:
    """Nothing was accepted, and nothing will be from this sender with this key: stop the run."""

    reason: str


Answer = Accepted | Refused | Throttled | Unknown | Fatal


@dataclass(frozen=True)
class Found:
    """The provider's records show that it accepted the batch; its ids in the order of the messages.

    None where the record of one message is no longer there; a batch is accepted as a whole, so that one was, too.
    """

    ids: tuple[str | None, ...]


@dataclass(frozen=True)
class Absent:
    """The provider's records show that it accepted nothing of the batch.

    They reach back past its first attempt, and show another request of this ledger's that came after the last attempt
    without answer: so they are known to be as new as that one.
    """


@dataclass(frozen=True)
class Unprovable:
    """The provider's records are denied, gone or not reachable: they prove nothing either way."""

    reason: str


Finding = Found | Absent | Unprovable


class Denied(Exception):
    """The records cannot be read: no right to, no answer, or none that can be understood."""


@dataclass(frozen=True)
class Sent:
    """An email in the provider's records, and what its tags say of where it came from."""

    provider_id: str
    at: datetime
    send_id: str
    """Empty where it is none of ours."""
    origin: str
    """The ledger and the batch, as `message.origin` writes them; empty where it is none of ours."""


@dataclass(frozen=True)
class RateLimit:
    """What the provider said last of how often it may be called."""

    per_second: float
    """Calls that its limit allows in a second."""
    remaining: int | None
    """Calls left in its present window; None where it did not say."""
    reset: float
    """Seconds until that window ends."""


Turns = Callable[[float], None]
"""Waits for so many seconds, and then for a turn to call the provider."""


def at_once(seconds: float) -> None:
    """Wait for nothing: the turns of a provider without limits."""


class Provider(Protocol):
    """Sends batches; the same key with the same bytes is accepted once, however often it is sent."""

    name: ClassVar[str]
    batch_limit: ClassVar[int]
    """The most messages in one batch."""

    @property
    def account(self) -> str | None:
        """Name what its limits are counted by, without giving the key away; None where there are no limits."""
        ...

    @property
    def rate_limit(self) -> RateLimit | None:
        """Tell what the last answer said of the limits; None where it said nothing."""
        ...

    def send_batch(self, batch: Frozen, key: str) -> Answer:
        """Send the batch under an idempotency key (1 to 256 ASCII characters)."""
        ...

    def find(self, batch: Frozen, since: datetime, until: datetime, turn: Turns = at_once) -> Finding:
        """Ask whether a batch was accepted, however late.

        Args:
            since: its first attempt (UTC, the ledger's clock).
            until: its last attempt without answer; records that end before it prove no absence.
            turn: called before each request; reading is counted by the same limit as sending.
        """
        ...

    def sent(self, since: datetime | None, turn: Turns, most: int) -> Iterator[Sent]:
        """List what was accepted since a moment (UTC; None: since ever), the newest first; perhaps more than once.

        Args:
            turn: as in `find`.
            most: records that are looked into.

        Raises:
            Denied: the records cannot be read, or do not reach back as far.
        """
        ...


def check_call(batch: Frozen, key: str, limit: int) -> None:
    """Refuse what no provider can send: a batch without messages or with too many, a key without meaning.

    Raises:
        ValueError: our own mistake, never the other side's.
    """
    if not 1 <= len(batch.send_ids) <= limit:
        raise ValueError(f"a batch has 1 to {limit} messages, not {len(batch.send_ids)}")
    if not (1 <= len(key) <= 256 and key.isascii() and key.isprintable()):
        raise ValueError("an idempotency key has 1 to 256 printable ASCII characters")
