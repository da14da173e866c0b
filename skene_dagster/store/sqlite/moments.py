"""Points in time of the embedded database: texts, `YYYY-MM-DD HH:MM:SS.ffffff`, computed with as MySQL does.

A product may write them in another form, with `T`, `Z` or an offset from UTC: they are brought into ours. A date
without a time stays a date where MySQL keeps it one. A number is read as MySQL does, 20261123 as that day. What cannot
be read is NULL, and so is what lies before the year 1000: the ways to write `never`, such as 0000-00-00 and 0001-01-01.
"""

import calendar
import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal

from skene_dagster.store.sqlite.values import Value, decimal_of, rounded

_MOMENT = re.compile(
    r"""\s*([1-9]\d{3})-(\d{1,2})-(\d{1,2})
    (?:[ T](\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,6})\d*)?)?
      (?:\ ?(?:[Zz]|UTC|([+-])(0\d|1[0-4])(?::?([0-5]\d))?))?
    )?\s*""",
    re.ASCII | re.VERBOSE,
)
_USUAL = re.compile(
    r"([1-9]\d{3}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8]) (?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d)(\.\d{6})?", re.ASCII
)
"""Our own form, perhaps without fractions of a second, of days that each month has: told without the slow way."""
_NUMBER = re.compile(r"([1-9]\d{3})(\d\d)(\d\d)(?:(\d\d)(\d\d)(\d\d))?", re.ASCII)
_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d)(?:\.(\d{1,6}))?)?", re.ASCII)
_OF_A_DAY = frozenset(("HOUR", "MINUTE", "SECOND", "MICROSECOND"))
_EPOCH = datetime(1970, 1, 1)
_YEARS = range(1901, 2156)
"""What a column of type YEAR holds."""
_LAST_SECOND = 32_536_771_199
"""Of FROM_UNIXTIME(), on TiDB and MySQL."""
_MONTHS = {"MONTH": 1, "QUARTER": 3, "YEAR": 12}
_MICROSECONDS = {
    "MICROSECOND": 1,
    "SECOND": 1_000_000,
    "MINUTE": 60_000_000,
    "HOUR": 3_600_000_000,
    "DAY": 86_400_000_000,
    "WEEK": 604_800_000_000,
}


def moment(value: Value) -> Value:
    """Bring a date or a time of day on a date into the full form."""
    if isinstance(value, str) and (usual := _USUAL.fullmatch(value)):
        return f"{usual[1]}{usual[2] or '.000000'}"
    read = _read(value)
    return None if read is None else read.isoformat(" ", "microseconds")


def any_moment(first: Value, second: Value) -> bool:
    """Whether one of two texts can be read as a moment. A number by itself is a number."""
    return any(isinstance(value, str) and _read(value) is not None for value in (first, second))


def from_unixtime(value: Value) -> str | None:
    """Return the moment that is so many seconds after 1970, UTC."""
    seconds = decimal_of(value)
    if seconds is None or not 0 <= seconds <= _LAST_SECOND:
        return None
    microseconds = rounded(seconds * 1_000_000)
    return (_EPOCH + timedelta(microseconds=microseconds)).isoformat(" ", "microseconds")


def shift(value: Value, number: Value, unit: str) -> str | None:
    """Add so many of a unit. A month later is the same day, or the month's last; a date stays a date by whole days."""
    read, amount = _read(value), decimal_of(number)
    if read is None or amount is None:
        return None
    try:
        if unit in _MONTHS:
            moved = _months_later(read, rounded(amount) * _MONTHS[unit])
        else:
            whole = amount if unit == "SECOND" else Decimal(rounded(amount))
            moved = read + timedelta(microseconds=int(whole * _MICROSECONDS[unit]))
    except (OverflowError, ValueError):
        return None
    if _is_date(value) and unit in ("DAY", "WEEK", *_MONTHS):
        return moved.date().isoformat()
    return moved.isoformat(" ", "microseconds")


def day(value: Value) -> str | None:
    """Return the date of a point in time."""
    read = _read(value)
    return None if read is None else read.date().isoformat()


def last_day(value: Value) -> str | None:
    """Return the last date of the month."""
    read = _read(value)
    return None if read is None else _month_end(read.year, read.month).isoformat()


def part(value: Value, name: str) -> int | None:
    """Return the year, quarter, … of a point in time; the hour, … of a time of day; the year of a year."""
    read = _read(value)
    if name in _OF_A_DAY and isinstance(value, str) and (time := _TIME.fullmatch(value)):
        hour, minute, second, fraction = time.groups("0")
        read = _EPOCH.replace(
            hour=int(hour), minute=int(minute), second=int(second), microsecond=int(f"{fraction:0<6}")
        )
    if name == "YEAR" and isinstance(value, int) and value in _YEARS:
        return value
    return None if read is None else _PARTS[name](read)


def datediff(later: Value, earlier: Value) -> int | None:
    """Count the midnights between two points in time."""
    first, second = _read(earlier), _read(later)
    return None if first is None or second is None else (second.date() - first.date()).days


