"""Which of the product's columns seem to hold local time, where UTC is read.

Only rows in the future are certain, in a column that says what has happened. Local time west of UTC lies in the past,
like any other moment; there the server's own zone, and what it fills in itself, are the only hints.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from skene_dagster.checks import fresh_sources
from skene_dagster.checks.db_errors import at, at_word
from skene_dagster.checks.schedule_gaps import bare, looks_ahead, speaks_of_the_future
from skene_dagster.documents import Document
from skene_dagster.errors import Place, StoreError
from skene_dagster.loops.plan import LoopPlan, Query
from skene_dagster.loops.triggers import Rows
from skene_dagster.product.newest import COUNTED, Newest, newest
from skene_dagster.product.shapes import MomentColumn, moment_columns
from skene_dagster.settings import Settings
from skene_dagster.store.engine import CLOCKS_DIFFER
from skene_dagster.store.failures import DENIED, code_of, translated
from skene_dagster.store.server.time_zone import ServerZone, server_zone, utc

STEP = timedelta(minutes=15)
"""Time zones differ from UTC by multiples of a quarter of an hour."""

JUST_NOW = timedelta(minutes=2)
"""How old the newest row of a product in use may be if its distance from now is to reveal the zone."""

QUIET = timedelta(minutes=30)
"""How long a product in use may write nothing."""

MANY = 10
"""Rows in the future, in a column that says what has happened, that are more than a few mistakes."""

_READ_AS_UTC = "Moments are read as UTC: let the product store UTC"


@dataclass(frozen=True)
class Suspect:
    """A column that does not seem to hold UTC."""

    place: Place
    """Where it is named."""
    says: str


@dataclass(frozen=True)
class _Watched:
    place: Place
    table: str
    column: str
    of_the_past: bool
    """It says what has happened, so none of it can be in the future."""


def suspects(
    connection: Connection, plans: Sequence[LoopPlan], settings: Settings, settings_file: Document, now: datetime
) -> list[Suspect]:
    """Check the newest moments of each column that settings map, that triggers read, or that conditions name.

    A table that is missing, or may not be read, is skipped: other checks report it. So is a column that only conditions
    name and that may hold future moments.

    Raises:
        StoreError: the database cannot be asked.
    """
    zone = server_zone(connection)
    found: dict[tuple[str, str], list[Suspect]] = {}
    columns: dict[str, dict[str, MomentColumn]] = {}
    planned = {(table.casefold(), column.casefold()) for table, column in _planned(plans)}
    for watched in _watched(plans, settings, settings_file):
        if watched.table not in columns:
            there = moment_columns(connection, watched.table)
            columns[watched.table] = {column.name.casefold(): column for column in there}
        column = columns[watched.table].get(watched.column.casefold())
        key = (watched.table.casefold(), watched.column.casefold())
        if column is None or key in found or (key in planned and not watched.of_the_past):
            continue
        seen = _newest(connection, watched.table, column.name, now)
        found[key] = [
            Suspect(watched.place, f"{watched.table}.{column.name}: {says}")
            for says in (_said(seen, column, zone, now, of_the_past=watched.of_the_past) if seen else ())
        ]
    return [suspect for ones in found.values() for suspect in ones]


def _watched(plans: Sequence[LoopPlan], settings: Settings, settings_file: Document) -> Iterator[_Watched]:
    """List the columns, those of the past first."""
    users, events = settings.users, settings.events
    mapped = [("users", users.table, {"created_at": users.created_at, "updated_at": users.updated_at})]
    mapped += [("events", events.table, {"at": events.at, "arrived": events.arrived})]
    for part, table, fields in mapped:
        for field, column in fields.items():
            if column is not None and not _is_ours(table):
                yield _Watched(at(settings_file, f"{part}.{field}"), table, column.column, of_the_past=True)
    for source in [one for plan in plans for one in fresh_sources.of_loop(plan, settings)]:
        if not _is_ours(source.fresh.table):
            yield _Watched(source.place("column"), source.fresh.table, source.fresh.column.column, of_the_past=True)
    steps = [(plan, number, step) for plan in plans for number, step in enumerate(plan.steps)]
    for plan, number, step in steps:
        if isinstance(step.trigger, Rows) and not _is_ours(step.trigger.table):
            place = plan.document.place(("steps", number, "trigger", "at"))
            yield _Watched(place, step.trigger.table, step.trigger.at.column, of_the_past=True)
    for plan, number, step in steps:
        if isinstance(step.condition, Query):
            path = ("steps", number, "condition", "query")
            for read in step.condition.moments:
                for table in read.tables if not any(map(_is_ours, read.tables)) else ():
                    place = plan.document.text_place(path, at_word(step.condition.author.lower(), read.column.lower()))
                    yield _Watched(place, table, read.column, of_the_past=False)


def _planned(plans: Sequence[LoopPlan]) -> Iterator[tuple[str, str]]:
    """Name the tables and columns that may hold future moments, by a condition or by their names."""
    conditions = [step.condition for plan in plans for step in plan.steps]
    for query in (one for one in conditions if isinstance(one, Query)):
        ahead = {bare(window.column).casefold() for window in query.windows if looks_ahead(window)}
        for read in query.moments:
            if read.column.casefold() in ahead or speaks_of_the_future(read.column):
                yield from ((table, read.column) for table in read.tables)


def _is_ours(table: str) -> bool:
    return table.rpartition(".")[2].startswith("skene_")


def _newest(connection: Connection, table: str, column: str, now: datetime) -> Newest | None:
    try:
        with translated():
            return newest(connection, table, column, now)
    except StoreError as error:
        if code_of(error) in DENIED:
            return None
        raise


def _said(
    seen: Newest, column: MomentColumn, zone: ServerZone | None, now: datetime, *, of_the_past: bool
) -> Iterator[str]:
    """Say what in a column is not as it would be in UTC."""
    # The server converts a TIMESTAMP, whatever its zone.
    zone = None if column.has_zone else zone
    ahead = None if seen.ahead.newest is None else seen.ahead.newest - now
    hints = [] if ahead is None else list(_hints(ahead, zone))
    is_local = bool(hints) or seen.ahead.number >= MANY
    # What a condition names may be planned for later, as a trial's end is.
    is_local = is_local and (of_the_past or _ends_as_a_zone_does(seen, now))
    if ahead is not None and (of_the_past or is_local):
        rows = f"{_rows(seen.ahead.number, seen)} in the future; the newest is {_long(ahead)} ahead of now."
        which = f" ({'; '.join(hints)})" if hints else ""
        cause = f" It looks like local time{which}." if is_local else ""
        yield f"{rows}{cause} {_READ_AS_UTC}{'' if is_local else ', or correct rows that are only mistakes'}."
    elif zone is not None and zone.ahead:
        yield from _by_the_server(seen, column, zone, now)
    if of_the_past and seen.far.newest is not None:
        yield (
            f"{_rows(seen.far.number, seen)} far in the future; the newest is {seen.far.newest:%d %b %Y}. "
            "Correct or delete rows that are only test data."
        )


def _ends_as_a_zone_does(seen: Newest, now: datetime) -> bool:
    """Whether this is how a product in use writes local time: without a pause up to its now, and nothing beyond."""
    if seen.ahead.newest is None or seen.ahead.steady is None or seen.far.number:
        return False
    return _to_next_zone(seen.ahead.newest - now) <= JUST_NOW and seen.ahead.newest - seen.ahead.steady <= QUIET


def _to_next_zone(ahead: timedelta) -> timedelta:
    return -ahead % STEP


def _hints(ahead: timedelta, zone: ServerZone | None) -> Iterator[str]:
    """Say which zone's local time the newest row may be in."""
    missing = _to_next_zone(ahead)
    if missing <= JUST_NOW:
        yield f"that of {utc(ahead + missing)}"
    if zone is not None and zone.ahead >= ahead - CLOCKS_DIFFER:
        yield f"the server's zone is {zone}"


