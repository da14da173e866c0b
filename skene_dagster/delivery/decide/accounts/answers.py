"""What was decided about an account, as it is counted and written down."""

from collections.abc import Sequence
from dataclasses import dataclass

from skene_dagster.delivery.decide.candidates import Candidate, CandidateDecision
from skene_dagster.delivery.decide.eligibility import AlreadyDecided, Decision, Defer, HoldOut, Mail, Skip
from skene_dagster.delivery.ledger.decisions.account_model import NewAccount, occurrence_of_send
from skene_dagster.delivery.model import Past, Waiting
from skene_dagster.delivery.new_decisions import NewContact, NewSend
from skene_dagster.goals.account_arms import EnrolledAccount
from skene_dagster.goals.arms import Enrolled


@dataclass(frozen=True)
class Tried:
    """What was decided about one of an account."""

    user: object
    decision: Mail | HoldOut | Skip | Defer
    recipient: str | None = None
    """To whom the email is counted; None: there is none, or it is not counted."""

    @property
    def is_answer(self) -> bool:
        """Whether they are mailed, or would be if they were not held out."""
        return isinstance(self.decision, Mail | HoldOut)


def decided(
    candidate: Candidate,
    occurrence: str,
    tried: Sequence[Tried],
    past: Past | None,
    *,
    waits: Defer | None,
    is_final: bool,
    enrolled: tuple[EnrolledAccount | None, Sequence[Enrolled]],
) -> CandidateDecision:
    """Answer that some of an account are mailed, or held out.

    Args:
        waits: for what those wait who are left.
        is_final: it is the account's decision for this occurrence; else that stands already.
        enrolled: who is compared from now on.
    """
    account = candidate.user_id
    named = occurrence_of_send(account, occurrence)
    sends = [send for some in tried if (send := _send(some, named)) is not None]
    contacts = [
        NewContact(some.user, named, some.recipient) for some in tried if some.is_answer and some.recipient is not None
    ]
    mails = [some.decision for some in tried if isinstance(some.decision, Mail)]
    held_out = [some.decision for some in tried if isinstance(some.decision, HoldOut)]
    decision: Decision = mails[0] if mails else held_out[0] if held_out else waits or AlreadyDecided()
    is_global = bool(held_out) and not mails and all(one.of == "global" for one in held_out)
    new = NewAccount(
        account,
        occurrence,
        is_final,
        "held_out" if held_out and not mails else "mailed",
        "global" if is_global else None,
        sends,
        contacts,
        Waiting(occurrence, waits.reason, waits.ask_at) if waits else None,
        enrolled[0],
    )
    mailed = [some.user for some in tried if isinstance(some.decision, Mail)]
    return CandidateDecision(candidate, decision, past, enrolled=enrolled[1], account=new, mailed=mailed)


def _send(some: Tried, named: str) -> NewSend | None:
    match some.decision:
        case Mail(not_before=not_before):
            return NewSend(some.user, named, "reserved", None, not_before)
        case HoldOut(of=of):
            return NewSend(some.user, named, "held_out", "global" if of == "global" else None)
        case Skip(reason=reason):
            return NewSend(some.user, named, "skipped", reason)
        case Defer(reason="invalid_address"):
            return NewSend(some.user, named, "skipped", "not_mailable")
        case _:
            return None


def without_email(candidate: Candidate, decision: Decision, past: Past | None, *, is_new: bool) -> CandidateDecision:
    """Answer that nobody of an account is mailed.

    Args:
        is_new: it is the account's decision for this occurrence.
    """
    account = candidate.user_id
    match decision:
        case Skip(occurrence=occurrence, reason=reason):
            new = NewAccount(account, occurrence, is_new, "skipped", reason)
        case Defer(occurrence=occurrence, reason=why, ask_at=ask_at):
            new = NewAccount(account, occurrence, is_final=False, waiting=Waiting(occurrence, why, ask_at))
        case _:
            new = NewAccount(account, "", is_final=False)
    return CandidateDecision(candidate, decision, past, account=new)
