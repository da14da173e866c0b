"""What the commands share with which a person decides: which loop and steps, and the order written."""

from collections.abc import Callable
from pathlib import Path

import click
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError

from skene_dagster.cli.choosing import known_loop, plan_of, sends, steps_of
from skene_dagster.delivery import controls, ledger, modes
from skene_dagster.delivery.ledger import StepScope, scope_of
from skene_dagster.loops.plan import LoopPlan, StepPlan
from skene_dagster.project import load_project
from skene_dagster.settings import Settings, load
from skene_dagster.store.engine import reading, transaction


def chosen(root: Path, loop: str | None, *, every: bool) -> Settings:
    """Read the settings; refuse neither a loop nor --all, or both."""
    if every == (loop is not None):
        raise click.UsageError("Name a loop, or --all.")
    return load(root)


def known(engine: Engine, settings: Settings, loop: str) -> str:
    """Check the loop's name: it must be in a file, or known to the database."""
    in_database = reading(engine, lambda connection: ledger.loops(connection) | controls.loops(connection))
    return known_loop(load_project(settings), set(in_database), loop)


def sending_steps(settings: Settings, loop: str, step: str | None) -> tuple[LoopPlan, list[tuple[StepPlan, StepScope]]]:
    """Find the steps of a loop that send emails, one by its name or all, each with its place in the ledger."""
    plan, mode = plan_of(load_project(settings), loop), modes.choose(settings).name
    return plan, [(one, scope_of(mode, plan, one)) for one in steps_of(plan, step, sends)]


def order(engine: Engine, write: Callable[[Connection], object]) -> None:
    """Write an order; try again if another process has written the first row about it in the meantime."""
    try:
        transaction(engine, write)
    except IntegrityError:
        transaction(engine, write)
