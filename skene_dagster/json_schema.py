"""The JSON Schema of a file that people write, built from its models; for editors."""

import ast
import inspect
import json
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any

from pydantic import BaseModel
from pydantic.alias_generators import to_camel

from skene_dagster.documents import models_in
from skene_dagster.durations import duration_text


def build(model: type[BaseModel], title: str) -> dict[str, Any]:
    """Build the schema from the file's model; each field is known in camelCase and in snake_case, one at a time."""
    schema = model.model_json_schema(by_alias=False)
    for found in {*_parts(model)}:
        part = schema if found is model else schema["$defs"][found.__name__]
        _explain(part, explanations(found))
        _show_defaults(part, found)
        _close(part)
        _spell(part)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": title}


def text(schema: dict[str, Any]) -> str:
    """Write a schema as it is committed."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def explanations(model: type[BaseModel]) -> dict[str, str]:
    """Read the text under each field of a model.

    Pydantic can do this too, but does it when the model is defined: 0.1 s in every process (measured 2026-11).
    """
    (made,) = ast.parse(inspect.getsource(model)).body
    assert isinstance(made, ast.ClassDef)
    found: dict[str, str] = {}
    for field, said in pairwise(made.body):
        if isinstance(field, ast.AnnAssign) and isinstance(said, ast.Expr) and isinstance(said.value, ast.Constant):
            found[ast.unparse(field.target)] = inspect.cleandoc(str(said.value.value))
    return found


def _parts(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    yield model
    for field in model.model_fields.values():
        for inner in models_in(field.annotation):
            yield from _parts(inner)


def _explain(part: dict[str, Any], texts: dict[str, str]) -> None:
    for name, said in texts.items():
        part["properties"][name] = dict(sorted((part["properties"][name] | {"description": said}).items()))


def _show_defaults(part: dict[str, Any], model: type[BaseModel]) -> None:
    """Write a duration as people do (pydantic writes P3D); a whole part describes its default itself."""
    for name, field in model.model_fields.items():
        if isinstance(field.default, timedelta):
            part["properties"][name]["default"] = duration_text(field.default)
        elif isinstance(field.default, BaseModel):
            del part["properties"][name]["default"]


def _close(part: dict[str, Any]) -> None:
    """Refuse entries with an invalid name; JSON Schema lets them pass, the models do not."""
    for named in part["properties"].values():
        if "patternProperties" in named:
            named["additionalProperties"] = False


def _spell(part: dict[str, Any]) -> None:
    properties = part.get("properties", {})
    # `is_` and `for_` are how Python writes its own keywords as names.
    part["properties"] = {name.rstrip("_"): value for name, value in properties.items()}
    if "required" in part:
        part["required"] = [name.rstrip("_") for name in part["required"]]
    for name in list(part["properties"]):
        camel = to_camel(name)
        if camel != name:
            part["properties"][camel] = part["properties"][name]
            part.setdefault("allOf", []).append({"not": {"required": [name, camel]}})
