"""Whether an email may be sent to somebody: what stops it, and, where it takes consent, whether they gave it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeVar

from sqlalchemy import Connection

from skene_dagster.consent import preferences, suppressions
from skene_dagster.consent.suppressions import Scope, StopReason, topic_scope
from skene_dagster.settings import Settings

Refusal = Literal[StopReason, "no_consent"]
"""Why somebody is not mailed: what stops it, or that they never said yes to a topic that waits for it."""

TRANSACTIONAL: tuple[Scope, ...] = ("all",)
"""What stops an email that the recipient asked for."""

K = TypeVar("K")


@dataclass(frozen=True)
class Purpose:
    """What an email is for, as far as its recipient has a say."""

    topic: str | None
    """None: they asked for it."""
    needs_consent: bool = False
    """Only those are mailed who said yes."""

    @staticmethod
    def of(settings: Settings, topic: str | None) -> "Purpose":
        """Read it from the settings."""
        return Purpose(topic, topic is not None and settings.topics[topic].default == "off")

    @property
    def scopes(self) -> tuple[Scope, ...]:
        """The suppressions that stop it."""
        return TRANSACTIONAL if self.topic is None else (*suppressions.SCOPES, topic_scope(self.topic))


def refusals(
    connection: Connection,
    people: Mapping[K, Collection[str]],
    agreed: Collection[K],
    purpose: Purpose,
    now: datetime,
) -> dict[K, Refusal]:
    """Say to whom an email may not be sent, and why.

    What somebody answered last counts, by whichever of their names; what they agreed to in the product counts if they
    never answered.

    Args:
        people: by what names consent knows each.
        agreed: who agreed in the product.
    """
    every = {name for names in people.values() for name in names}
    stopped = suppressions.stopped(connection, every, purpose.scopes, now)
    found: dict[K, Refusal] = {
        key: why for key, names in people.items() if (why := suppressions.widest(names, stopped)) is not None
    }
    if purpose.topic is not None and purpose.needs_consent:
        said = preferences.newest(connection, every, topic_scope(purpose.topic))
        for key, names in people.items():
            answers = [said[name] for name in names if name in said]
            if key not in found and not (max(answers).is_yes if answers else key in agreed):
                found[key] = "no_consent"
    return found
