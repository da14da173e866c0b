"""What our own tables say, for the judge: read by a connection of its own, between any two statements of others."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeAlias

from databases import Database
from product import users
from sqlalchemy import Column, Row, and_, delete, exists, func, insert, select

from skene_dagster.delivery.ledger.scope import StepScope, send_id
from skene_dagster.store.tables import (
    OPEN,
    batches,
    controls,
    deferred,
    metadata,
    pacing,
    receipts,
    segment_members,
    sends,
)

Backup: TypeAlias = dict[str, list[dict[str, Any]]]
"""Rows by table."""

WITHOUT_BYTES = tuple(column for column in batches.c if column is not batches.c.payload)


class Eyes:
    """The tables as they are committed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def batch(self, key: str) -> Row[Any]:
        """Read the batch whose idempotency key this is."""
        row: Row[Any] = self._rows(select(batches).where(batches.c.batch_id == key.rpartition("/")[2]))[0]
        return row

    def waiting(self) -> Sequence[Row[Any]]:
        """List the batches with work left."""
        return self._rows(select(batches).where(batches.c.state.in_(("reserved", "frozen", "accepted"))))

    def closed_until(self) -> datetime | None:
        """Say until when the provider's account is closed."""
        return self._newest(pacing.c.closed_until)

    def cancelled_at(self) -> datetime | None:
        """Say when the loop was last cancelled."""
        return self._newest(controls.c.cancelled_at)

    def sends(self) -> dict[str, Row[Any]]:
        """Read every decision with its batch, by send id."""
        columns = (*sends.c, batches.c.state.label("batch_state"), batches.c.unresolved_since)
        query = select(*columns).outerjoin(batches, batches.c.batch_id == sends.c.batch_id)
        return {row.send_id: row for row in self._rows(query)}

    def receipts(self) -> dict[str, str | None]:
        """Read what the provider calls each email that has a receipt, by send id."""
        return {row.send_id: row.provider_id for row in self._rows(select(receipts))}

    def deferred(self) -> set[str]:
        """Read who waits to be decided again, by the send id that their email will have."""
        rows = self._rows(select(deferred))
        return {send_id(StepScope(row.mode, row.loop, row.step), row.user_id, row.occurrence) for row in rows}

    def entries(self) -> dict[int, int]:
        """Count how often each user has entered the segment."""
        query = select(segment_members.c.user_id, func.count()).group_by(segment_members.c.user_id)
        return {row[0]: row[1] for row in self._rows(query)}

    def undecided(self) -> list[int]:
        """List who is inside without a decision since they entered."""
        decided = exists().where(
            sends.c.user_id == segment_members.c.user_id, sends.c.as_of >= segment_members.c.entered_at
        )
        waits = exists().where(deferred.c.user_id == segment_members.c.user_id)
        inside = and_(segment_members.c.exited_at == OPEN, ~decided, ~waits)
        return [row[0] for row in self._rows(select(segment_members.c.user_id).where(inside))]

    def outside(self) -> list[int]:
        """List whom the condition selects, and who is not inside."""
        inside = exists().where(segment_members.c.user_id == users.c.id, segment_members.c.exited_at == OPEN)
        return [row[0] for row in self._rows(select(users.c.id).where(users.c.dormant, ~inside))]

    def users(self) -> dict[int, Row[Any]]:
        """Read the users."""
        return {row.id: row for row in self._rows(select(users))}

    def everything(self) -> Backup:
        """Copy all of our tables, as a backup does."""
        return {name: [row._asdict() for row in self._rows(select(table))] for name, table in metadata.tables.items()}

    def restore(self, backup: Backup) -> None:
        """Write a backup in place of what our tables hold."""
        with self._database.eyes.begin() as connection:
            for name, rows in backup.items():
                connection.execute(delete(metadata.tables[name]))
                if rows:
                    connection.execute(insert(metadata.tables[name]), rows)

    def paused_at(self) -> datetime | None:
        """Say since when the loop is paused."""
        return self._newest(controls.c.paused_at)

    def _newest(self, column: Column[datetime]) -> datetime | None:
        found: datetime | None = self._rows(select(func.max(column)))[0][0]
        return found

    def _rows(self, query: Any) -> Sequence[Any]:
        with self._database.eyes.connect() as connection:
            return connection.execute(query).all()
