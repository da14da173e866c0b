"""skene-dagster users erase."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import click
from sqlalchemy import Connection, Engine

from skene_dagster.cli.database import open_ledger, shown_database
from skene_dagster.cli.group import LOOK
from skene_dagster.cli.screen import Screen, confirmed, mask, open_screen
from skene_dagster.consent import listing
from skene_dagster.consent.suppressions import Scope
from skene_dagster.delivery.decide.facts import mapped_by_settings
from skene_dagster.erasing.erase import Erased
from skene_dagster.erasing.erase import erase as erase_person
from skene_dagster.erasing.person import Person, find
from skene_dagster.settings import Settings, load
from skene_dagster.store.engine import Clock, reading
from skene_dagster.store.keys import as_text
from skene_dagster.wording import how_many

STAYS: Mapping[str, str] = MappingProxyType(
    {
        "skene_sends": "their key in ",
        "skene_suppressions": "their address in ",
        "skene_webhooks": "what names them in ",
    }
)
"""What is erased of rows that stay, by table."""


@click.command()
@click.argument("who", metavar="USER")
@click.option("--yes", is_flag=True, help="Do not ask whether to erase them.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs.")
@click.pass_context
def erase(context: click.Context, *, who: str, yes: bool, as_json: bool) -> None:
    """Erase everything that is known here of USER: a users key, or an address.

    It cannot be undone. Delete them in the product first: whom its users table still has is known here again after the
    next run. What they said no to stays, without their address.
    """
    root: Path = context.obj
    settings = load(root)
    screen = open_screen(stderr=as_json)
    with open_ledger(settings) as (engine, clock):
        person = _found(engine, settings, who)
        _announce(screen, settings, person, who)
        if not yes:
            confirmed(f"Erase {_named(person, who)} for good?")
        erased = erase_person(engine, settings, person, clock)
        holds = reading(engine, lambda c: _holds(c, person, clock))
    if as_json:
        click.echo(json.dumps(_to_programs(person, erased, holds), indent=2))
    else:
        _tell(screen, erased, holds)
    if erased.waits_until or erased.under_way or person.in_product or person.moved:
        context.exit(LOOK)


def _found(engine: Engine, settings: Settings, who: str) -> Person:
    def look(connection: Connection) -> Person | None:
        with mapped_by_settings(settings.users):
            return find(connection, settings.users, who)

    person = reading(engine, look)
    if person is None:
        users = settings.users
        raise click.BadParameter(
            f"Nobody is known as {who!r}: {users.table} has no such {users.key} and no such address, and neither has "
            "any of the skene_* tables.",
            param_hint="USER",
        )
    return person


def _named(person: Person, who: str) -> str:
    users = ", ".join(f"user {as_text(key)}" for key in person.users)
    return users or who


def _announce(screen: Screen, settings: Settings, person: Person, who: str) -> None:
    """Say who would be erased, and who would not."""
    addresses = sorted(one if one == who else mask(one) for one in person.addresses)
    screen.facts(
        {
            "Database": shown_database(settings),
            "Users": ", ".join(map(as_text, person.users)) or "none",
            "Addresses": ", ".join(addresses) or "none that is known",
        }
    )
    screen.line()
    table = settings.users.table
    if person.in_product:
        screen.labelled(
            "notice",
            f"Still in {table}: {_keys(person.in_product)}. The next run reads them there, and knows them again, as "
            "somebody new. Delete them there, then erase them once more.",
        )
    if person.moved:
        screen.labelled(
            "notice",
            f"Once mailed there, and with another address now: {_keys(person.moved)}. They are not erased; if it is "
            "them, do it by their key.",
        )
    if person.shared_with:
        screen.labelled("notice", f"With the same address, and not erased: {_keys(person.shared_with)}.")


def _keys(keys: tuple[object, ...]) -> str:
    return ", ".join(f"user {as_text(key)}" for key in keys)


def _tell(screen: Screen, erased: Erased, holds: list[Scope]) -> None:
    for table, rows in erased.rows.items():
        screen.labelled("erased", f"{STAYS.get(table, '')}{how_many(rows, 'row')} of {table}")
    if erased.emails:
        screen.labelled("erased", f"{how_many(erased.emails, 'email')} of the outbox")
    if not (erased.rows or erased.emails):
        screen.labelled("ok", "There was nothing to erase.")
    if holds:
        screen.labelled("ok", f"What they said no to, or what stops their email, stays: {', '.join(holds)}.")
    if erased.waits_until is not None:
        screen.labelled(
            "notice",
            "An email to them may have been sent, and it is not known yet whether it was. Its content is kept until "
            f"that is known, at most until {erased.waits_until:%d %b %Y, %H:%M} UTC, and is then erased without "
            "another call.",
        )
    if erased.under_way:
        screen.labelled(
            "notice",
            f"Under way now: {', '.join(erased.under_way)}. It may have read them before, and write them down again. "
            "Erase them once more when it has ended.",
        )


def _to_programs(person: Person, erased: Erased, holds: list[Scope]) -> dict[str, object]:
    return {
        "users": [as_text(key) for key in person.users],
        "rows": dict(erased.rows),
        "emails": erased.emails,
        "still_stopped": holds,
        "waits_until": None if erased.waits_until is None else erased.waits_until.isoformat(),
        "under_way": list(erased.under_way),
        "in_product": [as_text(key) for key in person.in_product],
        "not_erased": [as_text(key) for key in (*person.moved, *person.shared_with)],
    }


def _holds(connection: Connection, person: Person, clock: Clock) -> list[Scope]:
    return sorted({one.scope for one in listing.holding(connection, person.names, None, clock())})
