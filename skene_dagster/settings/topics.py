"""The part of skene.yaml about topics: what recipients can say yes or no to."""

from typing import Literal

from skene_dagster.documents import Spec
from skene_dagster.settings.usage import Name

DEFAULT_TOPIC = "product"
"""The topic of loops that name none."""


class Topic(Spec):
    """What some marketing email is about, as its recipients understand it."""

    title: Name
    """What it is called on the preferences page."""
    text: str = ""
    """What it brings, in a sentence, on that page."""
    default: Literal["on", "off"] = "on"
    """`off`: only those are mailed who said yes."""
