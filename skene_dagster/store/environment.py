"""Which environment a database belongs to: a clone of production in development is noticed, not mailed.

This module owns the rows `environment` and `ledger` of skene_meta.
"""

import uuid
from contextlib import suppress

from sqlalchemy import Connection, Engine, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from skene_dagster.errors import WrongEnvironment
from skene_dagster.settings import Environment
from skene_dagster.store.engine import reading, transaction
from skene_dagster.store.tables import meta

_NAME = "environment"

_LEDGER = "ledger"


def belong(engine: Engine, environment: Environment) -> None:
    """Make sure that the database belongs to this environment; the first run assigns it.

    Raises:
        WrongEnvironment: it is another's; nothing was written.
        StoreError: the database refused.
    """
    if _read(engine) is None:
        # Another first run may be faster; what it wrote holds.
        with suppress(IntegrityError):
            transaction(engine, lambda connection: _remember(connection, environment))
    check(engine, environment)
    with suppress(IntegrityError):
        transaction(engine, ledger_id)


def check(engine: Engine, environment: Environment) -> None:
    """Make sure that the database belongs to no other environment; an unassigned one stays unassigned.

    Raises:
        WrongEnvironment: it is another's.
        StoreError: the database refused.
    """
    there = _read(engine)
    if there not in (None, environment):
        raise WrongEnvironment(
            f"The database belongs to {there}, but SKENE_ENV is {environment}: it may be a clone of production, or "
            "production itself; nothing was done.",
            advice=f"Set SKENE_ENV={there}; or, if the database is to be that of {environment} from now on, run: "
            "skene-dagster adopt",
        )


def remembered(connection: Connection) -> str | None:
    """Return the environment that the database belongs to; None before the first run."""
    return connection.execute(select(meta.c.value).where(meta.c.name == _NAME)).scalar_one_or_none()


def ledger_id(connection: Connection) -> str:
    """Return this ledger's name: 32 hex digits that its backups share, but not its adopted copies."""
    known: str | None = connection.execute(select(meta.c.value).where(meta.c.name == _LEDGER)).scalar_one_or_none()
    if known is not None:
        return known
    new = uuid.uuid4().hex
    connection.execute(insert(meta).values(name=_LEDGER, value=new))
    return new


def adopt(engine: Engine, environment: Environment) -> None:
    """Assign the database to this environment, whatever it belonged to; its ledger gets a new name."""

    def rewrite(connection: Connection) -> None:
        connection.execute(delete(meta).where(meta.c.name == _LEDGER))
        if not connection.execute(update(meta).where(meta.c.name == _NAME).values(value=environment)).rowcount:
            _remember(connection, environment)

    try:
        transaction(engine, rewrite)
    except IntegrityError:
        # A first run wrote the row at the same moment.
        transaction(engine, rewrite)


def _read(engine: Engine) -> str | None:
    return reading(engine, remembered)


def _remember(connection: Connection, environment: Environment) -> None:
    connection.execute(insert(meta).values(name=_NAME, value=environment))
