"""A loop's first waves: in which slices the emails of a step leave that has mailed few."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, Engine

from skene_dagster.delivery import ledger
from skene_dagster.delivery.decide.accounts.recipients import recipients
from skene_dagster.delivery.decide.candidates import Candidate
from skene_dagster.delivery.decide.send_audience import SendAudience
from skene_dagster.delivery.decide.slices import LARGE, NEW, Slices
from skene_dagster.store.engine import reading


def slices(audience: SendAudience, engine: Engine, since: datetime | None, now: datetime) -> Slices | None:
    """Say in which slices a wave leaves; None: at once.

    Args:
        since: those are new who entered after it; None: everybody.
    """
    limits = audience.settings.limits
    if audience.mode.name != "live" or audience.email.topic is None or limits.slices == "off":
        return None

    def look(connection: Connection) -> Slices | None:
        scope = audience.scope
        if ledger.accepted_since(connection, scope, now - NEW, LARGE) >= LARGE:
            return None
        decided = ledger.mails_of_tick(connection, scope, audience.as_of)
        is_large = has_more_than(connection, audience, since, LARGE - decided)
        return Slices(now, decided) if is_large else None

    return reading(engine, look)


def has_more_than(connection: Connection, audience: SendAudience, since: datetime | None, number: int) -> bool:
    """Whether a tick may make more emails than so many: to those who are due, and who entered after `since`."""
    found = _emails_at_most(connection, audience, audience.due(connection))
    last: Candidate | None = None
    while found <= number:
        page = audience.entered(connection, since, last)
        if not page:
            return False
        found, last = found + _emails_at_most(connection, audience, page), page[-1]
    return True


def _emails_at_most(connection: Connection, audience: SendAudience, page: Sequence[Candidate]) -> int:
    if audience.step.recipient != "everybody" or not page:
        return len(page)
    keys = list(dict.fromkeys(one.user_id for one in page))
    users = recipients(connection, "everybody", audience.settings, keys, audience.as_of)
    return sum(len(some) for some in users.values())
