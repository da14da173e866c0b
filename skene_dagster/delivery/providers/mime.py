"""An email as RFC 5322 and MIME write it, in ASCII alone: no server on its way has to take more."""

from datetime import datetime, timezone
from email.headerregistry import HeaderRegistry
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from functools import lru_cache

from skene_dagster.delivery.email.message import Message


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
