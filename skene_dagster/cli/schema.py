"""skene-dagster schema."""

import click

from skene_dagster import json_schema
from skene_dagster.loops.schema import loop_schema
from skene_dagster.settings.schema import settings_schema


@click.command()
@click.option("--settings", is_flag=True, help="Print the schema of skene.yaml instead.")
def schema(*, settings: bool) -> None:
    """Print the JSON Schema of a loop file.

    Editors check and complete a YAML file that begins with
    `# yaml-language-server: $schema=<where you saved it>`.
    """
    click.echo(json_schema.text(settings_schema() if settings else loop_schema()), nl=False)
