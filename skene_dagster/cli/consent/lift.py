"""skene-dagster suppressions lift."""

from collections.abc import Collection, Sequence
from pathlib import Path

import click
from sqlalchemy import Connection, Engine

from skene_dagster.cli.consent import recipients, scopes
from skene_dagster.cli.database import open_ledger, open_session
from skene_dagster.cli.group import LOOK
from skene_dagster.cli.screen import Screen, open_screen
from skene_dagster.consent import listing, suppressions
from skene_dagster.consent.people import Named
from skene_dagster.consent.suppressions import COMPLAINT, Reason, Scope, Suppression
from skene_dagster.consent.writing import write
from skene_dagster.delivery import modes
from skene_dagster.feedback.provider_list.lifting import Answered, LiftedThere, lift_there
from skene_dagster.feedback.provider_list.lists import reachable
from skene_dagster.settings import Settings, load
from skene_dagster.store.engine import Clock, reading

AT_THE_PROVIDER: frozenset[Reason] = frozenset({"bounce", "complaint", "provider"})
"""Reasons for which a provider has an address on a list of its own, too."""


@click.command()
@click.argument("address", nargs=-1, callback=recipients.checked)
@click.option("--user", metavar="KEY", help="A user, by the users key, and the address of that user.")
@recipients.account_option
@click.option(
    "--scope", metavar=scopes.METAVAR, callback=scopes.checked, help="Only what stops this. Default: whatever it stops."
)
@click.option("--reason", metavar="TEXT", callback=recipients.kept(255), required=True, help="Why; kept on record.")
@click.option("--yes", is_flag=True, help="Lift complaints, too.")
@click.pass_context
def lift(
    context: click.Context,
    *,
    address: Sequence[str],
    user: str | None,
    account: str | None,
    scope: Scope | None,
    reason: str,
    yes: bool,
) -> None:
    """Take each ADDRESS off the list, and the users who have it.

    The provider's own list is shortened, too. What is lifted here stays on record. Nothing that is older than a lift
    puts anybody on the list again.
    """
    recipients.refuse_nobody(address, user, account)
    root: Path = context.obj
    settings = load(root)
    screen = open_screen()
    some = scopes.chosen(scope)
    with open_ledger(settings) as (engine, clock):
        # There first: while our list holds, nothing is sent that the provider would drop. Whatever ends this command
        # in between, to run it again finishes it.
        answered, why_not = Answered(), ""
        if scope in (None, "all"):
            who, held = reading(engine, lambda c: _found(c, settings, address, user, account, clock))
            stay = set() if yes else {one.recipient for one in held if one.reason == COMPLAINT}
            answered, why_not = _lift_there(settings, engine, clock, who, stay, complaints=yes)
        now = clock()

        def off(connection: Connection) -> tuple[list[Named], list[Suppression], list[Suppression]]:
            scopes.refuse_unknown_topic(scope, settings, listing.scopes(connection))
            who = recipients.find(connection, settings, address, user, account)
            names = [one.recipient for one in who]
            lifted = suppressions.lift(connection, names, reason, now, some, complaints=yes)
            return who, lifted, listing.holding(connection, names, some, now)

        who, lifted, left = write(engine, off)
    for one in who:
        _tell(screen, recipients.shown(one, address), one, lifted, left, answered)
    is_there = any(each.reason in AT_THE_PROVIDER for each in lifted)
    if why_not and is_there:
        screen.labelled(
            "notice",
            f"The provider may have a list of its own, which is not changed: {why_not}. If it has the address, it "
            "drops email to it without an error: remove it there, too.",
        )
    for provider, why in answered.unanswered.items():
        screen.labelled(
            "notice",
            f"The list of {provider} could not be changed: {why}. If it has the address, it drops email to it without "
            "an error. Lift it again, or remove it there.",
        )
    if left or answered.complaints or answered.unanswered or (why_not and is_there):
        context.exit(LOOK)


def _found(
    connection: Connection,
    settings: Settings,
    address: Sequence[str],
    user: str | None,
    account: str | None,
    clock: Clock,
) -> tuple[list[Named], list[Suppression]]:
    who = recipients.find(connection, settings, address, user, account)
    return who, listing.holding(connection, [one.recipient for one in who], ["all"], clock())


def _lift_there(
    settings: Settings, engine: Engine, clock: Clock, who: Sequence[Named], stay: Collection[str], *, complaints: bool
) -> tuple[Answered, str]:
    """Take addresses off the providers' lists; say why none is asked, if none is."""
    there = reachable(settings)
    addresses = [one.address for one in who if one.address is not None and one.recipient not in stay]
    if not there.names or not addresses:
        return Answered(), there.why_none
    with open_session(settings, modes.choose(settings), engine, clock) as session:
        return lift_there(session, there.names, addresses, complaints=complaints), ""


def _tell(
    screen: Screen,
    name: str,
    one: Named,
    lifted: Sequence[Suppression],
    left: Sequence[Suppression],
    answered: Answered,
) -> None:
    for each in lifted:
        if each.recipient == one.recipient:
            screen.labelled("lifted", f"{name}: {each.scope}, {recipients.why(each)}.")
    for each in left:
        if each.recipient == one.recipient:
            screen.labelled(
                "notice", f"{name}: {each.scope} stays, {recipients.why(each)}. --yes lifts complaints, too."
            )
    there = [each for each in answered.lifted if each.address == one.address]
    stays = [each for each in answered.complaints if each.address == one.address]
    for entry in there:
        screen.labelled("lifted", f"{name}: {_there(entry)}.")
    for entry in stays:
        screen.labelled("notice", f"{name}: {_there(entry)}, stays. --yes lifts complaints, too.")
    if not (there or stays) and one.recipient not in {each.recipient for each in (*lifted, *left)}:
        screen.labelled("ok", f"{name}: nothing to lift.")


def _there(entry: LiftedThere) -> str:
    since = f" since {entry.entry.since:%d %b %Y}" if entry.entry.since else ""
    return f"the list of {entry.provider},{since} ({entry.entry.origin})"
