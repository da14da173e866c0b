"""Read the author's SQL: one read-only SELECT, or an expression, as every database of ours gets it.

The only place that knows sqlglot.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from skene_dagster.errors import Place, QueryRejected
from skene_dagster.loops.dialect.by_key import is_by_key
from skene_dagster.loops.dialect.correlation import ROW_AT, ROW_KEY, ROWS, correlated
from skene_dagster.loops.dialect.lone_expression import judge_expression
from skene_dagster.loops.dialect.recipients import columns, is_plain, key, names_read, tables
from skene_dagster.loops.dialect.rewriting import TRIGGER_KEY, rewrite, rewrite_part
from skene_dagster.loops.dialect.scanner import Refusal, scan
from skene_dagster.loops.dialect.sqlite import write_sqlite, write_sqlite_expression
from skene_dagster.loops.dialect.sqlite_values import NeedsTidb
from skene_dagster.loops.dialect.structure import judge
from skene_dagster.loops.plan import Expression, Query
from skene_dagster.settings import Users

__all__ = ["ROWS", "ROW_AT", "ROW_KEY", "read_expression", "read_query"]

LONGEST = 50_000
"""Characters of SQL; a longer condition belongs into a view."""


def read_query(text: str, *, users: Users, place: Place) -> Query:
    """Read a condition's SQL: MySQL's dialect, and PostgreSQL's `INTERVAL '7 days'`.

    The texts are for SQLAlchemy's `text()`; `place.line` is the line of the text's first line.

    Raises:
        QueryRejected: it is not exactly one SELECT that only reads, or says something that the servers would read
            otherwise or not alike; or its result does not say which column is the user's key.
    """
    with _in_its_place(place):
        return _read(text, users)


def read_expression(text: str, *, place: Place) -> Expression:
    """Read SQL that is true or false for a row of one table, by that row's columns alone; see `read_query`.

    Raises:
        QueryRejected: it is something else.
    """
    with _in_its_place(place):
        return _read_expression(text)


@contextmanager
def _in_its_place(place: Place) -> Iterator[None]:
    try:
        yield
    except Refusal as bad:
        line = place.line
        if line is not None and bad.line is not None:
            line += bad.line - 1
        exact = Place(place.file, line, place.part)
        raise QueryRejected(bad.message, advice=bad.advice, place=exact) from None
    except RecursionError:
        raise QueryRejected("The query is nested too deeply.", advice="Make it simpler.", place=place) from None


def _read_expression(text: str) -> Expression:
    if len(text) > LONGEST:
        raise Refusal(f"The SQL has more than {LONGEST:,} characters.", "Make it simpler.")
    rewritten = rewrite_part(scan(text))
    tree = judge_expression(rewritten)
    try:
        sqlite, needs_tidb = write_sqlite_expression(tree, rewritten), ""
    except NeedsTidb as construct:
        sqlite, needs_tidb = None, f"{construct} needs TiDB"
    return Expression(text, "".join(rewritten.server).strip(), sqlite, needs_tidb)


def _read(text: str, users: Users) -> Query:
    if len(text) > LONGEST:
        raise Refusal(f"The query has more than {LONGEST:,} characters.", "Put it into a view.")
    words = scan(text)
    rewritten = rewrite(words)
    tree = judge(rewritten)
    users_key, result, sources = key(tree, users), columns(tree), tables(tree)
    by_row = TRIGGER_KEY in rewritten.binds
    if by_row:
        rewritten = rewrite(correlated(words, tree))
        tree = judge(rewritten)
    try:
        sqlite, needs_tidb = write_sqlite(tree, rewritten), ""
    except NeedsTidb as construct:
        sqlite, needs_tidb = None, f"{construct} needs TiDB"
    by_key = is_by_key(tree, users_key)
    return Query(
        author=text,
        mysql="".join(rewritten.server).strip(),
        sqlite=sqlite,
        needs_tidb=needs_tidb,
        tables=sources,
        reads=names_read(tree),
        columns=result,
        key=users_key,
        by_row=by_row,
        by_key=by_key,
        plain=by_key and is_plain(tree, users),
        binds=tuple(sorted(rewritten.binds)),
    )
