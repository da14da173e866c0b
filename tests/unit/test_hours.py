"""When an email may leave, against an oracle that watches the clocks of all zones for two years, minute by minute."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

import numpy as np
import pytest

from skene_dagster.errors import SettingsError
from skene_dagster.loops.times.hours import ON_TIME, Hours, leaves_at, moment_of, not_before
from skene_dagster.settings import QuietHours, Settings, load

START = datetime(2026, 1, 1)
DAYS = 730
MINUTES = DAYS * 1440
STEPS = (10 * 1440, 1440, 60, 1)
"""By which the changes of a clock are looked for; no clock is put back within ten days."""
EDGE = 3 * 1440
"""Minutes at both ends of the two years that nothing is asked about: their neighbours are not in the oracle."""


def quiet(from_: str, to: str) -> QuietHours:
    return QuietHours.model_validate({"from": from_, "to": to})


NIGHT = quiet("22:00", "08:00")
NOON = quiet("12:00", "14:00")
HOURS = [
    pytest.param(Hours(send_at=time(9)), id="at 09:00"),
    pytest.param(Hours(send_at=time(2, 30)), id="at 02:30, which some nights do not have"),
    pytest.param(Hours(send_at=time(0)), id="at midnight"),
    pytest.param(Hours(quiet=NIGHT), id="not at night"),
    pytest.param(Hours(quiet=NOON), id="not at noon"),
    pytest.param(Hours(quiet=quiet("01:30", "02:30")), id="not while the clocks change"),
    pytest.param(Hours(quiet=quiet("00:00", "08:00")), id="not until 08:00"),
    pytest.param(Hours(quiet=NIGHT, send_at=time(8)), id="when the night is over"),
]


Pieces = tuple[tuple[int, int], ...]
"""The minutes at which a clock is changed, the first of all among them, and how far ahead of UTC it is from then on."""


@dataclass(frozen=True)
class Clock:
    """What a zone's clock shows: the minutes since `START` by it, at each minute of UTC."""

    zone: ZoneInfo
    shown: "np.ndarray[tuple[int], np.dtype[np.int64]]"
    """The largest number that it has shown so far."""
    changes: tuple[int, ...]
    """The first minutes of the days on which it was changed."""

    @classmethod
    def of(cls, zone: ZoneInfo, pieces: Pieces) -> "Clock":
        """Let it go for two years."""
        begins = [minute for minute, _ in pieces]
        lasts = np.diff([*begins, MINUTES])
        shown = np.arange(MINUTES) + np.repeat([offset for _, offset in pieces], lasts)
        days = dict.fromkeys((minute - 1) // 1440 * 1440 for minute in begins[1:])
        return cls(zone, np.maximum.accumulate(shown), tuple(days))

    def first(self, day: int, at: time) -> int:
        """The minute at which it shows a time of a day for the first time, or a later one."""
        return int(np.searchsorted(self.shown, day * 1440 + at.hour * 60 + at.minute))

    def expected(self, minute: int, hours: Hours) -> int:
        """The first minute from this one on that the hours allow."""
        today = int(self.shown[minute]) // 1440
        days = range(today - 2, today + 4)
        if hours.send_at is not None:
            minute = min(one for day in days if (one := self.first(day, hours.send_at)) >= minute)
        if hours.quiet is not None:
            over_night = hours.quiet.from_ >= hours.quiet.to
            for day in days:
                end = self.first(day + over_night, hours.quiet.to)
                if self.first(day, hours.quiet.from_) <= minute < end:
                    return end
        return minute


def clocks() -> Iterator[Clock]:
    """One clock of all zones that show the same in these two years, to the minute."""
    for pieces, zone in zones().items():
        yield Clock.of(zone, pieces)


@lru_cache
def zones() -> dict[Pieces, ZoneInfo]:
    """One zone for each way to change its clock."""
    found: dict[Pieces, ZoneInfo] = {}
    for name in sorted(available_timezones()):
        zone = ZoneInfo(name)
        found.setdefault(((0, offset_of(zone, 0)), *changes_of(zone, 0, MINUTES, STEPS)), zone)
    return found


def changes_of(zone: ZoneInfo, begin: int, end: int, steps: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """Each minute after the first at which a zone changes its clock, looked for by ever smaller steps."""
    step, *finer = steps
    before = offset_of(zone, begin)
    for minute in range(begin + step, end + 1, step):
        offset = offset_of(zone, minute)
        if offset != before:
            if finer:
                yield from changes_of(zone, minute - step, minute, tuple(finer))
            else:
                yield minute, offset
        before = offset


def offset_of(zone: ZoneInfo, minute: int) -> int:
    """The minutes that a zone is ahead of UTC."""
    offset = (START + timedelta(minutes=minute)).replace(tzinfo=timezone.utc).astimezone(zone).utcoffset()
    assert offset is not None
    return offset // timedelta(minutes=1)


@pytest.mark.parametrize("hours", HOURS)
def test_an_email_waits_for_the_first_minute_that_its_recipient_s_clock_allows(hours: Hours) -> None:
    wrong = []
    for clock in clocks():
        around = [minute + n for minute in clock.changes for n in range(-1500, 2900, 47)]
        asked = [minute for minute in (*range(EDGE, MINUTES - EDGE, 7_001), *around) if EDGE < minute < MINUTES - EDGE]
        for minute in asked:
            got = not_before(START + timedelta(minutes=minute), clock.zone, hours)
            if got != START + timedelta(minutes=clock.expected(minute, hours)):
                wrong.append((clock.zone.key, START + timedelta(minutes=minute), got))
    assert wrong[:5] == []


def test_the_oracle_knows_zones_that_change_their_clocks_and_zones_that_do_not() -> None:
    changing = [clock for clock in clocks() if clock.changes]

    assert len(changing) > 20
    assert len(zones()) - len(changing) > 20


@pytest.mark.parametrize(
    ("day", "at", "zone", "moment"),
    [
        pytest.param(date(2026, 3, 29), time(2, 30), "Europe/Berlin", datetime(2026, 3, 29, 1), id="does not come"),
        pytest.param(date(2026, 10, 25), time(2, 30), "Europe/Berlin", datetime(2026, 10, 25, 0, 30), id="comes twice"),
        pytest.param(date(2026, 10, 4), time(2, 15), "Australia/Lord_Howe", datetime(2026, 10, 3, 15, 30), id="half"),
        pytest.param(date(2011, 12, 30), time(9), "Pacific/Apia", datetime(2011, 12, 30, 10), id="a day left out"),
    ],
)
def test_a_time_that_does_not_come_is_the_first_moment_after_it(
    day: date, at: time, zone: str, moment: datetime
) -> None:
    assert moment_of(day, at, ZoneInfo(zone)) == moment


def test_in_a_year_everybody_has_one_moment_a_day() -> None:
    zone, hours = ZoneInfo("America/New_York"), Hours(send_at=time(2, 30))
    moments = {not_before(START + timedelta(minutes=minute), zone, hours) for minute in range(0, 365 * 1440, 15)}

    assert len(moments) == 366  # the first of them is of the evening before, by that clock
    assert {moment.date() for moment in moments} == {START.date() + timedelta(days=day) for day in range(366)}


@pytest.mark.parametrize(
    ("hours", "at", "holds"),
    [
        (NIGHT, time(23), True),
        (NIGHT, time(7, 59), True),
        (NIGHT, time(8), False),
        (NIGHT, time(21, 59), False),
        (NOON, time(12), True),
        (NOON, time(14), False),
    ],
)
def test_quiet_hours_may_cross_midnight(hours: QuietHours, at: time, *, holds: bool) -> None:
    assert hours.holds(at) is holds


BERLIN = ZoneInfo("Europe/Berlin")  # one hour ahead of UTC in winter
TICK = datetime(2026, 3, 2, 8)  # 09:00 there
A_MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("now", "hours", "leaves"),
    [
        pytest.param(TICK, Hours(), None, id="no hours"),
        pytest.param(TICK, Hours(send_at=time(9)), None, id="at its very tick"),
        pytest.param(TICK + A_MINUTE, Hours(send_at=time(9)), None, id="decided a minute after its tick"),
        pytest.param(TICK + ON_TIME, Hours(send_at=time(9)), None, id="just in time"),
        pytest.param(
            TICK + ON_TIME + A_MINUTE, Hours(send_at=time(9)), TICK + timedelta(days=1), id="too late for today"
        ),
        pytest.param(TICK, Hours(send_at=time(18)), datetime(2026, 3, 2, 17), id="later today"),
        pytest.param(TICK, Hours(send_at=time(8)), datetime(2026, 3, 3, 7), id="tomorrow"),
        pytest.param(TICK, Hours(quiet=NIGHT), None, id="not in the quiet hours"),
        pytest.param(TICK - timedelta(hours=3), Hours(quiet=NIGHT), datetime(2026, 3, 2, 7), id="in the quiet hours"),
        pytest.param(datetime(2026, 3, 2, 21), Hours(quiet=NIGHT), datetime(2026, 3, 3, 7), id="before midnight"),
        pytest.param(
            TICK + timedelta(hours=13),
            Hours(quiet=NIGHT),
            datetime(2026, 3, 3, 7),
            id="a tick of the day, late at night",
        ),
    ],
)
def test_an_email_leaves_at_once_or_at_its_hour(now: datetime, hours: Hours, leaves: datetime | None) -> None:
    assert leaves_at(min(TICK, now), now, BERLIN, hours) == leaves


def settings_of(root: Path, limits: str) -> Settings:
    (root / "skene.yaml").write_text(f"limits:\n{limits}", encoding="utf-8")
    return load(root, {})


def test_limits_are_read_as_people_write_them(tmp_path: Path) -> None:
    text = "  caps: [{count: 2, within: 7d}]\n  quiet_hours: {from: 22:00, to: '08:00'}\n"

    limits = settings_of(tmp_path, text).limits

    assert [(cap.count, cap.within) for cap in limits.caps] == [(2, timedelta(days=7))]
    assert limits.quiet_hours == NIGHT


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ("  quiet_hours: {from: '22:00', to: '22:00'}\n", "Quiet hours cannot be the whole day"),
        ("  quiet_hours: {from: '22:00'}\n", "limits.quiet_hours.to"),
        ("  quiet_hours: {from: 10pm, to: '08:00'}\n", "'10pm' is not a time of day. Write hours and minutes"),
        ("  quiet_hours: {from: '24:00', to: '08:00'}\n", "'24:00' is not a time of day"),
        ("  caps: [{count: 0, within: 7d}]\n", "limits.caps"),
        ("  caps: [{count: 1, within: a week}]\n", "is not a duration"),
    ],
)
def test_limits_that_cannot_be_are_refused_with_their_line(tmp_path: Path, limits: str, message: str) -> None:
    with pytest.raises(SettingsError, match=r"skene\.yaml:2") as refused:
        settings_of(tmp_path, limits)

    assert message in str(refused.value)
