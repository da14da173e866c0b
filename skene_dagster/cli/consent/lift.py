"""skene-dagster suppressions lift."""

from collections.abc import Sequence
from pathlib import Path

import click
from sqlalchemy import Connection

from skene_dagster.cli.consent import recipients, scopes
from skene_dagster.cli.database import open_ledger
from skene_dagster.cli.group import LOOK
from skene_dagster.cli.screen import open_screen
from skene_dagster.consent import listing, suppressions
from skene_dagster.consent.people import Named
from skene_dagster.consent.suppressions import Reason, Scope, Suppression
from skene_dagster.consent.writing import write
from skene_dagster.settings import load

AT_THE_PROVIDER: frozenset[Reason] = frozenset({"bounce", "complaint", "provider"})
"""Reasons for which a provider has an address on a list of its own, too."""


@click.command()
@click.argument("address", nargs=-1, callback=recipients.checked)
@click.option("--user", metavar="KEY", help="A user, by the users key, and the address of that user.")
@click.option(
    "--scope", metavar=scopes.METAVAR, callback=scopes.checked, help="Only what stops this. Default: whatever it stops."
)
@click.option("--reason", metavar="TEXT", callback=recipients.kept(255), required=True, help="Why; kept on record.")
@click.option("--yes", is_flag=True, help="Lift complaints, too.")
@click.pass_context
def lift(
    context: click.Context, *, address: Sequence[str], user: str | None, scope: Scope | None, reason: str, yes: bool
) -> None:
    """Take each ADDRESS off the list, and the users who have it.

    What is lifted stays on record. Nothing that is older than a lift puts anybody on the list again.
    """
    recipients.refuse_nobody(address, user)
    root: Path = context.obj
    settings = load(root)
    screen = open_screen()
    with open_ledger(settings) as (engine, clock):
        now = clock()

        def off(connection: Connection) -> tuple[list[Named], list[Suppression], list[Suppression]]:
            scopes.refuse_unknown_topic(scope, settings, listing.scopes(connection))
            who, some = recipients.find(connection, settings, address, user), scopes.chosen(scope)
            names = [one.recipient for one in who]
            lifted = suppressions.lift(connection, names, reason, now, some, complaints=yes)
            return who, lifted, listing.holding(connection, names, some, now)

        who, lifted, left = write(engine, off)
    for one in who:
        name = recipients.shown(one, address)
        for each in lifted:
            if each.recipient == one.recipient:
                screen.labelled("lifted", f"{name}: {each.scope}, {recipients.why(each)}.")
        for each in left:
            if each.recipient == one.recipient:
                screen.labelled(
                    "notice", f"{name}: {each.scope} stays, {recipients.why(each)}. --yes lifts complaints, too."
                )
        if one.recipient not in {each.recipient for each in (*lifted, *left)}:
            screen.labelled("ok", f"{name}: nothing to lift.")
    if there := [each for each in lifted if each.reason in AT_THE_PROVIDER]:
        screen.labelled(
            "notice",
            "The provider has a list of its own, which is not changed. If it has the address, it drops email to it "
            "without an error: remove it there, too.",
        )
    if left or there:
        context.exit(LOOK)
