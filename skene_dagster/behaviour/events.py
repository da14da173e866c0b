"""The events that the product sends us: this module owns the table skene_events.

An event is written once: its id is the key, and the same id sent again changes nothing. A row is committed within
`SETTLED_WITHIN` of its `received_at`, so a reader who goes by that column and stays this far behind misses none. Old
events may be deleted (`retention` in skene.yaml); a row of skene_meta, also owned by this module, says from which day
on all of them remain.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone

from sqlalchemy import Connection, Engine, func, insert, select, update
from sqlalchemy.dialects.mysql import insert as insert_on_server
from sqlalchemy.dialects.sqlite import insert as insert_in_sqlite

from skene_dagster.behaviour.event import Event
from skene_dagster.behaviour.user_ids import UserId, UserIds
from skene_dagster.errors import EventRefused, StoreError, StoreUnavailable
from skene_dagster.settings import Settings
from skene_dagster.store import environment, schema
from skene_dagster.store.engine import Clock, database_clock, database_time, is_sqlite, open_engine, transaction
from skene_dagster.store.failures import code_of, is_of_one_row, translated
from skene_dagster.store.keys import common_key
from skene_dagster.store.sweeping import Swept, sweep
from skene_dagster.store.tables import events, meta

AHEAD = timedelta(minutes=5)
"""How far in the future an event may be dated, because clocks differ. It is stored as having happened now."""

OLDEST = timedelta(days=3653)

SETTLED_WITHIN = timedelta(seconds=30)
"""How long after its `received_at` a row may be committed; one that would be later is written again."""

PATIENCE = 10.0
"""Seconds after which we give up on a database that does not answer."""

SLICE = 50
"""Rows of one statement: while its text is made, 13 µs a row, no other thread of a product that tracks can run."""

_KEPT_SINCE = "events_kept_since"

_ON_SERVER = insert_on_server(events).on_duplicate_key_update(event_id=events.c.event_id)
_IN_SQLITE = insert_in_sqlite(events).on_conflict_do_nothing()


@dataclass(frozen=True, slots=True)
class Fitted:
    """An event in the table's types."""

    event_id: str
    user_id: UserId
    name: str
    occurred_at: datetime
    properties: str | None


class Journal:
    """The table in a database that passed all checks; stores events, a transaction at a time."""

    def __init__(self, engine: Engine, clock: Clock, user_ids: UserIds) -> None:
        self.engine = engine
        self.user_ids = user_ids
        self._ahead = clock() - _utc_now()

    def now(self) -> datetime:
        """Return the time by the database's clock, as known since something was stored last."""
        return _utc_now() + self._ahead

    def fit(self, event: Event, now: datetime) -> Fitted:
        """Bring an event to the table's types.

        Raises:
            EventRefused: its user cannot be one of the product's, or its time is impossible.
        """
        try:
            user_id = self.user_ids.read(event.user)
        except ValueError as wrong:
            raise EventRefused(str(wrong)) from None
        occurred_at = event.occurred_at + self._ahead if event.by_our_clock else event.occurred_at
        if occurred_at > now:
            if occurred_at > now + AHEAD:
                raise EventRefused(f"The event is more than {AHEAD.seconds // 60} minutes in the future.")
            occurred_at = now
        elif occurred_at < now - OLDEST:
            raise EventRefused("The event is more than 10 years in the past.")
        return Fitted(event.event_id, user_id, event.name, occurred_at, event.properties)

    def store(self, fitted: Sequence[Fitted]) -> dict[int, EventRefused]:
        """Commit events; return those that the database refuses, by position. The others are stored.

        Raises:
            StoreUnavailable, StoreError: it is unknown which are stored; storing them all again does no harm.
        """

        def insert_them(connection: Connection) -> timedelta:
            return write(connection, fitted)

        try:
            # This process may live for months, and its clock may be corrected in the meantime.
            self._ahead = transaction(self.engine, insert_them, resolve=insert_them)
        except StoreError as error:
            if not is_of_one_row(error):
                raise
            if len(fitted) == 1:
                return {0: EventRefused(f"The database refused the event ({code_of(error)}).")}
            half = len(fitted) // 2
            first, second = self.store(fitted[:half]), self.store(fitted[half:])
            return first | {half + position: refused for position, refused in second.items()}
        return {}

    def close(self) -> None:
        """Close the connections; the next use opens others."""
        self.engine.dispose()


