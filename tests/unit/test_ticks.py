"""When a schedule ticks is what Dagster's own iterator says, over the changes of the clocks too."""

from datetime import datetime, timedelta
from itertools import islice

import pytest

from skene_dagster.loops.triggers import Schedule
from skene_dagster.ticks import in_utc, last_tick, ticks

DAILY = Schedule("0 9 * * *", "Europe/Berlin")


def first(schedule: Schedule, since: str, number: int = 3) -> list[str]:
    return [f"{tick:%a %d %b %H:%M %Z}" for tick in islice(ticks(schedule, datetime.fromisoformat(since)), number)]


@pytest.mark.parametrize(
    ("schedule", "since", "expected"),
    [
        pytest.param(
            DAILY,
            "2026-03-27 08:00",
            ["Fri 27 Mar 09:00 CET", "Sat 28 Mar 09:00 CET", "Sun 29 Mar 09:00 CEST"],
            id="to summer",
        ),
        pytest.param(
            DAILY,
            "2026-10-23 07:00:01",
            ["Sat 24 Oct 09:00 CEST", "Sun 25 Oct 09:00 CET", "Mon 26 Oct 09:00 CET"],
            id="to winter",
        ),
        pytest.param(
            Schedule("30 2 * * *", "Europe/Berlin"),
            "2026-03-28 00:00",
            ["Sat 28 Mar 02:30 CET", "Sun 29 Mar 03:00 CEST", "Mon 30 Mar 02:30 CEST"],
            id="at a time that one night lacks",
        ),
        pytest.param(
            Schedule("30 2 * * *", "Europe/Berlin"),
            "2026-10-24 00:00",
            ["Sat 24 Oct 02:30 CEST", "Sun 25 Oct 02:30 CET", "Mon 26 Oct 02:30 CET"],
            id="at a time that one night has twice",
        ),
        pytest.param(
            Schedule("0 9 */2 * 1", "UTC"),
            "2026-11-01 10:00",
            ["Mon 02 Nov 09:00 UTC", "Tue 03 Nov 09:00 UTC", "Thu 05 Nov 09:00 UTC"],
            id="on a day or a weekday",
        ),
        pytest.param(
            Schedule("0 9 29 2 *", "UTC"),
            "2026-01-01 00:00",
            ["Tue 29 Feb 09:00 UTC", "Sun 29 Feb 09:00 UTC", "Fri 29 Feb 09:00 UTC"],
            id="in leap years",
        ),
    ],
)
def test_ticks_are_those_of_the_zones_clock(schedule: Schedule, since: str, expected: list[str]) -> None:
    assert first(schedule, since) == expected


@pytest.mark.parametrize(
    "cron", ["0 9 * * *", "*/30 9 * * *", "0 * * * *", "0 9 * * 1-7", "0 9 */2 * 1-6", "* * * * *"]
)
@pytest.mark.parametrize("seconds", [0, 1, 30, 59])
def test_a_tick_is_next_until_it_has_come_and_last_from_then_on(cron: str, seconds: int) -> None:
    at_nine, moment = datetime(2026, 11, 23, 9), datetime(2026, 11, 23, 9, 0, seconds)

    following, last = next(ticks(Schedule(cron, "UTC"), moment)), last_tick(Schedule(cron, "UTC"), moment)

    assert last == at_nine
    assert in_utc(following) == at_nine if seconds == 0 else in_utc(following) > moment


@pytest.mark.parametrize(
    "cron", ["0 9 * * *", "30 2 * * *", "0 */6 * * *", "*/30 1-3 * * *", "0 9 * * 1-5", "0 9 1 * 1", "0 * * * *"]
)
@pytest.mark.parametrize("start", [datetime(2026, 3, 28), datetime(2026, 10, 24)], ids=["to summer", "to winter"])
def test_the_last_tick_is_the_one_that_was_next_before(cron: str, start: datetime) -> None:
    schedule = Schedule(cron, "Europe/Berlin")
    forwards = [in_utc(tick) for tick in islice(ticks(schedule, start), 30)]

    assert [last_tick(schedule, tick + timedelta(seconds=1)) for tick in forwards] == forwards
