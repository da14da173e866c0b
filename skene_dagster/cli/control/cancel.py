"""skene-dagster cancel."""

from pathlib import Path

import click

from skene_dagster.cli.control import orders
from skene_dagster.cli.database import open_ledger
from skene_dagster.cli.screen import confirmed, open_screen
from skene_dagster.delivery import controls, ledger
from skene_dagster.store.engine import transaction
from skene_dagster.wording import how_many


@click.command()
@click.argument("loop")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.pass_obj
def cancel(root: Path, *, loop: str, yes: bool) -> None:
    """Drop the emails that are reserved for LOOP now.

    Emails already attempted are left to be settled. Later ticks go on; to stop those as well, use pause.
    """
    settings = orders.chosen(root, loop, every=False)
    with open_ledger(settings) as (engine, clock):
        name = orders.known(engine, settings, loop)
        if not yes:
            confirmed(f"Cancel what is reserved for {name}?")
        now = clock()
        orders.order(engine, lambda connection: controls.cancel(connection, name, now))
        dropped = transaction(engine, lambda connection: ledger.cancel(connection, name, now, clock()))
    emails = how_many(dropped, "email")
    open_screen().labelled(
        "ok", f"{emails} of {name} will not be sent. A run that holds more of them drops them itself."
    )
