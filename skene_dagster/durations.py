"""Durations as people write them: `30s`, `10m`, `5h`, `7d`, `2w`."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from skene_dagster.documents import shown
from skene_dagster.wording import how_many

_SECONDS = {"d": 86400, "h": 3600, "m": 60, "s": 1, "w": 604800}
# Ten years: a moment minus a duration must be a date that every database can hold.
_LONGEST = 3650 * 86400


def duration(text: object) -> timedelta:
    """Read `30s`, `10m`, `5h`, `7d` or `2w`: more than nothing, at most ten years."""
    match = re.fullmatch(r"([0-9]{1,9})\s*([smhdw])", text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"{shown(text)} is not a duration. Write a number and a unit: 30s, 10m, 5h, 7d or 2w")
    seconds = int(match[1]) * _SECONDS[match[2]]
    if not 0 < seconds <= _LONGEST:
        raise ValueError(f"{shown(text)} is out of range. A duration is more than nothing and at most ten years")
    return timedelta(seconds=seconds)


def duration_text(value: timedelta) -> str:
    """Write a timedelta the way an author would: `30d`."""
    seconds = int(value.total_seconds())
    unit = next(unit for unit in "dhms" if seconds % _SECONDS[unit] == 0)
    return f"{seconds // _SECONDS[unit]}{unit}"


def duration_in_words(value: timedelta) -> str:
    """Write a timedelta as a reader says it: `30 days`."""
    text = duration_text(value)
    return how_many(int(text[:-1]), {"d": "day", "h": "hour", "m": "minute", "s": "second"}[text[-1]])


Duration = Annotated[
    timedelta,
    BeforeValidator(duration),
    PlainSerializer(duration_text),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9]{1,9}\s*[smhdw]$", "examples": ["10m", "30d"]}),
]
