"""How a recipient says no to an email: the link in it, and the headers by which mail programs offer it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from email.header import Header
from email.utils import quote

from sqlalchemy import Connection

from skene_dagster.consent.suppressions import Scope, topic_scope
from skene_dagster.consent.tokens import Signer, Token
from skene_dagster.settings import Sender, Settings
from skene_dagster.settings.addresses import address_of

LOCALHOST = "http://localhost:8765"
"""Where `skene-dagster serve` serves the pages for mail that reaches none of its recipients."""

EXAMPLE = "example"
"""What stands in the place of a token in an email that is only shown: its link unsubscribes nobody."""

_LOCALE = re.compile(r"[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8}){0,3}")


@dataclass(frozen=True)
class Letterhead:
    """Who an email comes from, and how its recipient says no."""

    sender: Sender
    list_id: str = ""
    """The header that names its topic."""
    link: str | None = None
    """Where they say no, on our own pages; None: the sender's `unsubscribe_url` says where, if there is something to
    say no to."""

    @staticmethod
    def of(settings: Settings, topic: str | None) -> "Letterhead":
        """Return that of a topic's emails; its link is an example, which unsubscribes nobody."""
        sender = settings.sender_of(topic)
        if topic is None:
            return Letterhead(sender)
        link = f"{sender.public_url}/u/{EXAMPLE}" if sender.public_url else None
        return Letterhead(sender, _list_id(settings, topic), link)


@dataclass(frozen=True)
class Links:
    """Makes the links to our own pages in the emails of a topic."""

    base: str
    signer: Signer
    topic: str
    one_click: Scope
    ledger_id: str

    @staticmethod
    def of(
        connection: Connection, settings: Settings, topic: str | None, *, is_live: bool, ledger_id: str
    ) -> "Links | None":
        """Read the keys; None: there is nothing to say no to, or the pages are the product's own.

        Raises:
            StoreError: there are no keys.
        """
        if topic is None or not settings.sender.public_url:
            return None
        # skene.yaml names the pages of production, and what is not live must unsubscribe nobody there.
        base = settings.sender.public_url if is_live else LOCALHOST
        return Links(base, Signer.of(connection), topic, one_click(settings, topic), ledger_id)

    def to(self, names: Sequence[str], locale: object, send_id: str) -> str:
        """Return the link of one email.

        Args:
            names: what consent knows its recipient by: the user, and their address.
            locale: as the product has it; what is no language tag is none.
        """
        user, address = names
        known = locale if isinstance(locale, str) and _LOCALE.fullmatch(locale) else ""
        token = Token(address, user, self.topic, self.one_click, known, self.ledger_id, send_id)
        return f"{self.base}/u/{self.signer.sign(token)}"


def one_click(settings: Settings, topic: str) -> Scope:
    """Say what a click in a mail program stops, which shows senders and knows no topics.

    It is the topic if its sender writes about nothing else, while others write about other topics.
    """
    addresses = {name: address_of(settings.sender_of(name).from_) for name in settings.topics}
    others = {address for name, address in addresses.items() if name != topic}
    return topic_scope(topic) if others and addresses[topic] not in others else "marketing"


def headers(url: str, list_id: str) -> tuple[tuple[str, str], ...]:
    """Write the headers of a marketing email.

    Args:
        list_id: may be empty.
    """
    # RFC 8058; Gmail and Yahoo ask it of bulk senders since 2024-06. No provider adds any of them by itself.
    one_click = ("List-Unsubscribe", f"<{url}>"), ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")
    return (*one_click, ("List-Id", list_id)) if list_id else one_click


def _list_id(settings: Settings, topic: str) -> str:
    """Name a topic as RFC 2919 has it."""
    title = settings.topics[topic].title
    phrase = f'"{quote(title)}"' if title.isascii() else Header(title, "utf-8").encode(linesep="")
    domain = address_of(settings.sender_of(topic).from_).rpartition("@")[2]
    return f"{phrase} <{topic}.{domain}>"
