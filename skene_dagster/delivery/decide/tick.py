"""A tick of a step while it is decided: in which parts, page by page, one transaction each."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from skene_dagster.delivery import controls, ledger
from skene_dagster.delivery.decide import first_wave
from skene_dagster.delivery.decide.arbiter.arbiter import Arbiter, days_of
from skene_dagster.delivery.decide.candidates import Candidate, CandidateDecision, new_decisions
from skene_dagster.delivery.decide.eligibility import Rules
from skene_dagster.delivery.decide.gates import judging, looking
from skene_dagster.delivery.decide.gates.judging import Gate
from skene_dagster.delivery.decide.send_audience import SendAudience
from skene_dagster.delivery.decide.slices import Slices
from skene_dagster.delivery.ledger.decisions.deferring import Waits
from skene_dagster.delivery.model import GateName, HoldReason
from skene_dagster.segments import clearance
from skene_dagster.store.engine import Clock

Find = Callable[[Connection, datetime | None, Candidate | None], list[Candidate]]
"""Lists who is decided next, of those who entered after a tick, and behind the last one of the page before."""


@dataclass(frozen=True)
class Part:
    """Some of those whom a tick decides about."""

    find: Find
    in_order: bool = False
    """Whether they come in the order of their keys."""
    gathers: bool = False
    """Whoever could be mailed is put off, to take their turn with the others."""
    until_full: bool = False
    """A page of which nobody is mailed is the last one: the budget of the day is used up."""
    is_last: bool = False
    """Once it is done, everybody of the tick is decided."""


@dataclass(frozen=True)
class Hold:
    """Why nobody of a step is decided about."""

    reason: HoldReason
    said: Mapping[GateName, str]
    """What each gate says that holds it; empty where a person has paused it."""


@dataclass(frozen=True)
class Page:
    """What was decided about one page; about nobody where there was none left, or nobody may be decided now."""

    decided: Sequence[CandidateDecision]
    batches: int
    hold: Hold | None = None
    is_done: bool = False
    """There is no further one."""


@dataclass
class Tick:
    """A tick of a step while it is decided."""

    audience: SendAudience
    clock: Clock
    batch: int
    """Emails of a batch, at most."""
    decided_up_to: datetime | None
    """The last tick of which everybody is decided."""
    gates: Sequence[Gate]
    wave: Slices | None
    arbiter: Arbiter

    def is_too_large(self, connection: Connection) -> bool:
        """Whether it decides about more than may be mailed on a day."""
        room = self._room()
        return room is not None and first_wave.has_more_than(connection, self.audience, self.decided_up_to, room)

    def _room(self) -> int | None:
        days = days_of(self.audience.email, in_slices=self.wave is not None)
        return None if self.arbiter.budget is None else self.arbiter.budget.least_room(days)

    def _hold(self, connection: Connection, ordered: HoldReason | None) -> Hold | None:
        """Say what holds the step now: an order, or the gates that are shut and that nobody lets it pass."""
        if ordered is not None:
            return Hold(ordered, {})
        shut = [gate for gate in self.gates if gate.is_shut]
        if not shut:
            return None
        orders = controls.orders(connection, self.audience.plan.name, self.audience.step.ledger_name)
        known = ledger.progress(connection, self.audience.scope)
        accepted = known.accepted if known else frozenset[str]()
        left = [gate for gate in shut if not looking.is_let_through(gate, orders, accepted)]
        return Hold(left[0].name, judging.said(left)) if left else None

    def parts(self, *, in_turn: bool) -> Sequence[Part]:
        """Say in which order everybody is decided: whoever waited, then whoever is new.

        Args:
            in_turn: there are more than may be mailed: all are gathered first, and the most recently active are mailed.
                Those whose email could not be made come last: else they would take the place of others at each tick.
        """

        def due(waiting: Waits) -> Find:
            return lambda connection, _since, _after: self.audience.due(connection, waiting=waiting)

        def mended(connection: Connection, _since: datetime | None, _after: Candidate | None) -> list[Candidate]:
            room = self._room()
            return self.audience.due(connection, waiting="for_a_mend", most=max(room, 0)) if room is not None else []

        if not in_turn:
            return Part(due("for_anything")), Part(self.audience.entered, in_order=True, is_last=True)
        return (
            Part(due("for_something_else"), gathers=True),
            Part(self.audience.entered, in_order=True, gathers=True),
            Part(due("for_room"), until_full=True),
            Part(mended, is_last=True),
        )

    def decide_page(self, connection: Connection, part: Part, after: Candidate | None) -> Page:
        """Decide about the next page of a part, and write it down."""
        audience, as_of = self.audience, self.audience.as_of
        ledger.lock(connection, audience.scope)
        cleared = clearance.require(connection, audience.segment, as_of, "nothing is sent")
        since = audience.since(self.decided_up_to, cleared.first_as_of)
        rules = audience.rules(connection, cleared.first_as_of, self.clock())
        hold = self._hold(connection, rules.hold)
        if hold is not None:
            ledger.hold(connection, audience.scope, hold.reason, since, hold.said)
            return Page([], 0, hold=hold)
        candidates = part.find(connection, since, after)
        decided: list[CandidateDecision] = []
        batches = 0
        if candidates:
            decided, batches = self._decide(connection, part, candidates, rules)
        is_done = not candidates or (part.until_full and not mails(decided))
        if is_done and part.is_last:
            ledger.complete(connection, audience.scope, as_of, self.decided_up_to)
        return Page(decided, batches, is_done=is_done)

    def _decide(
        self, connection: Connection, part: Part, candidates: Sequence[Candidate], rules: Rules
    ) -> tuple[list[CandidateDecision], int]:
        audience, now = self.audience, self.clock()
        # A page that is overtaken is decided again.
        slices = None if self.wave is None else replace(self.wave)
        self.arbiter.gather(is_gathering=part.gathers)
        decided = audience.decide(
            connection,
            candidates,
            rules,
            now,
            in_order=part.in_order,
            alone=True,
            slices=slices,
            arbiter=self.arbiter,
        )
        self.arbiter.keep(connection)
        accounts = [one.account for one in decided if one.account is not None]
        ledger.decide_accounts(connection, audience.scope, accounts, as_of=audience.as_of, now=now)
        batches = ledger.decide(
            connection,
            audience.scope,
            new_decisions(decided, now),
            as_of=audience.as_of,
            now=self.clock(),
            size=self.batch,
            planned=audience.planned(now),
        )
        return decided, batches

    def has_decided(self, page: Page) -> None:
        """Count the emails of a page, once it is written down."""
        if self.wave is not None:
            self.wave.decided += mails(page.decided)


def mails(decided: Iterable[CandidateDecision]) -> int:
    return sum(one.emails for one in decided)
