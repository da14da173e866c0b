"""What takes reports in where they are posted: each is in the inbox before it is acknowledged."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby

from sqlalchemy import Connection, Engine, select

from skene_dagster.delivery.providers.feedback import Report
from skene_dagster.errors import EventRefused, StoreUnavailable
from skene_dagster.feedback import inbox
from skene_dagster.settings import Settings
from skene_dagster.store import environment
from skene_dagster.store.engine import database_time, open_engine, reading, transaction
from skene_dagster.store.tables import webhooks

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
    """Find the inbox, and check that it is of this environment. If the database is away, it is looked for later.

    Raises:
        SettingsError: the URL is not what it should be.
        WrongEnvironment: the database belongs to another SKENE_ENV.
        StoreError: the inbox is not there, or may not be read.
    """
    engine = open_engine(settings.database_url, must_exist=True, patience=PATIENCE)
    try:
        environment.check(engine, settings.environment)
        is_there(engine)
    except StoreUnavailable:
        pass
    except BaseException:
        engine.dispose()
        raise
    return Intake(engine)


def is_there(engine: Engine) -> bool:
    """Whether the inbox can be read: the release of the tables is not for a process to read that only writes this one.

    Raises:
        StoreError: it cannot.
    """
    reading(engine, lambda connection: connection.execute(select(webhooks).limit(1)).first())
    return True


def _put(connection: Connection, posted: Sequence[Posted]) -> None:
    now = database_time(connection)
    for provider, some in groupby(sorted(posted, key=lambda one: one.provider), key=lambda one: one.provider):
        inbox.put(connection, provider, [one.report for one in some], now)
