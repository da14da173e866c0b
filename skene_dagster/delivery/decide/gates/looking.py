"""What the gates of a step say at a tick, from the database; asked before anybody is decided about."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial

from sqlalchemy import Connection, Engine

from skene_dagster.checks import fresh_sources
from skene_dagster.delivery import controls, ledger
from skene_dagster.delivery.decide.candidates import Candidate
from skene_dagster.delivery.decide.eligibility import fault_of
from skene_dagster.delivery.decide.facts import Person
from skene_dagster.delivery.decide.gates import judging
from skene_dagster.delivery.decide.gates.judging import LOOKS_BACK, Addresses, Gate
from skene_dagster.delivery.decide.send_audience import SendAudience
from skene_dagster.errors import DocumentError, StoreError
from skene_dagster.segments import clearance
from skene_dagster.store.engine import reading


def look(
    audience: SendAudience, engine: Engine, decided_up_to: datetime | None, now: datetime, room: int | None
) -> list[Gate]:
    """Ask all gates of a step; none where its segment has no clearance, for then nobody is decided about.

    Args:
        decided_up_to: the last tick of which everybody is decided; None: of none.
        room: how many emails the budgets of the days leave it, who else wants one waits; None: any number.

    Raises:
        StoreUnavailable, StoreError: the database refused what is not about a single gate.
    """
    cleared = reading(engine, partial(clearance.of, segment=audience.segment))
    if cleared is None:
        return []
    since = audience.since(decided_up_to, cleared.first_as_of)
    sources = fresh_sources.of_loop(audience.plan, audience.settings)
    found: list[Gate | None] = [fresh(audience, one, partial(reading, engine), now) for one in sources]
    found.append(_unmailable(audience, engine, since, now))
    found += _of_its_size(audience, engine, since, cleared.first_as_of, now, room)
    return [gate for gate in found if gate is not None]


def is_let_through(gate: Gate, orders: controls.Orders, accepted: frozenset[str]) -> bool:
    """Whether a person lets the step pass a gate that is shut."""
    return orders.approved if gate.name == "first_wave" else gate.name in accepted


Ask = Callable[[Callable[[Connection], datetime | None]], datetime | None]
"""Asks the database, in a transaction of its own: one that was stopped is of no further use."""


def fresh(audience: SendAudience, source: fresh_sources.Source, ask: Ask, now: datetime) -> Gate:
    """Ask one of the tables that must have changed.

    Raises:
        StoreUnavailable: the database cannot answer for now.
    """
    until = max(audience.as_of, now)
    try:
        newest = ask(lambda connection: fresh_sources.newest(connection, source, until))
    except DocumentError as unreadable:
        return judging.unreadable(source.fresh, str(unreadable))
    except StoreError as denied:
        if denied.retryable:
            raise
        placed = StoreError(denied.message, advice=denied.advice, place=source.place("table"))
        return judging.unreadable(source.fresh, str(placed))
    return judging.fresh(source.fresh, newest, audience.as_of)


def address_of(person: Person) -> Addresses:
    """Say whether an email to a user has an address to go to."""
    if not person.mailable:
        return Addresses()
    fault = fault_of(person.address)
    return Addresses(
        looked_at=1,
        missing=int(fault == "no_address"),
        invalid=int(fault == "invalid_address"),
        suppressed=int(fault is None and person.refusal == "suppressed"),
    )


def _unmailable(audience: SendAudience, engine: Engine, since: datetime | None, now: datetime) -> Gate | None:
    limits, found = audience.settings.limits, Addresses()
    # Who of an account would be mailed, and whether they may, is decided with it.
    if limits.unmailable is None or audience.step.per_account:
        return None
    last: Candidate | None = None
    while True:
        page, people = reading(engine, partial(_people, audience=audience, since=since, after=last, now=now))
        if not page:
            return judging.unmailable(limits, found)
        last = page[-1]
        for one in page:
            if one.user_id in people:
                found += address_of(people[one.user_id])


def _people(
    connection: Connection, audience: SendAudience, since: datetime | None, after: Candidate | None, now: datetime
) -> tuple[list[Candidate], dict[object, Person]]:
    page = audience.entered(connection, since, after)
    keys = list(dict.fromkeys(one.user_id for one in page))
    return page, audience.people(connection, keys, now) if keys else {}


def _of_its_size(
    audience: SendAudience,
    engine: Engine,
    since: datetime | None,
    first_as_of: datetime,
    now: datetime,
    room: int | None,
) -> Iterator[Gate | None]:
    """Ask the gates about how many emails it has: they are counted only where they may be too many."""
    limits = audience.settings.limits
    largest = reading(engine, partial(largest_tick, audience=audience))
    awaits = (
        audience.mode.name == "live" and largest is None and not reading(engine, partial(_orders, audience)).approved
    )
    most = limits.first_wave if awaits else None
    if limits.volume is not None and largest is not None:
        most = judging.most_emails(limits.volume, limits.least_change, largest)
    emails = {} if most is None else counted(audience, engine, since, first_as_of, now, most)
    # Who entered at other ticks, while the step was held, are no more than those ticks would have had.
    yield judging.volume(limits, at_most(max(emails.values(), default=0), room), largest)
    if awaits:
        yield judging.first_wave(limits, sum(emails.values()))


def at_most(emails: int, room: int | None) -> int:
    """Say how many of so many emails a tick has, of which the others wait for room."""
    return emails if room is None else min(emails, room)


def _orders(audience: SendAudience, connection: Connection) -> controls.Orders:
    return controls.orders(connection, audience.plan.name, audience.step.ledger_name)


def largest_tick(connection: Connection, audience: SendAudience) -> int | None:
    """Say how many emails the largest tick had that this one is compared with; None: the step never mailed anybody."""
    if not ledger.was_ever_reserved(connection, audience.scope):
        return None
    return ledger.largest_tick(connection, audience.scope, audience.as_of - LOOKS_BACK, audience.as_of)


def counted(
    audience: SendAudience,
    engine: Engine,
    since: datetime | None,
    first_as_of: datetime,
    now: datetime,
    most: int,
) -> Counter[datetime]:
    """Count the emails of a tick, by the tick at which their users entered; who was deferred counts for this one.

    Where no more users than `most` are to be decided about, those are counted: their emails cannot be more.
    """
    candidates: Counter[datetime] = Counter()
    for page in _pages(audience, engine, since):
        candidates.update(_tick_of(one, audience.as_of) for one in page)
        if candidates.total() > most:
            break
    else:
        if audience.step.recipient != "everybody":
            return candidates
    emails: Counter[datetime] = Counter()
    rules = audience.rules_without_orders(first_as_of)
    for page in _pages(audience, engine, since):
        decided = reading(engine, partial(audience.decide, page=page, rules=rules, now=now))
        for one in decided:
            emails[_tick_of(one.candidate, audience.as_of)] += one.emails
    return emails


def _pages(audience: SendAudience, engine: Engine, since: datetime | None) -> Iterator[list[Candidate]]:
    """List who is due, and then who entered."""
    for find in (audience.due, partial(audience.entered, since=since)):
        last: Candidate | None = None
        while page := reading(engine, partial(find, after=last)):
            yield page
            last = page[-1]


def _tick_of(one: Candidate, as_of: datetime) -> datetime:
    return as_of if one.waiting is not None or one.entered_at is None else one.entered_at
