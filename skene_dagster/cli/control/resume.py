"""skene-dagster resume."""

from pathlib import Path

import click

from skene_dagster.cli.control import orders
from skene_dagster.cli.database import open_ledger
from skene_dagster.cli.screen import open_screen
from skene_dagster.delivery import controls
from skene_dagster.store.engine import reading, transaction


@click.command()
@click.argument("loop", required=False)
@click.option("--all", "every", is_flag=True, help="End the pause of all loops; those paused by name stay paused.")
@click.pass_obj
def resume(root: Path, *, loop: str | None, every: bool) -> None:
    """End the pause of LOOP. Its next run sends the waiting emails, unless they have waited too long."""
    settings = orders.chosen(root, loop, every=every)
    screen = open_screen()
    with open_ledger(settings) as (engine, clock):
        name = None if loop is None else orders.known(engine, settings, loop)
        was_paused = transaction(engine, lambda connection: controls.resume(connection, name, clock()))
        still = reading(engine, controls.paused)
    if controls.EVERY in still:
        screen.labelled("notice", "All loops are paused, including this one: skene-dagster resume --all")
    elif was_paused:
        screen.labelled("ok", "The pause of all loops is over." if name is None else f"{name} is resumed.")
    else:
        screen.labelled("notice", f"{'All loops together were' if name is None else f'{name} was'} not paused.")
    if name is None and still:
        screen.labelled("notice", f"Still paused by name: {', '.join(still)}.")
