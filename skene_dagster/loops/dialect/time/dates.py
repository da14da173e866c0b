"""Dates that authors write as strings: those that every database reads alike, and the others."""

import re
from datetime import MAXYEAR, datetime, timedelta

from skene_dagster.loops.dialect.scanner import Refusal

_DATE = r"([1-9]\d{3})-(\d{1,2})-(\d{1,2})"
_TIME = r"[ T](\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,6}))?)?"
_READ_ALIKE = re.compile(rf"{_DATE}(?:{_TIME})?", re.ASCII)
_AT_AN_OFFSET = re.compile(
    rf"({_DATE}{_TIME})(?:(?<=\.\d{{6}})\d+)? ?(?:[Zz]|UTC|([+-])(\d\d)(?::?([0-5]\d))?)", re.ASCII
)
_A_TIME_OF_DAY = re.compile(r"\d{4}-\d{1,2}-\d{1,2}[ T].+", re.ASCII)
_OTHER_SIGNS = re.compile(r"(?:19|20)\d\d([./])\d{1,2}\1\d{1,2}(?:[ T].*)?", re.ASCII)
_NO_SIGNS = re.compile(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:\d{6})?", re.ASCII)


def is_moment(value: str) -> bool:
    """Whether a string is written as every database reads a moment. One before the year 1000 is none: it says never."""
    return _READ_ALIKE.fullmatch(value) is not None


def read(value: str) -> datetime | None:
    """Return the moment that such a string says; None where there is no such day or time."""
    match = _READ_ALIKE.fullmatch(value)
    if match is None:
        return None
    *fields, fraction = match.groups()
    year, month, day, hour, minute, second = (int(field or 0) for field in fields)
    try:
        return datetime(year, month, day, hour, minute, second, int(f"{fraction or 0:0<6}"))
    except ValueError:
        return None


def is_a_servers_own(value: str) -> bool:
    """Whether only servers read a string as a date, and only beside a column of a type for dates."""
    usual = is_moment(value) or value.startswith("0")
    return not usual and any(form.fullmatch(value) for form in (_A_TIME_OF_DAY, _OTHER_SIGNS, _NO_SIGNS))


def is_a_number(value: str) -> bool:
    """Whether a date is written as a number, such as 20261123."""
    return _NO_SIGNS.fullmatch(value) is not None


def refuse_an_offset(value: str) -> None:
    """Refuse a moment that names its offset from UTC.

    MariaDB 10.11 and MySQL 8, 2026-11: an error, or the offset is not looked at; TiDB 8.5 shifts by it.
    """
    match = _AT_AN_OFFSET.fullmatch(value)
    local = read(match[1]) if match else None
    if match is None or local is None or local.year == MAXYEAR:
        return
    ahead = timedelta(hours=int(match[10] or 0), minutes=int(match[11] or 0))
    utc = local + ahead if match[9] == "-" else local - ahead
    raise Refusal(
        f"{value!r} names its offset from UTC, which databases read differently.",
        f"Moments are in UTC here. Write '{utc.isoformat(' ')}'.",
    )
