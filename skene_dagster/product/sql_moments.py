"""The columns that an author's SQL reads as moments: refused if they are numbers, and otherwise read so that a value
that cannot be read is NULL, and affects nobody else.
"""

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import Connection, func, literal, select

from skene_dagster.errors import Place, QueryRejected
from skene_dagster.loops.dialect import ROWS, Remedy, remedies_of
from skene_dagster.loops.plan import Expression, Query
from skene_dagster.loops.sql_reads import ROW, ReadAs
from skene_dagster.product import mapped_moments, readable
from skene_dagster.product.column_kinds import Found, Kind, counts, find, source
from skene_dagster.product.mapped_moments import Unreadable
from skene_dagster.product.moments import Form, ProductMoment
from skene_dagster.product.shapes import has_more_rows
from skene_dagster.store.engine import is_sqlite
from skene_dagster.store.tables import Moment
from skene_dagster.text_lines import TextLines

_EARLIEST = datetime.fromisoformat(readable.EARLIEST)

_WRITTEN: dict[ReadAs, tuple[Kind, ...]] = {
    "moment": ("text", "moment"),
    "text": ("text", "moment", "other"),
    "number": (),
    "against seconds": (),
}
"""The kinds of columns whose reading has to be rewritten for a server."""


def refuse_numbers(
    connection: Connection, sql: Query | Expression, *, place: Place, lines: TextLines | None = None, row: str = ""
) -> None:
    """Refuse SQL that reads numbers as moments: servers would compare both as numbers, and everything is before now.

    Args:
        place: where the SQL begins.
        lines: where its lines are, as for `read_query`.
        row: the table that an expression is about.

    Raises:
        QueryRejected: at the column's line, with what to write.
    """
    for number, found in _found(connection, sql, row):
        read = sql.moments[number]
        if read.read_as == "against seconds":
            if found.holds_moments:
                remedy = remedies_of(sql, lines)[number]
                raise QueryRejected(
                    f"{remedy.value} is a date and time{found.in_brackets}, but is compared with a number here.",
                    advice=f"Write: {remedy.seconds}",
                    place=_place(place, remedy),
                )
        elif found.kind == "number" or (read.read_as == "number" and not found.holds_moments):
            remedy = remedies_of(sql, lines)[number]
            counted = counts(connection, found)
            if counted == "dates" and not read.is_compared:
                continue  # The number 20261129 is read as that day, unless it is compared as a number.
            raise QueryRejected(
                f"{remedy.value} is a number{found.in_brackets if read.read_as == 'moment' else ''}, "
                "and is read as a date and time here.",
                advice={
                    "seconds": f"It looks like seconds since 1970. Write: {remedy.seconds}",
                    "milliseconds": f"It looks like milliseconds since 1970. Write: {remedy.milliseconds}",
                    "dates": f"It looks like dates. Write DATE({remedy.value}) instead.",
                    "": f"If it counts seconds since 1970, write: {remedy.seconds}\n"
                    f"If it counts milliseconds: {remedy.milliseconds}",
                }[counted],
                place=_place(place, remedy),
            )


def _place(place: Place, remedy: Remedy) -> Place:
    return Place(place.file, None if place.line is None else place.line + remedy.line, place.part)


def readable_text(connection: Connection, sql: Query | Expression, row: str = "") -> str | None:
    """Return the SQL for this database, in which an unreadable moment is NULL; None if the database cannot express it.

    A server gets the author's own words, unless a column is text, or holds a zero date, or is passed to a function that
    would fail on one.
    """
    if is_sqlite(connection):
        return sql.sqlite
    written = sql.mysql
    reads = [(sql.moments[number], found) for number, found in _found(connection, sql, row)]
    longer: list[tuple[int, int]] = []
    for read, found in sorted(reads, key=lambda one: -one[0].start):
        form = readable.A_TEXT if "text" in (found.kind, read.read_as) else readable.A_MOMENT
        if found.kind not in _WRITTEN[read.read_as] or (
            found.kind == "moment" and read.is_compared and found.is_indexed and not _has_zero_dates(connection, found)
        ):
            continue
        # What was written within a text that is computed has made it longer.
        end = read.end + sum(by for at, by in longer if at < read.end)
        name = written[read.start : end]
        # SQLAlchemy takes a colon for the beginning of a bind.
        instead = readable.filled(form.replace(":", r"\:"), name) + (f" AS {found.column}" if read.is_item else "")
        written = written[: read.start] + instead + written[end:]
        longer.append((read.start, len(instead) - len(name)))
    return written


def unreadable(connection: Connection, sql: Query | Expression, row: str = "", *, most: int) -> Iterator[Unreadable]:
    """Count the values that are not moments, in each column that SQL reads as one.

    Args:
        most: tables with more rows are left out.
    """
    found = {
        (one.table, one.column): one
        for number, one in _found(connection, sql, row)
        if one.kind in ("moment", "text") and sql.moments[number].read_as == "moment"
    }
    for _, one in sorted(found.items()):
        if not has_more_rows(connection, one.table, most) and (values := _count(connection, one)):
            yield Unreadable(one.table, one.column, values)


def _found(connection: Connection, sql: Query | Expression, row: str) -> Iterator[tuple[int, Found]]:
    """Find the columns in the database, by their number in `moments`; without those that turn out to be no moments."""
    known: dict[tuple[tuple[str, ...], str], Found | None] = {}

    def of(tables: tuple[str, ...], name: str) -> Found | None:
        if (tables, name) not in known:
            named = [row if table == ROW else table for table in tables if table != ROWS]
            known[tables, name] = find(connection, named, name)
        return known[tables, name]

    for number, read in enumerate(sql.moments):
        found = of(read.tables, read.column)
        others = [other for beside in read.beside if (other := of(*beside)) is not None]
        if found is not None and (not read.beside or any(other.holds_moments for other in others)):
            yield number, found


def _has_zero_dates(connection: Connection, found: Found) -> bool:
    rows, raw = source(found.table, found.column)
    zero = select(literal(1)).select_from(rows).where(raw < literal(_EARLIEST, Moment)).limit(1)
    return connection.execute(zero).scalar() is not None


def _count(connection: Connection, found: Found) -> int:
    rows, raw = source(found.table, found.column)
    if found.kind == "moment" and found.is_indexed:
        # A look into the index instead of all rows: a server keeps other zero dates only in very old modes.
        bad = [raw < literal(_EARLIEST, Moment)]
    else:
        form: Form = "text" if is_sqlite(connection) or found.kind == "text" else "moment"
        bad = mapped_moments.is_unreadable(ProductMoment(raw, form, is_sqlite(connection)))
    return connection.execute(select(func.count()).select_from(rows).where(*bad)).scalar_one()
