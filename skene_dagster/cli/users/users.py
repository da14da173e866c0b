"""skene-dagster users."""

import click

from skene_dagster.cli.users.erase import erase
from skene_dagster.cli.users.export import export


@click.group(commands=[export, erase])
def users() -> None:
    """Export what we hold of one user, or erase it (docs/consent.md)."""
