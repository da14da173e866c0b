"""Who is compared, and what they reached."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from sqlalchemy import and_, select

from skene_dagster.delivery.model import ModeName
from skene_dagster.frames.reading import Frames, Moment, Words, among, read, same, within
from skene_dagster.goals.arms import Arm
from skene_dagster.settings.usage import Level
from skene_dagster.store.tables import account_people
from skene_dagster.store.tables import arms as arms_table
from skene_dagster.store.tables import outcomes as outcomes_table

_COMPARED = ("mode", "loop", "draw", "user_id")


def outcomes(
    loop: str | None = None,
    *,
    mode: ModeName | None = "live",
    since: Moment | None = None,
    until: Moment | None = None,
    users: Sequence[object] | None = None,
    columns: Sequence[str] | None = None,
    chunk_size: int | None = None,
    project: str | Path = ".",
) -> Frames:
    """Read who is compared, and what they reached: a row for each user and goal of a loop; one where none is measured.

    Args:
        loop: `*` is the comparison of all loops together.
        mode: where emails went; None: all of them.
        since: only users who entered the comparison from this moment on.
        until: only users who entered it before this moment.

    Returns:
        mode, loop, draw (another one is another comparison), user_id; arm: `mailed` or `held_out`; variant of the
        emails; share, of all, that was held out when they were drawn, as a number from 0 to below 1; enrolled_at, the
        tick; level, their engagement level then; goal, by its key; window_ends_at; reached_at, missing where they did
        not; value, the sum of what the goal's query says; state: `open` (asked again), `final`, `not_asked` (the goal
        is gone); account_id, with which they are compared, missing where the loop is about users: rows of one account
        are not independent. Only final rows are compared, and only those with a share above 0.
    """
    arm, outcome = arms_table.c, outcomes_table.c
    same_user = and_(*(arm[name] == outcome[name] for name in _COMPARED))
    same_account = and_(*(arm[name] == account_people.c[name] for name in _COMPARED))
    names = ("arm", "variant", "share", "enrolled_at", "level")
    reached = ("goal", "window_ends_at", "reached_at", "value", "state")
    query = (
        select(
            *(arm[name] for name in (*_COMPARED, *names)),
            *(outcome[name] for name in reached),
            account_people.c.account_id,
        )
        .select_from(arms_table.outerjoin(outcomes_table, same_user).outerjoin(account_people, same_account))
        .where(*same(arm.mode, mode), *same(arm.loop, loop), *within(arm.enrolled_at, since, until))
        .where(*among(arm.user_id, users))
    )
    words = {
        "mode": Words(ModeName),
        "arm": Words(Arm),
        "level": Words(Level),
        "state": Words(Literal["open", "final", "not_asked"]),
    }
    return read(project, query, words=words, columns=columns, chunk_size=chunk_size)
