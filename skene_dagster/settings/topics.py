"""The parts of skene.yaml about topics: what recipients can say yes or no to, and who writes to them about it."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from skene_dagster.documents import Spec, shown
from skene_dagster.settings.addresses import CONTROLS, TURNS_TEXT, SenderText
from skene_dagster.settings.product import Sender, WarmUp
from skene_dagster.settings.usage import Key, Name

DEFAULT_TOPIC = "product"
"""The topic of loops that name none."""


def _one_line(text: str) -> str:
    if CONTROLS.search(text) or TURNS_TEXT.search(text):
        raise ValueError(f"{shown(text)} has a control character. Write it on one line")
    if "=?" in text:
        # Python's email, 2026-11: reads `=?utf-8?q?a=0Ab?=` in a header as two lines.
        raise ValueError(f"{shown(text)} would be read as an encoded word in a header. Write it without =?")
    if not text.strip():
        raise ValueError("The title is empty. Write what recipients call it: Product news")
    return text.strip()


Title = Annotated[Name, AfterValidator(_one_line)]


class Topic(Spec):
    """What some marketing email is about, as its recipients understand it."""

    title: Title
    """What it is called on the preferences page and in the header List-Id."""
    text: str = ""
    """What it brings, in a sentence, on that page."""
    default: Literal["on", "off"] = "on"
    """`off`: only those are mailed who said yes."""
    asked: str = ""
    """SQL over the users table: the moment when a user agreed to it in the product, or NULL."""
    sender: Key | None = None
    """The name in `senders` of who writes about it. Default: `sender`."""


class TopicSender(Spec):
    """Who the emails of some topics come from. What is left out is that of `sender`."""

    from_: SenderText = Field(alias="from", default="")
    """The From address, optionally with a name."""
    reply_to: SenderText | None = None
    """The address for replies."""
    postal_address: str = ""
    """The postal address."""
    warm_up: WarmUp | None = None
    """How much email leaves on a day while the domain of `from` is new."""

    def completed(self, sender: Sender) -> Sender:
        """Return all of a sender: what is not said here is as there."""
        said = {name: value for name in type(self).model_fields if (value := getattr(self, name))}
        return sender.model_copy(update=said)
