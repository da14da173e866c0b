"""The JSON Schema of a loop file, for editors: `python -m skene_dagster.loops.schema` prints it."""

import ast
import inspect
import json
import sys
from itertools import pairwise
from typing import Any

from pydantic import BaseModel
from pydantic.alias_generators import to_camel

from skene_dagster.loops import model
from skene_dagster.loops.model import Loop


def loop_schema() -> dict[str, Any]:
    """Build the schema from the models; each field is known in camelCase and in snake_case, in one at a time."""
    schema = Loop.model_json_schema(by_alias=False)
    for name, part in ({Loop.__name__: schema} | schema["$defs"]).items():
        _explain(part, explanations(getattr(model, name)))
        _spell(part)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "A loop of skene-dagster"}


def explanations(model: type[BaseModel]) -> dict[str, str]:
    """Read the text under each field of a model.

    Pydantic can do it too, but does it when the model is made: 0.1 s of every process (measured 2026-11).
    """
    (made,) = ast.parse(inspect.getsource(model)).body
    assert isinstance(made, ast.ClassDef)
    found: dict[str, str] = {}
    for field, text in pairwise(made.body):
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            found[ast.unparse(field.target)] = inspect.cleandoc(str(text.value.value))
    return found


def _explain(part: dict[str, Any], texts: dict[str, str]) -> None:
    for name, text in texts.items():
        part["properties"][name] = dict(sorted((part["properties"][name] | {"description": text}).items()))


def _spell(part: dict[str, Any]) -> None:
    properties = part.get("properties", {})
    # `is_` and `for_` are Python's way to write words that Python keeps for itself.
    part["properties"] = {name.rstrip("_"): value for name, value in properties.items()}
    if "required" in part:
        part["required"] = [name.rstrip("_") for name in part["required"]]
    for name in list(part["properties"]):
        camel = to_camel(name)
        if camel != name:
            part["properties"][camel] = part["properties"][name]
            part.setdefault("allOf", []).append({"not": {"required": [name, camel]}})


def schema_text() -> str:
    """Return the schema as it is committed in loop.schema.json."""
    return json.dumps(loop_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema_text())
