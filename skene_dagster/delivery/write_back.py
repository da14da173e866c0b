"""The action's `set`: columns of the users table, written once the provider has accepted the email."""

from typing import Any

from sqlalchemy import Connection, Row, update

from skene_dagster.audience import segments
from skene_dagster.delivery import ledger
from skene_dagster.delivery.desk import Desk
from skene_dagster.loops.plan import Email, segment_name
from skene_dagster.store.engine import users_table


def write_back(desk: Desk, batch: Row[Any], email: Email) -> None:
    """Write `set` to the users of a batch whose email was accepted. Idempotent, and repeated until it is done."""
    users = desk.settings.users
    values: dict[str, Any] = dict(email.set)

    def write(connection: Connection) -> None:
        accepted = ledger.accepted_in(connection, batch.batch_id)
        if accepted and values:
            table = users_table(users, *values, *([users.updated_at] if users.updated_at else []))
            # The product's own moment of change stays as it is: what we write triggers no loop.
            kept = {users.updated_at: table.c[users.updated_at]} if users.updated_at else {}
            connection.execute(update(table).where(table.c[users.key].in_(accepted)).values(values | kept))
            segments.expect_exits(connection, segment_name(batch.loop, batch.step), accepted, desk.clock())
        ledger.written_back(connection, batch.batch_id, desk.clock())

    desk.do(write)
