"""Find the moments that no tick selects, by comparing a condition's windows at a schedule's real ticks.

A window is evaluated as in a run on the embedded database: by the same SQL, functions and binds.
"""

import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import islice, pairwise, takewhile
from math import ceil
from zoneinfo import ZoneInfo

from skene_dagster.loops.dialect.time.clocks import AS_OF, AS_OF_DATE
from skene_dagster.loops.dialect.time.windows import window_of
from skene_dagster.loops.sql_reads import Window
from skene_dagster.loops.times.calendar_days import date_in
from skene_dagster.store.sqlite import functions

_MOST_TICKS = 2_000
"""The most ticks that are examined; a schedule that ticks twice a day has fewer in two years."""
_MOST_OF_THE_CALENDAR = 120
"""The most ticks in two years for windows whose length changes each time: weekly, or rarer."""

_SHORTEST = timedelta(minutes=15)
"""Ticks that follow each other faster than this are not examined."""
_NEARLY = 0.9
"""The share of the time between two ticks that a window covers if it is meant to reach from one to the next."""
_OVERLAPS = 4
"""Windows this many times as long as the time between two ticks need not be examined."""
_BACK, _AHEAD, _PARTS = 400, 40, 4
"""Where a window is searched for: this many periods before and after a tick, each in this many parts."""
_ELSEWHERE = timedelta(hours=26)
"""How much earlier or later a window can be at another tick, with another date and other clocks."""
_STEPS = tuple(timedelta(minutes=minutes) for minutes in (15, 5, 1))
_HOUR, _DAY, _YEAR = timedelta(hours=1), timedelta(days=1), timedelta(days=366)
_NOW = timedelta()
_MOST_HOURS = 240

_FUTURE = """
    deadline due end ends ending expected expire expires expiration expiry next planned remind reminder renew renewal
    renews scheduled start starts until valid
"""
_OF_THE_FUTURE = frozenset(_FUTURE.split())
_DAYS = ("birthday", "date", "day", "on")


@dataclass(frozen=True)
class Gap:
    """Moments, in UTC and naive, that are in no tick's window."""

    start: datetime
    end: datetime


@dataclass(frozen=True)
class Lost:
    """What a condition's windows leave out."""

    gaps: tuple[Gap, ...]
    """Within a year, in their order."""
    longest: timedelta
    """Between two ticks."""
    instead: str
    """What to write instead of the condition on the column; empty if none is simple."""


def lost(window: Window, ticks: Iterator[datetime], zone: ZoneInfo) -> Lost | None:
    """Find the moments of a year that are in no tick's window, though windows are as long as the time between ticks.

    Nothing is lost if a window has no beginning, or is much shorter than that, which leaves people out on purpose. A
    value of the column is assumed to exist from its moment on; if the column's name suggests the future, always. If a
    column's name says that it is a date, its zone is unknown.

    Args:
        ticks: successive ones of the schedule, in UTC and naive; those of two years are read.
        zone: the schedule's.
    """
    words = _words(window.column)
    first = next(ticks)
    with closing(sqlite3.connect(":memory:")) as database:
        functions.install(database)
        evaluated = _Evaluated(window, zone, database)
        if words[-1] in _DAYS:
            return None
        end = first + 2 * _YEAR
        read = [first, *islice(takewhile(lambda tick: tick < end, ticks), _MOST_TICKS)]
        if len(read) < 3 or (window.calendar and len(read) > _MOST_OF_THE_CALENDAR):
            return None
        successive = _Successive(read, clip=not _OF_THE_FUTURE & {*words})
        if successive.shortest < _SHORTEST:
            return None
        windows = successive.windows(evaluated)
        gaps = tuple(successive.gaps(windows))
        if not gaps:
            return None
        # Overlapping windows mail nobody twice: a user in two that follow each other has not left the segment.
        instead = successive.overlapping(window.column, windows)
        wider = successive.windows(_Evaluated(window_of(instead), zone, database))
        return Lost(gaps, successive.longest, instead if wider and not any(successive.gaps(wider)) else "")


def bare(column: str) -> str:
    """Strip the table's name and the quotes from a column's name."""
    return column.rpartition(".")[2].strip("`")


