"""skene-dagster prompt."""

import click

from skene_dagster.init.files import template


@click.command()
def prompt() -> None:
    """Print the task that installs growth loops in a repository, for a coding agent.

    Paste it into the agent's chat. It needs neither an account nor a network.
    """
    click.echo(template("prompt.md"), nl=False)
