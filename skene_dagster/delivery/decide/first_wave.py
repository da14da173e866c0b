"""A loop's first wave: whether it is so large that a person has to approve it, and in which slices it leaves."""

from datetime import datetime
from functools import partial

from sqlalchemy import Connection, Engine, true

from skene_dagster.delivery import controls, ledger
from skene_dagster.delivery.decide.candidates import Candidate
from skene_dagster.delivery.decide.send_audience import SendAudience
from skene_dagster.delivery.decide.slices import LARGE, NEW, Slices
from skene_dagster.segments import clearance
from skene_dagster.segments.clearance import Clearance
from skene_dagster.store.engine import reading


def is_large(audience: SendAudience, engine: Engine, now: datetime) -> bool:
    """Whether the step never mailed anybody real before, and would now mail more than `limits.first_wave`."""
    most = audience.settings.limits.first_wave
    if audience.mode.name != "live":
        return False
    is_one_each = not audience.step.by_row and audience.step.recipient != "everybody"
    cleared = reading(engine, partial(_clearance_of_a_first_wave, audience=audience))
    if cleared is None or (cleared.members <= most and is_one_each):
        return False
    mailed = 0
    last: Candidate | None = None
    while mailed <= most:
        counted = reading(engine, partial(_count_page, audience=audience, cleared=cleared, now=now, after=last))
        if counted is None:
            return False
        last, mails = counted
        mailed += mails
    return True


def _clearance_of_a_first_wave(connection: Connection, audience: SendAudience) -> Clearance | None:
    if ledger.was_ever_reserved(connection, audience.scope):
        return None
    if controls.orders(connection, audience.plan.name, audience.step.ledger_name).approved:
        return None
    return clearance.of(connection, audience.segment)


def _count_page(
    connection: Connection, audience: SendAudience, cleared: Clearance, now: datetime, after: Candidate | None
) -> tuple[Candidate, int] | None:
    """Count who would be mailed of a page, whoever waits included; return the last, None where none is left."""
    page = audience.page(connection, true(), audience.since(None, cleared.first_as_of), after)
    if not page:
        return None
    decided = audience.decide(connection, page, audience.rules_without_orders(cleared.first_as_of), now)
    return page[-1], sum(one.emails for one in decided)


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
        return Slices(now, decided) if _is_large(connection, audience, since, decided) else None

    return reading(engine, look)


def _is_large(connection: Connection, audience: SendAudience, since: datetime | None, decided: int) -> bool:
    number = decided + len(audience.due(connection))
    last: Candidate | None = None
    while number <= LARGE:
        page = audience.entered(connection, since, last)
        if not page:
            return False
        number, last = number + len(page), page[-1]
    return True
