"""What the ledger's reasons mean, for people."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from string import Formatter
from types import MappingProxyType

from skene_dagster.delivery.decide.eligibility import AlreadyDecided, Defer, HoldOut, Mail, Skip
from skene_dagster.delivery.model import GateName
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
        "budget": "no room in the budget of the day (limits.daily, warm_up)",
        "outranked": "they leave their last place under a cap to a loop of higher priority",
        "new_address": "their address has changed since it was decided",
        "no_consent": "never said yes to this topic (topics.<name>.default: off)",
        "goal_reached": "reached the loop's goal since they entered",
        "missing_value": "a value that the email needs is missing",
        "unrenderable": "no valid email can be made from their values",
        "too_late": "waited too long (limits.expires_after)",
        "too_large": "the email is too large",
        "provider": "refused by the provider",
        "no_answer": "no answer from the provider",
        "paused": "the loop is paused",
        "fresh": "a table has not changed lately (fresh)",
        "unmailable": "too many addresses cannot be mailed (limits.unmailable)",
        "volume": "more emails than the step ever has (limits.volume)",
        "first_wave": "a first wave this large waits for: skene-dagster approve",
        "cancelled": "cancelled by a person",
        "step_removed": "the step was removed",
        "doubt": "in doubt, and settled as not sent",
        "global": "one of those who get nothing of any loop, to be compared with (holdout in skene.yaml)",
        "erased": "erased while their email was on its way (users erase)",
    }
)


def reason_in_words(outcome: str) -> str:
    """Say an outcome of the ledger, such as `deferred:no_address`, in words."""
    _, _, reason = outcome.partition(":")
    return REASONS.get(reason, reason.replace("_", " "))


def would_be_mailed(held: Collection[GateName]) -> str:
    """Say that somebody would be mailed, or what has to pass first: the gates that hold their step."""
    return f"would be mailed if {' and '.join(held)} let this tick pass" if held else "would be mailed"


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
