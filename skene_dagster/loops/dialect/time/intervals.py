"""Read PostgreSQL's interval spelling, `'1 day 2 hours'`, as terms that MySQL reads alike: `1 DAY`, `2 HOUR`."""

import re
from dataclasses import dataclass
from fractions import Fraction

from skene_dagster.loops.dialect.scanner import Refusal

SIMPLE_UNITS = ("MICROSECOND", "SECOND", "MINUTE", "HOUR", "DAY", "WEEK", "MONTH", "QUARTER", "YEAR")
COMPOSITE_UNITS = (
    "SECOND_MICROSECOND", "MINUTE_MICROSECOND", "MINUTE_SECOND", "HOUR_MICROSECOND", "HOUR_SECOND", "HOUR_MINUTE",
    "DAY_MICROSECOND", "DAY_SECOND", "DAY_MINUTE", "DAY_HOUR", "YEAR_MONTH",
)  # fmt: skip
UNITS = frozenset(SIMPLE_UNITS + COMPOSITE_UNITS)

_SPELLINGS = {
    "YEAR": ("year", "years", "yr", "yrs", "y"),
    "MONTH": ("month", "months", "mon", "mons"),
    "WEEK": ("week", "weeks", "w"),
    "DAY": ("day", "days", "d"),
    "HOUR": ("hour", "hours", "hr", "hrs", "h"),
    "MINUTE": ("minute", "minutes", "min", "mins"),
    "SECOND": ("second", "seconds", "sec", "secs", "s"),
    "MICROSECOND": ("microsecond", "microseconds", "us"),
}
_UNIT = {spelling: unit for unit, spellings in _SPELLINGS.items() for spelling in spellings}
_SECONDS = {
    "WEEK": Fraction(604800),
    "DAY": Fraction(86400),
    "HOUR": Fraction(3600),
    "MINUTE": Fraction(60),
    "SECOND": Fraction(1),
    "MICROSECOND": Fraction(1, 1_000_000),
}
_PART = re.compile(r"\s*([+-]?\d+(?:\.\d+)?|[+-]?\.\d+)\s*([a-z]+)\s*,?", re.IGNORECASE)


@dataclass(frozen=True)
class Term:
    number: int
    unit: str

    def __str__(self) -> str:
        return f"INTERVAL {self.number} {self.unit}"


def postgres_terms(text: str, line: int) -> list[Term]:
    """Return the terms of an interval in the order in which PostgreSQL applies them: months, then days, then time.

    Raises:
        Refusal: no unit, an unknown unit, a clock form such as `'02:30'`, a fraction of months.
    """
    advice = "Write numbers with units, such as '7 days' or '1 day 2 hours'."
    parts: list[Term] = []
    position = 0
    while match := _PART.match(text, position):
        unit = _UNIT.get(match[2].lower())
        if unit is None:
            raise Refusal(
                f"INTERVAL '{text}': {match[2]!r} is not a unit.", f"Use one of: {', '.join(_known())}.", line
            )
        parts.append(_whole(Fraction(match[1]), unit, text, line))
        position = match.end()
    if not parts or text[position:].strip():
        raise Refusal(f"INTERVAL '{text}' cannot be read.", advice, line)
    return _ordered(parts)


def _known() -> list[str]:
    return [spellings[1] for spellings in _SPELLINGS.values()]


def _whole(number: Fraction, unit: str, text: str, line: int) -> Term:
    """Say a fraction exactly in the next smaller unit that makes it whole: 1.5 days are 36 hours."""
    if number.denominator == 1:
        return Term(int(number), unit)
    if unit in _SECONDS:
        for smaller, seconds in _SECONDS.items():
            exact = number * _SECONDS[unit] / seconds
            if exact.denominator == 1:
                return Term(int(exact), smaller)
    raise Refusal(f"INTERVAL '{text}' is a fraction of a {unit.lower()}.", "Write whole numbers.", line)


def _ordered(parts: list[Term]) -> list[Term]:
    months = [part for part in parts if part.unit in ("YEAR", "MONTH")]
    if len(months) > 1:
        total = sum(part.number * (12 if part.unit == "YEAR" else 1) for part in months)
        months = [Term(total, "MONTH")]
    days = [part for part in parts if part.unit in ("WEEK", "DAY")]
    return months + days + [part for part in parts if part.unit in ("HOUR", "MINUTE", "SECOND", "MICROSECOND")]
