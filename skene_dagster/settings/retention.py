"""The part of skene.yaml about how long things are kept."""

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator

from skene_dagster.documents import Spec
from skene_dagster.durations import Duration, duration_text

LEAST = timedelta(days=30)
"""Nothing is kept for less: by then, anything late, waiting or in doubt has long been settled."""


def _long_enough(kept: timedelta) -> timedelta:
    if kept < LEAST:
        raise ValueError(f"{duration_text(kept)} is too short. Keep it for {duration_text(LEAST)} at least")
    return kept


Kept = Annotated[Duration, AfterValidator(_long_enough)]


class Retention(Spec):
    """How long to keep rows that no rule needs any more. Default: for ever. At least 30 days each."""

    history: Kept | None = None
    """Past memberships, levels of engagement and blocks, counted from their end; and who waits for a step that is gone,
    from when they were to be decided again."""
    events: Kept | None = None
    """Events in `skene_events`, counted from when they were received; deleted by whole days (UTC), once rolled up."""
    payloads: Kept | None = None
    """Rows that triggered a step, with the columns kept for their emails; counted from when the step found them."""
