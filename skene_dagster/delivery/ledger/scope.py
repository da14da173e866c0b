"""Which rows of the ledger a question is about, and what a send is called."""

import uuid
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_

from skene_dagster.store.tables import batches, sends

NAMESPACE = uuid.UUID("8b6a4b0e-6a3f-5f0e-9a43-5d0c7b8f2c11")


@dataclass(frozen=True)
class Scope:
    """One step of one loop on one mode: what a ledger query is about."""

    mode: str
    loop: str
    step: str


def send_id(scope: Scope, user_id: object, occurrence: int | str) -> str:
    """Name a send: always the same 32 hex digits for the same mode, loop, step, user and occurrence."""
    key = user_id.hex() if isinstance(user_id, bytes) else str(user_id)
    return uuid.uuid5(NAMESPACE, "\x1f".join((scope.mode, scope.loop, scope.step, key, str(occurrence)))).hex


def sends_of(scope: Scope) -> ColumnElement[bool]:
    """The sends of one step, as a condition."""
    return and_(sends.c.mode == scope.mode, sends.c.loop == scope.loop, sends.c.step == scope.step)


def batches_of(scope: Scope) -> ColumnElement[bool]:
    """The batches of one step, as a condition."""
    return and_(batches.c.mode == scope.mode, batches.c.loop == scope.loop, batches.c.step == scope.step)
