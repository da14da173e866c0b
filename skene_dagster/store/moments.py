"""Points in time, days and names inside statements, as each database computes with them.

SQLite keeps a moment as a text, `YYYY-MM-DD HH:MM:SS.ffffff`, and a day as its first ten letters, so that they compare
as times do; whatever is computed here has this form again.
"""

from datetime import timedelta
from typing import Any, ClassVar

from sqlalchemy import ColumnElement, Date, Integer, String, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from skene_dagster.store.tables import Moment


def later(moment: ColumnElement[Any], by: timedelta | ColumnElement[Any]) -> ColumnElement[Any]:
    """Say the moment that is so much later, by whole seconds (a column holds their number)."""
    return _Later(moment, literal(int(by.total_seconds()), Integer) if isinstance(by, timedelta) else by)


def days_later(day: ColumnElement[Any], by: int) -> ColumnElement[Any]:
    """Say the day that is so many days later (or earlier)."""
    return _DaysLater(day, literal(by, Integer))


def midnight(day: ColumnElement[Any]) -> ColumnElement[Any]:
    """Say the moment at which a day begins."""
    return _Midnight(day)


def day_of(moment: ColumnElement[Any]) -> ColumnElement[Any]:
    """Say on which day a moment is."""
    return _DayOf(moment)


def latest(*moments: ColumnElement[Any]) -> ColumnElement[Any]:
    """Say the last of several moments, none of which is NULL."""
    return _Latest(*moments) if len(moments) > 1 else moments[0]


def earliest(*moments: ColumnElement[Any]) -> ColumnElement[Any]:
    """Say the first of several moments, none of which is NULL."""
    return _Earliest(*moments) if len(moments) > 1 else moments[0]


def name_of(value: ColumnElement[Any], length: int) -> ColumnElement[Any]:
    """Bring a product's own name into a text of ours, which is compared letter by letter."""
    return _NameOf(value, literal(length, Integer))


class Written(FunctionElement[Any]):
    """An expression that is written differently on a server and on SQLite."""

    inherit_cache = True
    server: ClassVar[str]
    sqlite: ClassVar[str]


@compiles(Written)
def _write(element: Written, compiler: SQLCompiler, **kw: Any) -> str:
    parts = [compiler.process(clause, **kw) for clause in element.clauses]
    form = element.sqlite if compiler.dialect.name == "sqlite" else element.server
    return form.format(*parts, all=", ".join(parts))


class _Later(Written):
    inherit_cache = True
    type = Moment
    server = "({0} + INTERVAL {1} SECOND)"
    # SQLite, 2026-11: it rounds fractions of a second to thousandths, so they are left out and put back.
    sqlite = "(strftime('%Y-%m-%d %H:%M:%S', substr({0}, 1, 19), {1} || ' seconds') || substr({0}, 20))"


class _DaysLater(Written):
    inherit_cache = True
    type = Date()
    server = "({0} + INTERVAL {1} DAY)"
    sqlite = "date({0}, {1} || ' days')"


class _Midnight(Written):
    inherit_cache = True
    type = Moment
    server = "CAST({0} AS DATETIME(6))"
    sqlite = "({0} || ' 00:00:00.000000')"


class _DayOf(Written):
    inherit_cache = True
    type = Date()
    server = "DATE({0})"
    sqlite = "substr({0}, 1, 10)"


class _Latest(Written):
    inherit_cache = True
    type = Moment
    server = "GREATEST({all})"
    sqlite = "max({all})"


class _Earliest(Written):
    inherit_cache = True
    type = Moment
    server = "LEAST({all})"
    sqlite = "min({all})"


class _NameOf(Written):
    inherit_cache = True
    type = String()
    server = "LEFT(CONVERT({0} USING utf8mb4), {1}) COLLATE utf8mb4_bin"
    sqlite = "substr(CAST({0} AS TEXT), 1, {1}) COLLATE BINARY"
