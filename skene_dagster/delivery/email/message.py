"""One email, and a batch of them frozen to the byte: what was tried under a key is never rendered or encoded again."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

SEND_TAG = "send"
"""The tag that carries the send id; by it the provider's own records are matched with the ledger."""

ORIGIN_TAG = "origin"
"""The tag that says from which ledger's which batch an email that really leaves came; it tells a restored ledger."""


def origin(ledger_id: str, batch_id: str) -> str:
    """Write the value of the origin tag."""
    return f"{ledger_id}-{batch_id}"


@dataclass(frozen=True)
class Message:
    """An email to one recipient. Every string is free of control characters (text and html may have newlines)."""

    send_id: str
    """32 hex digits; the ledger's id of this send."""
    sender: str
    """The From header: `Name <address>` or a bare address."""
    to: str
    """One bare address."""
    subject: str
    html: str
    text: str
    reply_to: str | None
    headers: tuple[tuple[str, str], ...]
    tags: tuple[tuple[str, str], ...]
    """ASCII letters, digits, `_` and `-` only; our ids, nothing personal."""
    language: str = ""
    """The tag of the files it is made from, such as `pt-BR`; empty: those for everybody. No provider is told."""


@dataclass(frozen=True)
class Frozen:
    """A batch as it goes over the wire: the very bytes, and whose emails they are, in their order.

    The bytes are kept rather than the messages: a provider compares what comes under a used key with what came
    before, and another release of this package or of the SDK might encode the same messages differently.
    """

    send_ids: tuple[str, ...]
    body: bytes = field(repr=False)
    """As the provider that sends it has encoded it."""

    @cached_property
    def packed(self) -> bytes:
        """The body as the ledger keeps it."""
        return zlib.compress(self.body, 1)

    @staticmethod
    def unpacked(send_ids: Sequence[str], packed: bytes) -> "Frozen":
        """Undo `packed`."""
        return Frozen(tuple(send_ids), zlib.decompress(packed))
