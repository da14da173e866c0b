"""Deciding about accounts: each one's occurrence first, and then who of it is mailed.

Whom the rules let pass is the pure function's answer, as for users. An account adds that it may be suppressed, that
caps count what it gets, and that one person does not get the same email about two accounts at one tick.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, get_args

from sqlalchemy import Connection

from skene_dagster.behaviour.rollup.counted import counted_activity
from skene_dagster.consent.permission import Refusal
from skene_dagster.delivery import ledger
from skene_dagster.delivery.decide.accounts.mailed_before import MailedBefore
from skene_dagster.delivery.decide.accounts.occurrences import is_known, of_entry, of_its_row
from skene_dagster.delivery.decide.accounts.recipients import recipients
from skene_dagster.delivery.decide.accounts.refusals import refusals
from skene_dagster.delivery.decide.addressees import Addressees
from skene_dagster.delivery.decide.arbiter.arbiter import Arbiter
from skene_dagster.delivery.decide.candidates import Candidate, CandidateDecision
from skene_dagster.delivery.decide.caps import full, latest
from skene_dagster.delivery.decide.eligibility import (
    AlreadyDecided,
    Decision,
    Defer,
    HoldOut,
    Mail,
    Rules,
    Skip,
    by_person,
)
from skene_dagster.delivery.decide.facts import Person
from skene_dagster.delivery.decide.slices import Slices
from skene_dagster.delivery.ledger import StepScope
from skene_dagster.delivery.ledger.decisions.account_model import Decided, NewAccount, occurrence_of_send
from skene_dagster.delivery.model import NEXT_TICK, Contact, Past, Waiting
from skene_dagster.delivery.new_decisions import NewContact, NewSend
from skene_dagster.errors import NoClearance
from skene_dagster.store.keys import folded
from skene_dagster.store.subjects import ACCOUNTS

if TYPE_CHECKING:
    from skene_dagster.delivery.decide.send_audience import SendAudience

_THEIR_OWN = frozenset({"not_mailable", "no_address", "invalid_address", "same_address", "other_account"})
"""Reasons, beside refusals, that are about one person: another one of the account may be mailed all the same."""


def refuse_another_subject(connection: Connection, scope: StepScope) -> None:
    """Refuse a step that is about accounts and was about users, or the other way round.

    Raises:
        NoClearance: it is one.
    """
    if not ledger.was_about_others(connection, scope):
        return
    now, before = ("accounts", "users") if scope.subject is ACCOUNTS else ("users", "accounts")
    raise NoClearance(
        f"Step {scope.step!r} of {scope.loop!r} is about {now}, and what it decided before is about {before}.",
        advice="Give the step a new name, or the loop; or write `per` as it was.",
    )


@dataclass(frozen=True)
class _Tried:
    """What was decided about one of an account."""

    user: object
    decision: Mail | Skip | Defer
    recipient: str | None = None
    """To whom the email is counted; None: there is none, or it is not counted."""


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
    mailed: set[object] = field(default_factory=set)
    """Of which somebody is mailed."""

    @staticmethod
    def read(
        audience: "SendAudience",
        connection: Connection,
        keys: Sequence[object],
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
        if audience.step.recipient == "most_recently_active":
            counted_activity(connection, audience.settings)
        users = recipients(connection, audience.step.recipient, audience.settings, keys, audience.as_of)
        everyone = list(dict.fromkeys(user for some in users.values() for user in some))
        people = audience.people(connection, everyone, now)
        known = ledger.account_history(connection, audience.scope, keys) if audience.has_accounts else {}
        refused = (
            refusals(connection, audience.settings, audience.email.topic, keys, now) if audience.has_consent else {}
        )
        addressees = audience.addressees(connection, people, now, alone=alone, arbiter=arbiter)
        addressees.slices = slices
        contacts: dict[object, list[tuple[str, Contact]]] = {}
        if addressees.caps and addressees.is_counted and audience.has_accounts:
            since = min(addressees.now, now) - max(cap.within for cap in addressees.caps)
            contacts = ledger.contacts_of_accounts(connection, audience.scope, keys, since)
        before = MailedBefore(audience.scope)
        if audience.has_accounts:
            before = MailedBefore.read(connection, audience.scope, audience.settings, users, keys, audience.as_of)
        return AccountDecisions(audience, rules, users, people, addressees, known, contacts, refused, before)

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
            return self._without_email(one, found, past, is_new=is_new)
        if self.audience.step.recipient == "everybody":
            return self._everybody(one, found, known, past)
        if is_known(known, found):
            # Everybody of it was mailed when it was decided, and those wait who are left.
            return self._without_email(one, AlreadyDecided(), past, is_new=False)
        if (mailed := self.before.of(account, found)) is not None:
            return self._mailed(one, found, [_Tried(mailed, Mail(found))], known, past)
        decision: Mail | Skip | Defer = Defer(found, "no_recipient", as_of + NEXT_TICK)
        for number, user in enumerate(self.users.get(account, ())):
            tried = self._person(account, user, found, one.waiting)
            if number == 0 or not _is_their_own(tried.decision):
                decision = tried.decision
            if isinstance(tried.decision, Mail):
                return self._mailed(one, found, [tried], known, past)
            if not _is_their_own(tried.decision):
                break
        return self._without_email(one, decision, past, is_new=isinstance(decision, Skip))

    def _everybody(
        self, one: Candidate, occurrence: str, known: Sequence[Decided], past: Past | None
    ) -> CandidateDecision:
        account = one.user_id
        have_one = {folded(row.user_id) for row in known if row.occurrence == occurrence}
        left = [user for user in self.users.get(account, ()) if folded(user) not in have_one]
        addresses: set[str] = set()
        tried = [self._person(account, user, occurrence, one.waiting, addresses) for user in left]
        decisions = [some.decision for some in tried]
        waits = [some for some in decisions if isinstance(some, Defer) and some.reason != "invalid_address"]
        first = min(waits, key=lambda some: some.ask_at, default=None)
        if is_known(known, occurrence) or any(isinstance(some, Mail) for some in decisions):
            return self._mailed(one, occurrence, tried, known, past, waits=first)
        if first is not None:
            return self._without_email(one, first, past, is_new=False)
        skipped = next((some for some in decisions if isinstance(some, Skip)), None)
        nobody = Defer(occurrence, "no_recipient", self.audience.as_of + NEXT_TICK)
        return self._without_email(one, skipped or nobody, past, is_new=skipped is not None)

    def _person(
        self,
        account: object,
        user: object,
        occurrence: str,
        waiting: Waiting | None,
        addresses: set[str] | None = None,
    ) -> _Tried:
        """Decide whether a user is mailed about an account, and count it: what is left is left for the next one.

        Args:
            addresses: those that get it about this very account; None: only one person does.
        """
        decision = self._decision(account, user, occurrence, waiting, addresses)
        return _Tried(user, decision, self.addressees.count(self.people.get(user), decision))

    def _decision(
        self, account: object, user: object, occurrence: str, waiting: Waiting | None, addresses: set[str] | None
    ) -> Mail | Skip | Defer:
        person, audience, addressees = self.people.get(user), self.audience, self.addressees
        addressee = addressees.of(person, waiting)
        of_others = [
            one for number, one in self.contacts.get(account, ()) if not self._is_this(number, one, occurrence)
        ]
        planned = addressee.not_before or addressees.now
        addressee = replace(
            addressee,
            refusal=self.refusals.get(account) or addressee.refusal,
            shares_address=False,
            full=latest(addressee.full, full(addressees.caps, of_others, planned) if of_others else None),
        )
        decision = by_person(occurrence, addressee, self.rules, audience.as_of)
        assert not isinstance(decision, HoldOut), "nobody of a page of accounts is compared"
        name = person.recipient if person else None
        if not isinstance(decision, Mail) or name is None or not addressees.is_counted:
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

    def _mailed(
        self,
        candidate: Candidate,
        occurrence: str,
        tried: Sequence[_Tried],
        known: Sequence[Decided],
        past: Past | None,
        waits: Defer | None = None,
    ) -> CandidateDecision:
        account = candidate.user_id
        named = occurrence_of_send(account, occurrence)
        sends: list[NewSend] = []
        contacts: list[NewContact] = []
        mails: list[Mail] = []
        for some in tried:
            one = some.decision
            if isinstance(one, Mail):
                sends.append(NewSend(some.user, named, "reserved", None, one.not_before))
                mails.append(one)
                if some.recipient is not None:
                    contacts.append(NewContact(some.user, named, some.recipient))
            elif isinstance(one, Skip) or one.reason == "invalid_address":
                why = one.reason if isinstance(one, Skip) else "not_mailable"
                sends.append(NewSend(some.user, named, "skipped", why))
        if mails:
            self.mailed.add(account)
        if contacts:
            scope = self.audience.scope
            counted = Contact(scope.loop, scope.step, account, self.audience.as_of, None)
            self.contacts.setdefault(account, []).append((occurrence, counted))
        decision: Decision = mails[0] if mails else waits or AlreadyDecided()
        waiting = Waiting(occurrence, waits.reason, waits.ask_at) if waits else None
        is_final = not is_known(known, occurrence)
        new = NewAccount(account, occurrence, is_final, None, sends, contacts, waiting)
        return CandidateDecision(
            candidate,
            decision,
            past,
            account=new,
            mailed=[some.user for some in tried if isinstance(some.decision, Mail)],
        )

    def _without_email(
        self, candidate: Candidate, decision: Decision, past: Past | None, *, is_new: bool
    ) -> CandidateDecision:
        account = candidate.user_id
        match decision:
            case Skip(occurrence=occurrence, reason=reason):
                new = NewAccount(account, occurrence, is_new, reason)
            case Defer(occurrence=occurrence, reason=why, ask_at=ask_at):
                new = NewAccount(account, occurrence, is_final=False, waiting=Waiting(occurrence, why, ask_at))
            case _:
                new = NewAccount(account, "", is_final=False)
        return CandidateDecision(candidate, decision, past, account=new)

    def _is_this(self, number: str, one: Contact, occurrence: str) -> bool:
        return number == occurrence and self._is_of_this_step(one)

    def _is_of_this_step(self, one: Contact) -> bool:
        scope = self.audience.scope
        return (one.loop, one.step) == (scope.loop, scope.step)

    def _is_of_this_tick(self, one: Contact) -> bool:
        return self._is_of_this_step(one) and one.as_of == self.audience.as_of


def _is_their_own(decision: Mail | Skip | Defer) -> bool:
    return not isinstance(decision, Mail) and (decision.reason in _THEIR_OWN or decision.reason in get_args(Refusal))
