"""What changed in the loops and settings, and when: a list, whose numbers mark the days on the charts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from skene_dagster.versions.history import Version


@dataclass(frozen=True)
class Day:
    """What changed on a day (UTC)."""

    number: int
    """By which the charts mark it."""
    day: date
    said: Sequence[tuple[str, str]]
    """Of what, a loop with its step or skene.yaml, and what about it."""


def by_day(versions: Sequence[Version]) -> list[Day]:
    """Put together what changed on a day, the first day first.

    Args:
        versions: the oldest first.
    """
    days = groupby(versions, key=lambda one: one.since.date())
    return [Day(number, day, _said(list(some))) for number, (day, some) in enumerate(days, start=1)]


def _said(versions: Sequence[Version]) -> list[tuple[str, str]]:
    new = [one.loop for one in versions if one.is_first]
    said = [
        (f"{one.loop} · {step}" if step else one.loop, words)
        for one in versions
        for step, words in one.said or (() if one.is_first else (("", "in what is not told apart"),))
    ]
    return said + ([(", ".join(new), "first seen here")] if new else [])
