"""The keys that tokens are signed with: the database's, or those that were kept beside the answers."""

import asyncio
import logging
from pathlib import Path

from sqlalchemy import Connection, Engine, select

from skene_dagster.consent.spool import keys
from skene_dagster.consent.tokens import BadToken, Signer, Token
from skene_dagster.errors import SkeneError, StoreError, StoreUnavailable, WrongEnvironment
from skene_dagster.settings import Settings
from skene_dagster.store import environment
from skene_dagster.store.engine import open_engine, reading
from skene_dagster.store.tables import preferences, suppressions

LOG = logging.getLogger("skene_dagster")

PATIENCE = 5.0
"""Seconds for the database's answer to a short statement."""

FRESH = 5.0
"""Seconds after which a token that no key fits is a reason to read the keys again: there may be a new one."""

REFRESH_SECONDS = 1.0
"""For that: however many wrong tokens come while the database hangs, they hold up nobody who has a right one."""


def open_pages(settings: Settings) -> tuple[Engine, Signer]:
    """Find the tables and the keys. Without the database those keys serve that another start has kept.

    Raises:
        WrongEnvironment: the database belongs to another SKENE_ENV.
        StoreUnavailable: the database is away, and no keys are kept.
        StoreError: the tables are not there, or may not be read.
    """
    engine = open_engine(settings.database_url, must_exist=True, patience=PATIENCE)
    try:
        return engine, _signer_of(engine, settings)
    except BaseException:
        engine.dispose()
        raise


def _signer_of(engine: Engine, settings: Settings) -> Signer:
    try:
        environment.check(engine, settings.environment)
        return reading(engine, _signer)
    except StoreUnavailable:
        known = keys.kept(settings.spool)
        if known is None:
            raise
        return known
    except WrongEnvironment:
        raise
    except StoreError as error:
        raise StoreError(
            f"The unsubscribe pages cannot read what they need. {error.message}",
            advice=f"{error.advice or 'Run: skene-dagster migrate.'} "
            "docs/deploy.md lists the rights of the pages' database user.",
        ) from None


def are_there(engine: Engine) -> bool:
    """Whether the tables can be read that the pages need.

    Raises:
        StoreError: they cannot.
    """
    return reading(engine, _signer) is not None


def _signer(connection: Connection) -> Signer:
    # The release of the tables is not theirs to read who may only write down what recipients say.
    for table in (suppressions, preferences):
        connection.execute(select(table).limit(1)).first()
    return Signer.of(connection)


class Keyring:
    """The keys of a running process; used in its event loop."""

    def __init__(self, engine: Engine, signer: Signer, folder: Path) -> None:
        self._engine = engine
        self._signer = signer
        self._folder = folder
        self._read_at = float("-inf")
        self._reading: asyncio.Future[None] | None = None
        self._keep(signer)

    async def read(self, text: str) -> Token:
        """Read a token.

        Raises:
            BadToken: it is none of this database's; whatever is wrong with it, it takes as long.
        """
        try:
            return self._signer.read(text)
        except BadToken:
            await self._refresh()
        return self._signer.read(text)

    async def _refresh(self) -> None:
        loop = asyncio.get_running_loop()
        if self._reading is None or (self._reading.done() and loop.time() - self._read_at > FRESH):
            self._read_at = loop.time()
            self._reading = loop.run_in_executor(None, self._read_again)
        await asyncio.wait({self._reading}, timeout=REFRESH_SECONDS)

    def _read_again(self) -> None:
        try:
            signer = reading(self._engine, Signer.of)
        except SkeneError:
            return
        if signer != self._signer:
            self._signer = signer
            self._keep(signer)

    def _keep(self, signer: Signer) -> None:
        try:
            keys.keep(self._folder, signer)
        except OSError as error:
            LOG.warning(
                "The signing keys cannot be kept in %s (%s): a start without the database would fail.",
                self._folder,
                error.strerror,
            )
