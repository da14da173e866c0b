"""skene-dagster users."""

import click

from skene_dagster.cli.users.export import export


@click.group(commands=[export])
def users() -> None:
    """What we hold of one user (docs/consent.md)."""
