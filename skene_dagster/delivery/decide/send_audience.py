"""Whom a tick decides about, page by page: who entered since the last one, or triggered it, and who is due again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from sqlalchemy import ColumnElement, Connection, true

from skene_dagster.delivery import controls, ledger
from skene_dagster.delivery.decide import facts
from skene_dagster.delivery.decide.accounts.deciding import AccountDecisions
from skene_dagster.delivery.decide.addressees import Addressees, comparing_of, reached_of
from skene_dagster.delivery.decide.arbiter.arbiter import NOBODY_ELSE, Arbiter
from skene_dagster.delivery.decide.candidates import Candidate, CandidateDecision, decide_rows
from skene_dagster.delivery.decide.digest import digest
from skene_dagster.delivery.decide.eligibility import Defer, Facts, HoldOut, Mail, Rules, decide
from skene_dagster.delivery.decide.facts import Person
from skene_dagster.delivery.decide.slices import Slices
from skene_dagster.delivery.ledger import Planned, StepScope, scope_of
from skene_dagster.delivery.ledger.decisions.deferring import Waits
from skene_dagster.delivery.model import NEXT_TICK, HoldReason, Waiting
from skene_dagster.delivery.modes import Mode
from skene_dagster.loops.plan import Email, LoopPlan, StepPlan, segment_name
from skene_dagster.loops.times.hours import ANY_HOUR
from skene_dagster.segments import clearance, members
from skene_dagster.segments.conditions import subject
from skene_dagster.segments.triggers import trigger_rows
from skene_dagster.settings import Settings

PAGE = 5_000
"""Members per transaction: 14k rows/s on TiDB against 8k at 1,000 (measured 2026-11)."""

PAGE_OF_EVERYBODY = 500
"""Accounts per transaction, at most, where everybody of each is mailed."""


@dataclass(frozen=True)
class SendAudience:
    """Whom one step mails at one tick."""

    plan: LoopPlan
    step: StepPlan
    settings: Settings
    mode: Mode
    as_of: datetime
    size: int = PAGE
    """How many users are decided in one transaction."""
    has_consent: bool = True
    """Whether the database has what recipients said; a preview may come before the migration."""
    has_arms: bool = True
    """Whether it has who is compared with whom; likewise."""
    has_accounts: bool = True
    """Whether it has our tables about accounts; likewise."""

    @property
    def at_once(self) -> int:
        """How many members are decided in one transaction."""
        return min(self.size, PAGE_OF_EVERYBODY) if self.step.recipient == "everybody" else self.size

    @property
    def email(self) -> Email:
        """What the step sends."""
        assert self.step.email is not None
        return self.step.email

    @property
    def scope(self) -> StepScope:
        """Whose ledger it is."""
        return scope_of(self.mode.name, self.plan, self.step)

    @property
    def segment(self) -> str:
        """Whose members they are."""
        return segment_name(self.plan.name, self.step.ledger_name)

    def rules(self, connection: Connection, first_as_of: datetime, now: datetime) -> Rules:
        """Say by which rules it is decided now: those of the loop, and the orders that people gave."""
        orders = controls.orders(connection, self.plan.name, self.step.ledger_name)
        hold: HoldReason | None = "paused" if orders.paused else None
        is_cancelled = orders.cancels(self.as_of, now)
        return replace(self.rules_without_orders(first_as_of), hold=hold, is_cancelled=is_cancelled)

    def rules_without_orders(self, first_as_of: datetime) -> Rules:
        """Say by which rules it is decided where no person gave an order."""
        return Rules(self.email.repeat, self.plan.start, first_as_of, self.plan.zone_of(self.step))

    @property
    def digest(self) -> str:
        """What decisions depend on beside the user, in short: where it changes, all who wait are due."""
        return digest(self.plan, self.step, self.settings)

    def since(self, decided_up_to: datetime | None, first_as_of: datetime) -> datetime | None:
        """Say after which tick somebody must have entered to be decided about; None: everybody is.

        Args:
            decided_up_to: the last tick of which everybody is decided; None: of none.
            first_as_of: the tick of the segment's first refresh.
        """
        if decided_up_to is None and self.plan.start == "new_only" and not self.step.by_row:
            return first_as_of
        return decided_up_to

    def there_at_start(self, connection: Connection) -> dict[str, int]:
        """Count who is not mailed because they were inside at the first tick, as `Reserved.counts` has it."""
        cleared = clearance.of(connection, self.segment)
        if cleared is None or cleared.as_of != cleared.first_as_of or self.since(None, cleared.as_of) is None:
            return {}
        return {"skipped:there_at_start": cleared.members}

    def entered(self, connection: Connection, since: datetime | None, after: Candidate | None) -> list[Candidate]:
        """List the next who entered, or the next rows that triggered, behind the last one of the page before.

        Who waits already is left out: they are decided when they are due.
        """
        names = ("user_id", "occurrence") if self.step.by_row else ("user_id",)
        about = subject(self.step)
        table = about.triggered if self.step.by_row else about.members
        is_new = ~ledger.waits(self.scope, *(table.c[name] for name in names))
        return self.page(connection, is_new, since, after)

    def due(
        self,
        connection: Connection,
        after: Candidate | None = None,
        waiting: Waits = "for_anything",
        most: int | None = None,
    ) -> list[Candidate]:
        """List the next who were deferred and are due; whoever is decided is due no more.

        Args:
            after: the last one of the page before, where nobody is decided.
            waiting: for what; of those who wait for room the most recently active come first.
            most: how many at most; None: a page.
        """
        behind = None
        if after is not None and after.waiting is not None:
            behind = (after.waiting.ask_at, after.user_id, after.waiting.occurrence)
        # Whether anybody of an account may be mailed takes more than one look.
        is_always = self.step.per_account
        may_be_mailed = partial(facts.may_be_mailed, connection, self.settings.users, as_of=self.as_of)
        with facts.mapped_by_settings(self.settings.users):
            rows = ledger.due_again(
                connection,
                self.scope,
                self.as_of,
                by_row=self.step.by_row,
                limit=self.at_once if most is None else min(self.at_once, most),
                may_be_mailed=(lambda _: true()) if is_always else may_be_mailed,
                waiting=waiting,
                after=behind,
            )
        return [
            Candidate(
                row.user_id,
                row.entered_at,
                row.occurrence if self.step.by_row else None,
                Waiting(row.occurrence, row.reason, row.ask_at, row.outranked_at),
            )
            for row in rows
        ]

    def decide(
        self,
        connection: Connection,
        page: Sequence[Candidate],
        rules: Rules,
        now: datetime,
        *,
        in_order: bool = False,
        alone: bool = False,
        slices: Slices | None = None,
        arbiter: Arbiter = NOBODY_ELSE,
    ) -> list[CandidateDecision]:
        """Decide about a page; in the order of the users' keys, or in any.

        Args:
            alone: keep pages of other loops from deciding until this transaction ends, where emails of all are counted.
            slices: in which the wave leaves; what is decided here is added to them.
            arbiter: between it and other loops; what is decided here is taken from the budget of its days.
        """
        if self.step.per_account:
            about = AccountDecisions.read(
                self, connection, page, rules, now, alone=alone, slices=slices, arbiter=arbiter
            )
            return [about.decide(one) for one in page]
        keys = list(dict.fromkeys(one.user_id for one in page))
        people = self.people(connection, keys, now)
        pasts = {} if self.step.by_row else ledger.history(connection, self.scope, keys, in_order=in_order)
        comparing = comparing_of(self, connection, people, in_order=in_order)
        reached = reached_of(self, connection, page, people)
        # The last thing that is read: whoever keeps others from deciding does so for as short as can be.
        addressees = self.addressees(connection, people, now, alone=alone, arbiter=arbiter)
        addressees.slices, addressees.comparing, addressees.reached = slices, comparing, reached
        if self.step.by_row:
            return decide_rows(connection, page, rules, people, addressees, self.settings.limits.expires_after)
        mailed_now: set[object] = set()
        decided = []
        for one in page:
            person, past = people.get(one.user_id), pasts.get(one.user_id)
            addressee = addressees.of(person, one.waiting, one.entered_at)
            decision = decide(Facts(one.entered_at, addressee, past, one.waiting), rules, self.as_of)
            if isinstance(decision, Mail | HoldOut):
                # Somebody may wait twice: for an email that could not be made, and for one after they entered again.
                if one.user_id in mailed_now:
                    decision = Defer(decision.occurrence, "in_flight", self.as_of + NEXT_TICK)
                mailed_now.add(one.user_id)
            recipient, enrolled = addressees.count(person, decision), addressees.enrol(person, decision)
            decided.append(CandidateDecision(one, decision, past, recipient, enrolled=enrolled))
        return decided

    def people(
        self, connection: Connection, keys: Sequence[object], now: datetime, columns: Sequence[str] = ()
    ) -> dict[object, Person]:
        """Read users, and whether this email may be sent to them now."""
        asked_at = now if self.has_consent else None
        wanted = {*columns, self.settings.users.timezone} - {None} if self.email.hours != ANY_HOUR else columns
        return facts.people(
            connection,
            self.settings,
            self.email,
            keys,
            sorted(name for name in wanted if name is not None),
            as_of=self.as_of,
            now=asked_at,
            named=self.email.topic is not None,
        )

    def addressees(
        self,
        connection: Connection,
        people: Mapping[object, Person],
        now: datetime,
        *,
        alone: bool = False,
        arbiter: Arbiter = NOBODY_ELSE,
    ) -> Addressees:
        """Read what the addresses of some users get, of all loops; see `Addressees.read`."""
        return Addressees.read(
            connection,
            people if self.has_consent else {},
            scope=self.scope,
            email=self.email,
            settings=self.settings,
            zone=self.plan.zone_of(self.step),
            as_of=self.as_of,
            now=now,
            by_row=self.step.by_row,
            is_simulated=self._is_simulated(now),
            alone=alone,
            arbiter=arbiter,
        )

    def _is_simulated(self, now: datetime) -> bool:
        return self.mode.simulates(self.as_of, now, self.settings.limits.expires_after)

    def planned(self, now: datetime) -> Planned:
        """Say what emails count for that are decided at a moment; in simulated time their tick says when it is."""
        domain = self.settings.domain_of(self.email.topic, self.email.sender)
        return Planned(self.as_of if self._is_simulated(now) else now, domain)

    def arbiter(
        self, connection: Connection, others: Sequence[LoopPlan], now: datetime, *, has_plans: bool = True
    ) -> Arbiter:
        """Read what it shares with other loops; see `Arbiter.of`."""
        mine, at = (self.mode.name, self.plan, self.step, self.settings), self.planned(now).at
        return Arbiter.of(connection, *mine, others, as_of=self.as_of, at=at, has_plans=has_plans)

    def page(
        self, connection: Connection, which: ColumnElement[bool], since: datetime | None, after: Candidate | None
    ) -> list[Candidate]:
        """List the next members, or rows that triggered, of which a condition holds; see `entered`."""
        if not self.step.by_row:
            last = None if after is None else after.user_id
            found = members.page(
                connection,
                self.segment,
                which,
                since=since,
                as_of=self.as_of,
                after=last,
                limit=self.at_once,
                subject=subject(self.step),
            )
            return [Candidate(row.user_id, row.entered_at) for row in found]
        behind = None if after is None else (after.user_id, str(after.occurrence))
        rows = trigger_rows.page(
            connection,
            self.mode.name,
            self.segment,
            which,
            since=since,
            as_of=self.as_of,
            after=behind,
            limit=self.at_once,
            subject=subject(self.step),
        )
        return [Candidate(row.user_id, row.entered_at, row.occurrence) for row in rows]
