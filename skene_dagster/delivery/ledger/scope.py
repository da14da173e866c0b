"""Which rows of the ledger a question is about, and what a send is called."""

import hashlib
import uuid
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, FromClause, and_

from skene_dagster.loops.plan import LoopPlan, StepPlan
from skene_dagster.segments.conditions import subject
from skene_dagster.store.keys import as_text
from skene_dagster.store.subjects import USERS, Subject
from skene_dagster.store.tables import batches, sends

ALL_LOOPS = "*"
"""In the place of a loop's name, and of a step's."""

NAMESPACE = uuid.UUID("8b6a4b0e-6a3f-5f0e-9a43-5d0c7b8f2c11")

_VARIANT = {f"{digit:x}": f"{8 | digit & 3:x}" for digit in range(16)}
"""What RFC 9562 makes of the digit that tells a UUID's variant."""


@dataclass(frozen=True)
class StepScope:
    """One step of one loop on one mode: what a ledger query is about."""

    mode: str
    loop: str
    step: str
    subject: Subject = field(default=USERS, compare=False)
    """Whom it decides about."""

    @property
    def key(self) -> dict[str, object]:
        """The columns by which the ledger's tables name it."""
        return {"mode": self.mode, "loop": self.loop, "step": self.step}


def scope_of(mode: str, plan: LoopPlan, step: StepPlan) -> StepScope:
    """Name a step of a plan."""
    return StepScope(mode, plan.name, step.ledger_name, subject(step))


def all_loops(mode: str) -> StepScope:
    """Name what is decided by one page at a time of all loops in a mode: a recipient's emails, which a cap counts."""
    return StepScope(mode, ALL_LOOPS, ALL_LOOPS)


def send_id(scope: StepScope, user_id: object, occurrence: int | str) -> str:
    """Name a send: always the same 32 hex digits for the same mode, loop, step, user and occurrence."""
    parts = (scope.mode, scope.loop, scope.step, as_text(user_id), str(occurrence))
    # uuid.uuid5, without the object that it makes of the digest: a third of the time.
    digest = hashlib.sha1(NAMESPACE.bytes + "\x1f".join(parts).encode(), usedforsecurity=False).hexdigest()
    return f"{digest[:12]}5{digest[13:16]}{_VARIANT[digest[16]]}{digest[17:32]}"


def rows_of(scope: StepScope, table: FromClause) -> ColumnElement[bool]:
    """The rows of one step in one of the ledger's tables, or in an alias of it, as a condition."""
    return and_(table.c.mode == scope.mode, table.c.loop == scope.loop, table.c.step == scope.step)


def sends_of(scope: StepScope) -> ColumnElement[bool]:
    """The sends of one step, as a condition."""
    return rows_of(scope, sends)


def batches_of(scope: StepScope) -> ColumnElement[bool]:
    """The batches of one step, as a condition."""
    return rows_of(scope, batches)


def deferred_of(scope: StepScope) -> ColumnElement[bool]:
    """The deferred of one step, as a condition."""
    return rows_of(scope, scope.subject.deferred)


def decisions_of(scope: StepScope) -> ColumnElement[bool]:
    """The final decisions of one step, as a condition: the sends of users, or what was decided about accounts."""
    return rows_of(scope, scope.subject.decisions)
