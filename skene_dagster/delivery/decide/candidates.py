"""Who is decided about at a tick, and what was decided: counted, and as it is written down."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from typing_extensions import assert_never

from skene_dagster.delivery.decide.eligibility import AlreadyDecided, Decision, Defer, Mail, Skip
from skene_dagster.delivery.model import NewContact, NewDecisions, NewDeferral, NewSend, Past, Waiting


@dataclass(frozen=True)
class Candidate:
    """A user to decide about, or one of their rows."""

    user_id: object
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


def new_decisions(decided: Sequence[CandidateDecision], now: datetime) -> NewDecisions:
    """Say what is to be written down about a page that was decided now."""
    sends: list[NewSend] = []
    contacts: list[NewContact] = []
    deferrals: list[NewDeferral] = []
    for one in decided:
        user_id = one.candidate.user_id
        match one.decision:
            case Mail(occurrence=occurrence, not_before=not_before):
                sends.append(NewSend(user_id, occurrence, "reserved", None, not_before))
                if one.recipient is not None:
                    contacts.append(NewContact(user_id, occurrence, one.recipient))
            case Skip(occurrence=occurrence, reason=reason):
                sends.append(NewSend(user_id, occurrence, "skipped", reason))
            case Defer(occurrence=occurrence, reason=why, ask_at=ask_at):
                before = one.candidate.waiting.outranked_at if one.candidate.waiting is not None else None
                left_at = now if why == "outranked" else before
                deferrals.append(NewDeferral(user_id, Waiting(occurrence, why, ask_at, left_at)))
            case AlreadyDecided():
                pass
            case _:
                assert_never(one.decision)
    candidates = (one.candidate for one in decided)
    answered = [(one.user_id, one.waiting.occurrence) for one in candidates if one.waiting is not None]
    return NewDecisions(sends, deferrals, answered, contacts)


def count(decisions: Iterable[Decision]) -> dict[str, int]:
    """Count decisions by outcome, as `Reserved.counts` has them."""
    counted: dict[str, int] = {}
    for decision in decisions:
        match decision:
            case Mail():
                outcome = "mail"
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
