"""What `status` says of what came back about emails."""

from skene_dagster.delivery.ledger import ReceiptCounts
from skene_dagster.delivery.providers import registry
from skene_dagster.feedback.inbox import Heard
from skene_dagster.settings import Settings
from skene_dagster.wording import how_many

WORDS = {
    "delivered": "delivered",
    "opened": "opened",
    "clicked": "clicked",
    "bounced": "bounced",
    "bounced_softly": "bounced for now",
    "blocked": "blocked",
    "failed": "failed",
    "complained": "complained",
    "said_no": "unsubscribed",
    "by_machines": "opened by machines alone",
}
"""What became of emails, in the order in which it is said."""


def receipts_in_words(counts: ReceiptCounts) -> str:
    """Say what became of a step's emails of the last days; what happened to none is left out."""
    said = [
        f"{counts.rate(name):.2%} {word} ({getattr(counts, name):,})"
        for name, word in WORDS.items()
        if getattr(counts, name)
    ]
    return f"{how_many(counts.accepted, 'email')} accepted: {', '.join(said) or 'nothing came back yet'}"


def heard_in_words(heard: Heard, settings: Settings) -> str:
    """Say when something was heard last, and what was not understood."""
    asked = [registry.named(name).feedback for name in registry.asked(settings)]
    if heard.last_at is not None:
        said = f"last heard {heard.last_at:%d %b %Y, %H:%M} UTC"
    elif asked:
        said = "nothing heard yet"
    else:
        said = "nothing heard yet; is the webhook set up at the provider?"
    if asked:
        secrets = " and ".join(feedback.secret for feedback in asked if feedback is not None)
        said += f"; {secrets} is not set, so the provider is asked every 15 minutes"
    if heard.waiting:
        said += f"; {how_many(heard.waiting, 'event')} to be read"
    if heard.unknown:
        types = ", ".join(f"{type_} ({n:,})" for type_, n in heard.unknown.items())
        said += f"; not understood: {types}"
    return said
