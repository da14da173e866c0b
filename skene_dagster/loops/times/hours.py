"""When an email may leave, by the clock of its recipient: at a time of day, and outside the quiet hours.

A time of day that does not come on a day, because the clocks are put forward, is the first moment after it; one that
comes twice is the first of the two.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from functools import lru_cache
from zoneinfo import ZoneInfo

from skene_dagster.loops.times.calendar_days import date_in
from skene_dagster.settings import QuietHours

ON_TIME = timedelta(minutes=15)
"""How late an email may be for the time of day at which it was to leave."""

_A_DAY = timedelta(days=1)
_A_SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Hours:
    """What a loop and its project say about the time of day."""

    quiet: QuietHours | None = None
    send_at: time | None = None


ANY_HOUR = Hours()


def leaves_at(as_of: datetime, now: datetime, zone: ZoneInfo, hours: Hours) -> datetime | None:
    """Return when an email of a tick leaves that is decided now, in UTC; None: at once.

    A time of day for which the tick itself was on time is not missed by the minutes that it takes to decide.
    """
    if hours == ANY_HOUR:
        return None
    moment = now
    if hours.send_at is not None:
        moment = _next(as_of, zone, hours.send_at)
        if moment < now - ON_TIME:
            moment = _next(now, zone, hours.send_at)
    leaves = not_before(max(moment, now), zone, Hours(hours.quiet))
    return leaves if leaves > now else None


@lru_cache(maxsize=4096)
def not_before(at: datetime, zone: ZoneInfo, hours: Hours) -> datetime:
    """Return the first moment from `at` on (both UTC, naive) that the hours allow in a zone."""
    moment = at if hours.send_at is None else _next(at, zone, hours.send_at)
    return moment if hours.quiet is None else _after_quiet(moment, zone, hours.quiet)


def _next(at: datetime, zone: ZoneInfo, time_of_day: time) -> datetime:
    return next(moment for day in _days_around(at, zone) if (moment := moment_of(day, time_of_day, zone)) >= at)


def _after_quiet(at: datetime, zone: ZoneInfo, quiet: QuietHours) -> datetime:
    for day in _days_around(at, zone):
        last_day = day if quiet.from_ < quiet.to else day + _A_DAY
        if moment_of(day, quiet.from_, zone) <= at < (end := moment_of(last_day, quiet.to, zone)):
            return end
    return at


def _days_around(at: datetime, zone: ZoneInfo) -> Iterator[date]:
    # A zone may leave a day out (Samoa, 30 December 2011): its times of day are the first moment of the next one.
    today = date_in(zone, at)
    return (today + days * _A_DAY for days in range(-2, 4))


@lru_cache(maxsize=4096)
def moment_of(day: date, time_of_day: time, zone: ZoneInfo) -> datetime:
    """Return the moment (UTC, naive) at which a clock first shows a time of a day, or the first moment after it."""
    wall_clock = datetime.combine(day, time_of_day)
    first, second = (_utc(wall_clock.replace(tzinfo=zone, fold=fold)) for fold in (0, 1))
    # Where the clock jumps over it, the two are an hour or so around the jump, the later one first (PEP 495).
    return first if first <= second else _jump(second, first, zone)


def _jump(low: datetime, high: datetime, zone: ZoneInfo) -> datetime:
    """Return the moment, to the second, at which the clock jumps between two others; it does so once."""
    before = _offset(low, zone)
    while high - low > _A_SECOND:
        middle = low + (high - low) // _A_SECOND // 2 * _A_SECOND
        low, high = (middle, high) if _offset(middle, zone) == before else (low, middle)
    return high


def _offset(moment: datetime, zone: ZoneInfo) -> timedelta | None:
    return moment.replace(tzinfo=timezone.utc).astimezone(zone).utcoffset()


def _utc(local: datetime) -> datetime:
    return local.astimezone(timezone.utc).replace(tzinfo=None)
