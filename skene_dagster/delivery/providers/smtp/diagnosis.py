"""What `doctor` asks of a mail server: whether it answers, over TLS, and takes the login. Nothing is sent."""

from collections.abc import Iterator
from email.utils import parseaddr

from skene_dagster.delivery.providers.base import Diagnosis, Fatal, Throttled
from skene_dagster.delivery.providers.smtp import Server
from skene_dagster.delivery.providers.smtp.conversation import Conversation


def diagnosis(server: Server, sender: str) -> Iterator[Diagnosis]:
    """Connect, encrypt and log in as a run does, and hang up.

    Args:
        sender: the From header that emails will have.
    """
    if not parseaddr(sender)[1]:
        yield Diagnosis("error", "sender.from in skene.yaml has no address.", "Write: Name <hello@example.com>.")
    conversation = Conversation(server)
    try:
        answer = conversation.open()
        encryption = conversation.encryption()
    finally:
        conversation.close()
    match answer:
        case None:
            how = f"encrypted by {encryption}" if encryption else "not encrypted; it stays on this machine"
            login = "It takes our login." if server.user is not None else "It is asked for no login."
            yield Diagnosis("ok", f"The mail server {server.place} answers. The connection is {how}. {login}")
        case Throttled(reason=reason):
            yield Diagnosis("notice", f"The mail server {server.place} takes nothing for now: {reason}.")
        case Fatal(reason=reason):
            yield Diagnosis("error", f"The mail server takes nothing from us: {reason}.", "Check SKENE_SMTP_URL.")
        case _:
            yield Diagnosis("error", f"The mail server does not answer: {answer.reason}.", "Check SKENE_SMTP_URL.")
