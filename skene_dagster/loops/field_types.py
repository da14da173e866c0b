"""Types of fields of the loop format that are more than a word or a number."""

import math
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, PlainValidator, WithJsonSchema

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


def _asset_names(value: object) -> object:
    return [value] if isinstance(value, str) else value


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
Recipient = Literal["owner", "most_recently_active", "everybody"]
Text = Annotated[str, Field(min_length=1)]
AssetNames = Annotated[
    list[Text],
    Field(min_length=1),
    BeforeValidator(_asset_names, json_schema_input_type=Text | Annotated[list[Text], Field(min_length=1)]),
]
