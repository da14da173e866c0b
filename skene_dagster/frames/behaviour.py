"""What users do: their levels, and which features they have adopted."""

from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import select

from skene_dagster.behaviour.adoption import State
from skene_dagster.frames.reading import Frames, Moment, Words, among, lasting, read, same, within
from skene_dagster.settings.usage import Level
from skene_dagster.store.tables import engagement_levels, feature_adoption


def levels(
    level: Level | None = None,
    *,
    at: Moment | None = None,
    since: Moment | None = None,
    until: Moment | None = None,
    users: Sequence[object] | None = None,
    columns: Sequence[str] | None = None,
    chunk_size: int | None = None,
    project: str | Path = ".",
) -> Frames:
    """Read at which engagement level users are and were: a row for each time that a user was at one.

    Args:
        at: only the level of each user at this moment.
        since: only levels that were entered from this moment on.
        until: only levels that were entered before this moment.

    Returns:
        user_id; level: see docs/engagement.md; entered_at; left_at, missing while they are at it.
    """
    table = engagement_levels.c
    query = select(table.user_id, table.level, table.entered_at, table.left_at).where(
        *same(table.level, level),
        *within(table.entered_at, since, until),
        *lasting(table.entered_at, table.left_at, at),
        *among(table.user_id, users),
    )
    return read(project, query, words={"level": Words(Level)}, columns=columns, chunk_size=chunk_size)


def adoption(
    feature: str | None = None,
    *,
    users: Sequence[object] | None = None,
    columns: Sequence[str] | None = None,
    chunk_size: int | None = None,
    project: str | Path = ".",
) -> Frames:
    """Read who uses which feature: a row for each user and feature. Who never tried one has none.

    Returns:
        user_id, feature; state: `tried`, `adopted` or `lapsed`, and state_since; first_at and last_at of its use; uses;
        days, on which it was used.
    """
    table = feature_adoption.c
    names = ("user_id", "feature", "state", "state_since", "first_at", "last_at", "uses", "days")
    query = select(*(table[name] for name in names)).where(*same(table.feature, feature), *among(table.user_id, users))
    return read(project, query, words={"state": Words(State)}, columns=columns, chunk_size=chunk_size)
