"""What a TiDB server remembers of the statements that it ran, and who ran them.

Each TiDB server keeps its statement summary in memory: windows of half an hour, twelve hours of them, 3,000 kinds of
statements; the rest is forgotten (https://docs.pingcap.com/tidb/stable/statement-summary-tables). It knows one user
for each kind of statement and window, or all of them if the server groups by user.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, TableClause, column, func, literal, or_, select, table

from skene_dagster.checks.db_errors import columns_in, refusal
from skene_dagster.errors import StoreError
from skene_dagster.loops.tidb_features import Statement
from skene_dagster.store.engine import is_sqlite
from skene_dagster.store.failures import DENIED, code_of, translated
from skene_dagster.store.server import labels
from skene_dagster.store.tables import Moment

WINDOWS = ("statements_summary", "statements_summary_history")
"""The open window, and the closed ones."""

_SCHEMA = "information_schema"
_COLUMNS = ("stmt_type", "digest", "digest_text", "query_sample_text", "plan", "sample_user", "resource_group")
_COUNTED = ("exec_count", "sum_errors", "first_seen", "last_seen")
_MOMENTS = ("first_seen", "last_seen", "time")
_PAGE = 200
"""Rows held at a time; a row includes a plan and may take tens of kilobytes."""

_SLOW_LOG_DAYS = timedelta(days=1)
"""How far back the slow log is read at most: it searches files."""


@dataclass(frozen=True)
class Seen:
    """A kind of statement that somebody ran without an error."""

    statement: Statement
    digest: str
    db_user: str
    resource_group: str
    at: datetime
    """When it was run first in its window (UTC)."""


@dataclass(frozen=True)
class Offered:
    """What the server offers."""

    of_cluster: bool
    """All TiDB servers are asked, not only this one."""
    by_user: bool
    """The summary names all users of a statement, not just one."""
    everybody: bool
    """This database user may see what others ran: it has the right PROCESS."""
    evicted: int
    """Kinds of statements that were forgotten early."""


def offered(connection: Connection) -> Offered | str:
    """Say what the server offers, or why it offers nothing."""
    if is_sqlite(connection):
        return "SQLite, the embedded database, has none of TiDB's features"
    return _offered_by_a_server(connection)


def summary(connection: Connection, offer: Offered, since: datetime) -> Iterator[Seen]:
    """Read the kinds of statements that were run since then, as far as the server remembers; not our own."""
    for window in WINDOWS:
        names = [*_COLUMNS, *_COUNTED, *(["user"] if offer.by_user else [])]
        rows = _table(f"cluster_{window}" if offer.of_cluster else window, *names)
        user = rows.c.user if offer.by_user else rows.c.sample_user
        # The summary counts failed statements, too: a user who was denied a feature has not used it.
        wanted = select(*(rows.c[name] for name in _COLUMNS), user.label("db_user"), rows.c.first_seen).where(
            rows.c.exec_count > rows.c.sum_errors,
            rows.c.last_seen >= literal(since, Moment),
            user != "",
            # The digest has no comments; the sample keeps ours.
            rows.c.query_sample_text.not_like(f"%/* {labels.PROGRAM}%"),
        )
        for row in connection.execution_options(stream_results=True, yield_per=_PAGE).execute(wanted):
            text = Statement(row.stmt_type, row.digest_text, row.query_sample_text, row.plan or "")
            yield Seen(text, row.digest, row.db_user, row.resource_group or "", row.first_seen)


def slow_runs(
    connection: Connection, offer: Offered, digests: Collection[str], since: datetime, now: datetime
) -> Iterator[tuple[str, str, str, datetime]]:
    """Read from the slow log who ran these kinds of statements: digest, database user, resource group, when (UTC)."""
    name = "cluster_slow_query" if offer.of_cluster else "slow_query"
    rows = _table(name, "time", "user", "digest", "resource_group", "succ", "is_internal")
    wanted = select(rows.c.digest, rows.c.user, rows.c.resource_group, rows.c.time).where(
        rows.c.time >= literal(max(since, now - _SLOW_LOG_DAYS), Moment),
        rows.c.time <= literal(now, Moment),
        rows.c.succ == 1,
        or_(rows.c.is_internal == 0, rows.c.is_internal.is_(None)),
        rows.c.user != "",
    )
    for row in connection.execution_options(stream_results=True, yield_per=_PAGE).execute(wanted):
        if row.digest in digests:
            yield row.digest, row.user, row.resource_group or "", row.time


def _offered_by_a_server(connection: Connection) -> Offered | str:
    refused = _refusal(connection, WINDOWS[0])
    if refused:
        return f"the server has no statement summary: {refused}"
    by_user = "user" in {name.lower() for name in columns_in(connection, f"{_SCHEMA}.{WINDOWS[0]}")}
    evicted = _evicted(connection)
    if evicted is None:
        return Offered(of_cluster=False, by_user=by_user, everybody=False, evicted=0)
    of_cluster = not _refusal(connection, f"cluster_{WINDOWS[0]}")
    return Offered(of_cluster, by_user, everybody=True, evicted=evicted)


def _evicted(connection: Connection) -> int | None:
    """Count what was forgotten early; None if this database user may not ask."""
    rows = table("statements_summary_evicted", column("evicted_count"), schema=_SCHEMA)
    try:
        with translated():
            return int(connection.execute(select(func.coalesce(func.sum(rows.c.evicted_count), 0))).scalar_one())
    except StoreError as error:
        if code_of(error) in DENIED:
            return None
        raise


def _table(name: str, *columns: str) -> TableClause:
    return table(name, *(column(one, Moment if one in _MOMENTS else None) for one in columns), schema=_SCHEMA)


def _refusal(connection: Connection, name: str) -> str:
    rows: Any = _table(name, "digest")
    return refusal(lambda: connection.execute(select(rows.c.digest).limit(0)))
