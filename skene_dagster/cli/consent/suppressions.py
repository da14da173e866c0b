"""skene-dagster suppressions."""

import click

from skene_dagster.cli.consent.add import add
from skene_dagster.cli.consent.export_file import export_file
from skene_dagster.cli.consent.import_file import import_file
from skene_dagster.cli.consent.lift import lift
from skene_dagster.cli.consent.list_suppressions import list_suppressions


@click.group(commands=[list_suppressions, add, lift, import_file, export_file])
def suppressions() -> None:
    """Show, extend and shorten the list of people whom some email may not reach (docs/consent.md)."""
