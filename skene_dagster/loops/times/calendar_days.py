"""Durations on the calendar of a time zone: a day after 09:00 is 09:00, even if the clocks change in between.

Whole days of a duration are calendar days; the rest of it (`36h` has a day and 12 hours) is exact. A wall-clock time
that does not come, or comes twice, can mean two moments: of what is due the earlier one, of what is past the later one;
so nothing that waits is late.
"""

from datetime import date, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo


def later(moment: datetime, duration: timedelta, zone: ZoneInfo) -> datetime:
    """Return the moment (UTC, naive) that is so much later than another one (UTC, naive)."""
    return min(_days_away(moment, duration.days, zone)) + _below_a_day(duration)


def earlier(moment: datetime, duration: timedelta, zone: ZoneInfo) -> datetime:
    """Return the moment (UTC, naive) that is so much earlier than another one (UTC, naive)."""
    return max(_days_away(moment - _below_a_day(duration), -duration.days, zone))


def date_in(zone: tzinfo, moment: datetime) -> date:
    """Return the date of a moment (UTC, naive) in a zone."""
    return moment.replace(tzinfo=timezone.utc).astimezone(zone).date()


def _below_a_day(duration: timedelta) -> timedelta:
    return duration - timedelta(days=duration.days)


def _days_away(moment: datetime, days: int, zone: ZoneInfo) -> list[datetime]:
    wall_clock = moment.replace(tzinfo=timezone.utc).astimezone(zone).replace(tzinfo=None) + timedelta(days=days)
    meant = (wall_clock.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    return [one.astimezone(timezone.utc).replace(tzinfo=None) for one in meant]