def speaks_of_the_future(column: str) -> bool:
    """Whether a column's name says that it may hold future moments."""
    return not _OF_THE_FUTURE.isdisjoint(_words(column))


def looks_ahead(window: Window) -> bool:
    """Whether a window begins or ends after its tick, so that its column may hold future moments.

    The end of the current day, month or year proves nothing: conditions on the past use it, too.
    """
    with closing(sqlite3.connect(":memory:")) as database:
        functions.install(database)
        evaluated = _Evaluated(window, ZoneInfo("UTC"), database)
        long_ago, before, today, later = (evaluated.held(span, step, _LAST_DAY) for span, step in _AROUND_THE_LAST_DAY)
    if len(long_ago) > 1:
        return False  # an hour of each day, or a day of each year
    is_cut = len(today) > 1 or len(later) > 1
    return is_cut or (True in today | later and True not in long_ago | before)


def _words(column: str) -> list[str]:
    """Take the name of a column apart: `u.createdAt` is created, at."""
    name = bare(column)
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+", name)] or [name]


@dataclass(frozen=True)
class _Span:
    """A time before and after a tick."""

    start: timedelta
    end: timedelta


class _Evaluated:
    """A window, as the embedded database evaluates it."""

    def __init__(self, window: Window, zone: ZoneInfo, database: sqlite3.Connection) -> None:
        self.calendar = window.calendar
        self._zone = zone
        self._database = database
        self._statement = _MOMENTS.format(window.sqlite)

    def held(self, span: _Span, step: timedelta, tick: datetime) -> set[bool]:
        """Return which answers occur for a span's moments: whether they are in a tick's window."""
        steps = ceil((span.end - span.start) / step)
        found = len(self._numbers(tick + span.start + step / 2, step, steps, tick))
        return {answer for answer, number in ((True, found), (False, steps - found)) if number}

    def spans(self, tick: datetime, within: _Span, step: timedelta) -> list[_Span]:
        """Return when a tick's window is; the middle of a step represents all of it."""
        # The steps are the same ones for all ticks, so that where one window ends another begins.
        start = _EPOCH + (tick + within.start - _EPOCH) // step * step
        spans: list[_Span] = []
        for number in self._numbers(start + step / 2, step, ceil((within.end - within.start) / step), tick):
            begin = start + number * step - tick
            if spans and spans[-1].end == begin:
                begin = spans.pop().start
            spans.append(_Span(begin, start + (number + 1) * step - tick))
        return spans

    def key(self, tick: datetime) -> tuple[time, timedelta, date | None]:
        """Return everything about a tick that its window's distance from it depends on."""
        day = tick.date()
        return tick.time(), date_in(self._zone, tick) - day, day if self.calendar else None

    def _numbers(self, moment: datetime, step: timedelta, steps: int, tick: datetime) -> list[int]:
        binds = {
            "moment": (moment - _EPOCH).total_seconds(),
            "step": step.total_seconds(),
            "steps": steps,
            AS_OF: tick.isoformat(" ", "microseconds"),
            AS_OF_DATE: date_in(self._zone, tick).isoformat(),
        }
        return [number for (number,) in self._database.execute(self._statement, binds)]


_EPOCH = datetime(1970, 1, 1)
_LONG_AGO = datetime(1971, 1, 1)
_LAST_DAY = datetime(2022, 12, 31, 12)
"""A Saturday: the week, the month and the year end with the day."""
_HALF_A_DAY, _LONG = 12 * _HOUR, 400 * _DAY
_AROUND_THE_LAST_DAY = (
    (_Span(_LONG_AGO - _LAST_DAY, _LONG_AGO - _LAST_DAY + _LONG), _HOUR),
    (_Span(-_LONG, _NOW), _HOUR),
    (_Span(_NOW, _HALF_A_DAY), timedelta(minutes=5)),
    (_Span(_HALF_A_DAY, _HALF_A_DAY + _LONG), _HOUR),
)
"""Spans, with their steps: long ago, before, until midnight, and from then on."""
_MOMENTS = """
    WITH RECURSIVE numbers (number) AS (SELECT 0 UNION ALL SELECT number + 1 FROM numbers WHERE number + 1 < :steps),
    moments (number, moment) AS (
        SELECT number, strftime('%Y-%m-%d %H:%M:%S.000000', :moment + number * :step, 'unixepoch') FROM numbers
    )
    SELECT number FROM moments WHERE {} ORDER BY number
"""

