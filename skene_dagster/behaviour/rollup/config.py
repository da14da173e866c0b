"""What skene.yaml said at the last rollup: what has changed since is computed again, for everybody.

This module owns skene_definitions.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, delete, insert, select

from skene_dagster.store.tables import definitions

_MILESTONE = "milestone:"
_FEATURE = "feature:"


@dataclass(frozen=True)
class Changes:
    """How what skene.yaml says differs from what it said at the last rollup."""

    events: bool
    """Where and how events are read; every day is counted again."""
    rest: bool
    """What is computed from the days; it is computed again for everybody."""
    other_milestones: tuple[str, ...]
    """Milestones that were others then, or are none now."""
    other_features: tuple[str, ...]
    """Features likewise, as `feature:<name>`."""


def changes(connection: Connection, digests: Mapping[str, str]) -> Changes:
    """Compare with the last rollup."""
    differ = differing(connection, digests)
    others = sorted(differ & _then(connection).keys())
    return Changes(
        "events" in differ,
        bool(differ - {"events"}),
        tuple(name.removeprefix(_MILESTONE) for name in others if name.startswith(_MILESTONE)),
        tuple(name for name in others if name.startswith(_FEATURE)),
    )


def differing(connection: Connection, digests: Mapping[str, str]) -> set[str]:
    """Name what is new, gone, or another thing since the last rollup."""
    then = _then(connection)
    return {name for name in then.keys() | digests.keys() if then.get(name) != digests.get(name)}


def remember(connection: Connection, digests: Mapping[str, str], as_of: datetime) -> None:
    """Keep what skene.yaml says now, and since when it says so."""
    for name in differing(connection, digests):
        connection.execute(delete(definitions).where(definitions.c.name == name))
        if name in digests:
            row = {"name": name, "digest": digests[name], "first_on": as_of.date()}
            connection.execute(insert(definitions).values(row))


def known_since(name: str) -> ColumnElement[object]:
    """Say, inside a statement, on which day something was first rolled up as it is now."""
    return select(definitions.c.first_on).where(definitions.c.name == name).scalar_subquery()


def _then(connection: Connection) -> dict[str, str]:
    return dict(connection.execute(select(definitions.c.name, definitions.c.digest)).all())
