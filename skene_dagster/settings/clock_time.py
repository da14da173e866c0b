"""Times of day as people write them: `09:00`."""

import re
from datetime import time
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from skene_dagster.documents import shown

_PATTERN = "([01][0-9]|2[0-3]):([0-5][0-9])"


def clock_time(value: object) -> time:
    """Read `09:00`: hours and minutes, from 00:00 to 23:59."""
    if isinstance(value, time):
        return value
    match = re.fullmatch(_PATTERN, value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{shown(value)} is not a time of day. Write hours and minutes, from 00:00 to 23:59")
    return time(int(match[1]), int(match[2]))


ClockTime = Annotated[
    time,
    BeforeValidator(clock_time),
    PlainSerializer(lambda value: f"{value:%H:%M}"),
    WithJsonSchema({"type": "string", "pattern": f"^{_PATTERN}$", "examples": ["09:00"]}),
]
