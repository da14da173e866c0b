"""The inbox: what providers say happened, each thing once, until it is read; then for a while, without the address.

This module owns skene_webhooks. An event that is about an email whose acceptance this ledger does not know yet waits.
"""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import Connection, exists, func, or_, select, update
from sqlalchemy.dialects.mysql import insert as insert_on_server
from sqlalchemy.dialects.sqlite import insert as insert_in_sqlite

from skene_dagster.delivery.providers.feedback import Report
from skene_dagster.store.engine import CLOCKS_DIFFER, is_sqlite
from skene_dagster.store.sweeping import Swept, sweep
from skene_dagster.store.tables import receipts, webhooks

Read = Literal["applied", "noted", "foreign", "unknown"]
"""What became of an event: it changed a receipt; nothing follows for one; it is about another ledger's email; it is
about an email without a receipt (the product's own, or older than receipts are)."""

KEPT = timedelta(days=30)
"""How long an event is kept."""

LONGEST_WAIT = timedelta(hours=6)
"""The most between two looks at an event that waits."""

SLICE = 50
"""Rows of one statement."""

_ON_SERVER = insert_on_server(webhooks).on_duplicate_key_update(event_id=webhooks.c.event_id)
_IN_SQLITE = insert_in_sqlite(webhooks).on_conflict_do_nothing()


@dataclass(frozen=True)
class Event:
    """A report in the inbox."""

    report: Report
    provider: str
    received_at: datetime


_REPORT = tuple(webhooks.c["happened_at" if field.name == "at" else field.name] for field in fields(Report))


def put(connection: Connection, provider: str, reports: Sequence[Report], now: datetime) -> None:
    """Put in what is new; what is there already stays as it is."""
    rows = []
    for report in reports:
        row = asdict(report)
        # Clocks differ: nothing happened after it was told.
        row["happened_at"] = min(row.pop("at"), now)
        rows.append(row | {"provider": provider, "received_at": now, "due_at": now})
    statement = _IN_SQLITE if is_sqlite(connection) else _ON_SERVER
    for start in range(0, len(rows), SLICE):
        connection.execute(statement, rows[start : start + SLICE])


def known(connection: Connection, event_ids: Collection[str]) -> set[str]:
    """Name those of some events that are there."""
    query = select(webhooks.c.event_id).where(webhooks.c.event_id.in_(event_ids))
    return set(connection.execute(query).scalars())


def due(connection: Connection, limit: int, now: datetime) -> list[Event]:
    """List what is to be read, in the order in which it came due."""
    # What a wrong clock wrote lies further ahead than anything is put off.
    is_due = or_(webhooks.c.due_at <= now, webhooks.c.due_at > now + LONGEST_WAIT + CLOCKS_DIFFER)
    query = select(*_REPORT, webhooks.c.provider, webhooks.c.received_at).where(is_due)
    rows = connection.execute(query.order_by(webhooks.c.due_at, webhooks.c.event_id).limit(limit))
    return [Event(Report(*row[:-2]), *row[-2:]) for row in rows]


def is_due(connection: Connection, now: datetime) -> bool:
    """Whether anything is to be read."""
    return bool(due(connection, 1, now))


def was_read(connection: Connection, event_ids: Collection[str], read_as: Read) -> None:
    """Events were read: their address goes."""
    mine = update(webhooks).where(webhooks.c.event_id.in_(event_ids))
    connection.execute(mine.values(due_at=None, read_as=read_as, address=None))


def put_off(connection: Connection, event: Event, now: datetime, wait: timedelta | None = None) -> None:
    """Let an event wait: the longer, the older it is; what follows for its address has followed.

    Args:
        wait: unless it is said how long; its address stays then.
    """
    values: dict[str, object] = {"address": None} if wait is None else {}
    wait = min(max(wait or now - event.received_at, timedelta(minutes=1)), LONGEST_WAIT)
    mine = update(webhooks).where(webhooks.c.event_id == event.report.event_id)
    connection.execute(mine.values(due_at=now + wait, **values))


@dataclass(frozen=True)
class Blocks:
    """Bounces of one kind at one domain of recipients."""

    domain: str
    bounce_type: str | None
    bounce_sub_type: str | None
    status_codes: str
    number: int


def bounces(connection: Connection, since: datetime, accepted_since: datetime | None) -> list[Blocks]:
    """Count the bounces of this ledger's emails that were told after a moment, by domain and kind.

    Args:
        accepted_since: not those of emails that were accepted before; None: of all.
    """
    told = webhooks.c
    kind = (told.domain, told.bounce_type, told.bounce_sub_type, told.status_codes)
    mine = [told.received_at > since, told.kind == "bounced", told.read_as == "applied", told.domain.is_not(None)]
    if accepted_since is not None:
        mine.append(~exists().where(receipts.c.send_id == told.send_id, receipts.c.accepted_at <= accepted_since))
    rows = connection.execute(select(*kind, func.count()).where(*mine).group_by(*kind).order_by(*kind))
    return [Blocks(row[0], row[1], row[2], row[3] or "", row[4]) for row in rows]


@dataclass(frozen=True)
class Heard:
    """What the inbox tells a person."""

    last_at: datetime | None
    """When something was told last; None: nothing is kept."""
    waiting: int
    """Events that are not read yet."""
    unknown: dict[str, int]
    """Types of events that this release does not know, and how many of them are kept."""


def heard(connection: Connection) -> Heard:
    """Say when something was told last, what waits, and what was not understood."""
    last = connection.execute(select(func.max(webhooks.c.received_at))).scalar()
    waiting = connection.execute(select(func.count()).where(webhooks.c.due_at.is_not(None))).scalar_one()
    types = select(webhooks.c.type, func.count()).where(webhooks.c.kind == "unknown")
    rows = connection.execute(types.group_by(webhooks.c.type).order_by(webhooks.c.type))
    return Heard(last, int(waiting), {row.type: int(row[1]) for row in rows})


def unname(connection: Connection, emails: Collection[str], addresses: Collection[str]) -> int:
    """Forget whom some events are about, as far as they were read; return how many rows were changed.

    What is not read yet keeps its address until then: it may be a "no".

    Args:
        emails: their ids, ours and the provider's.
        addresses: in lower case.
    """
    of_them = or_(
        webhooks.c.send_id.in_(emails),
        webhooks.c.provider_id.in_(emails),
        func.lower(webhooks.c.address).in_(addresses),
    )
    names = ("send_id", "provider_id", "origin", "address", "domain", "link", "detail")
    mine = update(webhooks).where(of_them, or_(webhooks.c.due_at.is_(None), webhooks.c.address.is_(None)))
    return connection.execute(mine.values(dict.fromkeys(names))).rowcount


def forget(connection: Connection, *, before: datetime, since: datetime | None, size: int) -> Swept:
    """Delete events that were received before a moment, and read."""
    received, was = webhooks.c.received_at, webhooks.c.due_at.is_(None)
    return sweep(connection, webhooks, received, "skene_webhooks_received", was, before=before, since=since, size=size)
