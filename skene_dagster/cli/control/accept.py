"""skene-dagster accept."""

from functools import partial
from pathlib import Path

import click

from skene_dagster.cli.choosing import plan_of, steps_of
from skene_dagster.cli.database import open_ledger
from skene_dagster.cli.screen import open_screen
from skene_dagster.loops.plan import StepPlan, segment_name
from skene_dagster.project import load_project
from skene_dagster.segments import clearance
from skene_dagster.settings import load
from skene_dagster.store.engine import transaction


def _has_segment(step: StepPlan) -> bool:
    return not step.by_row


@click.command()
@click.argument("loop")
@click.option("--step", help="Only this step of the loop.")
@click.pass_obj
def accept(root: Path, *, loop: str, step: str | None) -> None:
    """Allow the segments of LOOP to collapse or explode at their next refresh only."""
    settings = load(root)
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