def _by_the_server(seen: Newest, column: MomentColumn, zone: ServerZone, now: datetime) -> Iterator[str]:
    """Examine a column without rows in the future, on a server whose zone is not UTC."""
    behind = None if seen.past is None else now - seen.past
    if behind is not None and behind <= max(CLOCKS_DIFFER, -zone.ahead - CLOCKS_DIFFER):
        return  # local time would not be as new
    newest = "" if behind is None else f"The newest is {_long(behind)} behind now. "
    cure = f"{_READ_AS_UTC} (SET time_zone = '+00:00' in its sessions, or UTC_TIMESTAMP())."
    zoned = f"the server's zone is {zone}"
    if column.is_filled:
        yield f"NOW() fills it, and {zoned}: sessions that set no zone of their own write local time. {newest}{cure}"
    elif behind is not None and zone.ahead < timedelta() and behind + zone.ahead <= QUIET:
        yield f"{newest}It may be local time: {zoned}. {cure}"


def _rows(number: int, seen: Newest) -> str:
    counted = f"more than {COUNTED:,}" if number > COUNTED else f"{number:,}"
    among = f"of the last {seen.among:,} rows" if seen.among else "row" if number == 1 else "rows"
    return f"{counted} {among} {'is' if number == 1 else 'are'}"


def _long(span: timedelta) -> str:
    hours, minutes = divmod(round(span / timedelta(minutes=1)), 60)
    if hours >= 48:
        return f"{hours // 24:,} days"
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min"
