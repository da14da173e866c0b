"""Write what waits to the database. Nobody is decided about, and nothing frozen, before that is done."""

from collections.abc import Sequence

from sqlalchemy import Connection, Engine

from skene_dagster.consent.spool.choices import Choices, in_order
from skene_dagster.consent.spool.spool import Spool
from skene_dagster.consent.writing import write
from skene_dagster.store.engine import Clock

PATIENCE = 30.0
"""Seconds to wait for another process that drains the same folder."""


def record(engine: Engine, many: Sequence[Choices], clock: Clock) -> None:
    """Commit choices in one transaction; once more does no harm.

    Raises:
        StoreUnavailable, StoreError: it is unknown whether they are committed.
        IntegrityError: another process wrote the same each time.
    """

    def work(connection: Connection) -> None:
        for one in in_order(many):
            one.record(connection, clock())

    write(engine, work)


def drain(engine: Engine, spool: Spool, clock: Clock, patience: float = PATIENCE) -> int:
    """Write to the database what waits on this machine; return how many answers that were.

    Raises:
        SpoolError: it cannot be read, or another process does not come to an end with it.
        StoreUnavailable, StoreError: the database refused; it all stays where it is.
    """
    return spool.drain(lambda some: record(engine, some, clock), patience)
