"""skene-dagster pause."""

from pathlib import Path

import click

from skene_dagster.cli.control import orders
from skene_dagster.cli.database import open_ledger
from skene_dagster.cli.screen import open_screen
from skene_dagster.delivery import controls


@click.command()
@click.argument("loop", required=False)
@click.option("--all", "every", is_flag=True, help="All loops, including future ones.")
@click.pass_obj
def pause(root: Path, *, loop: str | None, every: bool) -> None:
    """Stop LOOP from sending until resume, whatever runs it.

    At most the batch already on its way still leaves. Segments are still refreshed; the first tick after resume decides
    about users who entered in the meantime.
    """
    settings = orders.chosen(root, loop, every=every)
    with open_ledger(settings) as (engine, clock):
        name = None if loop is None else orders.known(engine, settings, loop)
        orders.order(engine, lambda connection: controls.pause(connection, name, clock()))
    what, back = ("All loops are", "--all") if name is None else (f"{name} is", name)
    open_screen().labelled("ok", f"{what} paused. To go on: skene-dagster resume {back}")
