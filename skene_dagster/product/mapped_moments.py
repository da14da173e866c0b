"""The product's columns that skene.yaml and triggers name for moments: what the database says of each."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

from skene_dagster.codes import Code
from skene_dagster.errors import Place, SettingsError
from skene_dagster.product.column_kinds import Found, counts, find, source
from skene_dagster.product.moments import Form, ProductMoment
from skene_dagster.product.shapes import has_more_rows
from skene_dagster.settings import FILE, MomentColumn
from skene_dagster.store import tables
from skene_dagster.store.engine import is_sqlite


@dataclass(frozen=True)
class Unreadable:
    """Values of a column that are not moments, and count as NULL."""

    table: str
    column: str
    values: int

    def __str__(self) -> str:
        if self.values == 1:
            return f"{self.table}.{self.column}: 1 value is not a date or time, and counts as NULL."
        return f"{self.table}.{self.column}: {self.values:,} values are not dates or times, and count as NULL."


def of(connection: Connection, table: str, mapped: MomentColumn, raw: ColumnElement[Any], part: str) -> ProductMoment:
    """Find out how the product writes moments in an existing column.

    Args:
        part: the name that skene.yaml, or a trigger, has for it.

    Raises:
        SettingsError: it holds numbers without a unit, or has a unit but holds no numbers.
    """
    return ProductMoment(raw, _form(connection, table, mapped, part), is_sqlite(connection))


def check(connection: Connection, table: str, mapped: MomentColumn, part: str) -> None:
    """Raise what `of` raises."""
    _form(connection, table, mapped, part)


def unreadable(connection: Connection, table: str, mapped: MomentColumn, *, most: int) -> Iterator[Unreadable]:
    """Count the values that are not read as moments, in a table of the product's with at most so many rows."""
    if table == tables.events.name or has_more_rows(connection, table, most):
        return
    rows, raw = source(table, mapped.column)
    bad = is_unreadable(of(connection, table, mapped, raw, mapped.column))
    if values := connection.execute(select(func.count()).select_from(rows).where(*bad)).scalar_one():
        yield Unreadable(table, mapped.column, values)


def is_unreadable(read: ProductMoment) -> list[ColumnElement[bool]]:
    """Write the condition that a column holds something that is not a moment."""
    said: list[ColumnElement[bool]] = [read.raw.is_not(None), read.moment.is_(None)]
    # A text of nothing but white space is missing, as it is in an email.
    return [*said, func.trim(read.raw) != ""] if read.form == "text" else said


def _form(connection: Connection, table: str, mapped: MomentColumn, part: str) -> Form:
    if table == tables.events.name:
        return "ours"
    found = find(connection, [table], mapped.column)
    if found is None:
        raise SettingsError(
            f"Table {table!r} has no column {mapped.column!r}.", place=Place(FILE, part=part), code=Code.NO_COLUMN
        )
    if mapped.unit is not None:
        if found.kind == "number" or (is_sqlite(connection) and found.is_empty):
            return mapped.unit
        raise SettingsError(
            f"{table}.{found.column} does not hold numbers ({found.declared or found.kind}), but {part!r} says that "
            f"it holds {mapped.unit}.",
            advice=f"Remove the unit: `{_last(part)}: {mapped.column}`.",
            place=Place(FILE, part=part),
        )
    if found.kind == "number":
        raise SettingsError(
            f"{table}.{found.column} holds numbers{found.in_brackets}, and numbers are not times.",
            advice=_say_the_unit(connection, found, part),
            place=Place(FILE, part=part),
        )
    return "text" if is_sqlite(connection) or found.kind == "text" else "moment"


def _say_the_unit(connection: Connection, found: Found, part: str) -> str:
    line = f"{_last(part)}: {{column: {found.column}, unit: %s}}"
    match counts(connection, found):
        case "seconds" | "milliseconds" as unit:
            return f"They look like {unit} since 1970. Write: `{line % unit}`"
        case "dates":
            return "They look like dates. Name a column of type DATETIME, or create a view that has one."
    return f"If they count seconds since 1970, write: `{line % 'seconds'}`; if milliseconds: `{line % 'milliseconds'}`"


def _last(part: str) -> str:
    return part.rpartition(".")[2]