def timestampdiff(unit: str, earlier: Value, later: Value) -> int | None:
    """Count the whole units between two points in time, towards zero."""
    first, second = _read(earlier), _read(later)
    if first is None or second is None:
        return None
    low, high = sorted((first, second))
    if unit in _MONTHS:
        months = (high.year - low.year) * 12 + high.month - low.month
        if (high.day, high.time()) < (low.day, low.time()):
            months -= 1
        units = months // _MONTHS[unit]
    else:
        units = (high - low) // timedelta(microseconds=_MICROSECONDS[unit])
    return units if low == first else -units


def unix_timestamp(value: Value) -> int | float | None:
    """Return the seconds since 1970, UTC."""
    read = _read(value)
    if read is None:
        return None
    microseconds = (read - _EPOCH) // timedelta(microseconds=1)
    seconds, rest = divmod(microseconds, 1_000_000)
    return seconds if rest == 0 else microseconds / 1_000_000


def date_format(value: Value, form: Value) -> str | None:
    """Write a point in time by MySQL's format letters, without those that count weeks."""
    read = _read(value)
    if read is None or not isinstance(form, str):
        return None

    def written(letter: re.Match[str]) -> str:
        write = _LETTERS.get(letter[1])
        return write(read) if write else letter[1]

    return re.sub("%(.)", written, form, flags=re.DOTALL)


def _read(value: Value) -> datetime | None:
    if isinstance(value, int) and (number := _NUMBER.fullmatch(str(value))):
        value = f"{'-'.join(number.groups()[:3])} {':'.join(number.groups('00')[3:])}"
    match = _MOMENT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(field or 0) for field in match.groups()[:6])
    ahead = timedelta(hours=int(match[9] or 0), minutes=int(match[10] or 0))
    try:
        read = datetime(year, month, day, hour, minute, second, int(f"{match[7] or 0:0<6}"))
        return read + ahead if match[8] == "-" else read - ahead
    except (OverflowError, ValueError):
        return None


def _is_date(value: Value) -> bool:
    return len(str(value)) <= len("2026-11-23")


def _months_later(start: datetime, months: int) -> datetime:
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    last = _month_end(year, month + 1).day
    return start.replace(year=year, month=month + 1, day=min(start.day, last))


def _month_end(year: int, month: int) -> date:
    return date(year, month, calendar.monthrange(year, month)[1])


def _ordinal(day: int) -> str:
    special = day in (11, 12, 13)
    return f"{day}{'th' if special else {1: 'st', 2: 'nd', 3: 'rd'}.get(day % 10, 'th')}"


_PARTS: dict[str, Callable[[datetime], int]] = {
    "YEAR": lambda at: at.year,
    "QUARTER": lambda at: (at.month + 2) // 3,
    "MONTH": lambda at: at.month,
    "DAY": lambda at: at.day,
    "HOUR": lambda at: at.hour,
    "MINUTE": lambda at: at.minute,
    "SECOND": lambda at: at.second,
    "MICROSECOND": lambda at: at.microsecond,
    "DAYOFWEEK": lambda at: at.isoweekday() % 7 + 1,
    "WEEKDAY": lambda at: at.weekday(),
    "DAYOFYEAR": lambda at: at.timetuple().tm_yday,
}
# English names whatever the machine's language.
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTH_NAMES = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_LETTERS: dict[str, Callable[[datetime], str]] = {
    "Y": lambda at: f"{at.year:04}",
    "y": lambda at: f"{at.year % 100:02}",
    "m": lambda at: f"{at.month:02}",
    "c": lambda at: str(at.month),
    "d": lambda at: f"{at.day:02}",
    "e": lambda at: str(at.day),
    "D": lambda at: _ordinal(at.day),
    "H": lambda at: f"{at.hour:02}",
    "k": lambda at: str(at.hour),
    "h": lambda at: f"{(at.hour + 11) % 12 + 1:02}",
    "I": lambda at: f"{(at.hour + 11) % 12 + 1:02}",
    "l": lambda at: str((at.hour + 11) % 12 + 1),
    "i": lambda at: f"{at.minute:02}",
    "s": lambda at: f"{at.second:02}",
    "S": lambda at: f"{at.second:02}",
    "f": lambda at: f"{at.microsecond:06}",
    "p": lambda at: "AM" if at.hour < 12 else "PM",
    "T": lambda at: f"{at.hour:02}:{at.minute:02}:{at.second:02}",
    "r": lambda at: f"{(at.hour + 11) % 12 + 1:02}:{at.minute:02}:{at.second:02} {'AM' if at.hour < 12 else 'PM'}",
    "j": lambda at: f"{at.timetuple().tm_yday:03}",
    "w": lambda at: str(at.isoweekday() % 7),
    "W": lambda at: _DAYS[at.weekday()],
    "a": lambda at: _DAYS[at.weekday()][:3],
    "M": lambda at: _MONTH_NAMES[at.month - 1],
    "b": lambda at: _MONTH_NAMES[at.month - 1][:3],
}
