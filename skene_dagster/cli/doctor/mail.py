"""What `doctor --mail` checks of an email that arrived."""

from collections.abc import Iterator
from email.utils import parseaddr
from itertools import chain

from skene_dagster.cli.validate.result import Checked
from skene_dagster.delivery.received.mail import Mail
from skene_dagster.delivery.received.sender import examine_sender
from skene_dagster.delivery.received.unsubscribing import examine_unsubscribing
from skene_dagster.settings import Sender, Settings


def examine_mail(mail: Mail, settings: Settings) -> Iterator[Checked]:
    """Check whom it says it is from, and whether its recipient can say no."""
    for one in chain(examine_sender(mail), examine_unsubscribing(mail, _sender(mail, settings))):
        yield Checked(one.label, one.said, one.advice)


def _sender(mail: Mail, settings: Settings) -> Sender:
    """Find who wrote it, of those who may; each has a postal address of their own."""
    known = {parseaddr(one.from_)[1].lower(): one for one in reversed(settings.all_senders)}
    return known.get(mail.from_address.lower(), settings.sender)
