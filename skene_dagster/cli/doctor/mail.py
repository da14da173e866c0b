"""What `doctor --mail` checks of an email that arrived."""

from collections.abc import Iterator
from itertools import chain

from skene_dagster.cli.validate.result import Checked
from skene_dagster.delivery.received.mail import Mail
from skene_dagster.delivery.received.sender import examine_sender
from skene_dagster.delivery.received.unsubscribing import examine_unsubscribing
from skene_dagster.settings import Settings


def examine_mail(mail: Mail, settings: Settings) -> Iterator[Checked]:
    """Check whom it says it is from, and whether its recipient can say no."""
    for one in chain(examine_sender(mail), examine_unsubscribing(mail, settings.sender)):
        yield Checked(one.label, one.said, one.advice)
