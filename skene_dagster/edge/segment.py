"""Messages as Segment's libraries send them, read as events. Only `track` is stored.

`identify` and the others say who somebody is: that stands in the product's own users table, which is read where it is.
Who is known by an anonymousId only is nobody of that table. Both are taken, counted and not stored.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from skene_dagster.audience.event import Event, is_id, new_event
from skene_dagster.errors import EventRefused

Type = Literal["track", "identify"]

STORED = "track"
NOT_STORED = frozenset({"identify", "page", "screen", "group", "alias"})

_TIME: TypeAdapter[datetime] = TypeAdapter(datetime)


def event_of(message: object, *, sent_at: object, received: datetime, type_: Type | None = None) -> Event | None:
    """Read a message; None for one that is taken and not stored.

    Args:
        sent_at: when the client says that it sent the message's batch, where the message does not say so itself.
        received: when it was received, naive and in UTC.
        type_: what the message is, where its path says so.

    Raises:
        EventRefused: it is no message, or no event that can be stored.
    """
    if not isinstance(message, dict):
        raise EventRefused("The message is not a JSON object.")
    kind = type_ or message.get("type")
    if kind != STORED and kind not in NOT_STORED:
        raise EventRefused("The message's type is not track, identify, page, screen, group or alias.")
    user = message.get("userId")
    if user is None or user == "":
        if not message.get("anonymousId"):
            raise EventRefused("The message has neither userId nor anonymousId.")
        return None
    if kind != STORED:
        return None
    properties = message.get("properties")
    at = _corrected(message, sent_at, received)
    return new_event(user, message.get("event"), properties, at=at, event_id=_id(message.get("messageId")))


def _id(told: object) -> str | None:
    """Make the messageId an event's id; one that is too long, or not ASCII, by a hash that is always the same."""
    if told is None or told == "":
        return None
    if isinstance(told, int) and not isinstance(told, bool):
        told = str(told)
    if not isinstance(told, str):
        raise EventRefused("The message's messageId is not a text.")
    return told if is_id(told) else hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()


def _corrected(message: Mapping[str, Any], sent_at: object, received: datetime) -> datetime:
    """Say when it happened by our clock: as long before it was received as it was before it was sent, by the client's.

    Segment, 2026-11: timestamp = receivedAt - (sentAt - originalTimestamp), where the client gives both.
    """
    told = message.get("timestamp")
    if told is None:
        return received
    happened = _time(told, "timestamp")
    own = message.get("sentAt")
    sent = sent_at if own is None else own
    if sent is None:
        return happened
    try:
        return received - (_time(sent, "sentAt") - happened)
    except OverflowError:
        raise EventRefused("The message's timestamp and sentAt lie too far apart.") from None


def _time(told: object, name: str) -> datetime:
    wrong = EventRefused(f"The message's {name} is not a time as ISO 8601 writes it.")
    if not isinstance(told, str):
        raise wrong
    try:
        at = _TIME.validate_python(told)
        return at.astimezone(timezone.utc).replace(tzinfo=None) if at.tzinfo else at
    except (ValidationError, OverflowError):
        raise wrong from None
