"""What should come of a loop, or of all of them together, as its author writes it."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import core_schema

from skene_dagster.documents import Spec
from skene_dagster.durations import Duration


class OneOrSeveral:
    """Says of a field that is a list: where there is one thing, it may stand there by itself."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_before_validator_function(
            lambda value: [value] if isinstance(value, Mapping | BaseModel) else value, handler(source)
        )

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        several = handler(schema)
        return {"anyOf": [several["items"], several]}


_Text = Annotated[str, Field(min_length=1)]


class Goal(Spec):
    """What should come of it; exactly one of `returns_within`, `event`, `feature`, `level` and `query`."""

    returns_within: Duration | None = None
    """The user is active again within this time."""
    event: _Text | None = None
    """The user does this: the event's name, as the product tracks it."""
    feature: _Text | None = None
    """The user adopts this feature, or adopts it again after lapsing: its name, as skene.yaml has it."""
    level: Literal["active", "power", "resurrected"] | None = None
    """The user enters this engagement level."""
    query: _Text | None = None
    """One SELECT of what counts: the users key, when it happened as `at`, and perhaps what it is worth as `value`."""
    within: Duration | None = None
    """The time for `event`, `feature`, `level` or `query`."""


Goals = Annotated[list[Goal], OneOrSeveral(), Field(min_length=1)]
"""One goal, or a list, of which the first decides."""
