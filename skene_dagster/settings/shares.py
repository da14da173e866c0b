"""Parts of a whole, and multiples of it, as people write them: `10%`, `3x`."""

import math
import re
from decimal import Decimal
from typing import Annotated

from pydantic import PlainValidator, WithJsonSchema

from skene_dagster.documents import shown


def _share(value: object) -> float:
    percent = re.fullmatch(r"([0-9]{1,3}(?:\.[0-9]{1,6})?)\s*%", value) if isinstance(value, str) else None
    number = isinstance(value, int | float) and not isinstance(value, bool)
    share = float(Decimal(percent[1]) / 100) if percent else float(str(value)) if number else -1.0
    if not 0 <= share < 1:
        raise ValueError(f"{shown(value)} is not a share below the whole. Write it as 10% or 0.1")
    return share


def _multiple(value: object) -> float:
    times = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,6})?)\s*x", value) if isinstance(value, str) else None
    number = isinstance(value, int | float) and not isinstance(value, bool)
    multiple = float(times[1]) if times else float(str(value)) if number else -1.0
    if not 1 <= multiple <= _MOST or math.isnan(multiple):
        raise ValueError(f"{shown(value)} is not a multiple, from 1x to {_MOST:,}x. Write it as 3x or 3")
    return multiple


_MOST = 1_000_000

Share = Annotated[
    float,
    PlainValidator(_share),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": r"^[0-9]{1,2}(\.[0-9]{1,6})?\s*%$"},
                {"type": "number", "minimum": 0, "exclusiveMaximum": 1},
            ]
        }
    ),
]
Multiple = Annotated[
    float,
    PlainValidator(_multiple),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": r"^[0-9]{1,6}(\.[0-9]{1,6})?\s*x$"},
                {"type": "number", "minimum": 1, "maximum": _MOST},
            ]
        }
    ),
]
