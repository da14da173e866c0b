"""The JSON Schema of a loop file, for editors: `python -m skene_dagster.loops.schema` prints it."""

import json
import sys
from typing import Any

from pydantic.alias_generators import to_camel

from skene_dagster.loops.model import Loop


def loop_schema() -> dict[str, Any]:
    """Build the schema from the models; each field is known in camelCase and in snake_case, in one at a time."""
    schema = Loop.model_json_schema(by_alias=False)
    for part in (schema, *schema["$defs"].values()):
        _spell(part)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "A loop of skene-dagster"}


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
