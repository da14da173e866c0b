"""What a provider says of emails after it accepted them: by webhooks that it signs, or when it is asked."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol, runtime_checkable

Kind = Literal[
    "queued",
    "sent",
    "delivered",
    "delayed",
    "bounced",
    "failed",
    "rejected",
    "complained",
    "opened",
    "clicked",
    "unsubscribed",
    "listed",
    "other",
    "unknown",
]
"""What happened, in the words of django-anymail where it has them (`delayed` is its `deferred`).

`rejected`: the provider did not send it, for its own list of suppressions has the address; `listed`: an address came
onto that list; `other`: known, and not about an email of ours; `unknown`: the provider's word is not known.
"""


class NotGenuine(Exception):
    """What was posted is not signed by the provider, is too old, or cannot be read."""


@dataclass(frozen=True)
class Report:
    """One thing that happened. Texts are printable ASCII and no longer than their column."""

    event_id: str
    """The provider's own; the same however often it is told."""
    type: str
    """The provider's word."""
    kind: Kind
    at: datetime
    """When it happened (UTC, naive), as the provider says."""
    provider_id: str | None = None
    """Of the email."""
    send_id: str | None = None
    """From the email's tag."""
    origin: str | None = None
    """From the email's tag: as `message.origin` writes it."""
    bounce_type: str | None = None
    bounce_sub_type: str | None = None
    status_codes: str = ""
    """Enhanced status codes (RFC 3463) in the answers of the recipient's server, with spaces between."""
    detail: str | None = None
    """Why it failed; or who put an address on the provider's list."""
    address: str | None = None
    """Whom it is about, where it is one address, and something follows for it."""
    domain: str | None = None
    """Of that address."""
    link: str | None = None
    """That was clicked, without its query."""


class Receiver(Protocol):
    """Reads what is posted to a webhook."""

    def read(self, body: bytes, headers: Mapping[str, str]) -> Report:
        """Read one event.

        Args:
            headers: with names in small letters.

        Raises:
            NotGenuine: whoever posted it does not know the secret, or it was posted long ago.
        """
        ...


@runtime_checkable
class Polled(Protocol):
    """A provider that can be asked what became of emails."""

    def latest(self, wait_for_slot: Callable[[float], None], now: datetime) -> Iterator[list[Report]]:
        """List what it knows last of each email, page by page, the newest email first.

        Args:
            wait_for_slot: as in `Provider.find`.

        Raises:
            Denied: the records cannot be read.
        """
        ...


@dataclass(frozen=True)
class Feedback:
    """How a provider tells."""

    secret: str
    """The variable with what its webhooks are signed with; where it is not set, the provider is asked."""
    receiver: Callable[[str], Receiver]
    """Makes what reads its webhooks, of that secret."""
