"""What a provider of email is: it takes a batch under a key, and answers in one of five ways.

A provider never raises for something that happened on the way to or at the other side: whoever calls it has to
know whether the messages may have been accepted, and only these five answers say so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from skene_dagster.delivery.message import Message


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
    """Nothing was accepted now; the same batch may be tried again after so many seconds."""

    after: float
    reason: str


@dataclass(frozen=True)
class Unknown:
    """No answer, or none that proves anything: the messages may have been accepted."""

    reason: str


@dataclass(frozen=True)
class Fatal:
    """Nothing was accepted, and nothing will be from this sender with this key: stop the run."""

    reason: str


Answer = Accepted | Refused | Throttled | Unknown | Fatal


class Provider(Protocol):
    """Sends batches; the same key with the same messages is accepted once, however often it is sent."""

    name: ClassVar[str]
    batch_limit: ClassVar[int]
    """The most messages in one batch."""

    def send_batch(self, messages: Sequence[Message], key: str) -> Answer:
        """Send the messages under an idempotency key (1 to 256 ASCII characters)."""
        ...


def check_call(messages: Sequence[Message], key: str, limit: int) -> None:
    """Refuse what no provider can send: a batch without messages or with too many, a key without meaning.

    Raises:
        ValueError: our own mistake, never the other side's.
    """
    if not 1 <= len(messages) <= limit:
        raise ValueError(f"a batch has 1 to {limit} messages, not {len(messages)}")
    if not (1 <= len(key) <= 256 and key.isascii() and key.isprintable()):
        raise ValueError("an idempotency key has 1 to 256 printable ASCII characters")
