"""An email as RFC 5322 and MIME write it, in ASCII alone: no server on its way has to take more."""

from datetime import datetime, timezone
from email import message_from_bytes
from email.headerregistry import HeaderRegistry
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from functools import lru_cache

from skene_dagster.delivery.email.message import Frozen, Message


class _Headers(HeaderRegistry):
    """The kinds of headers of an email, and those that all emails of a batch have in common, made once."""

    # Python, 2026-11: it makes a class for each header of each email, and parses a sender as often as he sends.
    __getitem__ = lru_cache(HeaderRegistry.__getitem__)
    __call__ = lru_cache(HeaderRegistry.__call__)


# Python, 2026-11: a header longer than the limit and without spaces is written as an encoded word, which no mail
# program reads as the address that List-Unsubscribe is. 998 is what SMTP allows.
_POLICY = SMTP.clone(max_line_length=998, cte_type="7bit", header_factory=_Headers())


def mail(message: Message, at: datetime, domain: str) -> EmailMessage:
    """Write an email; the same message at the same moment gives the same bytes.

    Args:
        at: its date (UTC, without a zone).
        domain: what its Message-ID ends with; it begins with the send id.
    """
    written = EmailMessage(policy=_POLICY)
    written["From"] = message.sender
    written["To"] = message.to
    written["Subject"] = message.subject
    written["Date"] = format_datetime(at.replace(tzinfo=timezone.utc))
    written["Message-ID"] = f"<{message.send_id}@{domain}>"
    if message.reply_to is not None:
        written["Reply-To"] = message.reply_to
    for name, value in message.headers:
        written[name] = value
    for name, value in message.tags:
        written[f"X-Tag-{name}"] = value
    written.set_content(message.text)
    # Base64: quoted-printable takes Python ten times as long for an HTML part.
    written.add_alternative(message.html, subtype="html", cte="base64")
    written.set_boundary(f"=_{message.send_id}")
    return written


_OURS = frozenset(("from", "to", "subject", "date", "message-id", "reply-to", "mime-version", "content-type"))
_TAG = "x-tag-"


def messages_of(batch: Frozen) -> tuple[Message, ...]:
    """Read the one email of a batch back, as `mail` wrote it.

    Raises:
        ValueError: it is none of ours.
    """
    read = message_from_bytes(batch.body, policy=_POLICY)
    parts = {
        part.get_content_type(): str(part.get_content()).replace("\r\n", "\n")
        for part in read.walk()
        if not part.is_multipart()
    }
    if {*parts} != {"text/plain", "text/html"} or len(batch.send_ids) != 1:
        raise ValueError("the frozen email is none of ours")
    others = [(name, str(value)) for name, value in read.items() if name.lower() not in _OURS]
    return (
        Message(
            batch.send_ids[0],
            sender=str(read["From"]),
            to=str(read["To"]),
            subject=str(read["Subject"]),
            html=parts["text/html"],
            text=parts["text/plain"],
            reply_to=None if read["Reply-To"] is None else str(read["Reply-To"]),
            headers=tuple(one for one in others if not one[0].lower().startswith(_TAG)),
            tags=tuple((name[len(_TAG) :], value) for name, value in others if name.lower().startswith(_TAG)),
        ),
    )