_Windows = list[tuple[datetime, list[_Span]]]
"""Ticks, with when the window of each is."""


class _Successive:
    """Ticks that follow each other."""

    def __init__(self, ticks: Sequence[datetime], *, clip: bool) -> None:
        """Take the ticks; with `clip`, nothing exists before its moment."""
        self._ticks = ticks
        self._clip = clip
        between = [later - earlier for earlier, later in pairwise(ticks)]
        self.shortest = min(between)
        self.longest = max(between)
        self._step = next(step for step in _STEPS if all((tick - _EPOCH) % step == _NOW for tick in ticks))

    def windows(self, window: _Evaluated) -> _Windows:
        """Find the windows; none if they are not meant to reach from tick to tick, or overlap anyway.

        The gaps inside a window of several parts are intended.
        """
        tick = self._ticks[len(self._ticks) // 2]
        whole = _Span(-_BACK * self.shortest, _AHEAD * self.shortest)
        part = self.shortest / _PARTS
        spans = window.spans(tick, whole, part)
        if not spans or spans[0].start <= whole.start:
            return []
        around = _ELSEWHERE + part
        # A window without an end reaches as far as there are values.
        endless = spans[-1].end > whole.end - part
        end = _NOW if endless and self._clip else spans[-1].end + around
        hull = _Span(spans[0].start - around, end)
        exactly = window.spans(tick, hull, self._step)
        length = exactly[0].end - exactly[0].start if len(exactly) == 1 else _NOW
        if not _NEARLY * self.shortest <= length <= _OVERLAPS * self.longest:
            return []
        known: dict[tuple[time, timedelta, date | None], list[_Span]] = {}
        found: _Windows = []
        for one in self._ticks:
            key = window.key(one)
            if key not in known:
                known[key] = self._there(window.spans(one, hull, self._step))
            found.append((one, known[key]))
        return found if any(known.values()) else []

    def _there(self, spans: list[_Span]) -> list[_Span]:
        if not self._clip:
            return spans
        return [_Span(span.start, min(span.end, _NOW)) for span in spans if span.start < _NOW]

    def gaps(self, windows: _Windows) -> Iterator[Gap]:
        """List the gaps of a year."""
        if not windows:
            return
        first, last = self._ticks[0], self._ticks[-1]
        earliest, latest = _outermost(windows)
        begin = first + latest
        end = min(begin + _YEAR, last + earliest)
        covered: datetime | None = None
        for start, until in sorted((tick + span.start, tick + span.end) for tick, spans in windows for span in spans):
            if covered is not None and covered + self._step <= start <= end:
                yield Gap(covered, start)
            if until > begin:
                covered = until if covered is None else max(covered, until)

    def overlapping(self, column: str, windows: _Windows) -> str:
        """Write a window that reaches as far as two ticks may be apart."""
        first, last = _outermost(windows)
        if first >= _NOW:
            return f"{column} >= {_moment(first)} AND {column} < {_moment(first + self.longest)}"
        start = f"{column} >= {_moment(last - self.longest)}"
        return start if last >= _NOW and self._clip else f"{start} AND {column} < {_moment(last)}"


def _outermost(windows: _Windows) -> tuple[timedelta, timedelta]:
    spans = [span for _, spans in windows for span in spans]
    return min(span.start for span in spans), max(span.end for span in spans)


def _moment(from_tick: timedelta) -> str:
    """Write a moment as its distance from the tick, rounded away from it to whole hours or days."""
    hours = -(-abs(from_tick) // _HOUR)
    days = -(-abs(from_tick) // _DAY)
    number = f"{days} DAY" if hours % 24 == 0 or hours > _MOST_HOURS else f"{hours} HOUR"
    return f"NOW() {'-' if from_tick < _NOW else '+'} INTERVAL {number}" if hours else "NOW()"
