"""What `doctor` asks of Resend: whether it knows the sender's domain, and has verified it."""

from collections.abc import Callable, Iterator, Mapping
from email.utils import parseaddr

from skene_dagster.delivery.providers.base import Denied, Diagnosis, Forbidden


def diagnosis(domains: Callable[[], Mapping[str, str]], sender: str) -> Iterator[Diagnosis]:
    """Look for the sender's domain among those of the account.

    Args:
        domains: asks for the status of each by its name; raises Denied.
    """
    try:
        known = domains()
    except Forbidden:
        yield Diagnosis("ok", "RESEND_API_KEY may only send, so the sender's domain cannot be checked.")
    except Denied as denied:
        yield Diagnosis("error", f"Resend does not answer as it should: {denied}.", "Check RESEND_API_KEY.")
    else:
        yield _domain(known, parseaddr(sender)[1].rpartition("@")[2].lower())


def _domain(known: Mapping[str, str], domain: str) -> Diagnosis:
    status = known.get(domain)
    if not domain:
        return Diagnosis("error", "sender.from in skene.yaml has no address.", "Write: Name <hello@example.com>.")
    if status is None:
        others = ", ".join(sorted(known)) or "none"
        return Diagnosis(
            "error", f"Resend does not know the sender's domain {domain}; it knows: {others}.", "Add it there."
        )
    if status != "verified":
        return Diagnosis(
            "error", f"Resend lists the sender's domain {domain} as {status!r}.", "Finish its DNS records."
        )
    return Diagnosis("ok", f"Resend has verified the sender's domain {domain}.")
