"""How many emails are planned for which day, and who waits because a day has got as many as it may.

The batches say it: one of which nothing leaves counts for no day, and parts of one count for the day of the whole.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from sqlalchemy import ColumnElement, Connection, and_, func, insert, inspect, select, update

from skene_dagster.store.tables import account_deferred, batches, deferred, warm_ups

GROWTH_STOPS = 2
"""Days on which nobody had to wait for a warm-up, after which it is over."""


@dataclass(frozen=True)
class PlannedEmails:
    """The emails of a step that count for a day."""

    day: date
    loop: str
    step: str
    domain: str | None
    """Whence they come; None: an older release did not say."""
    emails: int


def planned_since(connection: Connection, mode: str, day: date) -> list[PlannedEmails]:
    """Count the emails that are planned for a day, and for those after it."""
    of = batches.c
    named = (of.planned_on, of.loop, of.step, of.from_domain)
    query = select(*named, func.sum(of.size)).where(_counts(mode), of.planned_on >= day)
    rows = connection.execute(query.group_by(*named).order_by(*named)).all()
    return [PlannedEmails(*row[:4], int(row[4])) for row in rows]


def busiest(emails: list[PlannedEmails]) -> dict[tuple[str, str], int]:
    """Say of each step how many emails the day had of which it had most."""
    most: Counter[tuple[str, str]] = Counter()
    ordered = sorted(emails, key=lambda one: (one.loop, one.step, one.day))
    for (loop, step, _), of_a_day in groupby(ordered, key=lambda one: (one.loop, one.step, one.day)):
        most[loop, step] = max(most[loop, step], sum(one.emails for one in of_a_day))
    return dict(most)


def waiting_for_room(connection: Connection, mode: str) -> dict[tuple[str, str], int]:
    """Count who waits because a day has got as many emails as it may, by loop and step."""
    found: dict[tuple[str, str], int] = {}
    # A preview may come before the migration that made the second one.
    there = [deferred, *([account_deferred] if inspect(connection).has_table(account_deferred.name) else [])]
    for of in (table.c for table in there):
        query = select(of.loop, of.step, func.count()).where(of.mode == mode, of.reason == "budget")
        rows = connection.execute(query.group_by(of.loop, of.step))
        found |= {(loop, step): number for loop, step, number in rows}
    return found


def warm_up_waits(connection: Connection, mode: str, domain: str, day: date) -> None:
    """A domain's warm-up is too small for what it has to send on a day."""
    mine = and_(warm_ups.c.mode == mode, warm_ups.c.domain == domain)
    known = connection.execute(select(warm_ups.c.waited_on).where(mine)).scalar()
    if known is None:
        connection.execute(insert(warm_ups).values(mode=mode, domain=domain, waited_on=day))
    elif known < day:
        connection.execute(update(warm_ups).where(mine).values(waited_on=day))


def warm_up_is_over(connection: Connection, mode: str, domain: str, *, since: date, today: date) -> bool:
    """Whether a domain's warm-up has outgrown what it sends: twice, a day had emails, and none had to wait.

    Args:
        since: the warm-up's first day. One that never was too small has shown nothing.
    """
    mine = and_(warm_ups.c.mode == mode, warm_ups.c.domain == domain)
    last: date | None = connection.execute(select(warm_ups.c.waited_on).where(mine)).scalar()
    if last is None or last < since:
        return False
    of = batches.c
    for _ in range(GROWTH_STOPS):
        later = and_(of.from_domain == domain, of.planned_on > last, of.planned_on < today)
        # MariaDB 10.11 would read all of them for their minimum (2026-11).
        first = select(of.planned_on).where(_counts(mode), later).order_by(of.planned_on).limit(1)
        last = connection.execute(first).scalar()
        if last is None:
            return False
    return True


def _counts(mode: str) -> ColumnElement[bool]:
    return and_(batches.c.mode == mode, batches.c.planned_on.is_not(None), batches.c.state != "split")
