"""Which moment a run is for. Retries, re-executions and run retries of a run keep it."""

from datetime import datetime, timezone

import dagster as dg

from skene_dagster.errors import SkeneError

AS_OF = "skene/as_of"
"""The run tag that says which moment a run is for: ISO 8601 with a time zone. A schedule sets it to its tick."""

ACCEPT_CHANGE = "skene/accept_change"
"""The run tag by which a person says that a collapsed or exploded segment is right: `true`."""


def as_of(run: dg.DagsterRun, instance: dg.DagsterInstance) -> datetime:
    """Say which moment the run is for, in UTC without a zone: its tag's, else when the first run of its kind started.

    Raises:
        SkeneError: the tag is no moment.
    """
    tag = run.tags.get(AS_OF)
    if tag is not None:
        return _moment(tag)
    record = instance.get_run_record_by_id(run.root_run_id or run.run_id) or instance.get_run_record_by_id(run.run_id)
    assert record is not None
    # A run that failed in the queue was never started; its re-executions keep the moment of its creation.
    started = record.start_time or record.create_timestamp.timestamp()
    return datetime.fromtimestamp(started, timezone.utc).replace(tzinfo=None)


def accepts_change(run: dg.DagsterRun) -> bool:
    """Say whether a person has accepted that the segment collapsed or exploded."""
    return run.tags.get(ACCEPT_CHANGE) == "true"


def tag_of(moment: datetime) -> str:
    """Write a moment (with a zone) as the run tag does: ISO 8601 in UTC."""
    return moment.astimezone(timezone.utc).isoformat()


def _moment(tag: str) -> datetime:
    try:
        # Python 3.10 does not read the zone «Z».
        moment = datetime.fromisoformat(tag.removesuffix("Z") + ("+00:00" if tag.endswith("Z") else ""))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise SkeneError(
            f"The run's tag {AS_OF} is {tag!r}, which is no moment with a time zone.",
            advice="Write it like 2026-03-14T09:00:00+00:00, or leave the tag out for now.",
        )
    return moment.astimezone(timezone.utc).replace(tzinfo=None)
