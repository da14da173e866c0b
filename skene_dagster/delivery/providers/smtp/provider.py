"""SMTP: one email at a time, as the bytes that were frozen, and never twice where it may have been taken."""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from email.headerregistry import Address
from email.parser import BytesHeaderParser
from email.policy import default
from email.utils import parseaddr
from typing import ClassVar

from skene_dagster.delivery.email.message import Frozen, Message
from skene_dagster.delivery.providers.base import (
    Accepted,
    Answer,
    Clock,
    Denied,
    Finding,
    RateLimit,
    Sent,
    SlotWait,
    Terms,
    Unprovable,
    at_once,
    check_call,
    check_size,
)
from skene_dagster.delivery.providers.mime import mail
from skene_dagster.delivery.providers.smtp import TERMS, Server
from skene_dagster.delivery.providers.smtp.conversation import Conversation, Envelope

NO_RECORDS = "a mail server keeps no records that can be asked"


class SmtpProvider:
    """Submits to a mail server, over a connection that is kept.

    Args:
        clock: gives each email its date, when it is frozen.
    """

    name: ClassVar[str] = "SMTP"
    terms: ClassVar[Terms] = TERMS

    def __init__(self, server: Server, clock: Clock) -> None:
        self._server = server
        self._clock = clock
        self._conversation = Conversation(server)

    @property
    def account(self) -> str:
        """See `Provider`: a server, and who we are there. A password that is changed is the same account."""
        who = f"{self._server.place} {self._server.user or ''}"
        return f"smtp-{hashlib.sha256(who.encode()).hexdigest()[:16]}"

    @property
    def rate_limit(self) -> RateLimit | None:
        """See `Provider`: a server does not say it, but its operator may, in the URL."""
        per_second = self._server.per_second
        return None if per_second is None else RateLimit(per_second, remaining=None, reset=0.0)

    def freeze(self, messages: Sequence[Message]) -> Frozen:
        """Write the one email of a batch, with its date and its Message-ID; see `Provider`."""
        check_size(len(messages), TERMS.batch_limit)
        message = messages[0]
        domain = parseaddr(message.sender)[1].rpartition("@")[2]
        return Frozen((message.send_id,), mail(message, self._clock(), domain).as_bytes())

    def send_batch(self, batch: Frozen, key: str) -> Answer:
        """Submit the email. Its key says nothing to a mail server; see `Provider`.

        Raises:
            ValueError: for a key or a number of messages that no provider takes.
        """
        check_call(batch, key, TERMS.batch_limit)
        answer = self._conversation.submit(_envelope(batch.body), batch.body)
        return Accepted(batch.send_ids) if answer is None else answer

    def find(self, batch: Frozen, since: datetime, until: datetime, wait_for_slot: SlotWait = at_once) -> Finding:
        """Prove nothing; see `Provider`."""
        del batch, since, until, wait_for_slot
        return Unprovable(NO_RECORDS)

    def sent(self, since: datetime | None, wait_for_slot: SlotWait, most: int) -> Iterator[Sent]:
        """Tell nothing; see `Provider`."""
        del since, wait_for_slot, most
        raise Denied(NO_RECORDS)

    def close(self) -> None:
        """Say goodbye; the next email opens a connection again."""
        self._conversation.close()


def _envelope(body: bytes) -> Envelope:
    headers = BytesHeaderParser(policy=default).parsebytes(body)
    [sender], [recipient] = headers["From"].addresses, headers["To"].addresses
    assert isinstance(sender, Address)
    assert isinstance(recipient, Address)
    return Envelope(sender.addr_spec, recipient.addr_spec)
