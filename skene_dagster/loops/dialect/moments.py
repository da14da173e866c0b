"""Which columns SQL reads as moments: compared with one, or handed to a function of time."""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate

from sqlglot import exp

from skene_dagster.loops.dialect.clocks import FUNCTION
from skene_dagster.loops.dialect.origins import origins, tables_of
from skene_dagster.loops.dialect.quoting import in_the_authors_words, line_of
from skene_dagster.loops.dialect.rewriting import Rewritten
from skene_dagster.loops.dialect.sqlite_values import has_words, kind_of
from skene_dagster.loops.dialect.structure import COMPARISONS, EQUALITIES, ORDERED
from skene_dagster.loops.dialect.vocabulary import words
from skene_dagster.loops.sql_reads import Beside, MomentRead

_FIRST = words("""
    ADDDATE CONVERT_TZ DATE DATE_ADD DATE_FORMAT DATE_SUB DAY DAYNAME DAYOFMONTH DAYOFWEEK DAYOFYEAR HOUR LAST_DAY
    MICROSECOND MINUTE MONTH MONTHNAME QUARTER SECOND SUBDATE TIMESTAMP TO_DAYS TO_SECONDS UNIX_TIMESTAMP WEEK WEEKDAY
    WEEKOFYEAR YEAR YEARWEEK
    """)
"""Functions whose first argument is a moment."""
_ARGUMENTS = {"DATEDIFF": (0, 1), "TIMESTAMPDIFF": (1, 2), "TIMESTAMPADD": (2,), **dict.fromkeys(_FIRST, (0,))}
_CASTS = (exp.DType.DATE, exp.DType.DATETIME)


@dataclass
class _Use:
    """A place where values are read as moments."""

    node: exp.Expr
    operand: exp.Expr
    """What is read as a moment."""
    others: list[exp.Expr]
    """The moments that it is compared with; none where it is handed to a function."""
    is_known: bool = True
    """The others are moments whatever the database says."""


@dataclass
class Moments:
    """The columns that a tree reads as moments."""

    columns: list[MomentRead] = field(default_factory=list)
    uses: list[_Use] = field(default_factory=list)
    """Where each of them is read so."""
    nodes: list[exp.Column] = field(default_factory=list)
    inner: set[int] = field(default_factory=set)
    """The nodes, by identity, that are no operand themselves: they stand in an aggregate, or in a derived table."""


@dataclass(frozen=True)
class Remedy:
    """What to write of a column that is a number."""

    column: str
    """In its author's words."""
    line: int
    """How many lines below the text's first it stands."""
    seconds: str
    """The comparison, or the call, as it is to be written if the numbers are seconds since 1970."""
    milliseconds: str


def moments(tree: exp.Expr, rewritten: Rewritten, *, around: int = 0) -> Moments:
    """Find the columns that SQL reads as moments.

    Args:
        around: how many characters were put before the author's words for the parser.
    """
    found, seen, spans = Moments(), set(), _Spans(rewritten, around)

    def add(use: _Use, column: exp.Column, tables: tuple[str, ...], beside: Beside = ()) -> None:
        if id(column) in seen:
            return
        seen.add(id(column))
        start, end = spans.of(column)
        is_item, is_compared = isinstance(column.parent, exp.Select), bool(use.others) and column is use.operand
        found.columns.append(MomentRead(tables, column.name, start, end, is_item, is_compared, beside))
        found.uses.append(use)
        found.nodes.append(column)

    # What is a moment for certain comes first: a column is listed once.
    for use in sorted(_uses(tree, rewritten), key=lambda use: not use.is_known):
        beside = () if use.is_known else tuple((tables, column.name) for column, tables in origins(use.others[0]))
        for column, tables in origins(use.operand) if use.is_known or beside else ():
            if column is not use.operand and use.is_known:
                found.inner.add(id(column))
            add(use, column, tables, beside)
    # What counts as NULL where it is compared is NULL where that is asked.
    known = {(read.tables, read.column.casefold()) for read in found.columns if not read.beside}
    for asked in tree.find_all(exp.Is):
        if isinstance(asked.this, exp.Column) and isinstance(asked.expression, exp.Null):
            tables, _ = tables_of(asked.this)
            if (tables, asked.this.name.casefold()) in known:
                found.inner.add(id(asked.this))
                add(_Use(asked, asked.this, [asked.expression]), asked.this, tables)
    return found


def remedies(found: Moments, rewritten: Rewritten) -> list[Remedy]:
    """Say of each column what to write if it is a number."""
    return [
        Remedy(
            _words(column, rewritten),
            (line_of(column, rewritten) or 1) - 1,
            _words(_remedy(use, column, 1), rewritten),
            _words(_remedy(use, column, 1000), rewritten),
        )
        for use, column in zip(found.uses, found.nodes, strict=True)
    ]


