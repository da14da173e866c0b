"""The outbox: emails as `.eml` files in a folder, with a page that shows each as its recipient would see it.

    <folder>/index.html       the page; it opens from the disk, without a server
    <folder>/<id>.eml         one email, for any mail program
    <folder>/view/            what the page shows of an email
    <folder>/batches/         one record per batch, written last: what was accepted under which key

Every file is replaced in one step, so a process that dies leaves nothing half written, and two may write at once.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from email.headerregistry import HeaderRegistry
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

from skene_dagster.delivery.email.message import Frozen, Message
from skene_dagster.delivery.providers import outbox_page
from skene_dagster.delivery.providers.base import (
    Absent,
    Accepted,
    Answer,
    Fatal,
    Finding,
    Found,
    RateLimit,
    Sent,
    Turns,
    Unknown,
    at_once,
    check_call,
)
from skene_dagster.delivery.providers.outbox_files import BATCHES, make_folders, replace


class _Headers(HeaderRegistry):
    """The kinds of headers of an email, and those that all emails of a batch have in common, made once."""

    # Python, 2026-11: it makes a class for each header of each email, and parses a sender as often as he sends.
    __getitem__ = lru_cache(HeaderRegistry.__getitem__)
    __call__ = lru_cache(HeaderRegistry.__call__)


# Python, 2026-11: a header longer than the limit and without spaces is written as an encoded word, which no mail
# program reads as the address that List-Unsubscribe is. 998 is what SMTP allows.
_POLICY = SMTP.clone(max_line_length=998, header_factory=_Headers())


class OutboxProvider:
    """Accepts everything into a folder, once per key and send.

    Args:
        folder: made when the first batch arrives.
        clock: gives each email its date.
    """

    name: ClassVar[str] = "outbox"
    batch_limit: ClassVar[int] = 100

    def __init__(self, folder: Path, clock: Callable[[], datetime]) -> None:
        self._folder = folder
        self._clock = clock

    @property
    def account(self) -> str | None:
        """A folder has no limits."""
        return None

    @property
    def rate_limit(self) -> RateLimit | None:
        """A folder has no limits."""
        return None

    def send_batch(self, batch: Frozen, key: str) -> Answer:
        """Write the messages and the page; see `Provider`.

        Raises:
            ValueError: for a key or a number of messages that no provider takes.
        """
        check_call(batch, key, self.batch_limit)
        try:
            make_folders(self._folder)
        except OSError as bad:
            return Fatal(f"{self._folder} cannot be made: {bad.strerror}")
        try:
            return self._write(batch, key)
        except OSError as bad:
            return Unknown(f"{self._folder} cannot be written: {bad.strerror}")

    def find(self, batch: Frozen, since: datetime, until: datetime, turn: Turns = at_once) -> Finding:
        """Look for the record of a batch with these bytes; the folder keeps all that it ever accepted."""
        del since, until, turn
        digest = _digest(batch)
        for file in sorted((self._folder / BATCHES).glob("*.json")):
            record = outbox_page.read_record(file)
            if record is not None and record["digest"] == digest:
                return Found(tuple(row["id"] for row in record["emails"]))
        return Absent()

    def sent(self, since: datetime | None, turn: Turns, most: int) -> Iterator[Sent]:
        """Tell of nothing: what lies in a folder has not left."""
        del since, turn, most
        return iter(())

    def _write(self, batch: Frozen, key: str) -> Answer:
        messages, digest = batch.messages(), _digest(batch)
        record = self._folder / BATCHES / f"{_hash(key)}.json"
        earlier = outbox_page.read_record(record)
        if earlier is not None and earlier["digest"] != digest:
            return Unknown("the key was used for other emails")
        at = self._clock()
        ids = tuple(_hash(key, message.send_id)[:32] for message in messages)
        for identity, message in zip(ids, messages, strict=True):
            file = self._folder / f"{identity}.eml"
            if not file.exists():
                outbox_page.write_view(self._folder, identity, message)
                replace(file, _eml(message, key, at))
        if earlier is None:
            rows = [_row(identity, message) for identity, message in zip(ids, messages, strict=True)]
            text = json.dumps({"key": key, "digest": digest, "at": at.isoformat(), "emails": rows})
            replace(record, text.encode())
        outbox_page.write_page(self._folder)
        return Accepted(ids)


def _digest(batch: Frozen) -> str:
    return hashlib.sha256(batch.body).hexdigest()


def _hash(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _eml(message: Message, key: str, at: datetime) -> bytes:
    mail = EmailMessage(policy=_POLICY)
    mail["From"] = message.sender
    mail["To"] = message.to
    mail["Subject"] = message.subject
    mail["Date"] = format_datetime(at.replace(tzinfo=timezone.utc))
    mail["Message-ID"] = f"<{message.send_id}@outbox.invalid>"
    if message.reply_to is not None:
        mail["Reply-To"] = message.reply_to
    for name, value in message.headers:
        mail[name] = value
    for name, value in message.tags:
        mail[f"X-Tag-{name}"] = value
    mail["X-Idempotency-Key"] = key
    mail.set_content(message.text)
    # Base64: quoted-printable takes Python ten times as long for an HTML part.
    mail.add_alternative(message.html, subtype="html", cte="base64")
    mail.set_boundary(f"=_{message.send_id}")
    return mail.as_bytes()


def _row(identity: str, message: Message) -> dict[str, object]:
    tags = dict(message.tags)
    return {
        "id": identity,
        "to": message.to,
        "from": message.sender,
        "subject": message.subject,
        "loop": tags.get("loop", ""),
        "step": tags.get("step", ""),
        "headers": [*([("Reply-To", message.reply_to)] if message.reply_to else []), *message.headers],
    }
