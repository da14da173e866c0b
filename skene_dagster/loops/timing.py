"""Cron expressions, time zones and waits: checked before Dagster sees them, with a reason."""

import re
import zoneinfo
from datetime import datetime, timedelta
from typing import Literal

from cronsim import CronSim, CronSimError
from typing_extensions import assert_never

from skene_dagster.documents import nearest, shown

# What Dagster and cronsim both read, and alike (2026-11): Dagster knows no 5L and LW, cronsim no @daily.
_FIELD = re.compile(
    r"L|(?:[0-9*,/#-]|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mon|tue|wed|thu|fri|sat|sun)+", re.IGNORECASE
)
_SOME_DAY = datetime(2026, 1, 1)  # any day: only asked whether a tick ever follows


def fault_of_cron(cron: str) -> str:
    """Say what is wrong with a cron expression; empty when nothing is."""
    fields = cron.split()
    if len(fields) != 5:
        return f"It has {len(fields)} fields; write five: minute hour day month weekday, such as 0 9 * * *."
    for field in fields:
        if _FIELD.fullmatch(field) is None:
            return f"{shown(field)} is no field of it; write numbers, *, ranges 1-5, lists 1,3 and steps */5."
    try:
        next(CronSim(" ".join(fields), _SOME_DAY))
    except CronSimError as bad:
        return f"{str(bad).replace('Bad', 'There is no such')}."
    except StopIteration:
        return "That day never comes."
    return ""


def fault_of_timezone(name: str) -> str:
    """Say what is wrong with a time zone's name; empty when nothing is."""
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        near = nearest(name, zoneinfo.available_timezones())
        return "Write an IANA name, such as Europe/Berlin." + (f" Did you mean {near[0]!r}?" if near else "")
    return ""


def last_wait(retries: int, backoff: Literal["none", "linear", "exponential"], delay: timedelta) -> timedelta:
    """Say how long Dagster waits before the last retry."""
    # Dagster, 2026-11: n * delay, (2^n - 1) * delay; there is no argument that would cap it.
    match backoff:
        case "none":
            return delay
        case "linear":
            return delay * retries
        case "exponential":
            return delay * ((1 << retries) - 1)
        case _:
            assert_never(backoff)
