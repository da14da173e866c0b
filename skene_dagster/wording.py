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


def of_all(number: int, total: int) -> str:
    """Write which part of a total a number is, roughly: `63 %`; what is not nothing never reads as nothing."""
    if not total or not number:
        return "0 %" if total else "-"
    part = 100 * number / total
    return "< 0.1 %" if part < 0.05 else f"{part:.1f} %" if part < 9.95 else f"{part:.0f} %"


def without_addresses(text: str) -> str:
    """Take email addresses out of a text: a database may quote a user's row, and a users key may be one."""
    return _ADDRESS.sub("(an address)", text)
