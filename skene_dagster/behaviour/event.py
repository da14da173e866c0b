"""An event as it was sent, checked as far as possible without the database; pure, and quick to import.

Nothing that is refused here is repeated in the refusal: events are about people, and refusals go into logs.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timezone
from decimal import Decimal
from uuid import UUID, uuid4

from skene_dagster.errors import EventRefused

NAME_LENGTH = 128
"""Characters of an event's name."""

PROPERTIES_BYTES = 32 * 1024
"""UTF-8 bytes of an event's properties as JSON."""

DEEPEST = 20
"""Objects and lists within each other. MariaDB, 2026-11: its JSON functions read 32, and no more; MySQL's, 100."""

_ID = re.compile(r"[!-~]{1,64}")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
# MySQL, 2026-11: a number that is no double makes JSON functions refuse the whole query, not the row.
_HUGE_NUMBER = re.compile(r"[0-9]{300}")


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a user did."""

    event_id: str
    """1 to 64 ASCII characters; the same id is the same event, sent again."""
    user: int | str | bytes | UUID
    """The user's id as it was sent; the database knows which of these types the users key has."""
    name: str
    occurred_at: datetime
    """Naive, in UTC."""
    properties: str | None
    """A JSON object; None where there are none."""
    by_our_clock: bool = False
    """Whether `occurred_at` was set by this machine's clock, which may differ from the database's."""


def new_event(
    user: object,
    name: object,
    properties: object = None,
    *,
    at: object = None,
    event_id: object = None,
) -> Event:
    """Check an event, and freeze it: later changes to `properties` do not affect it.

    Args:
        at: when it happened, as a datetime (a naive one is in UTC). Default: now.
        event_id: names the event. Default: a new id.

    Raises:
        EventRefused: it cannot be stored.
    """
    if user is None:
        raise EventRefused("The event names no user.")
    if not isinstance(user, int | str | bytes | UUID):
        raise EventRefused(f"The user's id is of type {type(user).__name__}.")
    if not isinstance(name, str):
        raise EventRefused("The event's name is not a string.")
    # On a server a name with trailing spaces equals the name without.
    name = str.strip(name)
    if not name or len(name) > NAME_LENGTH:
        raise EventRefused(f"The event's name must have 1 to {NAME_LENGTH} characters.")
    if _CONTROL.search(name):
        raise EventRefused("The event's name has control characters, or half a character.")
    if event_id is None:
        event_id = uuid4().hex
    elif not is_id(event_id):
        raise EventRefused("The event's id must have 1 to 64 ASCII characters, without spaces.")
    occurred_at = datetime.now(timezone.utc).replace(tzinfo=None) if at is None else _in_utc(at)
    assert isinstance(event_id, str)
    return Event(str.__str__(event_id), user, name, occurred_at, _json(properties) if properties else None, at is None)


def is_id(given: object) -> bool:
    """Whether this can be the id of an event as it is."""
    return isinstance(given, str) and _ID.fullmatch(given) is not None


def _in_utc(at: object) -> datetime:
    if not isinstance(at, datetime):
        raise EventRefused("The event's time is not a datetime.")
    if at.tzinfo is None:
        return at
    try:
        return at.astimezone(timezone.utc).replace(tzinfo=None)
    except OverflowError:
        raise EventRefused("The event's time cannot be written in UTC.") from None


def _json(properties: object) -> str:
    if not isinstance(properties, Mapping):
        raise EventRefused("The event's properties are not an object with string keys.")
    try:
        given = properties if isinstance(properties, dict) else dict(properties)
        text = json.dumps(given, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain)
        size = len(text.encode())
    except UnicodeEncodeError:
        raise EventRefused("The event's properties have half a character in a string.") from None
    except RecursionError:
        raise EventRefused(f"The event's properties are nested more than {DEEPEST} deep.") from None
    except Exception as error:  # noqa: BLE001 - an object of the caller's may raise anything when it is read
        raise EventRefused(f"The event's properties cannot be written as JSON ({type(error).__name__}).") from None
    if size > PROPERTIES_BYTES:
        raise EventRefused(f"The event's properties are larger than {PROPERTIES_BYTES} bytes.")
    if text.count("{") + text.count("[") > DEEPEST and _depth(text) > DEEPEST:
        raise EventRefused(f"The event's properties are nested more than {DEEPEST} deep.")
    if _HUGE_NUMBER.search(text) and _has_huge_number(json.loads(text)):
        raise EventRefused("The event's properties have a number that no database can hold.")
    return text


def _plain(value: object) -> str:
    if isinstance(value, date | Decimal | UUID):
        return value.isoformat() if isinstance(value, date) else str(value)
    raise TypeError


def _depth(text: str) -> int:
    """Count how deep objects and lists are nested; brackets inside strings do not count."""
    depth = deepest = 0
    for part in re.findall(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', text):
        if part in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif part in "]}":
            depth -= 1
    return deepest


def _has_huge_number(value: object) -> bool:
    if isinstance(value, dict):
        return any(_has_huge_number(inner) for inner in value.values())
    if isinstance(value, list):
        return any(_has_huge_number(inner) for inner in value)
    return isinstance(value, int) and abs(value) >= 10**300
