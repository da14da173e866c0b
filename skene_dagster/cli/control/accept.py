"""skene-dagster accept."""

from functools import partial
from pathlib import Path
from typing import get_args

import click

from skene_dagster.cli.choosing import plan_of, steps_of
from skene_dagster.cli.control import orders
from skene_dagster.cli.database import open_ledger
from skene_dagster.cli.screen import open_screen
from skene_dagster.delivery import ledger
from skene_dagster.delivery.model import GateName
from skene_dagster.loops.plan import StepPlan, segment_name
from skene_dagster.project import load_project
from skene_dagster.segments import clearance
from skene_dagster.settings import Settings, load
from skene_dagster.store.engine import transaction

APPROVED = "first_wave"
"""The gate that `approve` opens, for good."""


def _has_segment(step: StepPlan) -> bool:
    return not step.by_row


@click.command()
@click.argument("loop")
@click.option("--step", help="Only this step of the loop.")
@click.option(
    "--gate",
    "gates",
    multiple=True,
    type=click.Choice([name for name in get_args(GateName) if name != APPROVED]),
    help="Let the next tick pass this gate; may be repeated.",
)
@click.pass_obj
def accept(root: Path, *, loop: str, step: str | None, gates: tuple[GateName, ...]) -> None:
    """Allow the segments of LOOP to collapse or explode at their next refresh only.

    With --gate, let the next tick of LOOP pass a gate that holds it, whatever that measures. The tick after that is
    held again.
    """
    settings = load(root)
    if gates:
        _accept_gates(settings, loop, step, gates)
        return
    plan = plan_of(load_project(settings), loop)
    steps = steps_of(plan, step, _has_segment, "has no segment: single rows trigger it")
    screen = open_screen()
    with open_ledger(settings) as (engine, clock):
        for one in steps:
            segment = segment_name(plan.name, one.ledger_name)
            name = f"{plan.name}, step {one.name},"
            if transaction(engine, partial(clearance.accept, segment=segment, now=clock())):
                screen.labelled("ok", f"The next refresh of {name} may change any number of its members.")
            else:
                screen.labelled("ok", f"{name} was never refreshed: its first refresh needs no approval.")


def _accept_gates(settings: Settings, loop: str, step: str | None, gates: tuple[GateName, ...]) -> None:
    plan, steps = orders.sending_steps(settings, loop, step)
    screen = open_screen()
    with open_ledger(settings) as (engine, _clock):
        for one, scope in steps:
            name = f"{plan.name}, step {one.name},"
            known = transaction(engine, partial(ledger.accept, scope=scope, gates=gates))
            if known is None:
                screen.labelled("notice", f"{name} has never run here: there is nothing to accept yet.")
                continue
            screen.labelled("ok", f"The next tick of {name} may pass: {', '.join(dict.fromkeys(gates))}.")
            for gate in dict.fromkeys(gates):
                if gate in known.said:
                    screen.paragraph(f"{gate}: {known.said[gate]}", indent=8)
