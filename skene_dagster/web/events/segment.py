"""Messages as Segment's libraries send them, read as events. Only `track` is stored.

`identify` and the others say who somebody is; for that we read the product's own users table. A message with only an
anonymousId matches nobody in that table. Both kinds are accepted, counted and not stored.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any, Literal, get_args

from pydantic import TypeAdapter, ValidationError

from skene_dagster.behaviour.event import Event, new_event
from skene_dagster.errors import EventRefused

Type = Literal["track", "identify", "page", "screen", "group", "alias"]

STORED = "track"

_SAID = ("userId", "event", "properties", "timestamp")
"""What makes a message of one messageId another event."""

_DIGITS = 20
"""Hex digits of what a message says in its event's id: 80 bits."""

_NAMED = 64 - _DIGITS - 1
"""Characters of the messageId in its event's id, for people to find it by."""

_NOT_IN_IDS = re.compile("[^!-~]")

_TIME: TypeAdapter[datetime] = TypeAdapter(datetime)


def event_of(message: object, *, sent_at: object, received: datetime, type_: Type | None = None) -> Event | None:
    """Read a message; None for one that is accepted but not stored.

    Args:
        sent_at: when the client says that it sent the message's batch, where the message does not say so itself.
        received: when it was received, naive and in UTC.
        type_: what the message is, where its path says so.

    Raises:
        EventRefused: it is not a message, or not an event that can be stored.
    """
    if not isinstance(message, dict):
        raise EventRefused("The message is not a JSON object.")
    kind = type_ or message.get("type")
    if kind not in get_args(Type):
        raise EventRefused("The message's type is not track, identify, page, screen, group or alias.")
    user = message.get("userId")
    if user is None or user == "":
        if not message.get("anonymousId"):
            raise EventRefused("The message has neither userId nor anonymousId.")
        return None
    if kind != STORED:
        return None
    at = _corrected(message, sent_at, received)
    event = new_event(user, message.get("event"), message.get("properties"), at=at)
    named = message.get("messageId")
    return event if named is None or named == "" else replace(event, event_id=_id(named, message))


def _id(named: object, message: Mapping[str, Any]) -> str:
    """Make an event's id of the messageId and of what the message says: sent again, it is the same event.

    Segment, 2026-11: it goes by the messageId alone, whoever sent it. Two writers that both count from 1 would lose
    each other's events, and whoever guesses an id could make an event vanish.
    """
    if isinstance(named, int) and not isinstance(named, bool):
        named = str(named)
    if not isinstance(named, str):
        raise EventRefused("The message's messageId is not a string.")
    # When it was sent is another time each time, and so is what follows from that.
    said = json.dumps([named, *(message.get(part) for part in _SAID)], sort_keys=True)
    return f"{_NOT_IN_IDS.sub('_', named)[:_NAMED]}.{hashlib.sha256(said.encode()).hexdigest()[:_DIGITS]}"


def _corrected(message: Mapping[str, Any], sent_at: object, received: datetime) -> datetime:
    """Convert the time of an event from the client's clock to ours.

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
        raise EventRefused("The message's timestamp and sentAt are too far apart.") from None


def _time(told: object, name: str) -> datetime:
    wrong = EventRefused(f"The message's {name} is not a time in ISO 8601 format.")
    if not isinstance(told, str):
        raise wrong
    try:
        at = _TIME.validate_python(told)
        return at.astimezone(timezone.utc).replace(tzinfo=None) if at.tzinfo else at
    except (ValidationError, OverflowError):
        raise wrong from None
