"""Ask a provider that does not tell: its list of the emails of the last days.

It says what happened last to each email, not when: so each is noted as of the moment at which it was seen. It is not
enough to read until nothing is new: a complaint comes days after an email, when newer ones have no news any more.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import islice

from sqlalchemy import Connection

from skene_dagster.delivery import ledger
from skene_dagster.delivery.providers.base import Denied
from skene_dagster.delivery.providers.feedback import Polled, Report
from skene_dagster.delivery.send.session import DeliverySession
from skene_dagster.feedback import inbox

BACK = timedelta(days=3)
"""How long ago an email may have been accepted to be asked about."""

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
    now = session.clock()
    try:
        for reports in islice(outlet.provider.latest(session.slot_wait(outlet), now - BACK, now), PAGES):
            outlet.pacing.learn(outlet.provider.rate_limit)
            found += session.do(partial(_put, provider=name, reports=reports, now=now))
    except Denied as denied:
        return Asked(found, str(denied))
    return Asked(found)


def _put(connection: Connection, provider: str, reports: list[Report], now: datetime) -> int:
    """Put in what is new about emails of ours; return how many reports that are."""
    ours = ledger.known_emails(connection, {one.provider_id for one in reports if one.provider_id is not None})
    known = inbox.known(connection, [one.event_id for one in reports])
    new = [one for one in reports if one.provider_id in ours and one.event_id not in known]
    inbox.put(connection, provider, new, now)
    return len(new)
