"""What the ledger's reasons mean, for people."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

from skene_dagster.delivery.decide.eligibility import AlreadyDecided, Defer, Mail, Skip
from skene_dagster.delivery.rehearsal import Case

REASONS: Mapping[str, str] = MappingProxyType(
    {
        "repeat": "mailed too short a time ago (repeat)",
        "not_mailable": "not mailable (users.mailable in skene.yaml)",
        "no_address": "without an address",
        "invalid_address": "with an address that is not valid",
        "there_at_start": "inside before the loop began (start: new_only)",
        "once": "mailed before (repeat: once)",
        "left_segment": "left the segment meanwhile",
        "gone": "no user any more",
        "missing_value": "without a value that the email needs",
        "unrenderable": "whose values give no email that can be sent",
        "too_late": "waited too long (limits.expires_after)",
        "too_large": "whose email is too large",
        "provider": "refused by the provider",
        "no_answer": "without an answer of the provider",
        "paused": "the loop is paused",
        "first_wave": "a first wave this large waits for: skene-dagster approve",
        "cancelled": "cancelled by a person",
        "step_removed": "of a step that is gone",
        "doubt": "in doubt, and settled as not sent",
    }
)


def reason_in_words(outcome: str) -> str:
    """Say an outcome of the ledger, such as `deferred:no_address`, in words."""
    _, _, reason = outcome.partition(":")
    return REASONS.get(reason, reason.replace("_", " "))


def decision_in_words(case: Case) -> str:
    """Say what would become of a user, and why: what follows «user 42»."""
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
