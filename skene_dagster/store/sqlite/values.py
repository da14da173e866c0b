"""What a function of the embedded database is given, and how MySQL reads it as a number."""

import re
from decimal import ROUND_HALF_UP, Decimal

Value = str | int | float | bytes | None

_NUMBER = re.compile(r"\s*[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")


def decimal_of(value: Value) -> Decimal | None:
    """Read a number as MySQL does: of a text what it begins with, or zero."""
    if value is None:
        return None
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str):
        match = _NUMBER.match(value)
        return Decimal(match[0].strip()) if match else Decimal(0)
    number = Decimal(repr(value))
    # SQLite has an infinity, and MySQL none.
    return number if number.is_finite() else None


def rounded(number: Decimal) -> int:
    """Round half away from zero."""
    return int(number.to_integral_value(ROUND_HALF_UP))
