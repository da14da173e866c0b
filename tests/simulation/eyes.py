"""What our own tables say, for the judge: read by a connection of its own, between any two statements of others."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeAlias

from databases import Database
from product import accounts, users
from sqlalchemy import Column, ColumnElement, Row, Table, and_, delete, exists, func, insert, select

from skene_dagster.delivery.ledger.scope import StepScope, decisions_of, deferred_of, send_id
from skene_dagster.loops.plan import segment_name
from skene_dagster.store.subjects import USERS, Subject
from skene_dagster.store.tables import (
    OPEN,
    batches,
    controls,
    deferred,
    erasures,
    metadata,
    pacing,
    receipt_counts,
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

    def batches(self) -> Sequence[Row[Any]]:
        """List the batches."""
        return self._rows(select(*WITHOUT_BYTES))

    def waiting(self) -> Sequence[Row[Any]]:
        """List the batches with work left."""
        return self._rows(select(batches).where(batches.c.state.in_(("reserved", "frozen", "accepted"))))

    def closed_until(self) -> datetime | None:
        """Say until when the provider's account is closed."""
        return self._newest(pacing.c.closed_until)

    def cancelled_at(self, loop: str) -> datetime | None:
        """Say when a loop was last cancelled."""
        return self._newest(controls.c.cancelled_at, controls.c.loop == loop)

    def sends(self) -> dict[str, Row[Any]]:
        """Read every decision with its batch, by send id."""
        columns = (*sends.c, batches.c.state.label("batch_state"), batches.c.unresolved_since)
        query = select(*columns).outerjoin(batches, batches.c.batch_id == sends.c.batch_id)
        return {row.send_id: row for row in self._rows(query)}

    def receipts(self) -> dict[str, str | None]:
        """Read what the provider calls each email that has a receipt, by send id."""
        return {row.send_id: row.provider_id for row in self._rows(select(receipts))}

    def complained(self) -> set[str]:
        """Read of which emails, by send id, it is known that somebody complained."""
        return {
            row.send_id for row in self._rows(select(receipts.c.send_id).where(receipts.c.complained_at.is_not(None)))
        }

    def counted_as_accepted(self) -> int:
        """Read how many emails are counted as accepted."""
        return sum(row.accepted for row in self._rows(select(receipt_counts)))

    def deferred(self) -> set[str]:
        """Read who waits to be decided again, by the send id that their email will have."""
        rows = self._rows(select(deferred))
        return {send_id(StepScope(row.mode, row.loop, row.step), row.user_id, row.occurrence) for row in rows}

    def planned(self) -> Sequence[Row[Any]]:
        """List the emails that may leave or have left: loop, user, and the batch that says when."""
        columns = (sends.c.send_id, sends.c.loop, sends.c.user_id, batches.c.reserved_at, batches.c.not_before)
        query = select(*columns).join(batches, batches.c.batch_id == sends.c.batch_id)
        return self._rows(query.where(sends.c.state != "skipped"))

    def put_off(self, subject: Subject = USERS) -> Sequence[Row[Any]]:
        """List which users, or accounts, are decided again later."""
        return self._rows(select(subject.deferred))

    def entries(self, scope: StepScope) -> dict[int, int]:
        """Count how often each user has entered a step's segment."""
        query = select(segment_members.c.user_id, func.count()).where(_members_of(scope))
        return {row[0]: row[1] for row in self._rows(query.group_by(segment_members.c.user_id))}

    def wanted(self, scope: StepScope, as_of: datetime) -> set[int]:
        """List whom a step is to decide about at its next tick at the latest: who is new, and who was due at a tick."""
        due = select(deferred.c.user_id).where(deferred_of(scope), deferred.c.ask_at <= as_of)
        return {*self.undecided(scope), *(row[0] for row in self._rows(due))}

    def undecided(self, scope: StepScope) -> list[int]:
        """List who is inside without a decision since they entered."""
        member, made, waiting = (
            table.c for table in (_members(scope), scope.subject.decisions, scope.subject.deferred)
        )
        decided = exists().where(decisions_of(scope), made.user_id == member.user_id, made.as_of >= member.entered_at)
        waits = exists().where(deferred_of(scope), waiting.user_id == member.user_id)
        inside = and_(_members_of(scope), member.exited_at == OPEN, ~decided, ~waits)
        return [row[0] for row in self._rows(select(member.user_id).where(inside))]

    def outside(self, scope: StepScope) -> list[int]:
        """List whom the condition selects, and who is not inside."""
        member, product = _members(scope).c, (users if scope.subject is USERS else accounts).c
        inside = exists().where(_members_of(scope), member.user_id == product.id, member.exited_at == OPEN)
        return [row[0] for row in self._rows(select(product.id).where(product.dormant, ~inside))]

    def users(self) -> dict[int, Row[Any]]:
        """Read the users."""
        return {row.id: row for row in self._rows(select(users))}

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Read all rows of a table."""
        return [row._asdict() for row in self.all_of(metadata.tables[table])]

    def all_of(self, table: Table) -> Sequence[Row[Any]]:
        """Read a whole table."""
        return self._rows(select(table))

    def waits_for_erasure(self) -> bool:
        """Whether anything of somebody who was erased has to wait."""
        return any(row.waits_for for row in self._rows(select(erasures)))

    def everything(self) -> Backup:
        """Copy all of our tables, as a backup does."""
        return {name: self.rows(name) for name in metadata.tables}

    def restore(self, backup: Backup) -> None:
        """Write a backup in place of what our tables hold."""
        with self._database.eyes.begin() as connection:
            for name, rows in backup.items():
                connection.execute(delete(metadata.tables[name]))
                if rows:
                    connection.execute(insert(metadata.tables[name]), rows)

    def paused_since(self) -> dict[str, datetime]:
        """Say since when which loops are paused."""
        query = select(controls.c.loop, controls.c.paused_at).where(controls.c.paused_at.is_not(None))
        return {row.loop: row.paused_at for row in self._rows(query)}

    def _newest(self, column: Column[datetime], which: ColumnElement[bool] | None = None) -> datetime | None:
        query = select(func.max(column))
        found: datetime | None = self._rows(query if which is None else query.where(which))[0][0]
        return found

    def _rows(self, query: Any) -> Sequence[Any]:
        with self._database.eyes.connect() as connection:
            return connection.execute(query).all()


def _members(scope: StepScope) -> Table:
    return scope.subject.members


def _members_of(scope: StepScope) -> ColumnElement[bool]:
    return _members(scope).c.segment == segment_name(scope.loop, scope.step)
