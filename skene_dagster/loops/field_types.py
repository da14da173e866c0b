"""Types of fields of the loop format that are more than a word or a number."""

import math
import re
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, PlainSerializer, PlainValidator, WithJsonSchema

from skene_dagster.documents import shown
from skene_dagster.durations import duration, duration_text


def _column_value(value: object) -> object:
    if isinstance(value, str | bool | int | None) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise ValueError(f"A column takes a string, a number, true, false or null, not {shown(value)}")


def _repeat(value: object) -> object:
    if value in ("once", "every_entry"):
        return value
    try:
        return duration(value)
    except ValueError as bad:
        raise ValueError(f"{bad}; or `once`; or `every_entry`") from None


def _share(value: object) -> float:
    percent = re.fullmatch(r"([0-9]{1,3}(?:\.[0-9]{1,6})?)\s*%", value) if isinstance(value, str) else None
    number = isinstance(value, int | float) and not isinstance(value, bool)
    share = float(Decimal(percent[1]) / 100) if percent else float(str(value)) if number else -1.0
    if not 0 <= share < 1:
        raise ValueError(f"{shown(value)} is not a share below the whole. Write it as 10% or 0.1")
    return share


Scalar = str | int | float | bool | None
ColumnValue = Annotated[
    Scalar, PlainValidator(_column_value), WithJsonSchema({"type": ["string", "number", "boolean", "null"]})
]
Repeat = Annotated[
    Literal["once", "every_entry"] | timedelta,
    PlainValidator(_repeat),
    PlainSerializer(lambda value: duration_text(value) if isinstance(value, timedelta) else value),
    WithJsonSchema({"type": "string", "pattern": r"^(once|every_entry|[0-9]{1,9}\s*[smhdw])$"}),
]
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
Text = Annotated[str, Field(min_length=1)]
