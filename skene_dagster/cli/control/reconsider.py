"""skene-dagster reconsider."""

from functools import partial
from pathlib import Path

import click
from sqlalchemy import Connection

from skene_dagster.cli.control import orders
from skene_dagster.cli.database import open_ledger
from skene_dagster.cli.screen import confirmed, open_screen
from skene_dagster.delivery import ledger
from skene_dagster.delivery.ledger import StepScope
from skene_dagster.settings import load
from skene_dagster.store.engine import transaction
from skene_dagster.wording import how_many


@click.command()
@click.argument("loop")
@click.option("--step", help="Only this step of the loop.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.pass_obj
def reconsider(root: Path, *, loop: str, step: str | None, yes: bool) -> None:
    """Decide again, at the next tick of LOOP, about users who were skipped for a reason that may no longer hold.

    Or about accounts. Nobody who was mailed for this entry is mailed again.
    """
    settings = load(root)
    plan, steps = orders.sending_steps(settings, loop, step)
    screen = open_screen()
    with open_ledger(settings) as (engine, _clock):
        if not yes:
            whom = " and ".join(sorted({f"{scope.subject.word}s" for _, scope in steps}))
            confirmed(f"Decide again about the {whom} that {plan.name} skipped?")
        for one, scope in steps:
            found = transaction(engine, partial(_reconsider, scope=scope, by_row=one.by_row))
            skipped = how_many(found, f"skipped {scope.subject.word}")
            screen.labelled("ok", f"{plan.name}, step {one.name}: its next tick decides again about {skipped}.")


def _reconsider(connection: Connection, scope: StepScope, *, by_row: bool) -> int:
    ledger.lock(connection, scope)
    ledger.look_at_everybody(connection, scope)
    return ledger.reconsider(connection, scope, by_row=by_row)
