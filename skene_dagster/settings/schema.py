"""The JSON Schema of skene.yaml: `python -m skene_dagster.settings.schema` prints it."""

import sys
from typing import Any

from skene_dagster import json_schema
from skene_dagster.settings import ProjectFile


def settings_schema() -> dict[str, Any]:
    """Build the schema of skene.yaml."""
    return json_schema.build(ProjectFile, "skene.yaml of skene-dagster")


if __name__ == "__main__":
    sys.stdout.write(json_schema.text(settings_schema()))
