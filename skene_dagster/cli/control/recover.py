"""skene-dagster recover."""

from pathlib import Path

import click

from skene_dagster.cli.database import open_ledger, open_session
from skene_dagster.cli.screen import open_screen
from skene_dagster.delivery import modes
from skene_dagster.delivery.backup_recovery import recover as told_by_the_provider
from skene_dagster.delivery.providers import registry
from skene_dagster.settings import load
from skene_dagster.wording import how_many


@click.command()
@click.option(
    "--incomplete", is_flag=True, help="Accept the provider's records even if they do not reach back far enough."
)
@click.pass_obj
def recover(root: Path, *, incomplete: bool) -> None:
    """Record in a ledger restored from a backup what was sent since then.

    Until then nothing is sent. Emails that the provider accepted count as sent, and are not sent again.
    """
    settings = load(root)
    screen = open_screen()
    mode = modes.choose(settings)
    if not mode.leaves:
        screen.labelled("ok", f"No emails leave this machine ({mode.why}), so none were sent.")
        return
    with (
        open_ledger(settings) as (engine, clock),
        open_session(settings, mode, engine, clock) as session,
        screen.doing("Reading the provider's records"),
    ):
        found = told_by_the_provider(session, registry.configured(settings), incomplete=incomplete)
    since = f" since {found.since:%d %b %Y, %H:%M} UTC" if found.since else ""
    screen.labelled("ok", f"{how_many(found.emails, 'email')}{since} that the ledger did not know are now recorded.")
    if found.left:
        screen.labelled("notice", f"There may be more: {found.left}.")
