"""A mapped column that holds moments: its name, or its name and what its numbers count."""

from typing import Annotated, Literal

from pydantic import BeforeValidator

from skene_dagster.documents import Spec
from skene_dagster.settings.names import Identifier

Unit = Literal["seconds", "milliseconds"]


class MomentColumn(Spec):
    """A column that holds moments, as numbers if it has a unit."""

    column: Identifier
    """The column's name."""
    unit: Unit | None = None
    """What its numbers count since the beginning of 1970 (UTC); leave it out if it holds dates and times."""

    def __repr__(self) -> str:
        # What is rolled up is counted again when this changes: a name alone is what it was before there were units.
        return repr(self.column) if self.unit is None else f"{self.column!r} in {self.unit}"


def _named(value: object) -> object:
    return value if isinstance(value, dict | MomentColumn) else {"column": value}


Moments = Annotated[MomentColumn, BeforeValidator(_named, json_schema_input_type=Identifier | MomentColumn)]
