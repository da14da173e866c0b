"""Cron expressions that Dagster accepts and every cron program reads alike; for anything else, what to write."""

import re
from calendar import monthrange
from dataclasses import dataclass

_ALIASES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
# Dagster, 2026-11: takes `@daily` and ranges that run backwards, which other cron programs do not; does not take 5L and
# LW, which others do; reads `?` or refuses it by the field.


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
    """Say what is wrong with a cron expression, and what to write; empty if nothing is."""
    fields = cron.split()
    if cron.strip().startswith("@"):
        return _of_an_alias(cron.strip().lower())
    if len(fields) != len(_FIELDS):
        return _of_another_number(fields)
    for field, text in zip(_FIELDS, fields, strict=True):
        if fault := _fault(field, text):
            return fault
    return _of_the_days(fields)


def _of_an_alias(alias: str) -> str:
    if alias in _ALIASES:
        return f"Write it in five fields: {_ALIASES[alias]}."
    if every := re.fullmatch(r"@every ([1-9][0-9]*)(m|h)", alias):
        number, whole = int(every[1]), 60 if every[2] == "m" else 24
        field = "0" if number == whole else "*" if number == 1 else f"*/{number}"
        if whole % number == 0:
            return f"Write it in five fields: {f'{field} *' if every[2] == 'm' else f'0 {field}'} * * *."
    if alias.startswith("@every"):
        return "Cron is about clock times, not intervals; write something like */15 * * * *, or 0 */6 * * *."
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


def _fault(field: _Field, text: str) -> str:
    if text == "?":
        return f"'?' is Quartz's word for any {field.name}; write *."
    if (field.name, text.upper()) == ("day", "L"):
        return ""
    if "#" in text:
        return _fault_of_an_nth(field, text)
    if strange := re.fullmatch(r"[0-9]*(L|W|LW)(-?[0-9]+)?|[A-Z]{3}L", text.upper()):
        return (
            f"{strange[0]!r} is not known here. The last day of the month is L, alone in the field of the day; "
            "Monday to Friday is 1-5 in the field of the weekday."
        )
    items = text.split(",")
    if len(items) > 1 and "*" in items:
        return f"{text!r} is any {field.name}: write *."
    return next(filter(None, (_fault_of_an_item(field, item) for item in items)), "")


def _fault_of_an_nth(field: _Field, text: str) -> str:
    day, _, nth = text.partition("#")
    number = field.number(day)
    # Dagster, 2026-11: reads no list in which one of them stands.
    if field.name != "weekday" or number is None or number > field.most or nth not in ("1", "2", "3", "4", "5"):
        return f"{text!r} is not known here. The second Monday is MON#2, alone in the field of the weekday."
    return ""


def _fault_of_an_item(field: _Field, item: str) -> str:
    shape = re.fullmatch(r"(?:\*|([0-9A-Za-z]+)(?:-([0-9A-Za-z]+))?)(?:/([0-9]+))?", item)
    if shape is None:
        return f"{item!r} is not a valid {field.name}; write numbers, *, ranges 1-5, lists 1,3 and steps */5."
    ends: list[int] = []
    for said in filter(None, (shape[1], shape[2])):
        number = field.number(said)
        if number is None:
            return _of_a_word(field, said)
        if not field.least <= number <= field.most:
            return f"There is no {field.name} {number}; they are {field.least} to {field.most}{_to_know(field)}."
        ends.append(number)
    step = 1 if shape[3] is None else int(shape[3])
    size = field.last - field.least + 1
    if not 1 <= step <= size:
        return f"The step of {item!r} must be from 1 to {size}: steps start over with each {_AROUND[field.name]}."
    if (len(ends) == 2 and ends[0] == ends[1]) or (shape[3] is not None and ends in ([field.last], [field.most])):
        # Dagster, 2026-11: takes 0-0 for every weekday, and 31/2 for every day.
        return f"The range {item} is one {field.name}: write {ends[0]}."
    if ends != sorted(ends):
        return f"The range {item} runs backwards: write {_forwards(field, ends[0], ends[1], step)}."
    if field.name == "weekday" and step > 1 and (len(ends) == 1 or 7 in ends):
        # Dagster, 2026-11: ends with Saturday; others go on to 7, which is Sunday.
        numbers = range(ends[0], ends[1] + 1 if len(ends) == 2 else 7, step)
        return f"Some read {item} with Sunday, and some without: write {','.join(map(str, numbers))}."
    return ""


_AROUND = {"minute": "hour", "hour": "day", "day": "month", "month": "year", "weekday": "week"}


def _to_know(field: _Field) -> str:
    return {"hour": "; midnight is 0", "weekday": "; Sunday is 0 or 7"}.get(field.name, "")


def _of_a_word(field: _Field, said: str) -> str:
    short = said[:3].upper()
    home = next((other for other in _FIELDS if short in other.names), None)
    if home is field:
        return f"{said!r} is not a valid {field.name}; write {short}."
    if home is not None and said.upper() == short:
        return f"{said!r} is a {home.name}, but this is the {field.name}; {_FOR_EXAMPLE}"
    names = f", or {field.names[0]} to {field.names[-1]}" if field.names else ""
    return f"{said!r} is not a valid {field.name}; write {field.least} to {field.most}{names}."


def _forwards(field: _Field, first: int, last: int, step: int) -> str:
    """Write a range that runs over the end of its field in a way that everybody reads alike."""
    size = field.last - field.least + 1
    length = (last - first) % size + 1
    numbers = [(first - field.least + n) % size + field.least for n in range(0, length, step)]
    if step > 1 or field.name == "weekday":
        return ",".join(map(str, numbers))
    return f"{_part(first, field.last)},{_part(field.least, last)}"


def _part(low: int, high: int) -> str:
    return str(low) if low == high else f"{low}-{high}"


def either_day(cron: str) -> tuple[str, str] | None:
    """Return the day and the weekday of a cron expression that names both: it runs on each day that is one of them."""
    _, _, day, _, weekday = cron.split()
    return None if "*" in (day, weekday) else (day, weekday)


_LEAP_YEAR = 2024


def _of_the_days(fields: list[str]) -> str:
    day, month, weekday = fields[2:]
    if "#" in weekday and day != "*":
        # Dagster, 2026-11: takes `1 * MON#2` (day, month, weekday), and its daemon fails to find its ticks.
        return f"{weekday} must be used alone: write * as the day."
    if day.upper() == "L":
        return ""
    days, months = _numbers(_FIELDS[2], day), _numbers(_FIELDS[3], month)
    if min(days) <= max(monthrange(_LEAP_YEAR, month)[1] for month in months):
        return ""
    what = f"There is no {day} {' or '.join(_MONTHS[number - 1] for number in sorted(months))}."
    if weekday == "*":
        return what
    # Dagster, 2026-11: takes `31 4 1` (31 April, or a Monday), and its daemon fails to find its ticks.
    return f"{what} For the weekday alone write * as the day."


_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip


def _numbers(field: _Field, text: str) -> set[int]:
    """List what a field that has no fault names."""
    found: set[int] = set()
    for item in text.split(","):
        said, _, step = item.partition("/")
        first, _, last = said.replace("*", f"{field.least}-{field.most}").partition("-")
        low = field.number(first)
        high = field.number(last) if last else field.most if step else low
        assert low is not None
        assert high is not None
        found.update(range(low, high + 1, int(step or 1)))
    return found
