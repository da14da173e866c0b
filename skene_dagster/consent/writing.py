"""Write to the list of suppressions, while others may be writing the same."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError

from skene_dagster.store.engine import ATTEMPTS, transaction

Result = TypeVar("Result")


def write(engine: Engine, work: Callable[[Connection], Result]) -> Result:
    """Do idempotent work in one transaction, again if another process added one of its rows at that moment.

    Raises:
        StoreUnavailable, StoreError: as `transaction` does.
        IntegrityError: another process was faster each time.
    """
    for _ in range(1, ATTEMPTS):
        try:
            return transaction(engine, work, resolve=work)
        except IntegrityError:
            continue
    return transaction(engine, work, resolve=work)
