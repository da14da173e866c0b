"""How many emails ticks have had."""

from datetime import datetime

from sqlalchemy import Connection, func, select

from skene_dagster.delivery.ledger.reading import NOT_DONE
from skene_dagster.delivery.ledger.scope import StepScope, batches_of, sends_of
from skene_dagster.store.tables import batches, sends


def mails_of_tick(connection: Connection, scope: StepScope, as_of: datetime) -> int:
    """Count the emails of a step that a tick has decided: on their way, or gone."""
    mine = (sends_of(scope), sends.c.as_of == as_of, sends.c.state.in_((*NOT_DONE, "accepted")))
    return int(connection.execute(select(func.count()).select_from(sends).where(*mine)).scalar_one())


def largest_tick(connection: Connection, scope: StepScope, since: datetime, before: datetime) -> int:
    """Say how many emails the largest of the ticks in a time had; 0 where none had any.

    They are counted in batches, of which there are a hundred times fewer than of sends.
    """
    ticks = select(func.sum(batches.c.size).label("emails")).where(
        batches_of(scope), batches.c.state != "split", batches.c.as_of >= since, batches.c.as_of < before
    )
    each = ticks.group_by(batches.c.as_of).subquery("ticks")
    return int(connection.execute(select(func.coalesce(func.max(each.c.emails), 0))).scalar_one())


def was_ever_reserved(connection: Connection, scope: StepScope) -> bool:
    """Whether any batch of the step was ever cut."""
    return connection.execute(select(batches.c.batch_id).where(batches_of(scope)).limit(1)).first() is not None
