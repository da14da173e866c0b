"""Which big tables a condition reads from end to end, by the server's own plan, and which index may avoid it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, Select

from skene_dagster.checks.db_errors import NO_SHOW_VIEW, Explain
from skene_dagster.checks.preflight import all_rows
from skene_dagster.errors import Place, StoreError
from skene_dagster.loops.dialect.answers.indexes import Reading, index, readings
from skene_dagster.loops.plan import LoopPlan, Query, StepPlan
from skene_dagster.loops.triggers import Rows
from skene_dagster.product import shapes
from skene_dagster.settings import Settings
from skene_dagster.store.engine import is_sqlite
from skene_dagster.store.failures import code_of, translated

BIG = 100_000
"""Rows. A table with no more is read before anybody notices."""


@dataclass(frozen=True)
class Scan:
    """A big table that a condition reads from end to end."""

    place: Place
    table: str
    rows: str
    """How many it has: `about 1,200,000` by the server's statistics, or `more than 100,000`."""
    index: str
    """The statement that creates an index for it; empty if none would help the condition as it is written."""


def big_scans(
    connection: Connection, plan: LoopPlan, settings: Settings, as_of: datetime, *, big: int = BIG
) -> Iterator[Scan]:
    """Find the product's big tables that a loop's SQL reads from end to end for lack of an index.

    If a server has the index and still reads everything, it has a reason: most of the rows are wanted. SQLite is not
    examined; it is for one machine.

    Raises:
        StoreError: the database cannot be asked.
    """
    if is_sqlite(connection):
        return
    for step in plan.steps:
        if isinstance(step.condition, Query):
            explained = _explained(connection, all_rows(connection, plan, step, settings, as_of))
            lines = plan.document.text_lines(("steps", plan.steps.index(step), "condition", "query"))
            for reading in _read_whole(step, readings(step.condition, lines), explained):
                yield from _scan(connection, plan, step, reading, big)


def _explained(connection: Connection, statement: Select[Any]) -> Sequence[RowMapping]:
    """Ask for a plan; there is none for a view whose plan this user may not see (`doctor` reports that)."""
    try:
        with translated():
            return connection.execute(Explain(statement)).mappings().all()
    except StoreError as error:
        if code_of(error) != NO_SHOW_VIEW:
            raise
        return []


def _read_whole(step: StepPlan, read: Sequence[Reading], explained: Sequence[RowMapping]) -> Iterator[Reading]:
    """Find the author's tables among those that a plan reads from end to end."""
    named = Counter(reading.name.casefold() for reading in read)
    if isinstance(step.condition, Query) and step.condition.by_row and isinstance(step.trigger, Rows):
        named[_bare(step.trigger.table)] += 1
    whole = Counter(name.casefold() for name in _names_read_whole(explained))
    for reading in read:
        name = reading.name.casefold()
        # A plan names tables only like this; if several have the same name, it does not say which.
        is_sure = whole[name] >= named[name] and not reading.limited
        if is_sure and not _bare(reading.table).startswith("skene_"):
            yield reading


def _names_read_whole(explained: Sequence[RowMapping]) -> Iterator[str]:
    """Read a plan as TiDB or as MySQL writes it."""
    for row in explained:
        # TiDB, 2026-11: `└─TableFullScan_5`, `└─IndexFullScan_7(Build)`; `table:u, index:by_name(name)`
        if "FullScan" in str(row.get("id")):
            yield row["access object"].removeprefix("table:").partition(",")[0]
        elif row.get("type") in ("ALL", "index"):
            yield row["table"]


def _scan(connection: Connection, plan: LoopPlan, step: StepPlan, reading: Reading, big: int) -> Iterator[Scan]:
    points, ranges = index(reading, shapes.indexable(connection, reading.table))
    columns = (*points, *ranges)
    if columns and shapes.has_index(connection, reading.table, points, ranges):
        return
    known = shapes.known_rows(connection, reading.table)
    if known is None or (known <= big and not shapes.has_more_rows(connection, reading.table, big)):
        return
    first = plan.document.text_place(("steps", plan.steps.index(step), "condition", "query"))
    place = Place(first.file, None if first.line is None else first.line + reading.line, first.part)
    create = shapes.create_index(connection, reading.table, columns) if columns else ""
    rows = f"about {round(known, 2 - len(str(known))):,}" if known > big else f"more than {big:,}"
    yield Scan(place, reading.table, rows, create)


def _bare(name: str) -> str:
    return name.rpartition(".")[2].casefold()
