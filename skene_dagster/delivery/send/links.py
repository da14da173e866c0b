"""The links in emails that are sent: each of its own, signed, about one recipient and one topic."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from skene_dagster import locales
from skene_dagster.consent.suppressions import Scope, topic_scope
from skene_dagster.consent.tokens import Signer, Token
from skene_dagster.delivery.email.letterhead import page_of
from skene_dagster.loops.plan import Email
from skene_dagster.settings import Settings
from skene_dagster.settings.addresses import address_of

LOCALHOST = "http://localhost:8765"
"""Where `skene-dagster serve` serves the pages for mail that reaches none of its recipients."""


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
        connection: Connection, settings: Settings, email: Email, *, is_live: bool, ledger_id: str
    ) -> "Links | None":
        """Read the keys; None: there is nothing to say no to, or the pages are the product's own.

        Raises:
            StoreError: there are no keys.
        """
        topic = email.topic
        if topic is None or not settings.sender.public_url:
            return None
        # skene.yaml names the pages of production, and what is not live must unsubscribe nobody there.
        base = settings.sender.public_url if is_live else LOCALHOST
        return Links(base, Signer.of(connection), topic, one_click(settings, topic, email.sender), ledger_id)

    def to(self, names: Sequence[str], locale: object, send_id: str) -> str:
        """Return the link of one email.

        Args:
            names: what consent knows its recipient by: the user, and their address.
            locale: as the product has it; what is no language tag is none.
        """
        user, address = names
        tag = locales.spelled(locales.tag_of(locale))
        token = Token(address, user, self.topic, self.one_click, tag, self.ledger_id, send_id)
        return page_of(self.base, self.signer.sign(token))


def one_click(settings: Settings, topic: str, named: str | None = None) -> Scope:
    """Say what a click in a mail program stops, which shows senders and knows no topics.

    It is the topic if its sender writes about nothing else, while others write about other topics. Whom a step names
    may be named by steps of any topic.

    Args:
        named: the sender that the email's step names.
    """
    own, address = (address_of(settings.sender_of(topic, one).from_) for one in (None, named))
    return topic_scope(topic) if address == own and not settings.shares_its_address(topic) else "marketing"
