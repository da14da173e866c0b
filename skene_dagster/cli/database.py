"""How commands show and open the database, and what they refuse before they begin."""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from sqlalchemy import Engine

from skene_dagster.delivery import modes
from skene_dagster.delivery.backup_recovery import refuse_an_outdated_ledger
from skene_dagster.delivery.modes import Mode
from skene_dagster.delivery.providers import registry
from skene_dagster.delivery.send.session import DeliverySession
from skene_dagster.documents import Document
from skene_dagster.errors import SchemaOutdated
from skene_dagster.settings import Settings, read_settings
from skene_dagster.store import environment, schema
from skene_dagster.store.engine import Clock, database_clock, open_engine, reading
from skene_dagster.store.server import urls


def shown_database(settings: Settings) -> str:
    """Name the database without its password; a file relative to the project."""
    url = urls.parse(settings.database_url)
    if url.drivername in urls.SQLITE:
        file = Path(url.database or "")
        return str(file.relative_to(settings.root)) if file.is_relative_to(settings.root) else str(file)
    return f"{url.database} on {url.host or 'localhost'}:{url.port or 4000}"


@contextmanager
def open_ledger(settings: Settings) -> Iterator[tuple[Engine, Clock]]:
    """Open the database for a command that reads or writes the ledger, with its clock.

    Raises:
        SchemaOutdated: the skene_* tables are not there, or of another release.
        WrongEnvironment: the database belongs to another SKENE_ENV.
        StoreError: the database refused.
    """
    # Only read at first: an SQLite file that is not there is a mistake, not a database to be made.
    reader = open_engine(settings.database_url, read_only=True)
    try:
        there = schema.is_ready(reader)
    finally:
        reader.dispose()
    if not there:
        raise SchemaOutdated(
            "The skene_* tables are not in the database, or belong to an older release.",
            advice="On SQLite the next run makes or upgrades them; on a server, run: skene-dagster migrate",
        )
    engine = open_engine(settings.database_url)
    try:
        environment.check(engine, settings.environment)
        yield engine, database_clock(engine)
    finally:
        engine.dispose()


@contextmanager
def open_session(settings: Settings, mode: Mode, engine: Engine, clock: Clock) -> Iterator[DeliverySession]:
    """Open a delivery session for a command that asks the provider's records."""
    opened = partial(modes.provider, mode, settings, clock)
    with closing(DeliverySession(engine, settings, mode, opened, clock, f"cli-{os.getpid()}")) as session:
        yield session


def refuse_a_backup(settings: Settings, mode: Mode, engine: Engine, clock: Clock) -> str:
    """Compare the ledger with the provider's newest records, as a run does before it sends.

    Returns:
        Why they could not be read; empty if they were, or if there is nothing to compare.

    Raises:
        LedgerOutdated: the ledger was restored from a backup.
        StoreError: the database refused.
    """
    if not mode.leaves or reading(engine, environment.remembered) is None:
        return ""
    unread: list[str] = []
    with open_session(settings, mode, engine, clock) as session:
        session.say = unread.append
        for provider in registry.configured(settings):
            refuse_an_outdated_ledger(session, provider)
    return " ".join(unread)


def settings_file(settings: Settings) -> Document:
    """Read skene.yaml again, for the lines of what the database finds wrong in it."""
    return read_settings(settings.root)
