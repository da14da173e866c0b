"""What the code says of the fields of files that people write: their defaults, and the words that they take."""

from collections.abc import Iterator
from datetime import time, timedelta
from typing import Annotated, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from skene_dagster.documents import Spec, models_in
from skene_dagster.durations import duration_text
from skene_dagster.json_schema import explanations
from skene_dagster.loops import model
from skene_dagster.settings import EventUser, Example, Goal, MomentColumn

NONE_IN_WORDS = frozenset({"\u2013", "ours", "see there", "see below", "none", "see their rows"})
"""What a table may say of a field without a default that can be written."""


def name_of(field: str) -> str:
    """Write a field's name as authors do: `is_` is Python's way to write a word that Python keeps for itself."""
    return field.removesuffix("_")


def default_of(field: FieldInfo) -> str | None:
    """Say a default as a table does; None where the table may say it in words."""
    if field.is_required():
        return "needed"
    default = field.get_default(call_default_factory=True)
    if isinstance(default, time):
        return f"`{default:%H:%M}`"
    if isinstance(default, timedelta):
        return f"`{duration_text(default)}`"
    if isinstance(default, MomentColumn | EventUser):
        return f"`{default.column}`"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if (
        isinstance(default, BaseModel)
        or (not default and default != 0)
        or (default == 0 and isinstance(default, float))
    ):
        return None
    return f"`{default}`"


def words_of(annotation: object) -> tuple[str, ...]:
    """List the words that a field takes, where these are all that it takes."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return words_of(get_args(annotation)[0])
    return get_args(annotation) if origin is Literal else ()


def parts_of(part: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """List the models in a model, however deep."""
    for field in part.model_fields.values():
        for found in models_in(field.annotation):
            yield found
            yield from parts_of(found)


def parts_of_a_loop() -> dict[str, type[Spec]]:
    """Find the part of the format that a heading of docs/loop-format.md is about."""
    kinds = {
        f"`type: {words_of(part.model_fields['type'].annotation)[0]}`": part
        for part in vars(model).values()
        if isinstance(part, type) and issubclass(part, Spec) and part not in {Spec, model.Loop}
        if "type" in part.model_fields
    }
    return {**kinds, "The loop": model.Loop, "A step": model.Step, "The goal": Goal, "Recovery": model.Recovery}


def settings_fields(of: type[BaseModel], before: str = "") -> Iterator[tuple[str, FieldInfo, str]]:
    """Every field of skene.yaml as its author writes it (`features.<name>.title`), and what the code says of it."""
    said = explanations(of)
    for name, field in of.model_fields.items():
        path = before + name_of(name)
        # The same wherever they stand: each is described once.
        inside = [part for part in models_in(field.annotation) if part not in (Example, Goal, MomentColumn, EventUser)]
        is_a_part = isinstance(field.annotation, type) and bool(inside)
        if not is_a_part:
            yield path, field, said[name]
        is_named = "dict[" in str(field.annotation)
        for part in inside:
            yield from settings_fields(part, f"{path}.<name>." if is_named else f"{path}.")
