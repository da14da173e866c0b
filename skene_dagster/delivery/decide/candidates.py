"""Who is decided about at a tick, and what was decided: counted, and as it is written down."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection
from typing_extensions import assert_never

from skene_dagster.delivery import ledger
from skene_dagster.delivery.decide.addressees import Addressees
from skene_dagster.delivery.decide.eligibility import (
    AlreadyDecided,
    Decision,
    Defer,
    HoldOut,
    Mail,
    RowFacts,
    Rules,
    Skip,
    decide_row,
)
from skene_dagster.delivery.decide.facts import Person
from skene_dagster.delivery.ledger.decisions.account_model import NewAccount
from skene_dagster.delivery.model import Past, Waiting
from skene_dagster.delivery.new_decisions import NewContact, NewDecisions, NewDeferral, NewSend
from skene_dagster.goals.arms import Enrolled


@dataclass(frozen=True)
class Candidate:
    """A user to decide about, or one of their rows; or an account."""

    user_id: object
    """The account's key, where the step is about accounts."""
    entered_at: datetime | None
    """The tick at which they entered, or their row was found; None: they left, or it is forgotten."""
    occurrence: str | None = None
    """The row; None: a member who entered."""
    waiting: Waiting | None = None
    """They were deferred."""


@dataclass(frozen=True)
class CandidateDecision:
    """What was decided about a candidate, and what the ledger knew before about the user or the row."""

    candidate: Candidate
    decision: Decision
    past: Past | None
    recipient: str | None = None
    """To whom the email is counted; None: it is not, or there is none."""
    enrolled: Sequence[Enrolled] = ()
    """In which comparisons they are from now on."""
    account: NewAccount | None = None
    """What is to be written down about an account; None: the candidate is a user."""
    mailed: Sequence[object] = ()
    """The users who are mailed about the account."""

    @property
    def emails(self) -> int:
        """How many emails it makes."""
        return len(self.mailed) if self.account is not None else int(isinstance(self.decision, Mail))


def decide_rows(
    connection: Connection,
    page: Sequence[Candidate],
    rules: Rules,
    people: Mapping[object, Person],
    addressees: Addressees,
    expires_after: timedelta,
) -> list[CandidateDecision]:
    """Decide about a page of rows that triggered a step, each of which is mailed about once."""
    as_of = addressees.as_of
    rows = [(one, (one.user_id, str(one.occurrence))) for one in page]
    pasts = ledger.of_rows(connection, addressees.scope, [row for _, row in rows])
    mailed_now: set[object] = set()
    decided = []
    for one, row in rows:
        person, past = people.get(one.user_id), pasts.get(row)
        mailed_as_of = as_of if one.user_id in mailed_now else past.mailed_as_of if past else None
        state = past.state if past else None
        addressee = addressees.of(person, one.waiting, one.entered_at)
        asked = RowFacts(row[1], one.entered_at, addressee, state, mailed_as_of)
        decision = decide_row(asked, rules, as_of, expires_after)
        if isinstance(decision, Mail | HoldOut):
            mailed_now.add(one.user_id)
        recipient = addressees.count(person, decision)
        enrolled = addressees.enrol(person, decision)
        decided.append(CandidateDecision(one, decision, past if state else None, recipient, enrolled=enrolled))
    return decided


def new_decisions(decided: Sequence[CandidateDecision], now: datetime) -> NewDecisions:
    """Say what is to be written down about a page that was decided now."""
    sends: list[NewSend] = []
    contacts: list[NewContact] = []
    deferrals: list[NewDeferral] = []
    for one in decided:
        user_id = one.candidate.user_id
        before = one.candidate.waiting.outranked_at if one.candidate.waiting is not None else None
        if one.account is not None:
            sends += one.account.sends
            contacts += one.account.contacts
            if (waiting := one.account.waiting) is not None:
                left_at = now if waiting.reason == "outranked" else before
                deferrals.append(NewDeferral(user_id, replace(waiting, outranked_at=left_at)))
            continue
        match one.decision:
            case Mail(occurrence=occurrence, not_before=not_before):
                sends.append(NewSend(user_id, occurrence, "reserved", None, not_before))
                if one.recipient is not None:
                    contacts.append(NewContact(user_id, occurrence, one.recipient))
            case HoldOut(occurrence=occurrence, of=of):
                sends.append(NewSend(user_id, occurrence, "held_out", "global" if of == "global" else None))
                if one.recipient is not None:
                    contacts.append(NewContact(user_id, occurrence, one.recipient))
            case Skip(occurrence=occurrence, reason=reason):
                sends.append(NewSend(user_id, occurrence, "skipped", reason))
            case Defer(occurrence=occurrence, reason=why, ask_at=ask_at):
                left_at = now if why == "outranked" else before
                deferrals.append(NewDeferral(user_id, Waiting(occurrence, why, ask_at, left_at)))
            case AlreadyDecided():
                pass
            case _:
                assert_never(one.decision)
    candidates = (one.candidate for one in decided)
    answered = [(one.user_id, one.waiting.occurrence) for one in candidates if one.waiting is not None]
    enrolled = [some for one in decided for some in one.enrolled]
    return NewDecisions(sends, deferrals, answered, contacts, enrolled)


def count(decisions: Iterable[Decision]) -> dict[str, int]:
    """Count decisions by outcome, as `Reserved.counts` has them."""
    counted: dict[str, int] = {}
    for decision in decisions:
        match decision:
            case Mail():
                outcome = "mail"
            case HoldOut(of=of):
                outcome = "held_out" if of == "loop" else "held_out:global"
            case Skip(reason=reason):
                outcome = f"skipped:{reason}"
            case Defer(reason=reason):
                outcome = f"deferred:{reason}"
            case AlreadyDecided():
                outcome = "decided_before"
            case _:
                assert_never(decision)
        counted[outcome] = counted.get(outcome, 0) + 1
    return counted
