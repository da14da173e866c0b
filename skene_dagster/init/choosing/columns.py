"""Which columns of the users table say what; the values decide where names cannot."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal
from zoneinfo import available_timezones

from skene_dagster.init.choosing import vocabulary
from skene_dagster.init.schema import Column, Rows, Table
from skene_dagster.init.words import folded
from skene_dagster.settings import Unit
from skene_dagster.store.sqlite.moments import moment

_SAID: tuple[tuple[str, Unit], ...] = (("_ms", "milliseconds"), ("_unix", "seconds"), ("_ts", "seconds"))

Holds = Literal["moment", "seconds", "milliseconds", "unknown", "empty", ""]
"""Dates and times; numbers with a unit; numbers that tell nothing; nothing at all; no moments."""

_UNITS: dict[Holds, Unit] = {"seconds": "seconds", "milliseconds": "milliseconds"}


@dataclass(frozen=True)
class When:
    """A column with moments."""

    column: str
    unit: Unit | None = None
    has_zeros: bool = False
    """Some rows hold 0, or a zero date: they mean never."""
    nullable: bool = True


def find(table: Table, names: Sequence[str], *, kinds: Iterable[str] = (), prefix: str = "") -> Column | None:
    """Find the first of some names among the columns, of one of some kinds."""
    known: dict[str, Column] = {}
    for column in table.columns:
        if not kinds or column.kind in kinds:
            known.setdefault(folded(column.name, table, prefix), column)
    return next((known[name] for name in names if name in known), None)


def when(table: Table, names: Sequence[str], rows: Rows, prefix: str = "") -> When | None:
    """Find the first of some columns that holds moments, or numbers that count them."""
    for name in names:
        column = find(table, [name], prefix=prefix)
        if column is not None and column.kind != "flag" and (found := read_when(table, column, rows)) is not None:
            return found
    return None


def read_when(table: Table, column: Column, rows: Rows) -> When | None:
    """Say how a column holds moments; None if it does not."""
    values = rows.sample(table.name, column.name)
    held, zeros = holds(column, values), any(map(is_zero, values))
    if not values and column.kind == "number":
        # Only its name tells.
        held = next((unit for suffix, unit in _SAID if column.name.lower().endswith(suffix)), held)
    if held == "moment":
        return When(column.name, None, zeros, column.nullable)
    if held in _UNITS:
        return When(column.name, _UNITS[held], zeros or not column.nullable, column.nullable)
    return None


def holds(column: Column, values: Sequence[object]) -> Holds:
    """Say what a column holds, by its values or, without any, by its type."""
    telling = [value for value in values if not is_zero(value)]
    numbers = [float(value) for value in telling if isinstance(value, int | float) and not isinstance(value, bool)]
    if not telling:
        return "moment" if column.kind == "moment" else "empty"
    if len(numbers) * 2 > len(telling):
        # The size of the largest tells: 1e8 seconds are in 1973, and 1e11 milliseconds, too.
        largest = max(numbers)
        if 19000101 <= largest <= 21001231 or 19000101000000 <= largest <= 21001231235959:
            return "unknown"
        return "milliseconds" if largest > 1e11 else "seconds" if largest > 1e8 else "unknown"
    read = sum(isinstance(value, date | datetime) or moment(str(value)) is not None for value in telling)
    return "moment" if read * 2 > len(telling) else ""


def is_zero(value: object) -> bool:
    """Whether a value is a way to write `never`."""
    return value in {0, "", "0"} or (isinstance(value, str) and value.startswith("0000-00-00"))


def name_of(table: Table, rows: Rows, prefix: str = "") -> Column | None:
    """Find the column with the name by which a person is addressed; what holds addresses is none."""
    for name in vocabulary.NAMES:
        column = find(table, [name], kinds=["text"], prefix=prefix)
        if column is not None and not _are_addresses(rows.sample(table.name, column.name)):
            return column
    return None


def timezone_of(table: Table, rows: Rows, prefix: str = "") -> Column | None:
    """Find the column with IANA time zones."""
    column = find(table, vocabulary.TIMEZONES, kinds=["text"], prefix=prefix)
    if column is None:
        return None
    values = [value for value in rows.sample(table.name, column.name) if value]
    zones = available_timezones()
    return column if sum(value in zones for value in values) * 2 >= len(values) else None


def locale_of(table: Table, rows: Rows, prefix: str = "") -> Column | None:
    """Find the column with language tags."""
    column = find(table, vocabulary.LOCALES, kinds=["text"], prefix=prefix)
    if column is None:
        return None
    values = [str(value) for value in rows.sample(table.name, column.name) if value]
    tags = sum(re.fullmatch("[A-Za-z]{2,3}([-_][A-Za-z0-9]+)*", value) is not None for value in values)
    return column if tags * 2 >= len(values) else None


def _are_addresses(values: Sequence[object]) -> bool:
    return bool(values) and sum("@" in str(value) for value in values) * 2 > len(values)
