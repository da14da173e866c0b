"""Numbers, moments and other people's texts, as people read them."""

import re
from datetime import datetime

_ADDRESS = re.compile(r"[^\s'\"<>(),;:=]+@[^\s'\"<>(),;:=]+")


def how_many(n: int, thing: str, things: str | None = None) -> str:
    """Write a number and its noun: `1 user`, `2,000 users`."""
    return f"{n:,} {thing if n == 1 else things or thing + 's'}"


def in_words(at: datetime) -> str:
    """Write a moment, which is in UTC."""
    return f"{at:%d %b %Y, %H:%M} UTC"


def percent(share: float) -> str:
    """Write a part of a whole, to six decimals at most: `10%`."""
    return f"{share * 100:.6f}".rstrip("0").rstrip(".") + "%"


def without_addresses(text: str) -> str:
    """Take email addresses out of a text: a database may quote a user's row, and a users key may be one."""
    return _ADDRESS.sub("(an address)", text)
