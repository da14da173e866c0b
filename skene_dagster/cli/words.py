"""What the ledger's reasons mean, for people."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from string import Formatter
from types import MappingProxyType

from skene_dagster.delivery.decide.eligibility import AlreadyDecided, Defer, HoldOut, Mail, Skip
from skene_dagster.delivery.model import GateName
from skene_dagster.delivery.rehearsal import Case
from skene_dagster.explain.reasons import REASONS, would_be_mailed


def decision_in_words(case: Case, held: Collection[GateName] = ()) -> str:
    """Say what would happen to a user, and why: the words after "user 42".

    Args:
        held: the gates that hold their step.
    """
    since = "enters at this tick" if case.inside_since is None else f"is inside since {_moment(case.inside_since)}"
    match case.decision:
        case Mail():
            mailed_at = case.past.mailed_as_of if case.past else None
            before = f"was mailed last on {_moment(mailed_at)}" if mailed_at else "was never mailed"
            return f"{since}, {before}: {would_be_mailed(held)}"
        case Skip(reason=reason):
            return f"{since}: would not be mailed for this entry, {REASONS.get(reason, reason)}"
        case Defer(reason=reason):
            return f"{since}: would not be mailed now, {REASONS.get(reason, reason)}"
        case HoldOut(of="loop"):
            return f"{since}: would be held out, as one of those who get none, to be compared with"
        case HoldOut():
            return f"{since}: would be held out of all loops, as one of those who get none, to be compared with"
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


@dataclass(frozen=True)
class Known:
    """What is known where a reason is said about one user; what is not known is None."""

    loop: str
    topic: str | None = None
    """Its title."""
    repeat: str | None = None
    """How long a loop waits between two emails: `30 days`."""
    cap: str | None = None
    """What a cap allows: `2 mails in 7 days`."""
    expires_after: str | None = None


OF_ONE: Mapping[str, str] = MappingProxyType(
    {
        "cap": "had {cap}",
        "budget": "no room in the day's budget",
        "outranked": "a loop of higher priority comes first",
        "repeat": "had this mail less than {repeat} ago",
        "said_no": 'said no to "{topic}", or to all',
        "no_consent": 'never said yes to "{topic}"',
        "suppressed": "nothing may reach their address",
        "goal_reached": "reached the loop's goal by themselves",
        "same_address": "another user with this address got it",
        "left_segment": "no longer matches",
        "there_at_start": "was there before it began (start: new_only)",
        "once": "had this mail before (repeat: once)",
        "too_late": "waited over {expires_after}",
        "first_wave": "a first wave this large waits for: skene-dagster approve {loop}",
        "no_address": "they have no address",
        "invalid_address": "what they have is not an address",
        "not_mailable": "users.mailable leaves them out",
    }
)
"""How a reason is said about one user, if it can be said more closely than in REASONS."""

SUPPRESSED_BECAUSE: Mapping[str, str] = MappingProxyType(
    {
        "bounce": "the address does not work",
        "complaint": "they marked an email as spam",
        "provider": "the provider refuses it",
        "manual": "somebody put it on the list",
        "said_no": "they said no",
    }
)
"""Why nothing may reach an address."""

BOUNCES: Mapping[str, str] = MappingProxyType(
    {
        "hard": "bounced for good",
        "blocked": "was blocked, because of us",
        "soft": "bounced, for now",
    }
)

LEFT_BECAUSE: Mapping[str, str] = MappingProxyType(
    {
        "left": "the condition no longer holds",
        "gone": "they were no user any more",
        "set": "our own `set` took them out",
    }
)
"""Why somebody left a segment."""

OUTCOMES: Mapping[str, str] = MappingProxyType(
    {
        "accepted": "MAILED",
        "deferred": "WAITS",
        "held_out": "HELD OUT",
        "skipped": "NO MAIL",
        "reserved": "ON ITS WAY",
        "refused": "REFUSED",
        "in_doubt": "IN DOUBT",
    }
)
"""What was decided about one user."""


def reason_of_one(reason: str, known: Known) -> str:
    """Say a reason of the ledger's about one user, as closely as what is known allows."""
    closely = OF_ONE.get(reason)
    facts = {name: value for name, value in vars(known).items() if value is not None}
    if closely is not None and {name for _, name, _, _ in Formatter().parse(closely) if name} <= {*facts}:
        return closely.format(**facts)
    return REASONS.get(reason, reason.replace("_", " "))


def outcome_in_words(outcome: str) -> str:
    """Say what was decided about one user, in capitals."""
    return OUTCOMES.get(outcome, outcome.replace("_", " ").upper())
