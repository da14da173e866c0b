"""A message as a mail program saved it: its headers as they were written, and what of its body people read."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.errors import MessageError
from email.message import Message
from email.utils import parseaddr
from pathlib import Path

from skene_dagster.delivery.received.domains import LONGEST_DOMAIN
from skene_dagster.delivery.received.html import Link, shown
from skene_dagster.errors import MailUnreadable

LARGEST = 25 * 1024 * 1024
"""Bytes of a file that is read; Gmail takes no larger email."""

_LINK = re.compile(r"https?://[^\s<>\"']+", re.IGNORECASE)

LONGEST_HTML = 300_000
"""Characters of HTML that are read: three times as much as Gmail shows."""


@dataclass(frozen=True)
class Body:
    """What people read of a part."""

    is_html: bool
    size: int
    """Bytes."""
    text: str
    """Without markup, and with single spaces."""
    links: Sequence[Link]


@dataclass(frozen=True)
class Mail:
    """A received message."""

    raw: bytes
    headers: Sequence[tuple[str, str]]
    """Names in small letters, values on one line; the topmost first."""
    bodies: Sequence[Body]

    def all_of(self, name: str) -> list[str]:
        """List the headers of a name."""
        return [value for known, value in self.headers if known == name]

    @property
    def from_address(self) -> str:
        """Its From address; empty if it has none."""
        return parseaddr(next(iter(self.all_of("from")), ""))[1]

    @property
    def from_domain(self) -> str:
        """The domain of its From address; empty if it has none."""
        domain = self.from_address.rpartition("@")[2].lower()
        return domain if len(domain) <= LONGEST_DOMAIN else ""


def read(file: Path) -> Mail:
    """Read a message.

    Raises:
        MailUnreadable: the file cannot be read, is too large, or is no email.
    """
    try:
        with file.open("rb") as opened:
            raw = opened.read(LARGEST + 1)
    except OSError as bad:
        raise MailUnreadable(f"{file} cannot be read: {bad.strerror}.") from None
    if len(raw) > LARGEST:
        raise MailUnreadable(
            f"{file} has more than {LARGEST // 1024**2} MB, which is no single email.",
            advice="Save one message, not the whole mailbox.",
        )
    return parse(raw, file.name)


def parse(raw: bytes, name: str) -> Mail:
    """Read the bytes of a message.

    Raises:
        MailUnreadable: they are no email.
    """
    if not raw.strip():
        raise MailUnreadable(f"{name} is empty.", advice=_SAVE)
    try:
        message = message_from_bytes(raw, policy=policy.compat32)
        headers = [(key.lower(), " ".join(str(value).split())) for key, value in message.items()]
        bodies = [body for part in message.walk() if (body := _body(part)) is not None]
    except (MessageError, RecursionError, LookupError, TypeError, ValueError, AssertionError):
        raise MailUnreadable(f"{name} cannot be read as an email.", advice=_SAVE) from None
    if not any(key == "from" for key, _ in headers):
        raise MailUnreadable(f"{name} is no email: it has no From.", advice=_SAVE)
    return Mail(raw, headers, bodies)


_SAVE = "Save a message that arrived from your mail program as its original, with all headers (.eml)."


def _body(part: "Message[str, str]") -> Body | None:
    kind = part.get_content_type()
    if part.is_multipart() or kind not in ("text/plain", "text/html") or part.get_filename():
        return None
    payload = part.get_payload(decode=True)
    raw = payload if isinstance(payload, bytes) else b""
    try:
        text = raw.decode(part.get_content_charset("utf-8"), errors="replace")
    except (LookupError, ValueError):
        text = raw.decode("utf-8", errors="replace")
    if kind == "text/plain":
        return Body(is_html=False, size=len(raw), text=" ".join(text.split()), links=list(_links(text)))
    seen = shown(text[:LONGEST_HTML])
    return Body(is_html=True, size=len(raw), text=seen.text, links=seen.links)


def _links(text: str) -> Iterator[Link]:
    for line in text.splitlines():
        for found in _LINK.finditer(line):
            yield Link(found[0].rstrip(".,;)"), line[: found.start()].strip())
