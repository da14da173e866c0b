"""skene-dagster suppressions list."""

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from pathlib import Path

import click
from sqlalchemy import Connection, Engine

from skene_dagster.cli.consent import recipients, scopes
from skene_dagster.cli.database import open_ledger, shown_database
from skene_dagster.cli.screen import Screen, mask, open_screen
from skene_dagster.consent import listing
from skene_dagster.consent.listing import Recorded
from skene_dagster.consent.people import Named
from skene_dagster.consent.suppressions import Scope, Suppression
from skene_dagster.consent.walking import every
from skene_dagster.settings import Settings, load
from skene_dagster.store.engine import reading
from skene_dagster.store.keys import as_text
from skene_dagster.store.tables import OPEN
from skene_dagster.wording import how_many

SHOWN = 20
"""The most suppressions that are shown, unless all are wanted."""

_NAME, _SCOPE, _SOURCE = 24, 9, 17
"""Columns for a recipient, a scope and a source: with the others, a line has 80."""

_LONGEST_SCOPE = 18
"""Columns for a scope that is longer, at the cost of the source."""


@click.command("list")
@click.argument("address", required=False, callback=recipients.checked_one)
@click.option("--user", metavar="KEY", help="A user, by the users key, and the address of that user.")
@recipients.account_option
@click.option(
    "--scope", metavar=scopes.METAVAR, callback=scopes.checked, help="Only what stops this. Default: whatever it stops."
)
@click.option("--all", "whole", is_flag=True, help=f"The whole list, not only the newest {SHOWN}.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs.")
@click.pass_obj
def list_suppressions(
    root: Path,
    *,
    address: str | None,
    user: str | None,
    account: str | None,
    scope: Scope | None,
    whole: bool,
    as_json: bool,
) -> None:
    """Show who is on the list, and why.

    Of ADDRESS, and of the users who have it, all that is on record is shown. Other addresses are masked.
    """
    given = [] if address is None else [address]
    if whole and (given or user is not None or account is not None or as_json):
        raise click.UsageError(
            "--all is for the whole list, without --json: programs read the file of suppressions export."
        )
    settings = load(root)
    screen = open_screen()
    with open_ledger(settings) as (engine, clock):
        scopes.refuse_unknown_topic(scope, settings, reading(engine, listing.scopes))
        some, now = scopes.chosen(scope), clock()
        if given or user is not None or account is not None:

            def look(connection: Connection) -> tuple[list[Named], Sequence[Recorded]]:
                who = recipients.find(connection, settings, given, user, account)
                return who, listing.history(connection, [one.recipient for one in who], some)

            who, records = reading(engine, look)
            if as_json:
                _print_json({"recipients": [_one_to_programs(one, records, given, now) for one in who]})
            for one in [] if as_json else who:
                _tell_one(screen, one, records, given, now)
        elif as_json:
            _print_json(reading(engine, lambda connection: _list_to_programs(connection, some, now)))
        else:
            _tell_list(screen, settings, engine, some, now, whole=whole)


def _tell_list(
    screen: Screen, settings: Settings, engine: Engine, some: Collection[Scope] | None, now: datetime, *, whole: bool
) -> None:
    counts = reading(engine, lambda connection: listing.counts(connection, some, now))
    newest = reading(engine, lambda connection: listing.newest(connection, some, now, SHOWN))
    total = sum(one.number for one in counts)
    screen.facts({"Database": shown_database(settings)})
    screen.line()
    if not total:
        screen.labelled("ok", "The list is empty.")
        return
    screen.line(how_many(total, "suppression"), "bold")
    longest = max(_SCOPE, *(len(one.scope) for one in counts))
    for one in counts:
        screen.line(f"{one.number:>9,}  {one.scope:<{longest}}  {recipients.in_words(one.reason)}")
    screen.line()
    screen.line("The list" if whole or total <= SHOWN else f"The newest {SHOWN}", "bold")
    for entry in every(engine, some, now) if whole else newest:
        screen.line("  " + _row(entry, min(longest, _LONGEST_SCOPE)))


def _row(entry: Suppression, width: int) -> str:
    name = mask(entry.address) if entry.address is not None else _kind(entry)
    scope, source = _cut(entry.scope, width), _cut(entry.source, _SOURCE - (width - _SCOPE))
    parts = (f"{_cut(name, _NAME):<{_NAME}}", f"{scope:<{width}}", f"{recipients.in_words(entry.reason):<9}")
    return "  ".join((*parts, f"{entry.since:%d %b %Y}", source))


def _kind(entry: Suppression) -> str:
    """Say what a hash is of; the first digits tell two of them apart."""
    kind, _, digits = entry.recipient.partition(":")
    what = {"u": "user", "a": "account"}.get(kind, "address")
    return f"{what} (hash {digits[:8]})"


def _tell_one(screen: Screen, one: Named, records: Sequence[Recorded], given: Collection[str], now: datetime) -> None:
    of_them = [record for record in records if record.suppression.recipient == one.recipient]
    holds = {record.suppression.scope for record in of_them if record.suppression.until > now}
    stops = scopes.stops(holds) if holds else "not on the list"
    screen.paragraph(f"{recipients.shown(one, given)}: {stops}", style="bold")
    width = min(max((_SCOPE, *(len(record.suppression.scope) for record in of_them))), _LONGEST_SCOPE)
    indent = width + 15
    for record in of_them:
        entry = record.suppression
        scope = entry.scope
        if len(scope) > width:
            screen.line(f"  {scope}")
            scope = ""
        screen.line(f"  {scope:<{width}}  {recipients.in_words(entry.reason):<9}  since {_moment(entry.since)}")
        screen.paragraph(entry.source, indent=indent)
        if entry.until != OPEN:
            ends = "until" if entry.until > now else "lifted" if record.lift_reason is not None else "ended"
            because = f": {record.lift_reason}" if record.lift_reason else ""
            screen.paragraph(f"{ends} {_moment(entry.until)}{because}", indent=indent)


def _list_to_programs(connection: Connection, some: Collection[Scope] | None, now: datetime) -> dict[str, object]:
    return {
        "counts": [
            {"scope": one.scope, "reason": one.reason, "number": one.number}
            for one in listing.counts(connection, some, now)
        ],
        "newest": [
            {"recipient": entry.recipient, "address": entry.address and mask(entry.address)} | _to_programs(entry)
            for entry in listing.newest(connection, some, now, SHOWN)
        ],
    }


def _one_to_programs(
    one: Named, records: Sequence[Recorded], given: Collection[str], now: datetime
) -> dict[str, object]:
    address = one.address or one.has
    of_them = [record for record in records if record.suppression.recipient == one.recipient]
    return {
        "recipient": one.recipient,
        "address": address if address in given else address and mask(address),
        "user": None if one.user_id is None else as_text(one.user_id),
        "account": None if one.account_id is None else as_text(one.account_id),
        "holds": [_to_programs(record.suppression) for record in of_them if record.suppression.until > now],
        "ended": [
            _to_programs(record.suppression) | {"lift_reason": record.lift_reason}
            for record in of_them
            if record.suppression.until <= now
        ],
    }


def _to_programs(entry: Suppression) -> dict[str, object]:
    until = None if entry.until == OPEN else entry.until
    return {
        "scope": entry.scope,
        "reason": entry.reason,
        "since": entry.since,
        "until": until,
        "source": entry.source,
    }


def _print_json(found: dict[str, object]) -> None:
    click.echo(json.dumps(found, default=str, indent=2))


def _moment(at: datetime) -> str:
    return f"{at:%d %b %Y, %H:%M} UTC"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"
