"""Cron expressions: what Dagster and our own reader both take, and alike; of anything else, what to write instead."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from cronsim import CronSim, CronSimError

_SOME_DAY = datetime(2026, 1, 1)  # any day: only asked whether a tick ever follows

_ALIASES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
# Dagster takes `@daily` and ranges that run backwards, cronsim does not; cronsim takes 5L and LW, Dagster does not;
# `?` they read, or do not, by the field (2026-11).


@dataclass(frozen=True)
class _Field:
    name: str
    least: int
    most: int
    names: tuple[str, ...] = ()
    """Of its numbers, the first being the least."""

    @property
    def last(self) -> int:
        """The last number before it begins again; of weekdays 7 is Sunday again."""
        return 6 if self.name == "weekday" else self.most

    def number(self, text: str) -> int | None:
        """Read a number or a name; None if it is neither."""
        if text.upper() in self.names:
            return self.names.index(text.upper()) + self.least
        return int(text) if re.fullmatch("[0-9]+", text) else None


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day", 1, 31),
    _Field("month", 1, 12, ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")),
    _Field("weekday", 0, 7, ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")),
)
_FOR_EXAMPLE = "write five: minute hour day month weekday, such as 0 9 * * *."


def fault_of_cron(cron: str) -> str:
    """Say what is wrong with a cron expression, and what to write; empty when nothing is."""
    fields = cron.split()
    if cron.strip().startswith("@"):
        return _of_an_alias(cron.strip().lower())
    if len(fields) != len(_FIELDS):
        return _of_another_number(fields)
    for field, text in zip(_FIELDS, fields, strict=True):
        if fault := next(_faults(field, text), ""):
            return fault
    return _of_the_days(fields)


def _of_an_alias(alias: str) -> str:
    if alias in _ALIASES:
        return f"Write it in five fields: {_ALIASES[alias]}."
    every = re.fullmatch(r"@every ([0-9]+)(m|h)", alias)
    number = int(every[1]) if every else 0
    if every and every[2] == "m" and number and 60 % number == 0:
        return f"Write it in five fields: {'0' if number == 60 else '*' if number == 1 else f'*/{number}'} * * * *."
    if every and every[2] == "h" and number and 24 % number == 0:
        return f"Write it in five fields: 0 {'0' if number == 24 else '*' if number == 1 else f'*/{number}'} * * *."
    if alias.startswith("@every"):
        return "It is about times of the clock, not about intervals; write such as */15 * * * *, or 0 */6 * * *."
    return f"There is no such word; {_FOR_EXAMPLE}"


def _of_another_number(fields: list[str]) -> str:
    time = re.fullmatch(r"([01]?[0-9]|2[0-3]):([0-5][0-9])", " ".join(fields))
    if time:
        return f"Write the minute and the hour: {int(time[2])} {int(time[1])} * * *."
    # Quartz and Spring begin with seconds, and Quartz may end with a year.
    shorter = " ".join(fields[1:6]).replace("?", "*")
    if len(fields) in (6, 7) and not fault_of_cron(shorter):
        return f"It has {len(fields)} fields. Without seconds (and a year) it is: {shorter}."
    return f"It has {len(fields)} fields; {_FOR_EXAMPLE}"


def _faults(field: _Field, text: str) -> Iterator[str]:
    if text == "?":
        yield f"'?' is Quartz's word for any {field.name}; write *."
    if (field.name, text.upper()) == ("day", "L"):
        return
    if "#" in text:
        yield from _faults_of_an_nth(field, text)
        return
    if strange := re.fullmatch(r"[0-9]*(L|W|LW)(-?[0-9]+)?|[A-Z]{3}L", text.upper()):
        yield (
            f"{strange[0]!r} is not known here. The last day of the month is L, alone in the field of the day; "
            "Monday to Friday is 1-5 in the field of the weekday."
        )
    items = text.split(",")
    if len(items) > 1 and "*" in items:
        yield f"{text!r} is any {field.name}: write *."
    for item in items:
        yield from _faults_of_an_item(field, item)


def _faults_of_an_nth(field: _Field, text: str) -> Iterator[str]:
    day, _, nth = text.partition("#")
    number = field.number(day)
    # Dagster, 2026-11: reads no list in which one of them stands.
    if field.name != "weekday" or number is None or number > field.most or nth not in ("1", "2", "3", "4", "5"):
        yield f"{text!r} is not known here. The second Monday is MON#2, alone in the field of the weekday."


def _faults_of_an_item(field: _Field, item: str) -> Iterator[str]:
    shape = re.fullmatch(r"(?:\*|([0-9A-Za-z]+)(?:-([0-9A-Za-z]+))?)(?:/([0-9]+))?", item)
    if shape is None:
        yield f"{item!r} is no {field.name}; write numbers, *, ranges 1-5, lists 1,3 and steps */5."
        return
    ends = []
    for said in (shape[1], shape[2]):
        if said is None:
            continue
        number = field.number(said)
        if number is None:
            yield _of_a_word(field, said)
            return
        if not field.least <= number <= field.most:
            yield f"There is no {field.name} {number}; they are {field.least} to {field.most}{_to_know(field)}."
        ends.append(number)
    step = 1 if shape[3] is None else int(shape[3])
    size = field.last - field.least + 1
    if not 1 <= step <= size:
        yield f"The step of {item!r} is to be from 1 to {size}: steps begin anew with each {_AROUND[field.name]}."
    if (len(ends) == 2 and ends[0] == ends[1]) or (shape[3] is not None and ends == [field.last]):
        # Dagster, 2026-11: takes 0-0 for every weekday, and 31/2 for every day.
        yield f"The range {item} is one {field.name}: write {ends[0]}."
    if field.name == "weekday" and step > 1 and (len(ends) == 1 or 7 in ends):
        # 2026-11: cronsim goes on to 7, which is Sunday; Dagster ends with Saturday.
        numbers = range(ends[0], ends[1] + 1 if len(ends) == 2 else 7, step)
        yield f"Some read {item} with Sunday, and some without: write {','.join(map(str, numbers))}."
    if len(ends) == 2 and ends[0] > ends[1]:
        yield f"The range {item} runs backwards: write {_forwards(field, ends[0], ends[1], step)}."


_AROUND = {"minute": "hour", "hour": "day", "day": "month", "month": "year", "weekday": "week"}


def _to_know(field: _Field) -> str:
    return {"hour": "; midnight is 0", "weekday": "; Sunday is 0 or 7"}.get(field.name, "")


def _of_a_word(field: _Field, said: str) -> str:
    short = said[:3].upper()
    home = next((other for other in _FIELDS if short in other.names), None)
    if home is field:
        return f"{said!r} is no {field.name}; write {short}."
    if home is not None and said.upper() == short:
        return f"{said!r} is a {home.name}, and here stands the {field.name}; {_FOR_EXAMPLE}"
    names = f", or {field.names[0]} to {field.names[-1]}" if field.names else ""
    return f"{said!r} is no {field.name}; write {field.least} to {field.most}{names}."


def _forwards(field: _Field, first: int, last: int, step: int) -> str:
    """Write a range that runs over the end of its field in a way that everybody reads alike."""
    first, last = (number % 7 if field.name == "weekday" else number for number in (first, last))
    size = field.last - field.least + 1
    length = (last - first) % size + 1
    numbers = [(first - field.least + n) % size + field.least for n in range(0, length, step)]
    if step > 1 or field.name == "weekday":
        return ",".join(map(str, numbers))
    return f"{_part(first, field.last)},{_part(field.least, last)}"


def _part(low: int, high: int) -> str:
    return str(low) if low == high else f"{low}-{high}"


def _of_the_days(fields: list[str]) -> str:
    day, month = fields[2], fields[3].upper()
    # Dagster, 2026-11: refuses 30 February, though a weekday stands beside it.
    if month in ("2", "02", "FEB") and day in ("30", "31"):
        return f"There is no {day} February."
    for number, all_of_them in ((2, "1-31"), (4, "0-6")):
        text, other = fields[number], fields[6 - number]
        # 2026-11: of a day and a weekday Dagster takes either, and cronsim both where one of them begins with a star.
        if text.startswith("*") and "*" not in (text, other):
            clear = text.replace("*", all_of_them)
            return f"With a day and a weekday it runs on either, but some read {text} otherwise: write {clear}."
    try:
        next(CronSim(" ".join(fields), _SOME_DAY))
    except (CronSimError, StopIteration):
        return "That day never comes: no month that it names has it."
    return ""
