"""Put a file of people on the list of suppressions: a page at a time, each in a transaction of its own."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from itertools import chain, islice
from pathlib import Path

from sqlalchemy import Connection, Engine

from skene_dagster.consent import suppressions
from skene_dagster.consent.imports.formats import Format
from skene_dagster.consent.imports.records import Bad, Record, open_text, records
from skene_dagster.consent.imports.rows import Layout, Row, layout_of, rows
from skene_dagster.consent.people import users_of
from skene_dagster.consent.recipient import Recipients
from skene_dagster.consent.suppressions import LONGEST_SOURCE, Scope, Suppression
from skene_dagster.consent.writing import write
from skene_dagster.errors import ImportRefused, Place
from skene_dagster.settings import Users
from skene_dagster.store.engine import reading
from skene_dagster.store.tables import OPEN

PAGE = 10_000
"""Rows in a transaction."""

MOST_TOLD = 5
"""Bad rows of which line and fault are kept."""


@dataclass(frozen=True)
class Wanted:
    """A file, and what a person says about it."""

    file: Path
    scope: Scope | None = None
    """What rows are for that do not say why."""
    source: str | None = None
    """None: what the file says, or its name."""
    column: str | None = None
    """The column of addresses; None: it is found."""


@dataclass
class Imported:
    """What became of a file's rows."""

    format: Format
    rows: int = 0
    addresses: int = 0
    """Put on the list, of different scopes if need be."""
    users: int = 0
    """Put on the list because they have one of the addresses."""
    there: int = 0
    """On the list already, or lifted since."""
    may_be_mailed: int = 0
    bad: int = 0
    told: list[Bad] = field(default_factory=list)

    def count(self, some: Sequence[Row | Bad], entries: Sequence[Suppression], added: Sequence[Suppression]) -> None:
        """Count a page of rows, what they ask for, and what was not there."""
        bad = [row for row in some if isinstance(row, Bad)]
        addresses = sum(one.address is not None for one in added)
        self.rows += len(some)
        self.bad += len(bad)
        self.told += bad[: MOST_TOLD - len(self.told)]
        self.may_be_mailed += len(some) - len(bad) - len(entries)
        self.addresses += addresses
        self.users += len(added) - addresses
        self.there += len(entries) - addresses


def import_list(
    engine: Engine,
    users: Users,
    wanted: Wanted,
    clock: Callable[[], datetime],
    *,
    dry_run: bool = False,
    progress: Callable[[int], None] = lambda _: None,
) -> Imported:
    """Put the people of a file on the list. To do it again does no harm, nor to go on after it was interrupted.

    What the file gives no moment for holds since the file was written: a lift after that stays.

    Args:
        dry_run: only read the file and the database, and say what would become of its rows.
        progress: is told how many rows are read.

    Raises:
        ImportRefused: the file cannot be read, or does not say what it is; nothing was written.
        StoreError: the database refused; the pages before are written.
    """
    name = wanted.file.name
    names = reading(engine, Recipients.of)
    with open_text(wanted.file) as text:
        written_at = datetime.fromtimestamp(wanted.file.stat().st_mtime, timezone.utc).replace(tzinfo=None)
        read = records(text)
        first = _first(read, name)
        layout = _layout(first, wanted)
        found = Imported(layout.format)
        every = rows(read if layout.columns else chain([first], read), layout, wanted.scope)
        while some := list(islice(every, PAGE)):
            now = clock()
            entries = [
                Suppression(
                    names.checked(row.address),
                    row.kind[0],
                    min(row.since or written_at, now),
                    row.kind[1],
                    _kept(wanted.source or row.source or name),
                    row.address,
                    row.until or OPEN,
                )
                for row in some
                if isinstance(row, Row) and row.kind is not None
            ]

            def put(
                connection: Connection, entries: Sequence[Suppression] = entries, now: datetime = now
            ) -> list[Suppression]:
                everybody = [*entries, *_of_users(connection, users, names, entries)]
                add = suppressions.lacking if dry_run else suppressions.suppress
                return add(connection, everybody, now)

            added = (reading if dry_run else write)(engine, put)
            found.count(some, entries, added)
            progress(found.rows)
    return found


def _first(read: Iterator[Record | Bad], name: str) -> Record:
    first = next(read, None)
    if first is None:
        raise ImportRefused("The file is empty.", place=Place(name))
    if isinstance(first, Bad):
        raise ImportRefused(first.why, advice="Export it again as CSV.", place=Place(name, first.line))
    return first


def _layout(first: Record, wanted: Wanted) -> Layout:
    name = wanted.file.name
    layout = layout_of(first, name, wanted.column)
    if wanted.scope is None and layout.format.kind is None and layout.told_by is None:
        raise ImportRefused(
            "The file does not say why these people may not be mailed.",
            advice="If they want no marketing, add --scope marketing; if nothing may reach them, --scope all.",
            place=Place(name, first.line),
        )
    return layout


def _of_users(
    connection: Connection, users: Users, names: Recipients, entries: Sequence[Suppression]
) -> Iterator[Suppression]:
    """A "no" to marketing, or to a topic, is also that of the users who have the address."""
    theirs = [one for one in entries if one.scope != "all"]
    owners = users_of(connection, users, {one.recipient: one.address or "" for one in theirs})
    for one in theirs:
        for user_id in owners.get(one.recipient, ()):
            yield replace(one, recipient=names.user(user_id), address=None)


def _kept(source: str) -> str:
    """Return what a column can hold of a source: however it is written, it must not cost a "no"."""
    return "".join(letter if letter.isprintable() else "?" for letter in source[:LONGEST_SOURCE])
