"""Who an email comes from, and how its recipient says no: the link in it, and the headers of mail programs for it."""

from dataclasses import dataclass
from email.header import Header
from email.utils import quote

from skene_dagster.loops.plan import Email
from skene_dagster.settings import Sender, Settings
from skene_dagster.settings.addresses import address_of

EXAMPLE = "example"
"""What stands in the place of a token in an email that is only shown: its link unsubscribes nobody."""


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
    def of(settings: Settings, email: Email) -> "Letterhead":
        """Return that of an email; its link is an example, which unsubscribes nobody."""
        sender = settings.sender_of(email.topic, email.sender)
        if email.topic is None:
            return Letterhead(sender)
        link = page_of(sender.public_url, EXAMPLE) if sender.public_url else None
        return Letterhead(sender, _list_id(settings, email.topic), link)

    def headers(self, url: str) -> tuple[tuple[str, str], ...]:
        """Write the headers of a marketing email by which mail programs offer to unsubscribe at an address."""
        # RFC 8058; Gmail and Yahoo ask it of bulk senders since 2024-06. No provider adds any of them by itself.
        one_click = ("List-Unsubscribe", f"<{url}>"), ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")
        return (*one_click, ("List-Id", self.list_id)) if self.list_id else one_click


def page_of(base: str, token: str) -> str:
    """Return the address of the page on which a token is read."""
    return f"{base}/u/{token}"


def _list_id(settings: Settings, topic: str) -> str:
    """Name a topic as RFC 2919 has it: the same, whoever writes about it."""
    title = settings.topics[topic].title
    # RFC 2047: an encoded word has 75 characters at most. Python, 2026-11: it allows 76.
    phrase = f'"{quote(title)}"' if title.isascii() else Header(title, "utf-8", maxlinelen=75).encode(linesep="")
    domain = address_of(settings.sender_of(topic).from_).rpartition("@")[2]
    return f"{phrase} <{topic}.{domain}>"
