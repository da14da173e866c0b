"""When a schedule ticks, by the iterator that Dagster's daemon uses: nothing else here computes a tick."""

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

from skene_dagster.loops.triggers import Schedule


def ticks(schedule: Schedule, since: datetime) -> Iterator[datetime]:
    """List the ticks from a moment (UTC, naive) on, in the schedule's zone."""
    return _iterator(schedule, since)


def last_tick(schedule: Schedule, until: datetime) -> datetime:
    """Return the last tick up to a moment; both in UTC, naive."""
    return in_utc(next(_iterator(schedule, until, ascending=False)))


def next_tick(schedule: Schedule, since: datetime) -> datetime:
    """Return the first tick from a moment on; both in UTC, naive."""
    return in_utc(next(_iterator(schedule, since)))


def in_utc(tick: datetime) -> datetime:
    """Return a tick as the naive moment in UTC that a run has."""
    return tick.astimezone(timezone.utc).replace(tzinfo=None)


def _iterator(schedule: Schedule, since: datetime, *, ascending: bool = True) -> Iterator[datetime]:
    # Dagster 1.13, 2026-11: nothing public lists the ticks of a schedule. Imported here, for it costs 0.7 s.
    from dagster._utils.schedules import schedule_execution_time_iterator  # noqa: PLC0415

    timestamp = (since - datetime(1970, 1, 1)) / timedelta(seconds=1)
    return schedule_execution_time_iterator(timestamp, schedule.cron, schedule.timezone, ascending=ascending)
