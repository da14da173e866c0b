"""`repeat: 7d` after a tick at 09:00 is over at 09:00, whatever the clocks did in between."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from skene_dagster.loops.times.calendar_days import earlier, later

BERLIN = ZoneInfo("Europe/Berlin")  # 2026: +1 until 29 March 01:00 UTC, then +2 until 25 October 01:00 UTC
WEEK = timedelta(days=7)


@pytest.mark.parametrize(
    ("moment", "duration", "due"),
    [
        pytest.param(datetime(2026, 3, 16, 8), WEEK, datetime(2026, 3, 23, 8), id="no change"),
        pytest.param(datetime(2026, 3, 25, 8), WEEK, datetime(2026, 4, 1, 7), id="into summer time"),
        pytest.param(datetime(2026, 10, 21, 7), WEEK, datetime(2026, 10, 28, 8), id="out of summer time"),
        pytest.param(datetime(2026, 3, 28, 8), timedelta(hours=12), datetime(2026, 3, 28, 20), id="hours are exact"),
        # 09:00 and a day is 09:00, at +2: 07:00 UTC; and 12 hours.
        pytest.param(datetime(2026, 3, 28, 8), timedelta(hours=36), datetime(2026, 3, 29, 19), id="a day and hours"),
        # 02:30 does not come on the 29th: it would be 00:30 at +2, before the clocks changed.
        pytest.param(datetime(2026, 3, 28, 1, 30), timedelta(days=1), datetime(2026, 3, 29, 0, 30), id="a gap"),
        # 02:30 comes twice on the 25th: first at +2.
        pytest.param(datetime(2026, 10, 24, 0, 30), timedelta(days=1), datetime(2026, 10, 25, 0, 30), id="twice"),
    ],
)
def test_a_day_of_a_duration_is_a_day_of_the_zone(moment: datetime, duration: timedelta, due: datetime) -> None:
    assert later(moment, duration, BERLIN) == due


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/St_Johns", "Asia/Tokyo"])
def test_what_is_due_in_a_week_is_a_week_old_then_unless_that_hour_does_not_come(zone: str) -> None:
    hours = [datetime(2026, 1, 1) + timedelta(hours=n) for n in range(365 * 24)]
    at = ZoneInfo(zone)

    missed = [hour for hour in hours if earlier(later(hour, WEEK, at), WEEK, at) < hour]

    assert len(missed) <= 1


@pytest.mark.parametrize(
    ("moment", "duration", "since"),
    [
        pytest.param(datetime(2026, 4, 1, 7), WEEK, datetime(2026, 3, 25, 8), id="over the change"),
        pytest.param(datetime(2026, 3, 28, 20), timedelta(hours=12), datetime(2026, 3, 28, 8), id="hours are exact"),
        # 21:00 less 12 hours is 09:00, at +2; a day before is 09:00, at +1.
        pytest.param(datetime(2026, 3, 29, 19), timedelta(hours=36), datetime(2026, 3, 28, 8), id="a day and hours"),
        # 02:30 did not come on the 29th: the later one that it can mean is at +1.
        pytest.param(datetime(2026, 3, 30, 0, 30), timedelta(days=1), datetime(2026, 3, 29, 1, 30), id="a gap"),
        # 02:30 came twice on the 25th: last at +1.
        pytest.param(datetime(2026, 10, 26, 1, 30), timedelta(days=1), datetime(2026, 10, 25, 1, 30), id="twice"),
    ],
)
def test_what_is_past_is_the_later_moment_that_it_can_mean(
    moment: datetime, duration: timedelta, since: datetime
) -> None:
    assert earlier(moment, duration, BERLIN) == since


def test_in_utc_a_day_is_24_hours() -> None:
    assert later(datetime(2026, 3, 25, 8), WEEK, ZoneInfo("UTC")) == datetime(2026, 4, 1, 8)
