"""Explain one user: everything is read in one transaction of a bounded size, and nothing is written."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import Connection, Engine

from skene_dagster.behaviour import activity, engagement
from skene_dagster.consent.recipient import Recipients
from skene_dagster.delivery import controls
from skene_dagster.delivery.controls import EVERY
from skene_dagster.delivery.decide import facts
from skene_dagster.delivery.ledger import people
from skene_dagster.errors import StoreTimeout
from skene_dagster.explain import may
from skene_dagster.explain.coming import MOST, coming
from skene_dagster.explain.happened import happened
from skene_dagster.explain.model import Explained, Person
from skene_dagster.explain.outside import segments_of, steps_outside, with_history
from skene_dagster.explain.scope import Asked
from skene_dagster.loops.plan import segment_name
from skene_dagster.segments import members
from skene_dagster.segments.members import Left
from skene_dagster.store.engine import reading
from skene_dagster.store.keys import as_text

LONGEST = timedelta(seconds=5)
"""How long past memberships are looked for, which no index has."""


def explain(connection: Connection, asked: Asked, key: object) -> Explained | None:
    """Say what is known about a user; None: there is none any more.

    Args:
        key: as the users table has it.

    Raises:
        SettingsError: the users table is not what skene.yaml says.
        StoreError: the database refused.
    """
    settings, mode, now = asked.settings, asked.mode, asked.now
    users = settings.users
    columns = [name for name in (users.name, users.timezone) if name is not None]
    with facts.mapped_by_settings(users, columns):
        row = facts.read(connection, users, [key], columns, as_of=now).get(key)
    if row is None:
        return None
    recipients = Recipients.of(connection).of_user(key, row.address)
    recipient = recipients[1] if len(recipients) > 1 else None
    level = engagement.level_of(connection, key)
    person = Person(
        key=key,
        user=as_text(key),
        name=_text(row.columns.get(users.name or "")),
        address=row.address,
        mailable=row.mailable,
        level=None if level is None else level[0],
        level_since=None if level is None else level[1],
        last_active_at=activity.last_activity_of(connection, key),
        timezone=_text(row.columns.get(users.timezone or "")),
    )
    topics = may.topics(connection, settings, row, recipients, now)
    address = may.address_health(connection, row.address, recipient, mode, now)
    names = asked.known(connection)
    segments = sorted({segment_name(*name) for name in names} | {segment_name(*name) for name in asked.planned})
    inside = members.inside_of(connection, segments, key)
    waiting = people.put_off_about(connection, mode, names, key, limit=MOST)
    past, more = happened(connection, asked, names, key, waiting)
    may_be = person.mailable and address.state not in ("none", "invalid", "suppressed")
    return Explained(
        person=person,
        may_be_mailed=may_be and any(topic.refusal is None for topic in topics),
        topics=tuple(topics),
        address=address,
        caps=tuple(may.rooms(connection, settings, recipient, mode, now)),
        paused=EVERY in controls.paused(connection),
        coming=tuple(coming(connection, asked, names, key, inside=inside, waiting=waiting)),
        happened=tuple(past),
        more=more,
        outside=tuple(steps_outside(connection, asked, person, inside)),
    )


def add_history(engine: Engine, asked: Asked, found: Explained) -> Explained:
    """Add when and why they left the segments that they are not in.

    In a transaction of its own: one that takes too long is stopped, and then nobody knows.

    Raises:
        StoreError: the database refused.
    """
    outside = list(found.outside)
    segments = sorted(segments_of(asked, outside).values())
    left: Mapping[str, Left] | None = {}
    if segments:
        try:
            left = reading(engine, lambda connection: members.left_by(connection, segments, found.person.key, LONGEST))
        except StoreTimeout:
            left = None
    return replace(found, outside=tuple(with_history(asked, outside, left)))


def _text(value: object) -> str | None:
    return None if value is None or value == "" else str(value)
