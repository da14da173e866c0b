"""The rows of an export: whose address, for what, and since when."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import get_args

from skene_dagster.consent.imports.formats import ADDRESSES, FORMATS, TOLD_BY, WORDS, Format, Kind, untold
from skene_dagster.consent.imports.records import Bad, Record
from skene_dagster.consent.imports.times import moment
from skene_dagster.consent.suppressions import SCOPES, Reason, Scope, is_topic_scope
from skene_dagster.errors import ImportRefused, Place
from skene_dagster.settings.addresses import bare_address

LONGEST_SHOWN = 40
"""Characters of a cell that an error quotes."""


@dataclass(frozen=True)
class Row:
    """Somebody who may not be mailed, or, without a kind, somebody who may."""

    line: int
    address: str
    kind: Kind | None
    since: datetime | None
    """None where the file does not say, or not in a way that can be read."""
    until: datetime | None
    """None where it does not end by itself, or where that cannot be read."""
    source: str | None


@dataclass(frozen=True)
class Layout:
    """Where in a row everything is."""

    format: Format
    address: int
    columns: Sequence[str]
    """In small letters; empty for a file without a header."""
    told_by: int | None = None
    since: int | None = None
    until: int | None = None
    scope: int | None = None
    source: int | None = None


def layout_of(first: Record, name: str, column: str | None) -> Layout:
    """Find out from the first row of a file which export it is, and where the addresses are.

    Args:
        name: of the file, for errors.
        column: the column of addresses, if a person has named it.

    Raises:
        ImportRefused: no column is one of addresses.
    """
    if column is None and (plain := _without_header(first)) is not None:
        return plain
    columns = [cell.strip().lower() for cell in first.cells]
    if column is not None and column.strip().lower() not in columns:
        raise _no_column(first, name, f"There is no column {column!r}.")
    known = next((one for one in FORMATS if one.fits(columns)), None) if column is None else None
    if known is None:
        address = column.strip().lower() if column is not None else next((c for c in columns if c in ADDRESSES), "")
        if not address:
            raise _no_column(first, name, "No column is known to hold addresses.")
        told_by = next((one for one in TOLD_BY if one in columns and one != address), "")
        known = Format("addresses", address, told_by=told_by)

    def at(wanted: str) -> int | None:
        return columns.index(wanted) if wanted in columns else None

    where = (at(name) for name in (known.told_by, known.since, known.until, known.scope, known.source))
    return Layout(known, columns.index(known.address), columns, *where)


def rows(records: Iterator[Record | Bad], layout: Layout, scope: Scope | None) -> Iterator[Row | Bad]:
    """Read rows by their layout.

    Args:
        scope: what those are for that do not say why.
    """
    kind = None if scope is None else untold(scope)
    for record in records:
        if isinstance(record, Bad):
            yield record
            continue
        try:
            yield _row(record, layout, kind)
        except ValueError as bad:
            yield Bad(record.line, str(bad))


def _row(record: Record, layout: Layout, otherwise: Kind | None) -> Row:
    cells = record.cells
    kind = _kind(cells, layout, otherwise)
    text = _cell(cells, layout.address)
    address = text if kind is None else _address(text)
    source = _cell(cells, layout.source)
    since, until = (_moment(_cell(cells, column)) for column in (layout.since, layout.until))
    return Row(record.line, address, kind, since, until, source or None)


def _kind(cells: Sequence[str], layout: Layout, otherwise: Kind | None) -> Kind | None:
    """Say what a row is for; None for somebody who may be mailed."""
    known = layout.format
    if known.kind is not None:
        return known.kind
    said = _cell(cells, layout.told_by)
    if layout.scope is not None:
        written = _cell(cells, layout.scope)
        # A topic may be gone from skene.yaml: what was said about it is kept all the same.
        scope: Scope | None = written if written in SCOPES or is_topic_scope(written) else None
        reason: Reason | None = next((one for one in get_args(Reason) if one == said), None)
        if scope is None or reason is None:
            raise ValueError(f"Unknown scope or reason: {_shown(written)}, {_shown(said)}.")
        return scope, reason
    word = said.lower()
    words = WORDS if known.words is None else known.words
    for spelled in (word, word.replace("-", "_").replace(" ", "_")):
        if layout.told_by is not None and spelled in words:
            return words[spelled]
    if otherwise is not None and known.words is None:
        return otherwise
    if layout.told_by is not None:
        raise ValueError(f"{_shown(said)} is no known reason.")
    raise ValueError("It does not say why.")


def _address(text: str) -> str:
    if not text.strip():
        raise ValueError("It has no address.")
    try:
        return bare_address(text)
    except ValueError as bad:
        if any("\udc80" <= letter <= "\udcff" for letter in text):
            raise ValueError("The address is not in UTF-8.") from None
        raise ValueError(f"{_shown(text)} is not an address: {bad}") from None


def _moment(text: str) -> datetime | None:
    try:
        return moment(text) if text else None
    except (ValueError, OverflowError, OSError):
        # A date that nobody can read must not cost a "no".
        return None


def _cell(cells: Sequence[str], at: int | None) -> str:
    return cells[at].strip() if at is not None and at < len(cells) else ""


def _without_header(first: Record) -> Layout | None:
    """Find the addresses in a first row that has one: an address, and perhaps why, as Amazon SES imports them."""
    for at, cell in enumerate(first.cells):
        try:
            bare_address(cell)
        except ValueError:
            continue
        told_by = next((n for n, other in enumerate(first.cells) if other.strip().lower() in WORDS), None)
        return Layout(Format("addresses without a header", ""), at, (), told_by)
    return None


def _no_column(first: Record, name: str, message: str) -> ImportRefused:
    columns = ", ".join(_shown(cell) for cell in first.cells[:20])
    return ImportRefused(
        f"{message} It has: {columns}.",
        advice="Name the one with the addresses: --column NAME.",
        place=Place(name, first.line),
    )


def _shown(text: str) -> str:
    text = text.strip()
    return repr(text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…")
