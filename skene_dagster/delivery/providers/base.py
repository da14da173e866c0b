"""What a provider of email is: it takes a batch under a key, and answers in one of seven ways.

A provider never raises for something that happened on the way to or at the other side: whoever calls it has to
know whether the messages may have been accepted, and only these answers say so.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, Literal, Protocol

from skene_dagster.delivery.email.message import Frozen, Message
from skene_dagster.delivery.providers.feedback import Feedback
from skene_dagster.delivery.providers.suppression_list import SuppressionList
from skene_dagster.settings import Settings


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

    `everybody`: it holds for every batch of this account (a rate, a quota). Else for this one's key alone, which
    another attempt is using: that proves nothing about that attempt.
    """

    after: float
    reason: str
    everybody: bool = True


@dataclass(frozen=True)
class Later:
    """Nothing was accepted now, for certain; this batch alone may be tried again after so many seconds."""

    after: float
    reason: str


@dataclass(frozen=True)
class Unreachable:
    """Nothing was accepted, for certain: there was silence before the messages were whole."""

    reason: str
    after: float = 1.0
    """Seconds until this batch is tried again; longer where it was tried before."""


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


Answer = Accepted | Refused | Throttled | Later | Unreachable | Unknown | Fatal


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


class Forbidden(Denied):
    """The key has no right to it, today or tomorrow: it may only send."""


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


Clock = Callable[[], datetime]
"""Tells the time, in UTC and without a zone."""

SlotWait = Callable[[float], None]
"""Waits for so many seconds, and then for a slot in which to call the provider."""


def at_once(seconds: float) -> None:
    """Wait for nothing: there is always a slot of a provider without limits."""


@dataclass(frozen=True)
class Terms:
    """What a provider promises, whoever opens it."""

    batch_limit: int
    """The most messages in one batch."""
    key_lives: timedelta
    """How long a key is trusted: so long the same bytes under it are accepted once. Zero: it knows no keys, so nothing
    that may have been accepted is ever sent again."""
    key_is_kept: timedelta
    """How long ago a key may have been used for the provider to still know it: no shorter than it is trusted."""
    proves_after: timedelta | None
    """How long after an attempt without answer its records can prove that nothing was accepted; a request may still be
    worked on until then. None: it keeps no records."""
    starts_at: float
    """Calls per second until it has said what it allows."""


class Provider(Protocol):
    """Sends batches; the same key with the same bytes is accepted once while the key lives, however often it is sent.

    One provider serves one thread at a time.
    """

    name: ClassVar[str]
    """What people know it by; it begins a sentence."""
    terms: ClassVar[Terms]

    @property
    def account(self) -> str | None:
        """Name what its limits are counted by, without giving the key away; None where there are no limits."""
        ...

    @property
    def rate_limit(self) -> RateLimit | None:
        """Tell what the last answer said of the limits; None where it said nothing."""
        ...

    def freeze(self, messages: Sequence[Message]) -> Frozen:
        """Encode a batch as it will go over the wire; the same messages give the same bytes."""
        ...

    def send_batch(self, batch: Frozen, key: str) -> Answer:
        """Send the batch under an idempotency key (1 to 256 ASCII characters)."""
        ...

    def find(self, batch: Frozen, since: datetime, until: datetime, wait_for_slot: SlotWait = at_once) -> Finding:
        """Ask whether a batch was accepted, however late.

        Args:
            since: its first attempt (UTC, the ledger's clock; the provider's own may differ).
            until: its last attempt without answer; records that end before it prove no absence.
            wait_for_slot: called before each request; reading is counted by the same limit as sending.
        """
        ...

    def sent(self, since: datetime | None, wait_for_slot: SlotWait, most: int) -> Iterator[Sent]:
        """List what was accepted since a moment (UTC; None: since ever), the newest first; perhaps more than once.

        Args:
            since: by the ledger's clock. What was accepted a little earlier may be among it.
            wait_for_slot: as in `find`.
            most: records that are looked into.

        Raises:
            Denied: the records cannot be read, or do not reach back as far.
        """
        ...

    def close(self) -> None:
        """Close the kept connections; the next batch opens one again."""
        ...


@dataclass(frozen=True)
class Diagnosis:
    """One thing that was asked of a provider without sending anything."""

    label: Literal["ok", "notice", "error"]
    said: str
    advice: str = ""


@dataclass(frozen=True)
class Registration:
    """How a provider is chosen and opened. Its own code is imported only where it is opened."""

    terms: Terms
    needs: str
    """The variable of the environment without which it cannot send."""
    check: Callable[[Mapping[str, str]], None]
    """Refuse, by a SettingsError, what its variables say and could never work; never quoting a secret."""
    open: Callable[[Settings, Clock], Provider]
    """Open it; called where that is set."""
    diagnose: Callable[[Settings], Iterator[Diagnosis]]
    """Ask whether it would send, one thing after the other; called where that is set. Nothing is sent."""
    thaw: Callable[[Frozen], tuple[Message, ...]]
    """Read the emails of a frozen batch back, for whoever asks what it says."""
    feedback: Feedback | None = None
    """How it tells what became of an email; None: it does not."""
    suppression_list: Callable[[Provider, SlotWait], SuppressionList] | None = None
    """Return the list that an opened provider keeps of addresses to which it sends nothing, and wait for a slot before
    each call; None: it has none, or none that can be reached."""

    def is_configured(self, settings: Settings) -> bool:
        """Whether the environment holds what it cannot send without.

        Raises:
            SettingsError: it holds something that could never work.
        """
        self.check(settings.environ)
        return bool(settings.environ.get(self.needs))


def check_size(size: int, limit: int) -> None:
    """Refuse a batch without messages, or with too many.

    Raises:
        ValueError: our own mistake, never the other side's.
    """
    if not 1 <= size <= limit:
        raise ValueError(f"a batch has 1 to {limit} messages, not {size}")


def check_call(batch: Frozen, key: str, limit: int) -> None:
    """Refuse what no provider can send: a batch without messages or with too many, a key without meaning.

    Raises:
        ValueError: our own mistake, never the other side's.
    """
    check_size(len(batch.send_ids), limit)
    if not (1 <= len(key) <= 256 and key.isascii() and key.isprintable()):
        raise ValueError("an idempotency key has 1 to 256 printable ASCII characters")
