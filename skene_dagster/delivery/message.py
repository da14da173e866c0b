"""One email, as the provider gets it. Frozen: what was tried under a key is never rendered again."""

import json
import zlib
from dataclasses import asdict, dataclass


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


def freeze(messages: tuple[Message, ...]) -> bytes:
    """Pack messages into the bytes that the ledger keeps: the same messages give the same bytes."""
    return zlib.compress(json.dumps([asdict(m) for m in messages], ensure_ascii=False).encode(), 6)


def thaw(payload: bytes) -> tuple[Message, ...]:
    """Unpack what `freeze` packed."""
    return tuple(
        Message(**{**m, "headers": _pairs(m["headers"]), "tags": _pairs(m["tags"])})
        for m in json.loads(zlib.decompress(payload))
    )


def _pairs(rows: list[list[str]]) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in rows)
