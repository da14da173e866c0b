"""A tick's wave: its members, or the rows that triggered, decided page by page by the loop's rules and by orders."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection, Engine, Row

from skene_dagster.delivery import controls, ledger
from skene_dagster.delivery.decide import facts
from skene_dagster.delivery.decide.eligibility import Decision, Facts, Mail, RowFacts, Rules, decide, decide_row
from skene_dagster.delivery.decide.facts import Person
from skene_dagster.delivery.ledger import Scope
from skene_dagster.delivery.model import HoldReason, Past
from skene_dagster.delivery.modes import Mode
from skene_dagster.loops.plan import Email, LoopPlan, StepPlan, segment_name
from skene_dagster.segments import clearance, members, trigger_rows
from skene_dagster.segments.clearance import Clearance
from skene_dagster.settings import Settings
from skene_dagster.store.engine import reading

PAGE = 5_000
"""Members per transaction: 14k rows/s on TiDB against 8k at 1,000 (measured 2026-11)."""


@dataclass(frozen=True)
class MemberDecision:
    """One user, what was decided about them or about one of their rows, and what the ledger knew before."""

    user_id: object
    decision: Decision
    past: Past | None


@dataclass(frozen=True)
class SendAudience:
    """Whom one step mails at one tick."""

    plan: LoopPlan
    step: StepPlan
    settings: Settings
    mode: Mode
    as_of: datetime
    size: int = PAGE
    """How many are decided in one transaction."""

    @property
    def email(self) -> Email:
        """What the step sends."""
        assert self.step.email is not None
        return self.step.email

    @property
    def scope(self) -> Scope:
        """Whose ledger it is."""
        return Scope(self.mode.name, self.plan.name, self.step.name)

    @property
    def segment(self) -> str:
        """Whose members they are."""
        return segment_name(self.plan.name, self.step.name)

    def rules(
        self, connection: Connection, first_as_of: datetime, now: datetime, *, awaits_approval: bool = False
    ) -> Rules:
        """Say by which rules it is decided now: those of the loop, and the orders that people gave."""
        orders = controls.orders(connection, self.plan.name, self.step.name)
        hold: HoldReason | None = (
            "paused" if orders.paused else "first_wave" if awaits_approval and not orders.approved else None
        )
        is_cancelled = orders.cancels(self.as_of, now)
        return replace(self.rules_without_orders(first_as_of), hold=hold, is_cancelled=is_cancelled)

    def rules_without_orders(self, first_as_of: datetime) -> Rules:
        """Say by which rules it is decided where no person gave an order."""
        return Rules(self.email.repeat, self.plan.start, first_as_of, self.plan.zone_of(self.step))

    def page(self, connection: Connection, after: Row[Any] | None) -> Sequence[Any]:
        """List the next of those to decide about, behind the last one of the page before."""
        if not self.step.by_row:
            last = None if after is None else after.user_id
            return members.page(connection, self.segment, as_of=self.as_of, after=last, limit=self.size)
        behind = None if after is None else (after.user_id, after.occurrence)
        # Twice as long as anything waits: what was deferred longer is skipped once, and then left alone.
        since = self.as_of - 2 * self.settings.limits.expires_after
        return trigger_rows.page(
            connection,
            self.mode.name,
            self.segment,
            since=since,
            as_of=self.as_of,
            after=behind,
            limit=self.size,
        )

    def decide(self, connection: Connection, rows: Sequence[Any], rules: Rules) -> list[MemberDecision]:
        """Decide about a page."""
        keys = list(dict.fromkeys(row.user_id for row in rows))
        people = facts.people(connection, self.settings.users, keys, as_of=self.as_of)
        if self.step.by_row:
            return self._decide_rows(connection, rows, rules, people)
        pasts = ledger.history(connection, self.scope, keys)
        decided = []
        for row in rows:
            person, past = people.get(row.user_id), pasts.get(row.user_id)
            address, mailable = (person.address, person.mailable) if person else (None, False)
            decision = decide(Facts(row.entered_at, address, mailable, past), rules, self.as_of)
            decided.append(MemberDecision(row.user_id, decision, past))
        return decided

    def is_a_large_first_one(self, engine: Engine) -> bool:
        """Whether the step never mailed anybody real before, and would now mail more than `limits.first_wave`."""
        most = self.settings.limits.first_wave
        if self.mode.name != "live":
            return False
        cleared = reading(engine, self._clearance_of_a_first_wave)
        if cleared is None or (cleared.members <= most and not self.step.by_row):
            return False
        mailed = 0
        last: Row[Any] | None = None
        while mailed <= most:
            counted = reading(engine, partial(self._count_page, first_as_of=cleared.first_as_of, after=last))
            if counted is None:
                return False
            last, mails = counted
            mailed += mails
        return True

    def _decide_rows(
        self, connection: Connection, rows: Sequence[Any], rules: Rules, people: dict[object, Person]
    ) -> list[MemberDecision]:
        pasts = ledger.of_rows(connection, self.scope, [(row.user_id, row.occurrence) for row in rows])
        mailed_now: set[object] = set()
        decided = []
        for row in rows:
            person, past = people.get(row.user_id), pasts.get((row.user_id, row.occurrence))
            address, mailable = (person.address, person.mailable) if person else (None, False)
            mailed_as_of = self.as_of if row.user_id in mailed_now else past.mailed_as_of if past else None
            state = past.state if past else None
            asked = RowFacts(row.occurrence, row.entered_at, address, mailable, state, mailed_as_of)
            decision = decide_row(asked, rules, self.as_of, self.settings.limits.expires_after)
            if isinstance(decision, Mail):
                mailed_now.add(row.user_id)
            decided.append(MemberDecision(row.user_id, decision, past if state else None))
        return decided

    def _clearance_of_a_first_wave(self, connection: Connection) -> Clearance | None:
        if ledger.was_ever_reserved(connection, self.scope):
            return None
        if controls.orders(connection, self.plan.name, self.step.name).approved:
            return None
        return clearance.of(connection, self.segment)

    def _count_page(
        self, connection: Connection, first_as_of: datetime, after: Row[Any] | None
    ) -> tuple[Row[Any], int] | None:
        """Count who would be mailed of a page, and return its last row; None where there is none left."""
        rows = self.page(connection, after)
        if not rows:
            return None
        rules = self.rules_without_orders(first_as_of)
        decided = self.decide(connection, rows, rules)
        return rows[-1], sum(isinstance(one.decision, Mail) for one in decided)