def _uses(tree: exp.Expr, rewritten: Rewritten) -> Iterator[_Use]:
    for node in tree.walk():
        match node:
            case exp.Between():
                yield from _compared(node, [node.this, node.args["low"], node.args["high"]], rewritten)
            case exp.In() if node.expressions:
                yield from _compared(node, [node.this, *node.expressions], rewritten)
            case exp.Anonymous():
                places = _ARGUMENTS.get(node.name.removeprefix(FUNCTION), ())
                yield from (_Use(node, node.expressions[at], []) for at in places if at < len(node.expressions))
            case exp.Extract():
                yield _Use(node, node.expression, [])
            case exp.Cast() if node.to.this in _CASTS:
                yield _Use(node, node.this, [])
            case exp.Add() | exp.Sub() if isinstance(node.expression, exp.Interval):
                yield _Use(node, node.this, [])
            case _ if isinstance(node, COMPARISONS):
                yield from _compared(node, [node.this, node.expression], rewritten)


def _compared(node: exp.Expr, sides: list[exp.Expr], rewritten: Rewritten) -> Iterator[_Use]:
    if isinstance(node, EQUALITIES) and has_words(sides, rewritten):
        return
    kinds = [kind_of(side, rewritten) for side in sides]
    known = [side for side, kind in zip(sides, kinds, strict=True) if kind == "moment"]
    rest = [side for side, kind in zip(sides, kinds, strict=True) if not kind]
    if known:
        yield from (_Use(node, side, known) for side in rest)
    elif len(rest) == 2 and isinstance(node, ORDERED):
        for side, other in (rest, rest[::-1]):
            yield _Use(node, side, [other], is_known=False)


def _remedy(use: _Use, column: exp.Column, times: int) -> exp.Expr:
    """Write the same of a column that is a number of seconds, or of thousandths of a second."""
    if not use.others:
        number = column.copy() if times == 1 else exp.Div(this=column.copy(), expression=exp.Literal.number(times))
        # Of a column within, in a derived table, only the column itself can be shown.
        within = any(inner is column for inner in use.node.walk())
        return _with(use.node, [(column, _call("FROM_UNIXTIME", number))]) if within else _call("FROM_UNIXTIME", number)
    numbers = []
    for other in use.others:
        seconds = _call("UNIX_TIMESTAMP", other.copy())
        factor = exp.Literal.number(times)
        numbers.append((other, seconds if times == 1 else exp.Mul(this=seconds, expression=factor)))
    return _with(use.node, numbers)


def _call(name: str, argument: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this=f"{FUNCTION}{name}", expressions=[argument])


def _with(node: exp.Expr, changes: list[tuple[exp.Expr, exp.Expr]]) -> exp.Expr:
    """Copy a part of the tree with other parts in the place of some of its own."""
    places = [next(at for at, inner in enumerate(node.walk()) if inner is old) for old, _ in changes]
    copy = node.copy()
    inside = list(copy.walk())
    for place, (_, new) in zip(places, changes, strict=True):
        inside[place].replace(new)
    return copy


def _words(node: exp.Expr, rewritten: Rewritten) -> str:
    # sqlglot, 2026-11: it would write the names of functions in capitals, and INTERVAL '7' DAY.
    text = node.sql("mysql", normalize_functions=False).replace(" IN(", " IN (")
    return in_the_authors_words(re.sub(r"INTERVAL '(-?[\d.]+)'", r"INTERVAL \1", text), rewritten, longest=None)


class _Spans:
    """Where in a server's text the columns stand that the parser saw."""

    def __init__(self, rewritten: Rewritten, around: int) -> None:
        self._rewritten = rewritten
        self._around = around
        self._judged = list(accumulate(map(len, rewritten.judged), initial=0))
        self._server = list(accumulate(map(len, rewritten.server), initial=0))
        text = "".join(rewritten.server)
        self._cut = len(text) - len(text.lstrip())

    def of(self, column: exp.Column) -> tuple[int, int]:
        """Return where a column begins and ends."""
        first, last = column.parts[0].meta["start"] - self._around, column.parts[-1].meta["start"] - self._around
        return self._server_start(first), self._server[self._piece(last) + 1] - self._cut

    def _piece(self, offset: int) -> int:
        return bisect_right(self._judged, offset) - 1

    def _server_start(self, offset: int) -> int:
        piece = self._piece(offset)
        text = self._rewritten.server[piece]
        return self._server[piece] + len(text) - len(text.lstrip()) - self._cut
