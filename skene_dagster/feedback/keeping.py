"""How long what came back is kept: the events of the inbox for a month, when somebody opened an email for 400 days."""

from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from sqlalchemy import Engine

from skene_dagster.consent.writing import write
from skene_dagster.delivery import ledger
from skene_dagster.delivery.retention import CHUNK, all_of
from skene_dagster.feedback import inbox
from skene_dagster.store.engine import Clock, reading

OPENS_KEPT = timedelta(days=400)
"""Counted from when the email was accepted."""


@dataclass(frozen=True)
class Pruned:
    """What was deleted, and forgotten."""

    events: int
    """Of the inbox."""
    opens: int
    """Emails of which it is not known any more when they were opened or clicked."""


def prune(engine: Engine, clock: Clock, chunk: int = CHUNK) -> Pruned:
    """Delete and forget what is older.

    Args:
        chunk: rows per transaction.

    Raises:
        StoreError: the database refused; what was done by then stays so.
    """
    now = clock()
    deleted = all_of(engine, partial(inbox.forget, before=now - inbox.KEPT, size=chunk))
    before, after = now - OPENS_KEPT, reading(engine, ledger.opens_forgotten_until)
    forgotten = sum(
        all_of(engine, partial(ledger.forget_opens, scope=scope, after=after, before=before, size=chunk))
        for scope in reading(engine, ledger.all_scopes)
    )
    write(engine, lambda connection: ledger.opens_are_forgotten(connection, before))
    return Pruned(deleted, forgotten)
