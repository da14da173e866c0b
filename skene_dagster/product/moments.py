"""A product's column of moments, as statements read it: in our form, and bounded in its own.

The exact comparison is with `moment`. `since` and `before` are added to it so that an index on the raw column can be
used: they exclude no row that the exact comparison accepts.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, Date, Double, String, literal, true

from skene_dagster.product import readable
from skene_dagster.settings import Unit
from skene_dagster.store.moments import Written, days_later
from skene_dagster.store.tables import Moment

Form = Literal["ours", "moment", "text", "seconds", "milliseconds"]
"""Written by us; a date or time type; a text, in any form and at any offset; a number."""

_EPOCH = datetime(1970, 1, 1)
_PER_SECOND: dict[Unit, int] = {"seconds": 1, "milliseconds": 1000}
_DAY = timedelta(days=1)
_LAST_DAY = date(9999, 12, 29)


@dataclass(frozen=True)
class ProductMoment:
    """A column, and how the product writes moments in it."""

    raw: ColumnElement[Any]
    form: Form
    is_sqlite: bool

    @property
    def is_exact(self) -> bool:
        """Whether the bounds are exact, except for values that cannot be read."""
        return self.form in ("ours", "moment")

    @property
    def moment(self) -> ColumnElement[Any]:
        """The moment in our form; NULL if it cannot be read."""
        return self.raw if self.form == "ours" else _READ[self.form](self.raw)

    def since(self, bound: date | ColumnElement[Any]) -> ColumnElement[bool]:
        """Say of the raw column that it is not before a moment, or a day that a column holds."""
        low = self._bound(bound, -1)
        return true() if low is None else self.raw >= low

    def before(self, bound: date | ColumnElement[Any]) -> ColumnElement[bool]:
        """Say of the raw column that it is before a moment, or a day that a column holds."""
        high = self._bound(bound, 1)
        return true() if high is None else self.raw < high

    def _bound(self, bound: date | ColumnElement[Any], side: int) -> ColumnElement[Any] | None:
        match self.form:
            case "text":
                # Text is comparable only to within a day: it has various forms, and offsets of up to 14 hours.
                if not isinstance(bound, ColumnElement):
                    day = bound.date() if isinstance(bound, datetime) else bound
                    return literal((min(day, _LAST_DAY) + (1 if side < 0 else 2) * side * _DAY).isoformat(), String)
                # A server compares a text that is computed under another collation, and without an index.
                return days_later(bound, 2 * side) if self.is_sqlite else None
            case "seconds" | "milliseconds":
                factor = _PER_SECOND[self.form]
                if isinstance(bound, ColumnElement):
                    return _UnixOf(bound) * factor
                begin = bound if isinstance(bound, datetime) else datetime(bound.year, bound.month, bound.day)
                return literal((begin - _EPOCH) / timedelta(seconds=1) * factor, Double)
        if isinstance(bound, ColumnElement):
            return bound
        return literal(bound, Moment if isinstance(bound, datetime) else Date)


class _Read(Written):
    inherit_cache = True
    type = Moment
    sqlite = readable.A_TEXT_IN_SQLITE


class _OfAMoment(_Read):
    inherit_cache = True
    server = readable.A_MOMENT


class _OfAText(_Read):
    inherit_cache = True
    server = readable.A_TEXT


class _OfSeconds(_Read):
    inherit_cache = True
    server = readable.A_NUMBER["seconds"]
    sqlite = readable.A_NUMBER_IN_SQLITE["seconds"]


class _OfMilliseconds(_Read):
    inherit_cache = True
    server = readable.A_NUMBER["milliseconds"]
    sqlite = readable.A_NUMBER_IN_SQLITE["milliseconds"]


class _UnixOf(Written):
    inherit_cache = True
    type = Double()
    server = f"UNIX_TIMESTAMP({readable.COLUMN})"
    sqlite = f"CAST(strftime('%s', {readable.COLUMN}) AS INTEGER)"


_READ: dict[Form, type[_Read]] = {
    "moment": _OfAMoment,
    "text": _OfAText,
    "seconds": _OfSeconds,
    "milliseconds": _OfMilliseconds,
}
