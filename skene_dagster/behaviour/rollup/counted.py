"""How far what users do is counted, and whether a condition may be answered from it.

A level, a feature, a milestone or a usage limit is read from what the last rollup wrote. Before the first one nothing
is there, and to read it all the same would select everybody who "never used" a feature.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, inspect
from typing_extensions import assert_never

from skene_dagster.behaviour.rollup import config
from skene_dagster.behaviour.rollup.roll_up import NAME
from skene_dagster.errors import NotCounted
from skene_dagster.loops.plan import AtLevel, Condition, InState, Query, Reached, UsedUp
from skene_dagster.loops.planning.usage import plan_usage
from skene_dagster.settings import FILE, Settings
from skene_dagster.store.engine import is_sqlite
from skene_dagster.store.leasing import leases
from skene_dagster.store.leasing.leases import ROLLUP
from skene_dagster.store.tables import rollups

COUNT = "dagster job execute -m skene_dagster.definitions -j skene__usage"
"""The command that counts what users do, now."""


@dataclass(frozen=True)
class Counted:
    """How far what a condition reads is counted."""

    up_to: datetime
    going_on_to: datetime | None
    """A later rollup has written some of it, and did not end: it is under way, or its process died."""


def counted(connection: Connection, condition: Condition, settings: Settings) -> Counted | None:
    """Say how far what a condition reads is counted; None for SQL, which asks the product's own tables.

    Raises:
        NotCounted: it never was, or not as skene.yaml describes it now.
    """
    return _counted(connection, _read_by(condition), settings)


def counted_activity(connection: Connection, settings: Settings) -> Counted | None:
    """Say how far it is counted when users were last active.

    Raises:
        NotCounted: as `counted`.
    """
    return _counted(connection, _EVENTS, settings, "who was active last")


def counted_for(connection: Connection, definition: str | None, settings: Settings) -> Counted:
    """Say how far users' days are counted, and what follows from them by one more definition of skene.yaml, if any.

    Args:
        definition: its name in skene_definitions.

    Raises:
        NotCounted: as `counted`.
    """
    words = _EVENTS if definition is None else _EVENTS | {definition: f"`{definition.replace(':', '` `')}`"}
    found = _counted(connection, words, settings, "who reached this goal")
    assert found is not None
    return found


def _counted(
    connection: Connection, words: Mapping[str, str], settings: Settings, what: str = "whom this condition selects"
) -> Counted | None:
    if not words:
        return None
    there = inspect(connection).has_table(rollups.name)
    row = leases.state(connection, NAME, ROLLUP) if there else None
    if row is None or row.as_of is None:
        first = "" if there or is_sqlite(connection) else "Run: skene-dagster migrate. "
        raise NotCounted(
            f"What users do was never counted in this database, so nobody knows {what}.",
            advice=f"{first}Count it:\n  {COUNT}",
        )
    differing = config.differing(connection, plan_usage(settings).digests)
    changed = [in_words for name, in_words in words.items() if name in differing]
    if changed:
        raise NotCounted(
            f"Since what users do was last counted ({shown_moment(row.as_of)}), {FILE} has changed "
            f"{' and '.join(changed)}, so nobody knows {what}.",
            advice=f"Count it again:\n  {COUNT}",
        )
    return Counted(row.as_of, row.writing_as_of if row.writing_as_of != row.as_of else None)


def counted_whole(connection: Connection, condition: Condition, settings: Settings) -> Counted | None:
    """Say how far what a condition reads is counted, for everybody alike.

    Raises:
        NotCounted: as `counted`, or some users are counted further than others.
    """
    found = counted(connection, condition, settings)
    if found is not None and found.going_on_to is not None:
        raise NotCounted(
            f"What users do is counted up to {shown_moment(found.up_to)}, and of some users up to "
            f"{shown_moment(found.going_on_to)}: that count is in progress, or its process died.",
            advice=f"Wait for it, or count again: {COUNT}",
        )
    return found


def shown_moment(at: datetime) -> str:
    """Write a moment for people."""
    return f"{at:%a %d %b %Y, %H:%M} UTC"


_EVENTS = {"events": "how events are read (`events`, or the SQL of a feature)"}


def _read_by(condition: Condition) -> dict[str, str]:
    """Name the definitions that a condition's answer follows from, each in words for people."""
    match condition:
        case Query():
            return {}
        case AtLevel():
            return _EVENTS | {"levels": "`levels`"}
        case InState():
            return _EVENTS | {f"feature:{condition.feature}": f"the feature {condition.feature!r}"}
        case Reached():
            return _EVENTS | {f"milestone:{condition.milestone}": f"the milestone {condition.milestone!r}"}
        case UsedUp():
            return _EVENTS
        case _:
            assert_never(condition)
