"""skene-dagster approve."""

from functools import partial
from pathlib import Path

import click

from skene_dagster.cli.control import orders
from skene_dagster.cli.database import open_ledger
from skene_dagster.cli.screen import open_screen
from skene_dagster.delivery import controls, ledger
from skene_dagster.settings import load
from skene_dagster.store.engine import reading
from skene_dagster.wording import how_many


@click.command()
@click.argument("loop")
@click.option("--step", help="Only this step of the loop.")
@click.pass_obj
def approve(root: Path, *, loop: str, step: str | None) -> None:
    """Allow the first wave of LOOP, however large. Its next run sends it."""
    settings = load(root)
    plan, steps = orders.sending_steps(settings, loop, step)
    screen = open_screen()
    with open_ledger(settings) as (engine, clock):
        for one, scope in steps:
            waits = reading(engine, partial(ledger.deferred, scope=scope, by_row=one.by_row))
            orders.order(engine, partial(controls.approve, loop=plan.name, step=one.ledger_name, now=clock()))
            waiting = how_many(waits.get("first_wave", 0), "user waits", "users wait")
            screen.labelled("ok", f"{plan.name}, step {one.name}, may send its first wave; {waiting} for it.")
