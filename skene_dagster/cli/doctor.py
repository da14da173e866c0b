"""skene-dagster doctor."""

from pathlib import Path

import click

from skene_dagster.cli.database import shown_database
from skene_dagster.cli.examining import examine_database, examine_sender
from skene_dagster.cli.group import LOOK, REFUSED
from skene_dagster.cli.screen import open_screen
from skene_dagster.project import load_project
from skene_dagster.settings import load


@click.command()
@click.pass_context
def doctor(context: click.Context) -> None:
    """Check what a run needs: connection, encryption, rights, clocks, tables, the sender's key and domain.

    Says what to do where something is missing. Writes nothing that stays, and sends nothing. Ends with 3 when a run
    would fail, with 4 when a person should look.
    """
    root: Path = context.obj
    screen = open_screen()
    settings = load(root)
    project = load_project(settings)
    seen = set()
    screen.line(shown_database(settings), "bold")
    for found in examine_database(settings, project):
        seen.add(found.label)
        screen.labelled(found.label, f"{found.said} {found.advice}".strip())
    screen.line()
    screen.line("Sender", "bold")
    for found in examine_sender(settings):
        seen.add(found.label)
        screen.labelled(found.label, f"{found.said} {found.advice}".strip())
    if "error" in seen:
        context.exit(REFUSED)
    if "notice" in seen:
        context.exit(LOOK)