def open_journal(settings: Settings) -> Journal:
    """Find the table, and check that it matches this release and this product's users.

    Raises:
        SettingsError: the URL, the users table or its key is not what it should be.
        SchemaOutdated: the skene_* tables are not there, or of another release.
        WrongEnvironment: the database belongs to another SKENE_ENV.
        StoreError: the database refused, or there is none.
    """
    engine = open_engine(settings.database_url, must_exist=True, patience=PATIENCE)
    try:
        schema.ready(engine, settings.users, settings.accounts)
        environment.check(engine, settings.environment)
        with translated(), engine.connect() as connection:
            user_ids = UserIds.of(common_key(connection, settings.users), sqlite=is_sqlite(engine))
        return Journal(engine, database_clock(engine), user_ids)
    except BaseException:
        engine.dispose()
        raise


def write(connection: Connection, fitted: Sequence[Fitted]) -> timedelta:
    """Insert events whose id is new; existing ones stay as they are. The caller must commit at once.

    Returns:
        How far the database's clock is ahead of this machine's.

    Raises:
        StoreUnavailable: it took so long that readers may have passed by.
    """
    started, before = time.monotonic(), _utc_now()
    received_at = database_time(connection)
    ahead = received_at - (before + (_utc_now() - before) / 2)
    rows = [
        {
            "event_id": event.event_id,
            "user_id": event.user_id,
            "name": event.name,
            "occurred_at": event.occurred_at,
            "received_at": received_at,
            "properties": event.properties,
        }
        for event in fitted
    ]
    # Not INSERT IGNORE, which would hide a value that does not fit.
    statement = _IN_SQLITE if is_sqlite(connection) else _ON_SERVER
    for start in range(0, len(rows), SLICE):
        connection.execute(statement, rows[start : start + SLICE])
    # Half of it is left for the COMMIT.
    if time.monotonic() - started > SETTLED_WITHIN.total_seconds() / 2:
        raise StoreUnavailable("The database took too long to insert events.", advice="Try again later.")
    return ahead


def last_named(connection: Connection, beginning: str) -> datetime | None:
    """Return when the last event happened whose name has this prefix, which has no `%` and no `_`."""
    found: datetime | None = connection.execute(
        select(func.max(events.c.occurred_at)).where(events.c.name.like(f"{beginning}%"))
    ).scalar()
    return found


def kept_since(connection: Connection) -> date | None:
    """Return the day (UTC) from which all events remain; None if none was ever given up."""
    found = connection.execute(select(meta.c.value).where(meta.c.name == _KEPT_SINCE)).scalar_one_or_none()
    return None if found is None else date.fromisoformat(found)


def let_go(connection: Connection, since: date) -> date:
    """Record that events from before a day may be deleted from now on, for ever; return that day, or a later one."""
    before = kept_since(connection)
    if before is None:
        connection.execute(insert(meta).values(name=_KEPT_SINCE, value=since.isoformat()))
        return since
    if since > before:
        connection.execute(update(meta).where(meta.c.name == _KEPT_SINCE).values(value=since.isoformat()))
    return max(since, before)


def earliest_received_since(connection: Connection, received: datetime) -> datetime | None:
    """Say when the earliest of the events happened that were received since a moment; None: there are none.

    Those are left out that are too late to be counted already.
    """
    kept = kept_since(connection)
    mine = [events.c.received_at >= received]
    if kept is not None:
        mine.append(events.c.occurred_at >= datetime(kept.year, kept.month, kept.day))
    moment: datetime | None = connection.execute(select(func.min(events.c.occurred_at)).where(*mine)).scalar()
    return moment


def forget(connection: Connection, *, since: datetime | None, size: int) -> Swept:
    """Delete events that may go: those that happened, and were received, before the day of `kept_since`."""
    day = kept_since(connection)
    if day is None:
        return Swept(0, None)
    begin = datetime(day.year, day.month, day.day)
    # Clocks differ: one that was received just before that day may have happened on it.
    happened, received = events.c.occurred_at < begin, events.c.received_at
    return sweep(connection, events, received, "skene_events_received", happened, before=begin, since=since, size=size)


def _utc_now() -> datetime:
    return datetime.now(timezone.utc).replace(tzinfo=None)
