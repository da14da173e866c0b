"""What the ledger's reasons mean, for people."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

from skene_dagster.delivery.decide.eligibility import AlreadyDecided, Defer, Mail, Skip
from skene_dagster.delivery.rehearsal import Case

REASONS: Mapping[str, str] = MappingProxyType(
    {
        "in_flight": "entered again while their last email is on its way",
        "repeat": "mailed too recently (repeat)",
        "not_mailable": "not mailable (users.mailable in skene.yaml)",
        "no_address": "no address",
        "invalid_address": "invalid address",
        "reconsidered": "decided again (reconsider)",
        "there_at_start": "inside before the loop began (start: new_only)",
        "once": "mailed before (repeat: once)",
        "left_segment": "left the segment in the meantime",
        "gone": "no longer a user",
        "suppressed": "nothing may reach their address (suppressions)",
        "said_no": "said no to marketing, or to this topic",
        "same_address": "somebody with the same address gets this email",
        "no_recipient": "nobody of the account may be mailed, or it has no owner",
        "new_recipient": "another of the account is to be mailed by now",
        "other_account": "who would be mailed gets this email about another account",
        "cap": "their address got as many emails as limits.caps allow",
        "quiet_hours": "their quiet hours had begun",
        "new_address": "their address has changed since it was decided",
        "no_consent": "never said yes to this topic (topics.<name>.default: off)",
        "missing_value": "a value that the email needs is missing",
        "unrenderable": "no valid email can be made from their values",
        "too_late": "waited too long (limits.expires_after)",
        "too_large": "the email is too large",
        "provider": "refused by the provider",
        "no_answer": "no answer from the provider",
        "paused": "the loop is paused",
        "first_wave": "a first wave this large waits for: skene-dagster approve",
        "cancelled": "cancelled by a person",
        "step_removed": "the step was removed",
        "doubt": "in doubt, and settled as not sent",
    }
)


def reason_in_words(outcome: str) -> str:
    """Say an outcome of the ledger, such as `deferred:no_address`, in words."""
    _, _, reason = outcome.partition(":")
    return REASONS.get(reason, reason.replace("_", " "))


def decision_in_words(case: Case) -> str:
    """Say what would happen to a user, and why: the words after "user 42"."""
    since = "enters at this tick" if case.inside_since is None else f"is inside since {_moment(case.inside_since)}"
    match case.decision:
        case Mail():
            mailed_at = case.past.mailed_as_of if case.past else None
            before = f"was mailed last on {_moment(mailed_at)}" if mailed_at else "was never mailed"
            return f"{since}, {before}: would be mailed"
        case Skip(reason=reason):
            return f"{since}: would not be mailed for this entry, {REASONS.get(reason, reason)}"
        case Defer(reason=reason):
            return f"{since}: would not be mailed now, {REASONS.get(reason, reason)}"
        case AlreadyDecided():
            return f"{since}, {_decided(case)}, and has not entered again since"


def _moment(at: datetime) -> str:
    return f"{at:%d %b %Y, %H:%M}"


def _decided(case: Case) -> str:
    past = case.past
    assert past is not None
    assert past.state is not None
    when = _moment(past.decided_as_of)
    if past.state == "accepted":
        return f"was mailed on {when}"
    why = f" ({REASONS.get(past.reason, past.reason)})" if past.reason else ""
    return f"was decided on {when}: {past.state.replace('_', ' ')}{why}"
