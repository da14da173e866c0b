"""Somebody invented, whose columns have the types of the product's own: for emails that anybody may look at."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID

from skene_dagster.settings import Users

ADDRESS = "ada@example.org"

NUMBER = 12

AGO = timedelta(days=9, hours=3)
"""How long ago something was."""

_BY_NAME: Sequence[tuple[str, object]] = (
    (r"e?mail", ADDRESS),
    (r"url|link|website|avatar", "https://example.org/"),
    (r"surname|family_?name|last_?name", "Example"),
    (r"company|organi[sz]ation|account_?name|team", "Example Ltd"),
    (r"first_?name|given_?name|nick|name", "Ada"),
    (r"locale|lang", "en"),
    (r"zone", "UTC"),
    (r"country", "DE"),
    (r"city", "Exampletown"),
    (r"plan|tier", "pro"),
    (r"phone", "+49 30 000000"),
    (r"(^|_)(n|num|number|count|total|amount|sum|days|uses|used|points|streak|score)($|_)", NUMBER),
)
"""What a column has by its name, if its type is not known, or a text; the first that matches."""

_OF_THEIR_TYPE: Mapping[type, object] = {
    bool: True,
    int: NUMBER,
    float: float(NUMBER),
    Decimal: Decimal(NUMBER),
    time: time(9, 30),
    timedelta: timedelta(hours=9, minutes=30),
    UUID: UUID(int=NUMBER),
}


def columns(
    names: Iterable[str], seen: Sequence[Mapping[str, object]], now: datetime, users: Users | None = None
) -> dict[str, object]:
    """Invent a value for each column, of the type of those that are there; of those nothing is taken but the type.

    Args:
        seen: some rows of the product's.
        now: what was, was before.
        users: what skene.yaml says of the columns, if they are those of the users table.
    """
    roles: dict[str | None, object] = {}
    if users is not None:
        roles = {users.timezone: "UTC", users.locale: "en", users.plan: "pro", users.name: "Ada", users.email: ADDRESS}
    found: dict[str, object] = {}
    for name in names:
        example = next((row[name] for row in seen if row.get(name) is not None), None)
        found[name] = roles[name] if name in roles else _like(name, example, now - AGO)
    return found


def _like(name: str, example: object, moment: datetime) -> object:
    # A boolean is an integer, and a moment is a date.
    known = next((value for kind, value in _OF_THEIR_TYPE.items() if type(example) is kind), None)
    match example:
        case datetime():
            return moment
        case date():
            return moment.date()
        case bytes():
            return b"example"
        case str() if _is_a_moment(example):
            return moment.isoformat(example[10:11] or " ", "seconds")[: len(example)]
        case str() if example.strip().isdigit():
            return str(NUMBER)
        case str() | None:
            text = _by_name(name, moment)
            return text if example is None or isinstance(text, str) else str(text)
        case _:
            return known


def _is_a_moment(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _by_name(name: str, moment: datetime) -> object:
    lower = name.lower()
    if re.search(r"_(at|on)$|date|since", lower):
        return moment
    found = next((value for pattern, value in _BY_NAME if re.search(pattern, lower)), None)
    return f"example {lower.replace('_', ' ')}" if found is None else found
