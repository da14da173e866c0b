"""The heartbeat of a lease's holder: leases are short, to replace a dead holder soon; statements may be long."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import timedelta
from typing import TypeAlias

from sqlalchemy import Engine

from skene_dagster.errors import RollupBusy, SegmentBusy, StoreError
from skene_dagster.store.engine import Clock, transaction
from skene_dagster.store.leasing import leases
from skene_dagster.store.leasing.leases import LEASE, Lease
from skene_dagster.store.server import labels

Beating: TypeAlias = Callable[[Engine, Lease, Clock], AbstractContextManager[None]]
"""Keeps a lease alive as long as the block runs."""


@contextmanager
def beating(engine: Engine, mine: Lease, clock: Clock, every: timedelta = LEASE / 3) -> Iterator[None]:
    """Renew a lease from a thread and connection of its own, as long as the block runs.

    A missed beat does no harm: every writer asserts the lease again, and writes nothing if it was lost.
    """
    over = threading.Event()

    def beat() -> None:
        while not over.wait(every.total_seconds()):
            with suppress(SegmentBusy, RollupBusy, StoreError):
                transaction(engine, lambda connection: leases.keep(connection, mine, clock()))

    thread = labels.thread(beat, f"skene {mine.name}")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
