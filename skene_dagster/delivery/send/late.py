"""A tick that is late: users who came back since it was due are not mailed for it.

The condition is checked again when the email is made, with what is known now but with the tick's clock; with the
present clock, a window such as "signed up yesterday" would lose its people.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection

from skene_dagster.delivery import ledger
from skene_dagster.delivery.ledger import scope_of
from skene_dagster.delivery.model import Batch, ReservedSend
from skene_dagster.delivery.modes import Mode
from skene_dagster.loops.plan import LoopPlan, Query, StepPlan
from skene_dagster.segments import conditions
from skene_dagster.segments.evaluation import in_time
from skene_dagster.segments.recheck import Again
from skene_dagster.segments.triggers import finding
from skene_dagster.settings import Settings

LATE = timedelta(minutes=15)
"""How old a condition's answer may be: a tick's first one, and a repeated one."""


@dataclass(frozen=True)
class LateTicks:
    """A step's late ticks, and who no longer qualifies for them."""

    plan: LoopPlan
    step: StepPlan
    settings: Settings
    mode: Mode
    _of_all: dict[datetime, tuple[datetime, frozenset[str]]] = field(default_factory=dict)
    """By tick: when its condition was evaluated for everybody, and who was not in the answer, by send_id."""
    _looked_up: list[tuple[LoopPlan, StepPlan]] = field(default_factory=list)
    """The plan and the step, once it is known what the columns hold that its query reads."""

    def who_left(
        self, connection: Connection, batch: Batch, waiting: Sequence[ReservedSend], now: datetime
    ) -> frozenset[str]:
        """List the sends of a batch whose user, or row, no longer qualifies; none if its tick is not late.

        Args:
            waiting: the sends of the batch that are still to be made.

        Raises:
            SegmentTimeout: the condition took longer than its timeout.
            QueryRejected, NotCounted: the condition has no answer.
        """
        if not waiting or not self.is_late(batch.as_of, now):
            return frozenset()
        place = conditions.place_of(self.plan, self.step)
        with in_time(connection, self.step.timeout, place):
            if not self._is_asked_by_key:
                return self._not_in_the_whole_answer(connection, batch.as_of, now)
            return self._not_in_the_answer(connection, batch, waiting, now)

    def is_late(self, as_of: datetime, now: datetime) -> bool:
        """Whether so much time has passed since a tick that what it found may not be so any more."""
        # What does not leave may be of simulated time, which is never late: what comes later than its ticks is not
        # what happened since, but the rest of the simulation.
        is_simulated = not self.mode.leaves and now - as_of > self.settings.limits.expires_after
        return now - as_of > LATE and not is_simulated

    @property
    def _is_asked_by_key(self) -> bool:
        condition = self.step.condition
        return self.step.by_row or not isinstance(condition, Query) or condition.by_key

    def _not_in_the_answer(
        self, connection: Connection, batch: Batch, waiting: Sequence[ReservedSend], now: datetime
    ) -> frozenset[str]:
        if self.step.per_account:
            keys = list(ledger.accounts_of_batch(connection, batch.batch_id).values())
        else:
            keys = [(row.user_id, row.occurrence) for row in waiting]
        again = Again(list(dict.fromkeys(key for key, _ in keys)), now)
        asked, in_batch = (connection, *self._known(connection), self.settings), ledger.in_batch(batch.batch_id)
        not_among = ledger.accounts_not_among if self.step.per_account else ledger.not_among
        if self.step.by_row:
            rows = finding.found_again(*asked, self.mode.name, keys, batch.as_of, again)
            return not_among(connection, in_batch, rows.c.user_id, rows.c.occurrence)
        answer = conditions.answer_again(*asked, batch.as_of, again)
        return not_among(connection, in_batch, answer.c[0])

    def _not_in_the_whole_answer(self, connection: Connection, as_of: datetime, now: datetime) -> frozenset[str]:
        """Evaluate for the whole tick a condition that cannot be restricted to some users: one batch takes as long."""
        asked_at, left = self._of_all.get(as_of, (None, frozenset[str]()))
        if asked_at is None or now - asked_at > LATE:
            rows = conditions.answer(connection, *self._known(connection), self.settings, as_of).rows
            scope = scope_of(self.mode.name, self.plan, self.step)
            not_among = ledger.accounts_not_among if self.step.per_account else ledger.not_among
            left = not_among(connection, ledger.at_tick(scope, as_of), rows.c[0])
            self._of_all[as_of] = now, left
        return left

    def _known(self, connection: Connection) -> tuple[LoopPlan, StepPlan]:
        if not self._looked_up:
            self._looked_up.append(conditions.looked_up(connection, self.plan, self.step))
        return self._looked_up[0]
