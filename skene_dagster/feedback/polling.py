"""Ask a provider that does not tell: its list of emails, the newest first, until it shows nothing new.

It says what happened last to each email, not when: so each is noted as of the moment at which it was seen.
"""

from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection

from skene_dagster.delivery import ledger
from skene_dagster.delivery.providers.base import Denied
from skene_dagster.delivery.providers.feedback import Polled, Report
from skene_dagster.delivery.send.session import DeliverySession
from skene_dagster.feedback import inbox

PAGES = 20
"""Pages that are read at most: others may send by the same account."""


@dataclass(frozen=True)
class Asked:
    """What a provider said."""

    reports: int
    """That are new."""
    denied: str = ""
    """Why it could not be asked on."""


def poll(session: DeliverySession, name: str) -> Asked:
    """Put what is new about emails with a receipt into the inbox. Reading waits for slots as sending does.

    Args:
        name: of the provider.

    Raises:
        ProviderFatal: the environment lacks what it cannot be asked without.
        StoreError: the database refused.
    """
    outlet = session.outlet(name)
    found = 0
    if not isinstance(outlet.provider, Polled):
        return Asked(0)
    try:
        pages = outlet.provider.latest(session.slot_wait(outlet), session.clock())
        for _, reports in zip(range(PAGES), pages, strict=False):
            outlet.pacing.learn(outlet.provider.rate_limit)
            ours, new = session.do(partial(_put, provider=name, reports=reports, session=session))
            found += new
            # A page of others' emails says nothing of those below it.
            if ours and not new:
                break
    except Denied as denied:
        return Asked(found, str(denied))
    return Asked(found)


def _put(connection: Connection, provider: str, reports: list[Report], session: DeliverySession) -> tuple[int, int]:
    """Put in what is new; return how many of the reports are about emails of ours, and how many were new."""
    receipts = ledger.known_emails(connection, {one.provider_id for one in reports if one.provider_id is not None})
    ours = [one for one in reports if one.provider_id in receipts]
    known = inbox.known(connection, [one.event_id for one in ours])
    new = [one for one in ours if one.event_id not in known]
    inbox.put(connection, provider, new, session.clock())
    return len(ours), len(new)
