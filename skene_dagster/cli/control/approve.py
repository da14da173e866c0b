"""skene-dagster approve."""

from functools import partial
from pathlib import Path

import click

from skene_dagster.cli.choosing import plan_of, sends, steps_of
from skene_dagster.cli.control import orders
from skene_dagster.cli.database import open_ledger
from skene_dagster.cli.screen import how_many, open_screen
from skene_dagster.delivery import controls, ledger, modes
from skene_dagster.delivery.ledger import Scope
from skene_dagster.project import load_project
from skene_dagster.settings import load
from skene_dagster.store.engine import reading


@click.command()
@click.argument("loop")
@click.option("--step", help="Only this step of the loop.")
@click.pass_obj
def approve(root: Path, *, loop: str, step: str | None) -> None:
    """Allow the first wave of LOOP, however large. Its next run sends it."""
    settings = load(root)
    plan = plan_of(load_project(settings), loop)
    steps = steps_of(plan, step, sends)
    screen = open_screen()
    mode = modes.choose(settings).name
    with open_ledger(settings) as (engine, clock):
        for one in steps:
            scope = Scope(mode, plan.name, one.ledger_name)
            waits = reading(engine, partial(ledger.deferred, scope=scope, by_row=one.by_row))
            orders.order(engine, partial(controls.approve, loop=plan.name, step=one.ledger_name, now=clock()))
            waiting = how_many(waits.get("first_wave", 0), "user waits", "users wait")
            screen.labelled("ok", f"{plan.name}, step {one.name}, may send its first wave; {waiting} for it.")
