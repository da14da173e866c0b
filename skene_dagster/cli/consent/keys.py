"""skene-dagster keys."""

from pathlib import Path

import click

from skene_dagster.cli.database import open_ledger, shown_database
from skene_dagster.cli.screen import open_screen
from skene_dagster.consent import tokens
from skene_dagster.consent.writing import write
from skene_dagster.settings import load
from skene_dagster.store.engine import reading
from skene_dagster.wording import how_many


@click.command("list")
@click.pass_obj
def list_keys(root: Path) -> None:
    """Name the keys, and say which one signs. No key is shown."""
    settings = load(root)
    screen = open_screen()
    with open_ledger(settings) as (engine, _):
        *older, newest = reading(engine, tokens.names)
    screen.facts({"Database": shown_database(settings)})
    screen.line()
    for name in older:
        screen.line(f"  {name}  its links are accepted")
    screen.line(f"  {newest}  signs the links of new emails")


@click.command()
@click.pass_obj
def rotate(root: Path) -> None:
    """Draw a new key, which signs the links of all emails that are made from now on.

    The older keys stay for ever: the links of the emails that were sent go on working. So does whatever somebody could
    sign who learned one of them, and all that it can do is to unsubscribe people.
    """
    settings = load(root)
    screen = open_screen()
    with open_ledger(settings) as (engine, _):
        name = write(engine, tokens.rotate)
        older = len(reading(engine, tokens.names)) - 1
    screen.labelled("added", f"{name} signs the links of all emails that are made from now on.")
    stay = "stays, and its links go on working" if older == 1 else "stay, and their links go on working"
    screen.labelled("ok", f"{how_many(older, 'older key')} {stay}.")


@click.group(commands=[list_keys, rotate])
def keys() -> None:
    """The keys that sign the unsubscribe links in emails (docs/consent.md)."""
