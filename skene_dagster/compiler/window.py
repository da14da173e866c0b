"""Which moment a run is for. Retries, re-executions and run retries of a run keep it."""

from contextlib import suppress
from datetime import datetime, timezone

import dagster as dg

from skene_dagster.errors import SkeneError
from skene_dagster.settings import Settings
from skene_dagster.store.engine import CLOCKS_DIFFER, clocks

AS_OF = "skene/as_of"
"""The run tag that says which moment a run is for: ISO 8601 with a time zone. A schedule sets it to its tick."""

YEARS = range(1970, 9999)
"""The years that a run may be for; the end of 9999 means "not yet" in the tables."""


def as_of(run: dg.DagsterRun, instance: dg.DagsterInstance) -> datetime:
    """Return the moment that the run is for, in UTC without a zone: its tag's, or when the first attempt started.

    Raises:
        SkeneError: the tag is not a moment.
    """
    tag = run.tags.get(AS_OF)
    if tag is not None:
        return _moment(tag)
    record = instance.get_run_record_by_id(run.root_run_id or run.run_id) or instance.get_run_record_by_id(run.run_id)
    assert record is not None
    # A run that failed in the queue was never started; its re-executions keep the moment of its creation.
    started = record.start_time or record.create_timestamp.timestamp()
    return datetime.fromtimestamp(started, timezone.utc).replace(tzinfo=None)


def refuse_the_future(moment: datetime, now: datetime, settings: Settings) -> None:
    """In production, refuse a moment in the future: until then every real tick would be older than the history.

    Raises:
        SkeneError: the moment is ahead of the clock.
    """
    if settings.environment == "production" and moment > now + CLOCKS_DIFFER:
        raise SkeneError(
            f"The run is for {moment:%Y-%m-%d %H:%M:%S} UTC, which is still to come; the segment is unchanged. "
            f"{clocks(now)}",
            advice=f"Set the clocks right (NTP), or correct the run's tag {AS_OF}. Simulated time needs a "
            "SKENE_ENV other than production.",
        )


def tag_of(moment: datetime) -> str:
    """Write a moment (with a zone) in the form of the run tag: ISO 8601 in UTC."""
    return moment.astimezone(timezone.utc).isoformat()


def _moment(tag: str) -> datetime:
    with suppress(ValueError, OverflowError):
        # Python 3.10 does not read the zone «Z».
        moment = datetime.fromisoformat(tag.removesuffix("Z") + ("+00:00" if tag.endswith("Z") else ""))
        utc = moment.astimezone(timezone.utc).replace(tzinfo=None)
        if moment.tzinfo is not None and utc.year in YEARS:
            return utc
    raise SkeneError(
        f"The run's tag {AS_OF} is {tag!r}, which is not a time with a time zone.",
        advice="Write it like 2026-03-14T09:00:00+00:00, or leave the tag out for now.",
    )
