"""Incidents: what was found wrong, compared with what is known to be. This module owns skene_incidents.

What counts is how it is now, not what happened: whatever a process that died has left undone, the next look does.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import ColumnElement, Connection, and_, func, insert, or_, select, update

from skene_dagster.delivery.email.graphemes import cut
from skene_dagster.incidents.problems import LASTS, Kind, Problem
from skene_dagster.store.sweeping import Swept, sweep
from skene_dagster.store.tables import OPEN, incidents
from skene_dagster.wording import without_addresses

CALM = timedelta(minutes=5)
"""How long something must be gone before it is over; twice as long for each time that it was over within a day."""

A_DAY = timedelta(days=1)

KEPT = timedelta(days=90)
"""How long an incident is kept that is over."""

LONGEST_SUBJECT = 191


@dataclass(frozen=True)
class Incident:
    """Something wrong, from when it was first found until it is over."""

    kind: Kind
    subject: str
    about: str
    said: str
    to_do: str
    opened_at: datetime
    """Since when it is wrong, or since it was found."""
    closed_at: datetime | None
    """When it was over; None while it lasts."""
    told_to: frozenset[str]
    """The targets that know of it as it is now: that it is there, or that it is over."""
    concerns: frozenset[str] | None
    """The only targets that are to know; None: all. That it is over concerns those that knew that it was there."""

    def is_news_to(self, target: str) -> bool:
        """Whether a target is to know of it and does not."""
        return target not in self.told_to and (self.concerns is None or target in self.concerns)


Key = tuple[Kind, str]
"""The kind and the subject: of one of which there is one incident at a time."""

_OPEN = incidents.c.closed_at == OPEN


def record(
    connection: Connection, problems: Sequence[Problem], looked_at: Mapping[Kind, str | None], now: datetime
) -> None:
    """Open what is new, and close what is over.

    Args:
        looked_at: the kinds that were looked at; of one with a subject, only that was.
    """
    row = incidents.c
    query = select(row.kind, row.subject, row.opened_at, row.gone_at, row.told_to).where(_OPEN)
    known = {_key(one.kind, one.subject): one for one in connection.execute(query)}
    found: dict[Key, Problem] = {}
    for problem in problems:
        # Of several of one kind about one subject, the first says enough.
        found.setdefault(_key(problem.kind, cut(problem.subject, LONGEST_SUBJECT)), problem)
    for key, problem in found.items():
        if key not in known:
            _open(connection, key, problem, now)
        elif known[key].gone_at is not None:
            _change(connection, key, gone_at=None)
    for key, one in known.items():
        kind, subject = key
        if key in found or kind not in looked_at or looked_at[kind] not in (None, subject):
            continue
        if not one.told_to:
            # Nobody knows of it, so nobody has to know that it is over.
            _change(connection, key, closed_at=now, over_told_at=now)
        elif one.gone_at is None:
            _change(connection, key, gone_at=now)
        elif not one.gone_at <= now < one.gone_at + _calm(connection, key, now):
            _change(connection, key, closed_at=min(one.gone_at, now))


def to_tell(connection: Connection, targets: Collection[str], now: datetime) -> list[Incident]:
    """List what is still to be told to any of some targets: what is there, and what is over; the oldest first."""
    row = incidents.c
    # Another machine may have told all targets that it knows.
    is_there, is_over = and_(_OPEN, row.gone_at.is_(None)), and_(~_OPEN, row.over_told_at.is_(None))
    query = select(incidents).where(or_(is_there, is_over)).order_by(row.opened_at, row.kind, row.subject)
    listed = [_incident(one._asdict()) for one in connection.execute(query)]
    news = [one for one in listed if any(map(one.is_news_to, targets))]
    return [one for one in news if one.closed_at or one.opened_at + LASTS.get(one.kind, timedelta(0)) <= now]


def told(
    connection: Connection, incident: Incident, targets: frozenset[str], everybody: frozenset[str], now: datetime
) -> None:
    """Note which targets know of an incident.

    Args:
        everybody: the targets that are known here; when all of them know, it is told. That it is over is told when all
            know whom it concerns.
    """
    row = incidents.c
    # Of what another look has closed while it was being told, somebody now knows who is to be told that it is over.
    is_it = row.opened_at == incident.opened_at if incident.closed_at is None else row.closed_at == incident.closed_at
    query = select(incidents).where(_of((incident.kind, incident.subject)), is_it)
    found = connection.execute(query.order_by(row.closed_at.desc()).limit(1).with_for_update()).one_or_none()
    if found is None:
        return
    knew = found.told_to if incident.closed_at is None else found.over_told_to
    knows = incident.told_to | targets | set(knew.split())
    concerned = everybody if incident.concerns is None else incident.concerns
    done, names = now if concerned <= knows else None, " ".join(sorted(knows))
    values: dict[str, object] = {"over_told_to": names, "over_told_at": done}
    if incident.closed_at is None:
        values = {"told_to": names, "told_at": done}
        if found.closed_at != OPEN and targets:
            values["over_told_at"] = None
    this = and_(_of((incident.kind, incident.subject)), row.closed_at == found.closed_at)
    connection.execute(update(incidents).where(this).values(values))


def forget(connection: Connection, *, before: datetime, since: datetime | None, size: int) -> Swept:
    """Delete what was over before a moment."""
    closed = incidents.c.closed_at
    return sweep(connection, incidents, closed, "skene_incidents_closed", before=before, since=since, size=size)


def _open(connection: Connection, key: Key, problem: Problem, now: datetime) -> None:
    said = {
        "about": cut(problem.about, 255),
        "said": cut(without_addresses(problem.said), 1000),
        "to_do": cut(problem.to_do, 255),
    }
    # What a wrong clock wrote does not begin in the future.
    since = now if problem.since is None else min(problem.since, now)
    row = {"kind": key[0], "subject": key[1], "closed_at": OPEN, "opened_at": since, "told_to": "", "over_told_to": ""}
    connection.execute(insert(incidents).values(row | said))


def _calm(connection: Connection, key: Key, now: datetime) -> timedelta:
    lately = and_(_of(key), ~_OPEN, incidents.c.closed_at > now - A_DAY, incidents.c.told_to != "")
    times = int(connection.execute(select(func.count()).select_from(incidents).where(lately)).scalar_one())
    return min(CALM * 2.0**times, A_DAY)


def _change(connection: Connection, key: Key, **values: Any) -> None:
    connection.execute(update(incidents).where(_of(key), _OPEN).values(**values))


def _key(kind: str, subject: str) -> Key:
    return cast("Kind", kind), subject


def _of(key: Key) -> ColumnElement[bool]:
    return and_(incidents.c.kind == key[0], incidents.c.subject == key[1])


def _incident(row: Mapping[str, Any]) -> Incident:
    is_open = row["closed_at"] == OPEN
    knew = frozenset(row["told_to"].split())
    return Incident(
        **{name: row[name] for name in ("kind", "subject", "about", "said", "to_do", "opened_at")},
        closed_at=None if is_open else row["closed_at"],
        told_to=knew if is_open else frozenset(row["over_told_to"].split()),
        concerns=None if is_open else knew,
    )
