"""Functions that the embedded database lacks, with the meaning that they have in MySQL.

Every one is deterministic and answers NULL for NULL.
"""

import re
import sqlite3
import sys
from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal

from skene_dagster.store.sqlite import moments
from skene_dagster.store.sqlite.values import Value, decimal_of, rounded


def install(connection: sqlite3.Connection) -> None:
    """Register the functions on a connection."""
    for name, (function, arguments) in FUNCTIONS.items():
        connection.create_function(name, arguments, function, deterministic=True)


def concat(*values: Value) -> str | None:
    """Join the texts; NULL if one is NULL."""
    return None if any(value is None for value in values) else "".join(map(_text, values))


def concat_ws(separator: Value, *values: Value) -> str | None:
    """Join the texts that are not NULL with a separator."""
    return None if separator is None else _text(separator).join(_text(value) for value in values if value is not None)


def lower(value: Value) -> str | None:
    """Return the text in small letters, of any alphabet."""
    return None if value is None else _text(value).lower()


def upper(value: Value) -> str | None:
    """Return the text in capitals, of any alphabet; one letter stays one letter."""
    if value is None:
        return None
    return "".join(letter.upper() if len(letter.upper()) == 1 else letter for letter in _text(value))


def substring(value: Value, start: Value, length: Value = sys.maxsize) -> str | None:
    """Return a part of the text; letters count from one, from the end if negative."""
    first, many = decimal_of(start), decimal_of(length)
    if value is None or first is None or many is None:
        return None
    text, begin, size = _text(value), rounded(first), rounded(many)
    if begin < -len(text):
        return ""
    at = begin - 1 if begin > 0 else len(text) + begin
    return text[at : at + max(size, 0)]


def right(value: Value, length: Value) -> str | None:
    """Return the last letters."""
    many = decimal_of(length)
    if value is None or many is None:
        return None
    return _text(value)[-rounded(many) :] if rounded(many) > 0 else ""


def substring_index(value: Value, delimiter: Value, count: Value) -> str | None:
    """Return what stands before the count-th delimiter; from the end if negative."""
    many = decimal_of(count)
    if value is None or delimiter is None or many is None:
        return None
    number, text, cut = rounded(many), _text(value), _text(delimiter)
    if not cut:
        return ""
    return cut.join(text.split(cut)[:number] if number >= 0 else text.rsplit(cut)[number:])


def div(value: Value, divisor: Value) -> int | None:
    """Divide, and cut off towards zero; NULL for a division by zero."""
    first, second = decimal_of(value), decimal_of(divisor)
    return None if first is None or second is None or second == 0 else int(first / second)


def mod(value: Value, divisor: Value) -> int | float | None:
    """Return the remainder, with the sign of the dividend; NULL for a division by zero."""
    first, second = decimal_of(value), decimal_of(divisor)
    return None if first is None or second is None or second == 0 else _number(first % second)


def floor(value: Value) -> int | None:
    """Return the next whole number below."""
    number = decimal_of(value)
    return None if number is None else int(number.to_integral_value(ROUND_FLOOR))


def ceil(value: Value) -> int | None:
    """Return the next whole number above."""
    number = decimal_of(value)
    return None if number is None else int(number.to_integral_value(ROUND_CEILING))


def round_(value: Value, digits: Value = 0) -> int | float | None:
    """Round half away from zero."""
    number, places = decimal_of(value), decimal_of(digits)
    if number is None or places is None:
        return None
    return _number(number.quantize(Decimal(f"1e{-rounded(places)}"), ROUND_HALF_UP))


def signed(value: Value) -> int | None:
    """Cast to a whole number: a number is rounded, a text is read up to its first letter."""
    if isinstance(value, str):
        match = re.match(r"\s*[+-]?\d+", value)
        return int(match[0]) if match else 0
    number = decimal_of(value)
    return None if number is None else rounded(number)


def _number(number: Decimal) -> int | float:
    return int(number) if number == number.to_integral_value() else float(number)


def _text(value: Value) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


_ANY_NUMBER = -1
FUNCTIONS: dict[str, tuple[Callable[..., Value], int]] = {
    "skene_moment": (moments.moment, 1),
    "skene_any_moment": (moments.any_moment, 2),
    "skene_from_unixtime": (moments.from_unixtime, 1),
    "skene_shift": (moments.shift, 3),
    "skene_date": (moments.day, 1),
    "skene_last_day": (moments.last_day, 1),
    "skene_part": (moments.part, 2),
    "skene_datediff": (moments.datediff, 2),
    "skene_timestampdiff": (moments.timestampdiff, 3),
    "skene_unix_timestamp": (moments.unix_timestamp, 1),
    "skene_date_format": (moments.date_format, 2),
    "skene_concat": (concat, _ANY_NUMBER),
    "skene_concat_ws": (concat_ws, _ANY_NUMBER),
    "skene_lower": (lower, 1),
    "skene_upper": (upper, 1),
    "skene_substring": (substring, _ANY_NUMBER),
    "skene_right": (right, 2),
    "skene_substring_index": (substring_index, 3),
    "skene_div": (div, 2),
    "skene_mod": (mod, 2),
    "skene_floor": (floor, 1),
    "skene_ceil": (ceil, 1),
    "skene_round": (round_, _ANY_NUMBER),
    "skene_signed": (signed, 1),
}
"""By name: the function, and how many arguments it takes."""
