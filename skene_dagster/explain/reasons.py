"""What the ledger's reasons mean, for people."""

from collections.abc import Collection, Mapping
from types import MappingProxyType

from skene_dagster.delivery.model import GateName

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
    state, _, reason = outcome.partition(":")
    if state == "held_out" and not reason:
        return "held out, to be compared with"
    return REASONS.get(reason, reason.replace("_", " "))


def would_be_mailed(held: Collection[GateName]) -> str:
    """Say that somebody would be mailed, or what has to pass first: the gates that hold their step."""
    return f"would be mailed if {' and '.join(held)} let this tick pass" if held else "would be mailed"
