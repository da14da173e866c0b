"""skene-dagster schema."""

import click

from skene_dagster.loops.schema import schema_text


@click.command()
def schema() -> None:
    """Print the JSON Schema of a loop file.

    Editors check and complete a YAML loop that begins with
    `# yaml-language-server: $schema=<where you saved it>`.
    """
    click.echo(schema_text(), nl=False)
