"""What a value in a project's file may be, in whichever language it is written: how deep, how many, how large."""

import re

DEEPEST = 20
"""How deep values may be nested in a file."""

MOST_VALUES = 10_000
"""How many values a file may hold, each as often as it is referred to."""

LONE_HALF = re.compile("[\ud800-\udfff]")
"""Half a character, which no database and no email can hold; escapes such as \\ud83d alone make one."""

IN_RANGE = "Write a number that a database can hold."

_LONGEST = 30
_LARGEST = 2**63 - 1


def is_in_range(value: int) -> bool:
    """Say whether a whole number fits into 64 bits."""
    return abs(value) <= _LARGEST


def whole_number(text: str, base: int = 10) -> int:
    """Read a whole number.

    Raises:
        OverflowError: no database can hold it. (Python itself takes long over many digits, or refuses them.)
        ValueError: it is none.
    """
    if len(text) > _LONGEST:
        raise OverflowError
    value = int(text, base)
    if not is_in_range(value):
        raise OverflowError
    return value


def decimal_number(text: str) -> float:
    """Read a number with a point or an exponent.

    Raises:
        OverflowError: it is larger than any, and does not say that it is infinite.
        ValueError: it is none.
    """
    value = float(text)
    if value in {float("inf"), float("-inf")} and "inf" not in text.lower():
        raise OverflowError
    return value
