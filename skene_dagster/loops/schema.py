"""The JSON Schema of a loop file: `python -m skene_dagster.loops.schema` prints it."""

import sys
from typing import Any

from skene_dagster import json_schema
from skene_dagster.loops.model import Loop


def loop_schema() -> dict[str, Any]:
    """Build the schema of a loop file."""
    return json_schema.build(Loop, "A loop of skene-dagster")


if __name__ == "__main__":
    sys.stdout.write(json_schema.text(loop_schema()))
