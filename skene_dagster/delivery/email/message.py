"""One email, and a batch of them frozen to the byte: what was tried under a key is never rendered or encoded again."""

import json
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


@dataclass(frozen=True)
class Frozen:
    """A batch as it goes over the wire: the very bytes, and whose emails they are, in their order.

    The bytes are kept rather than the messages: a provider compares what comes under a used key with what came
    before, and another release of this package or of the SDK might encode the same messages differently.
    """

    send_ids: tuple[str, ...]
    body: bytes = field(repr=False)
    """A JSON array with one email per send id, each as Resend's API takes it."""

    @cached_property
    def packed(self) -> bytes:
        """The body as the ledger keeps it."""
        return zlib.compress(self.body, 1)

    @staticmethod
    def unpacked(send_ids: Sequence[str], packed: bytes) -> "Frozen":
        """Undo `packed`."""
        return Frozen(tuple(send_ids), zlib.decompress(packed))

    def messages(self) -> tuple[Message, ...]:
        """Read the emails back."""
        return tuple(_message(*pair) for pair in zip(self.send_ids, json.loads(self.body), strict=True))

    def only(self, positions: Sequence[int]) -> "Frozen":
        """Keep the emails at these positions; for another key than this batch's."""
        emails = json.loads(self.body)
        return Frozen(tuple(self.send_ids[n] for n in positions), _encoded([emails[n] for n in positions]))


def freeze(messages: Sequence[Message]) -> Frozen:
    """Freeze a batch; the same messages give the same bytes."""
    return Frozen(tuple(message.send_id for message in messages), _encoded([_email(message) for message in messages]))


def _encoded(emails: list[dict[str, object]]) -> bytes:
    return json.dumps(emails, ensure_ascii=False, separators=(",", ":")).encode()


def _email(message: Message) -> dict[str, object]:
    email: dict[str, object] = {
        "from": message.sender,
        "to": [message.to],
        "subject": message.subject,
        "html": message.html,
        "text": message.text,
        "headers": dict(message.headers),
        "tags": [{"name": name, "value": value} for name, value in message.tags],
    }
    if message.reply_to is not None:
        email["reply_to"] = message.reply_to
    return email


def _message(send_id: str, email: dict[str, object]) -> Message:
    match email:
        case {
            "from": str(sender),
            "to": [str(to)],
            "subject": str(subject),
            "html": str(html),
            "text": str(text),
            "headers": dict(headers),
            "tags": list(tags),
        }:
            reply_to = email.get("reply_to")
            assert reply_to is None or isinstance(reply_to, str)
            return Message(
                send_id,
                sender,
                to,
                subject,
                html,
                text,
                reply_to,
                tuple(headers.items()),
                tuple((tag["name"], tag["value"]) for tag in tags),
            )
        case _:
            raise ValueError(f"the frozen email of send {send_id} is none of ours")
