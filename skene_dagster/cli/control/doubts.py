"""skene-dagster doubts."""

from functools import partial
from pathlib import Path

import click

from skene_dagster.cli.control import orders
from skene_dagster.cli.database import open_ledger
from skene_dagster.cli.screen import confirmed, open_screen
from skene_dagster.delivery import modes
from skene_dagster.delivery.doubts import Verdict, settle_doubt
from skene_dagster.delivery.doubts import doubts as found_doubts
from skene_dagster.project import Project, load_project
from skene_dagster.settings import load
from skene_dagster.store.engine import reading, transaction
from skene_dagster.wording import how_many

MEANS = {
    "sent": "they count as sent",
    "resend": "they are sent again by the next run; users who have one get a second",
    "skip": "they count as not sent, and are not sent",
}


@click.command()
@click.argument("loop", required=False)
@click.option(
    "--settle",
    type=click.Choice(list(MEANS)),
    help="Settle the listed emails: they were sent; send them again; leave them unsent.",
)
@click.option("--batch", help="Only this batch.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.pass_obj
def doubts(root: Path, *, loop: str | None, settle: Verdict | None, batch: str | None, yes: bool) -> None:
    """List the emails of LOOP, or of all loops, that may or may not have been sent.

    The provider never answered, no longer knows the key, and has no record that proves either.
    """
    settings = load(root)
    screen = open_screen()
    mode = modes.choose(settings).name
    with open_ledger(settings) as (engine, clock):
        name = None if loop is None else orders.known(engine, settings, loop)
        listed = reading(engine, lambda connection: found_doubts(connection, mode, name))
        rows = [row for row in listed if batch in (None, row.batch_id)]
        if batch is not None and not rows:
            raise click.BadParameter(f"No batch {batch!r} is in doubt.", param_hint="--batch")
        if not rows:
            screen.labelled("ok", "Nothing is in doubt.")
            return
        for row in rows:
            since = f"{row.unresolved_since:%d %b %Y, %H:%M} UTC"
            screen.labelled("doubt", f"{row.loop}, step {row.step}: {how_many(row.size, 'email')}, since {since}.")
            screen.paragraph(f"batch {row.batch_id}\n{row.error or ''}".strip(), indent=8)
        if settle is None:
            screen.line()
            screen.paragraph("--settle sent: " + "; --settle resend: ".join([MEANS["sent"], MEANS["resend"]]) + ".")
            screen.paragraph(f"--settle skip: {MEANS['skip']}.")
            return
        emails = how_many(sum(row.size for row in rows), "email")
        if not yes:
            confirmed(f"{emails}: {MEANS[settle]}. Do it?")
        project = load_project(settings)
        for row in rows:
            write_back = mode == "live" and _sets(project, row.loop, row.step)
            settled = partial(settle_doubt, batch=row, verdict=settle, write_back=write_back, now=clock())
            transaction(engine, settled)
        screen.labelled("ok", f"{emails}: {MEANS[settle]}.")


def _sets(project: Project, loop: str, step: str) -> bool:
    """Whether the step writes columns of the users table once its email is sent; assumed if its file is broken."""
    plan = next((plan for plan in project.loops if plan.name == loop), None)
    if plan is None:
        return True
    return any(one.email is not None and bool(one.email.set) for one in plan.steps if one.ledger_name == step)
