"""Emails as `.eml` files in a folder, with a page that shows each as its recipient would see it.

    <folder>/index.html       the page; it opens from the disk, without a server
    <folder>/<id>.eml         one email, for any mail program
    <folder>/view/            what the page shows of an email
    <folder>/batches/         one record per batch, written last: what was accepted under which key

Every file is replaced in one step, so a process that dies leaves nothing half written, and two may write at once.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import ClassVar

from skene_dagster.delivery.email.message import Frozen, Message
from skene_dagster.delivery.providers import json_emails
from skene_dagster.delivery.providers.base import (
    Absent,
    Accepted,
    Answer,
    Fatal,
    Finding,
    Found,
    RateLimit,
    Sent,
    SlotWait,
    Terms,
    Unknown,
    at_once,
    check_call,
)
from skene_dagster.delivery.providers.mime import mail
from skene_dagster.delivery.providers.outbox import TERMS, page
from skene_dagster.delivery.providers.outbox.files import BATCHES, hashed, identity_of, make_folders, replace


class OutboxProvider:
    """Accepts everything into a folder, once per key and send.

    Args:
        folder: made when the first batch arrives.
        clock: gives each email its date.
    """

    name: ClassVar[str] = "outbox"
    terms: ClassVar[Terms] = TERMS

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

    def freeze(self, messages: Sequence[Message]) -> Frozen:
        """See `Provider`."""
        return json_emails.freeze(messages)

    def send_batch(self, batch: Frozen, key: str) -> Answer:
        """Write the messages and the page; see `Provider`.

        Raises:
            ValueError: for a key or a number of messages that no provider takes.
        """
        check_call(batch, key, TERMS.batch_limit)
        try:
            make_folders(self._folder)
        except OSError as bad:
            return Fatal(f"{self._folder} cannot be made: {bad.strerror}")
        try:
            return self._write(batch, key)
        except OSError as bad:
            return Unknown(f"{self._folder} cannot be written: {bad.strerror}")

    def find(self, batch: Frozen, since: datetime, until: datetime, wait_for_slot: SlotWait = at_once) -> Finding:
        """Look for the record of a batch with these bytes; the folder keeps all that it ever accepted."""
        del since, until, wait_for_slot
        digest = _digest(batch)
        for file in sorted((self._folder / BATCHES).glob("*.json")):
            record = page.read_record(file)
            if record is not None and record["digest"] == digest:
                return Found(tuple(row["id"] for row in record["emails"]))
        return Absent()

    def sent(self, since: datetime | None, wait_for_slot: SlotWait, most: int) -> Iterator[Sent]:
        """Tell of nothing: what lies in a folder has not left."""
        del since, wait_for_slot, most
        return iter(())

    def close(self) -> None:
        """Do nothing: each file is closed when it is written."""

    def _write(self, batch: Frozen, key: str) -> Answer:
        messages, digest = json_emails.messages_of(batch), _digest(batch)
        record = self._folder / BATCHES / f"{hashed(key)}.json"
        earlier = page.read_record(record)
        if earlier is not None and earlier["digest"] != digest:
            return Unknown("the key was used for other emails")
        at = self._clock()
        ids = tuple(identity_of(key, message.send_id) for message in messages)
        erased = {row["id"] for row in (earlier or {"emails": []})["emails"] if not row["to"]}
        for identity, message in zip(ids, messages, strict=True):
            file = self._folder / f"{identity}.eml"
            if not file.exists() and identity not in erased:
                page.write_view(self._folder, identity, message)
                replace(file, _eml(message, key, at))
        if earlier is None:
            rows = [_row(identity, message) for identity, message in zip(ids, messages, strict=True)]
            text = json.dumps({"key": key, "digest": digest, "at": at.isoformat(), "emails": rows})
            replace(record, text.encode())
        page.write_page(self._folder)
        return Accepted(ids)


def _digest(batch: Frozen) -> str:
    return hashlib.sha256(batch.body).hexdigest()


def _eml(message: Message, key: str, at: datetime) -> bytes:
    written = mail(message, at, "outbox.invalid")
    written["X-Idempotency-Key"] = key
    return written.as_bytes()


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
