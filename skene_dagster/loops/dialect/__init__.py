"""Read the author's SQL, one read-only SELECT or an expression, and prepare it for each of our databases.

The only place that knows sqlglot.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from sqlglot import exp

from skene_dagster.errors import Place, QueryRejected
from skene_dagster.loops.dialect.answers.by_key import is_by_key
from skene_dagster.loops.dialect.answers.correlation import ROW_AT, ROW_KEY, ROWS, correlated
from skene_dagster.loops.dialect.answers.nulls import before_a_moment
from skene_dagster.loops.dialect.answers.recipients import columns, is_plain, key, names_read
from skene_dagster.loops.dialect.answers.sources import Product, tables
from skene_dagster.loops.dialect.lone_expression import (
    BEFORE,
    judge_expression,
    judge_key,
    judge_moment,
    test_of_a_moment,
)
from skene_dagster.loops.dialect.parts import cut, written
from skene_dagster.loops.dialect.rewriting import TRIGGER_KEY, rewrite, rewrite_part
from skene_dagster.loops.dialect.scanner import Refusal, Word, scan
from skene_dagster.loops.dialect.sqlite.queries import write_sqlite, write_sqlite_expression
from skene_dagster.loops.dialect.sqlite.values import NeedsTidb
from skene_dagster.loops.dialect.structure import conjuncts, judge
from skene_dagster.loops.dialect.time.moments import Remedy, moments, remedies
from skene_dagster.loops.dialect.time.windows import windows
from skene_dagster.loops.plan import Expression, Query
from skene_dagster.settings import Keyed, Users
from skene_dagster.text_lines import TextLines

__all__ = [
    "ROWS",
    "ROW_AT",
    "ROW_KEY",
    "Part",
    "Remedy",
    "parts_of",
    "read_expression",
    "read_key",
    "read_moment",
    "read_query",
    "read_test",
    "remedies_of",
]

MOST_WORDS = 12_000
"""The most words, numbers, commas, …: as many as are read in a second."""
LONGEST = 50_000
"""The most characters of SQL; a longer condition belongs in a view."""
_SHORTER = "Put it into a view; a long list, into a table."


def read_query(text: str, *, users: Keyed, place: Place, lines: TextLines | None = None, schema: str = "") -> Query:
    """Read a condition's SQL: MySQL's dialect, and PostgreSQL's `INTERVAL '7 days'`.

    The texts are for SQLAlchemy's `text()`; `place.line` is the line of the text's first line.

    Args:
        users: the table whose rows it selects: users, or accounts.
        lines: where the text's lines are in its file; those of the text itself where they are not given.
        schema: the name of the connected database, if it is known.

    Raises:
        QueryRejected: it is not exactly one SELECT that only reads, or servers would read it differently than meant, or
            than each other; or its result does not say which column is the user's key.
    """
    with _in_its_place(place):
        return _read(text, Product(users, schema), lines)


def read_expression(text: str, *, place: Place, lines: TextLines | None = None) -> Expression:
    """Read SQL that is true or false for a row of one table, by that row's columns alone; see `read_query`.

    Raises:
        QueryRejected: it is something else.
    """
    with _in_its_place(place):
        return _read_expression(text, _scanned(text, lines), alone=True)


def read_test(text: str, *, place: Place, lines: TextLines | None = None) -> Expression:
    """Read SQL that is true or false for a user, as the WHERE of a condition is; see `read_query`.

    Raises:
        QueryRejected: it is something else.
    """
    with _in_its_place(place):
        return _read_expression(text, _scanned(text, lines), alone=False)


def read_key(text: str, *, place: Place, lines: TextLines | None = None) -> Expression:
    """Read SQL that is another row's key, of a row of one table, or NULL; see `read_test`.

    Raises:
        QueryRejected: it is something else.
    """
    with _in_its_place(place):
        words = _scanned(text, lines)
        found = _read_expression(text, words, alone=False)
        judge_key(words)
        return found


def read_moment(text: str, *, place: Place, lines: TextLines | None = None) -> Expression:
    """Read SQL that is a moment of a user, or NULL, as a test that is true if it is a moment; see `read_test`.

    What cannot be read as a moment is none, as everywhere.

    Raises:
        QueryRejected: it is something else.
    """
    with _in_its_place(place):
        words = _scanned(text, lines)
        judge_moment(words)
        return replace(_read_expression(text, test_of_a_moment(words), alone=False), is_moment=True)


def remedies_of(sql: Query | Expression, lines: TextLines | None = None) -> list[Remedy]:
    """Say for each of `moments` what to write if that column is a number; `lines` are those that it was read with."""
    words = scan(sql.author, lines)
    if isinstance(sql, Expression):
        rewritten = rewrite_part(test_of_a_moment(words) if sql.is_moment else words)
        return remedies(moments(judge_expression(rewritten, alone=False), rewritten, around=len(BEFORE)), rewritten)
    rewritten = rewrite(words)
    tree = judge(rewritten)
    if sql.by_row:
        rewritten = rewrite(correlated(words, tree))
        tree = judge(rewritten)
    return remedies(moments(tree, rewritten), rewritten)


@dataclass(frozen=True)
class Part:
    """One of the conditions that must all hold for a user to be selected."""

    author: str
    """As it was written, on one line."""
    columns: tuple[str, ...]
    """The columns of the users table that it reads, in the order in which it names them."""
    query: Query | None
    """Selects who meets this condition alone; None: it reads other tables, too."""


def parts_of(query: Query, users: Users, schema: str = "") -> tuple[Part, ...]:
    """Cut a plain condition at the ANDs of its WHERE; one without a WHERE, or that cannot be cut, has no parts."""
    try:
        words = scan(query.author)
        pieces = cut(words)
        where = judge(rewrite(words)).args.get("where")
        # Two that read it by themselves, and come to the same.
        if where is None or len([*conjuncts(where.this)]) != len(pieces.conditions):
            return ()
        return tuple(_part(pieces.alone(one), written(one), Product(users, schema)) for one in pieces.conditions)
    except (Refusal, RecursionError):
        return ()


def _part(text: str, author: str, product: Product) -> Part:
    query = _read(text, product, None)
    read = judge(rewrite(scan(text))).args["where"].find_all(exp.Column)
    # What is read in its order: sqlglot, 2026-11, walks the breadth first.
    columns = dict.fromkeys(column.name for column in sorted(read, key=lambda one: one.parts[-1].meta["start"]))
    alone = all(product.is_users(exp.to_table(name)) for name in query.tables)
    return Part(author, tuple(columns), query if alone and not query.by_row else None)


@contextmanager
def _in_its_place(place: Place) -> Iterator[None]:
    try:
        yield
    except Refusal as bad:
        line = place.line
        if line is not None and bad.line is not None:
            line += bad.line - 1
        exact = Place(place.file, line, place.part)
        raise QueryRejected(bad.message, advice=bad.advice, place=exact, code=bad.code) from None
    except RecursionError:
        raise QueryRejected("The query is nested too deeply.", advice="Make it simpler.", place=place) from None


def _scanned(text: str, lines: TextLines | None) -> list[Word]:
    if len(text) > LONGEST:
        raise Refusal(f"The SQL has more than {LONGEST:,} characters.", _SHORTER)
    words = scan(text, lines)
    if len(words) > MOST_WORDS:
        raise Refusal(f"The SQL has more than {MOST_WORDS:,} words.", _SHORTER)
    return words


def _read_expression(text: str, words: list[Word], *, alone: bool) -> Expression:
    rewritten = rewrite_part(words)
    tree = judge_expression(rewritten, alone=alone)
    read = moments(tree, rewritten, around=len(BEFORE))
    try:
        sqlite, needs_tidb = write_sqlite_expression(tree, rewritten, read), ""
    except NeedsTidb as construct:
        sqlite, needs_tidb = None, f"{construct} needs TiDB"
    return Expression(text, "".join(rewritten.server).strip(), sqlite, needs_tidb, tuple(read.columns))


def _read(text: str, product: Product, lines: TextLines | None) -> Query:
    words = _scanned(text, lines)
    rewritten = rewrite(words)
    tree = judge(rewritten)
    users_key, result, read = key(tree, product), columns(tree, rewritten), tables(tree)
    asked_of_the_clock, before = windows(tree, rewritten), before_a_moment(tree)
    by_row = TRIGGER_KEY in rewritten.binds
    if by_row:
        rewritten = rewrite(correlated(words, tree))
        tree = judge(rewritten)
    as_moments = moments(tree, rewritten)
    try:
        sqlite, needs_tidb = write_sqlite(tree, rewritten, as_moments), ""
    except NeedsTidb as construct:
        sqlite, needs_tidb = None, f"{construct} needs TiDB"
    by_key = is_by_key(tree, users_key.name)
    return Query(
        author=text,
        mysql="".join(rewritten.server).strip(),
        sqlite=sqlite,
        needs_tidb=needs_tidb,
        tables=read,
        reads=names_read(tree),
        columns=result,
        key=users_key.name,
        own_key=users_key.own,
        by_row=by_row,
        by_key=by_key,
        plain=by_key and users_key.own and is_plain(tree),
        binds=tuple(sorted(rewritten.binds)),
        windows=asked_of_the_clock,
        before_a_moment=before,
        moments=tuple(as_moments.columns),
    )
