"""skene-dagster suppressions add."""

from collections.abc import Sequence
from pathlib import Path

import click
from sqlalchemy import Connection

from skene_dagster.cli.consent import recipients, scopes
from skene_dagster.cli.database import open_ledger
from skene_dagster.cli.screen import open_screen
from skene_dagster.consent import listing, suppressions
from skene_dagster.consent.people import Named
from skene_dagster.consent.suppressions import LONGEST_SOURCE, Scope, Suppression
from skene_dagster.consent.writing import write
from skene_dagster.settings import Settings, load


@click.command()
@click.argument("address", nargs=-1, callback=recipients.checked)
@click.option("--user", metavar="KEY", help="A user, by the users key, and the address of that user.")
@recipients.account_option
@click.option(
    "--scope",
    metavar=scopes.METAVAR,
    callback=scopes.checked,
    default="marketing",
    show_default=True,
    help="What is stopped: marketing, one topic of it, or every email.",
)
@click.option(
    "--reason",
    metavar="TEXT",
    callback=recipients.kept(LONGEST_SOURCE),
    default="suppressions add",
    show_default=True,
    help="Why, or who asked for it; kept with it.",
)
@click.pass_obj
def add(
    root: Path, *, address: Sequence[str], user: str | None, account: str | None, scope: Scope, reason: str
) -> None:
    """Put each ADDRESS on the list.

    A "no" to marketing, or to a topic, holds for the users who have the address, too, and follows them to another one.
    """
    recipients.refuse_nobody(address, user, account)
    settings = load(root)
    scopes.refuse_unknown_topic(scope, settings)
    screen = open_screen()
    with open_ledger(settings) as (engine, clock):
        now = clock()

        def put(connection: Connection) -> tuple[list[Named], dict[str, Suppression]]:
            who = _whom(connection, settings, address, user, account, scope)
            wanted = [Suppression(one.recipient, scope, now, "manual", reason, one.address) for one in who]
            added = {one.recipient for one in suppressions.suppress(connection, wanted, now)}
            there = listing.holding(connection, {one.recipient for one in who} - added, [scope], now)
            return who, {one.recipient: one for one in there}

        who, there = write(engine, put)
    for one in who:
        name = f"{recipients.shown(one, address)}: {scopes.stops([scope])}"
        if one.recipient in there:
            screen.labelled("ok", f"{name} already, {recipients.why(there[one.recipient])}.")
        else:
            screen.labelled("added", f"{name}.")


def _whom(
    connection: Connection,
    settings: Settings,
    addresses: Sequence[str],
    user: str | None,
    account: str | None,
    scope: Scope,
) -> list[Named]:
    """Find who is to be added; what stops all email is about addresses only."""
    found = recipients.find(connection, settings, addresses, user, account, must_exist=True)
    if scope != "all":
        return found
    if user is not None and found[0].has is None:
        raise click.BadParameter(
            f"User {user} has no valid address, which is what --scope {scope} stops.", param_hint="--user"
        )
    return [one for one in found if one.address is not None or one.account_id is not None]
