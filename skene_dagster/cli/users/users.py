"""skene-dagster users."""

import click

from skene_dagster.cli.users.erase import erase


@click.group(commands=[erase])
def users() -> None:
    """Erase what is known of a user (docs/consent.md)."""
