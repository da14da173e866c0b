"""skene-dagster holdout."""

from functools import partial
from pathlib import Path

import click

from skene_dagster.cli.choosing import plan_of
from skene_dagster.cli.database import open_ledger, shown_database
from skene_dagster.cli.screen import confirmed, open_screen
from skene_dagster.delivery import modes
from skene_dagster.goals import arms
from skene_dagster.loops.planning.accounts import is_per_account
from skene_dagster.project import load_project
from skene_dagster.settings import load
from skene_dagster.store.engine import reading, transaction
from skene_dagster.wording import how_many, percent


@click.command("list")
@click.pass_obj
def list_arms(root: Path) -> None:
    """Say of each loop how many users, or accounts, are mailed and held out, and of which share they were drawn."""
    settings = load(root)
    mode = modes.choose(settings).name
    screen = open_screen()
    with open_ledger(settings) as (engine, _):
        found = reading(engine, partial(arms.sizes, mode=mode))
    screen.facts({"Database": shown_database(settings), "Mode": mode})
    screen.line()
    for one in found:
        loop = "all loops" if one.comparison.loop == arms.ALL_LOOPS else one.comparison.loop
        mailed, held_out = how_many(one.mailed, one.of) + " mailed", f"{one.held_out:,} held out"
        screen.line(f"  {loop}  {percent(one.share)}: {mailed}, {held_out}, since {one.since:%d %b %Y}")
    if not found:
        screen.line("  Nobody was decided about yet.")


@click.command()
@click.argument("loop")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.pass_obj
def renew(root: Path, *, loop: str, yes: bool) -> None:
    """Draw anew who is held out of LOOP: another comparison begins, and the one before ends.

    Who was held out may be mailed from the next decision about them on, and the other way round.
    """
    settings = load(root)
    plan = plan_of(load_project(settings), loop)
    screen = open_screen()
    with open_ledger(settings) as (engine, _):
        if not yes:
            confirmed(f"End the comparison of {plan.name}, and draw anew who is held out?")
        draw = transaction(engine, partial(arms.draw_anew, loop=plan.name))
    who = "its accounts are" if is_per_account(plan) else "everybody is"
    screen.labelled("ok", f"{plan.name}: {who} drawn anew when they are decided about next (draw {draw}).")


@click.group(commands=[list_arms, renew])
def holdout() -> None:
    """Who gets no email of a loop, so that it can be measured (docs/outcomes.md)."""
