"""How long incidents are kept."""

from functools import partial

from sqlalchemy import Engine

from skene_dagster.consent.writing import write
from skene_dagster.delivery.retention import CHUNK, all_of
from skene_dagster.incidents import failures, record
from skene_dagster.store.engine import Clock


def forget_incidents(engine: Engine, clock: Clock, chunk: int = CHUNK) -> int:
    """Delete what was over, and what failed and has not run since, before `record.KEPT`; return how many incidents.

    Args:
        chunk: rows per transaction.

    Raises:
        StoreError: the database refused; what was done by then stays so.
    """
    before = clock() - record.KEPT
    write(engine, partial(failures.forget, before=before))
    return all_of(engine, partial(record.forget, before=before, size=chunk))
