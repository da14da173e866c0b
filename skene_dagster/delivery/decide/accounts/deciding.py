"""Deciding about accounts: each one's occurrence first, and then who of it is mailed.

Whom the rules let pass is the pure function's answer, as for users. An account adds that it may be suppressed, that
caps count what it gets, that one person does not get the same email about two accounts at one tick, and that all of
it are in one arm.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, get_args

from sqlalchemy import Connection

from skene_dagster.behaviour.rollup.counted import counted_activity
from skene_dagster.consent.permission import Refusal
from skene_dagster.delivery import ledger
from skene_dagster.delivery.decide.accounts.answers import Tried, decided, without_email
from skene_dagster.delivery.decide.accounts.mailed_before import MailedBefore
from skene_dagster.delivery.decide.accounts.occurrences import is_known, of_entry, of_its_row
from skene_dagster.delivery.decide.accounts.recipients import columns, recipients
from skene_dagster.delivery.decide.accounts.refusals import refusals
from skene_dagster.delivery.decide.addressees import Addressees, is_compared, reached_of
from skene_dagster.delivery.decide.arbiter.arbiter import Arbiter
from skene_dagster.delivery.decide.candidates import Candidate, CandidateDecision
from skene_dagster.delivery.decide.caps import full, latest
from skene_dagster.delivery.decide.eligibility import (
    AlreadyDecided,
    Defer,
    HoldOut,
    Mail,
    Rules,
    Skip,
    by_person,
)
from skene_dagster.delivery.decide.facts import Person
from skene_dagster.delivery.decide.slices import Slices
from skene_dagster.delivery.ledger.decisions.account_model import Decided
from skene_dagster.delivery.model import NEXT_TICK, Contact, Past
from skene_dagster.goals.account_arms import EnrolledAccount
from skene_dagster.goals.arms import Enrolled
from skene_dagster.goals.comparing import HeldOutOf
from skene_dagster.goals.comparing_accounts import ComparingAccounts
from skene_dagster.loops.planning.accounts import accounts_of
from skene_dagster.loops.variants import variants_of
from skene_dagster.store.keys import folded

if TYPE_CHECKING:
    from skene_dagster.delivery.decide.send_audience import SendAudience

_THEIR_OWN = frozenset({"not_mailable", "no_address", "invalid_address", "same_address", "other_account"})
"""Reasons, beside refusals, that are about one person: another one of the account may be mailed all the same."""


@dataclass
class AccountDecisions:
    """The accounts of a page, as decisions see them."""

    audience: "SendAudience"
    rules: Rules
    users: Mapping[object, Sequence[object]]
    """Whom emails about each could go to, in the order in which they are tried."""
    people: Mapping[object, Person]
    addressees: Addressees
    known: Mapping[object, Sequence[Decided]]
    contacts: dict[object, list[tuple[str, Contact]]]
    """What each got, by occurrence."""
    refusals: Mapping[object, Refusal]
    before: MailedBefore
    comparing: ComparingAccounts | None
    """None: nothing is compared."""
    mailed: set[object] = field(default_factory=set)
    """Of which somebody is mailed, or held out."""

    @staticmethod
    def read(
        audience: "SendAudience",
        connection: Connection,
        page: Sequence[Candidate],
        rules: Rules,
        now: datetime,
        *,
        alone: bool,
        slices: Slices | None,
        arbiter: Arbiter,
    ) -> "AccountDecisions":
        """Read what decisions about some accounts depend on; see `SendAudience.decide`.

        Raises:
            NotCounted: it is not known who was active last, which the loop asks for.
            SettingsError: what skene.yaml says of accounts does not match the database.
        """
        assert audience.step.recipient is not None
        keys = list(dict.fromkeys(one.user_id for one in page))
        if audience.step.recipient == "most_recently_active":
            counted_activity(connection, audience.settings)
        users = recipients(connection, audience.step.recipient, audience.settings, keys, audience.as_of)
        everyone = list(dict.fromkeys(user for some in users.values() for user in some))
        people = audience.people(connection, everyone, now)
        known = ledger.account_history(connection, audience.scope, keys) if audience.has_accounts else {}
        refused = (
            refusals(connection, audience.settings, audience.email.topic, keys, now) if audience.has_consent else {}
        )
        comparing = _comparing(audience, connection, keys, people) if is_compared(audience) else None
        reached = reached_of(audience, connection, page, people, users)
        addressees = audience.addressees(connection, people, now, alone=alone, arbiter=arbiter)
        addressees.slices, addressees.reached = slices, reached
        contacts: dict[object, list[tuple[str, Contact]]] = {}
        if addressees.caps and addressees.is_counted and audience.has_accounts:
            since = min(addressees.now, now) - max(cap.within for cap in addressees.caps)
            contacts = ledger.contacts_of_accounts(connection, audience.scope, keys, since)
        before = MailedBefore(audience.scope)
        if audience.has_accounts:
            before = MailedBefore.read(connection, audience.scope, audience.settings, users, keys, audience.as_of)
        return AccountDecisions(audience, rules, users, people, addressees, known, contacts, refused, before, comparing)

    def decide(self, one: Candidate) -> CandidateDecision:
        """Decide about one account."""
        account, as_of = one.user_id, self.audience.as_of
        known, is_mailed = self.known.get(account, ()), account in self.mailed
        if self.audience.step.by_row:
            expires_after = self.audience.settings.limits.expires_after
            found, past = of_its_row(one, known, self.rules, as_of, expires_after, is_mailed=is_mailed)
        else:
            found, past = of_entry(one, known, self.rules, as_of, is_mailed=is_mailed)
        if not isinstance(found, str):
            is_new = isinstance(found, Skip) and not is_known(known, found.occurrence)
            return without_email(one, found, past, is_new=is_new)
        if self.audience.step.recipient == "everybody":
            return self._everybody(one, found, known, past)
        if is_known(known, found):
            # Everybody of it was mailed when it was decided, and those wait who are left.
            return without_email(one, AlreadyDecided(), past, is_new=False)
        if (mailed := self.before.of(account, found)) is not None:
            return self._decided(one, found, [Tried(mailed, Mail(found))], known, past)
        decision: Skip | Defer = Defer(found, "no_recipient", as_of + NEXT_TICK)
        for number, user in enumerate(self.users.get(account, ())):
            tried = self._person(one, user, found)
            if isinstance(tried.decision, Mail | HoldOut):
                return self._decided(one, found, [tried], known, past)
            is_their_own = _is_their_own(tried.decision)
            if number == 0 or not is_their_own:
                decision = tried.decision
            if not is_their_own:
                break
        return without_email(one, decision, past, is_new=isinstance(decision, Skip))

    def _everybody(
        self, one: Candidate, occurrence: str, known: Sequence[Decided], past: Past | None
    ) -> CandidateDecision:
        account = one.user_id
        have_one = {folded(row.user_id) for row in known if row.occurrence == occurrence}
        left = [user for user in self.users.get(account, ()) if folded(user) not in have_one]
        addresses: set[str] = set()
        tried = [self._person(one, user, occurrence, addresses) for user in left]
        decisions = [some.decision for some in tried]
        waits = [some for some in decisions if isinstance(some, Defer) and some.reason != "invalid_address"]
        first = min(waits, key=lambda some: some.ask_at, default=None)
        if is_known(known, occurrence) or any(some.is_answer for some in tried):
            return self._decided(one, occurrence, tried, known, past, waits=first)
        if first is not None:
            return without_email(one, first, past, is_new=False)
        skipped = next((some for some in decisions if isinstance(some, Skip)), None)
        nobody = Defer(occurrence, "no_recipient", self.audience.as_of + NEXT_TICK)
        return without_email(one, skipped or nobody, past, is_new=skipped is not None)

    def _person(self, one: Candidate, user: object, occurrence: str, addresses: set[str] | None = None) -> Tried:
        """Decide whether a user is mailed about an account, and count it: what is left is left for the next one.

        Args:
            addresses: those that get it about this very account; None: only one person does.
        """
        decision = self._decision(one, user, occurrence, addresses)
        return Tried(user, decision, self.addressees.count(self.people.get(user), decision))

    def _decision(
        self, candidate: Candidate, user: object, occurrence: str, addresses: set[str] | None
    ) -> Mail | HoldOut | Skip | Defer:
        account = candidate.user_id
        person, audience, addressees = self.people.get(user), self.audience, self.addressees
        addressee = addressees.of(person, candidate.waiting, candidate.entered_at)
        of_others = [
            one for number, one in self.contacts.get(account, ()) if not self._is_this(number, one, occurrence)
        ]
        planned = addressee.not_before or addressees.now
        addressee = replace(
            addressee,
            refusal=self.refusals.get(account) or addressee.refusal,
            shares_address=False,
            full=latest(addressee.full, full(addressees.caps, of_others, planned) if of_others else None),
            held_out=self._held_out(account, person),
        )
        decision = by_person(occurrence, addressee, self.rules, audience.as_of)
        name = person.recipient if person else None
        if not isinstance(decision, Mail | HoldOut) or name is None or not addressees.is_counted:
            return decision
        if addresses is not None and name in addresses:
            return Skip(occurrence, "same_address")
        others = addressees.contacts.get(name, ())
        # Each row is an email of its own, as it is of users.
        if not audience.step.by_row and any(self._is_of_this_tick(one) for one in others):
            return Defer(occurrence, "other_account", audience.as_of + NEXT_TICK)
        if addresses is not None:
            addresses.add(name)
        return decision

    def _held_out(self, account: object, person: Person | None) -> HeldOutOf | None:
        if self.comparing is None or person is None:
            return None
        return self.comparing.holds_out(account, self.addressees.key(person))

    def _decided(
        self,
        candidate: Candidate,
        occurrence: str,
        tried: Sequence[Tried],
        known: Sequence[Decided],
        past: Past | None,
        waits: Defer | None = None,
    ) -> CandidateDecision:
        account = candidate.user_id
        if any(some.is_answer for some in tried):
            self.mailed.add(account)
        enrolled: tuple[EnrolledAccount | None, Sequence[Enrolled]] = (None, ())
        if self.comparing is not None:
            enrolled = self.comparing.enrol(account, self._compared(tried))
        is_final = not is_known(known, occurrence)
        answer = decided(candidate, occurrence, tried, past, waits=waits, is_final=is_final, enrolled=enrolled)
        if any(isinstance(some.decision, Mail) and some.recipient is not None for some in tried):
            scope = self.audience.scope
            counted = Contact(scope.loop, scope.step, account, self.audience.as_of, None)
            self.contacts.setdefault(account, []).append((occurrence, counted))
        return answer

    def _compared(self, tried: Sequence[Tried]) -> dict[object, HeldOutOf | None]:
        """Say of what each is held out, who is mailed or would be."""
        found: dict[object, HeldOutOf | None] = {}
        for some in tried:
            if some.is_answer and (person := self.people.get(some.user)) is not None:
                found[self.addressees.key(person)] = getattr(some.decision, "of", None)
        return found

    def _is_this(self, number: str, one: Contact, occurrence: str) -> bool:
        return number == occurrence and self._is_of_this_step(one)

    def _is_of_this_step(self, one: Contact) -> bool:
        scope = self.audience.scope
        return (one.loop, one.step) == (scope.loop, scope.step)

    def _is_of_this_tick(self, one: Contact) -> bool:
        return self._is_of_this_step(one) and one.as_of == self.audience.as_of


def _is_their_own(decision: Skip | Defer) -> bool:
    return decision.reason in _THEIR_OWN or decision.reason in get_args(Refusal)


def _comparing(
    audience: "SendAudience", connection: Connection, keys: Sequence[object], people: Mapping[object, Person]
) -> ComparingAccounts:
    """Read in which arms the accounts of a page are, and their users."""
    key, accounts = audience.settings.users.key, accounts_of(audience.settings)
    there = columns(connection, audience.settings, keys, [])
    return ComparingAccounts.read(
        connection,
        audience.mode.name,
        audience.plan.name,
        share=audience.plan.holdout,
        share_of_all=audience.settings.holdout,
        variants=variants_of(audience.plan),
        # As their tables spell them: for that the coin is tossed.
        accounts={account: row[accounts.key] for account, row in there.items()},
        users=[one.columns[key] for one in people.values()],
    )
