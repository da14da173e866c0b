"""What people ask the list of suppressions: how many it names and why, the newest, and the history of one."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from skene_dagster.consent.suppressions import COLUMNS, Reason, Scope, Suppression, of_scopes
from skene_dagster.store.tables import suppressions


@dataclass(frozen=True)
class Counted:
    """How many suppressions hold, of a scope and a reason."""

    scope: Scope
    reason: Reason
    number: int


@dataclass(frozen=True)
class Recorded:
    """A suppression that holds or held; `until` is when it was lifted, or ended by itself."""

    suppression: Suppression
    lift_reason: str | None


def counts(connection: Connection, scopes: Collection[Scope] | None, now: datetime) -> Sequence[Counted]:
    """Count what holds."""
    kinds = (suppressions.c.scope, suppressions.c.reason)
    query = (
        select(*kinds, func.count())
        .where(suppressions.c.lifted_at > now, of_scopes(scopes))
        .group_by(*kinds)
        .order_by(*kinds)
    )
    return [Counted(*row) for row in connection.execute(query)]


def scopes(connection: Connection) -> list[Scope]:
    """List the scopes on record, those of topics that are gone included."""
    found = connection.execute(select(suppressions.c.scope).distinct()).scalars()
    return sorted(found)


def newest(
    connection: Connection, scopes: Collection[Scope] | None, now: datetime, limit: int
) -> Sequence[Suppression]:
    """List what has held for the shortest time."""
    query = (
        select(*COLUMNS)
        .where(suppressions.c.lifted_at > now, of_scopes(scopes))
        .order_by(suppressions.c.since.desc(), suppressions.c.recipient, suppressions.c.scope)
        .limit(limit)
    )
    return [Suppression(*row) for row in connection.execute(query)]


def history(
    connection: Connection, recipients: Collection[str], scopes: Collection[Scope] | None
) -> Sequence[Recorded]:
    """List all that is on record about some recipients, the newest first."""
    query = (
        select(*COLUMNS, suppressions.c.lift_reason)
        .where(suppressions.c.recipient.in_(recipients), of_scopes(scopes))
        .order_by(suppressions.c.since.desc(), suppressions.c.scope)
    )
    return [Recorded(Suppression(*row[:-1]), row[-1]) for row in connection.execute(query)]


def holding(
    connection: Connection, recipients: Collection[str], scopes: Collection[Scope] | None, now: datetime
) -> list[Suppression]:
    """List what holds of some recipients."""
    every = history(connection, recipients, scopes)
    return [one.suppression for one in every if one.suppression.until > now]
