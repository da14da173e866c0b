"""What takes reports in where they are posted: each is in the inbox before it is acknowledged."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby

from sqlalchemy import Connection, Engine

from skene_dagster.delivery.providers.feedback import Report
from skene_dagster.errors import EventRefused
from skene_dagster.feedback import inbox
from skene_dagster.settings import Settings
from skene_dagster.store import environment, schema
from skene_dagster.store.engine import database_time, open_engine, transaction

PATIENCE = 10.0
"""Seconds after which we give up on a database that does not answer."""


@dataclass(frozen=True)
class Posted:
    """A report, and whose it is."""

    provider: str
    """As the registry names it."""
    report: Report


class Intake:
    """The inbox of a database that passed all checks."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def store(self, posted: Sequence[Posted]) -> dict[int, EventRefused]:
        """Commit reports; one that is known changes nothing. None is refused: they fit their columns.

        Raises:
            StoreUnavailable, StoreError: it is unknown which are stored; storing them all again does no harm.
        """
        put = partial(_put, posted=posted)
        transaction(self.engine, put, resolve=put)
        return {}

    def close(self) -> None:
        """Close the connections; the next use opens others."""
        self.engine.dispose()


def open_intake(settings: Settings) -> Intake:
    """Find the inbox, and check that it is of this release and this environment.

    Raises:
        SettingsError: the URL, the users table or its key is not what it should be.
        SchemaOutdated: the skene_* tables are not there, or of another release.
        WrongEnvironment: the database belongs to another SKENE_ENV.
        StoreError: the database refused, or there is none.
    """
    engine = open_engine(settings.database_url, must_exist=True, patience=PATIENCE)
    try:
        schema.ready(engine, settings.users)
        environment.check(engine, settings.environment)
        return Intake(engine)
    except BaseException:
        engine.dispose()
        raise


def _put(connection: Connection, posted: Sequence[Posted]) -> None:
    now = database_time(connection)
    for provider, some in groupby(sorted(posted, key=lambda one: one.provider), key=lambda one: one.provider):
        inbox.put(connection, provider, [one.report for one in some], now)
