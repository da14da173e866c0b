"""Which columns SQL reads as moments: compared with one, or handed to a function of time."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from sqlglot import exp

from skene_dagster.loops.dialect.answers.computed import columns_in, counts_seconds, is_number, is_text
from skene_dagster.loops.dialect.answers.origins import ends, origins, tables_of
from skene_dagster.loops.dialect.quoting import in_the_authors_words, line_of
from skene_dagster.loops.dialect.rewriting import Rewritten
from skene_dagster.loops.dialect.scanner import Refusal
from skene_dagster.loops.dialect.spans import Spans
from skene_dagster.loops.dialect.sqlite.values import has_words, kind_of
from skene_dagster.loops.dialect.structure import COMPARISONS, EQUALITIES, ORDERED
from skene_dagster.loops.dialect.time.clocks import FUNCTION
from skene_dagster.loops.dialect.vocabulary import words
from skene_dagster.loops.sql_reads import Beside, MomentRead, ReadAs

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
    against_seconds: bool = False
    """The others are no moments, but numbers of seconds."""


@dataclass
class _Found:
    """A value that is read as a moment: a column, or something that is computed of one."""

    use: _Use
    value: exp.Expr
    factor: Fraction = Fraction(1)
    """By what the column's own number is multiplied in it."""


@dataclass
class Moments:
    """The columns that a tree reads as moments."""

    columns: list[MomentRead] = field(default_factory=list)
    found: list[_Found] = field(default_factory=list)
    """Where each of them is read so."""
    inner: set[int] = field(default_factory=set)
    """The nodes, by identity, that are no operand themselves: they stand in an aggregate, or in a derived table."""


@dataclass(frozen=True)
class Remedy:
    """What to write of a column that is a number."""

    value: str
    """The column, or what is computed of it, in its author's words."""
    line: int
    """How many lines below the text's first it stands."""
    seconds: str
    """The comparison, or the call, as it is to be written if the numbers are seconds since 1970."""
    milliseconds: str


def moments(tree: exp.Expr, rewritten: Rewritten, *, around: int = 0) -> Moments:  # noqa: C901 - each case is short
    """Find the columns that SQL reads as moments.

    Args:
        around: how many characters were put before the author's words for the parser.

    Raises:
        Refusal: seconds of the clock are compared with a moment.
    """
    found, seen, spans = Moments(), set(), Spans(rewritten, around)

    def add(
        one: _Found, column: exp.Expr, tables: tuple[str, ...], beside: Beside = (), read_as: ReadAs = "moment"
    ) -> None:
        if (id(column), read_as) in seen:
            return
        seen.add((id(column), read_as))
        start, end = spans.of(one.value)
        is_item, is_compared = isinstance(column.parent, exp.Select), bool(one.use.others) and column is one.use.operand
        found.columns.append(MomentRead(tables, column.name, start, end, is_item, is_compared, beside, read_as))
        found.found.append(one)

    # What is a moment for certain comes first: a column is listed once.
    for use in sorted(_uses(tree, rewritten), key=lambda use: not use.is_known):
        if use.against_seconds:
            for column, tables in origins(use.operand):
                add(_Found(use, column), column, tables, read_as="against seconds")
            continue
        beside = () if use.is_known else tuple((tables, column.name) for column, tables in origins(use.others[0]))
        for value, tables in ends(use.operand) if use.is_known or beside else ():
            if isinstance(value, exp.Column):
                add(_Found(use, value), value, tables, beside)
            elif use.others and is_number(value, rewritten):
                if use.is_known and counts_seconds(value):
                    raise _seconds(_Found(use, value), rewritten)
                for column, its_tables, factor in columns_in(value):
                    add(_Found(use, value, factor), column, its_tables, beside, "number")
            elif any(not isinstance(other, exp.Literal) for other in use.others) and is_text(value, rewritten):
                for column, its_tables, _ in columns_in(value)[:1]:
                    add(_Found(use, value), column, its_tables, beside, "text")
            else:
                continue
            if value is not use.operand and use.is_known and not is_number(value, rewritten):
                found.inner.add(id(value))
    # What counts as NULL where it is compared is NULL where that is asked.
    known = {(read.tables, read.column.casefold()) for read in found.columns if _is_itself(read)}
    for asked in tree.find_all(exp.Is):
        if isinstance(asked.this, exp.Column) and isinstance(asked.expression, exp.Null):
            tables, _ = tables_of(asked.this)
            if (tables, asked.this.name.casefold()) in known:
                found.inner.add(id(asked.this))
                add(_Found(_Use(asked, asked.this, [asked.expression]), asked.this), asked.this, tables)
    return found


def remedies(found: Moments, rewritten: Rewritten) -> list[Remedy]:
    """Say of each column what to write if it is a number."""
    return [
        Remedy(
            _words(one.value, rewritten),
            _line(one, rewritten) - 1,
            _words(_remedy(one, 1, rewritten), rewritten),
            _words(_remedy(one, 1000, rewritten), rewritten),
        )
        for one in found.found
    ]


def _is_itself(read: MomentRead) -> bool:
    return read.read_as == "moment" and not read.beside


def _line(one: _Found, rewritten: Rewritten) -> int:
    return line_of(one.value, rewritten) or 1


def _seconds(one: _Found, rewritten: Rewritten) -> Refusal:
    return Refusal(
        f"{_words(one.value, rewritten)} is a number, but is read as a date and time here.",
        f"Write: {_words(_remedy(one, 1, rewritten), rewritten)}",
        _line(one, rewritten),
    )


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
    for at, side in enumerate(sides):
        known = [other for other, kind in zip(sides, kinds, strict=True) if kind == "moment" and other is not side]
        seconds = [other for other in sides if other is not side and _is_seconds(other, rewritten)]
        if known:
            yield _Use(node, side, known)
        elif seconds:
            yield _Use(node, side, seconds, against_seconds=True)
        elif isinstance(node, ORDERED) and not kinds[1 - at]:
            yield _Use(node, side, [sides[1 - at]], is_known=False)


def _is_seconds(side: exp.Expr, rewritten: Rewritten) -> bool:
    return is_number(side, rewritten) and counts_seconds(side)


def _remedy(one: _Found, times: int, rewritten: Rewritten) -> exp.Expr:
    """Write the same of a column that is a number of seconds, or of thousandths of a second."""
    use, value, scale = one.use, one.value, times * one.factor
    if use.against_seconds:
        return _with(use.node, [(use.operand, _call("UNIX_TIMESTAMP", use.operand.copy()))])
    if not use.others or kind_of(use.operand, rewritten) == "moment":
        seconds = _call("FROM_UNIXTIME", _times(value.copy(), 1 / scale))
        # Of a column within, in a derived table, only the column itself can be shown.
        within = any(inner is value for inner in use.node.walk())
        return _with(use.node, [(value, seconds)]) if within else seconds
    numbers = [(other, _times(_call("UNIX_TIMESTAMP", other.copy()), scale)) for other in use.others]
    return _with(use.node, numbers)


def _times(number: exp.Expr, scale: Fraction) -> exp.Expr:
    if scale.numerator != 1:
        number = exp.Mul(this=number, expression=exp.Literal.number(scale.numerator))
    if scale.denominator != 1:
        number = exp.Div(this=number, expression=exp.Literal.number(scale.denominator))
    return number


def _call(name: str, argument: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this=f"{FUNCTION}{name}", expressions=[argument])


def _with(node: exp.Expr, changes: list[tuple[exp.Expr, exp.Expr]]) -> exp.Expr:
    """Copy a part of the tree, and the NOT before it, with other parts in the place of some of its own."""
    if isinstance(node, (*COMPARISONS, exp.Between, exp.In)):
        around = node.parent.parent if isinstance(node.parent, exp.Paren) else node.parent
        node = around if isinstance(around, exp.Not) else node
    places = [next(at for at, inner in enumerate(node.walk()) if inner is old) for old, _ in changes]
    copy = node.copy()
    inside = list(copy.walk())
    for place, (_, new) in zip(places, changes, strict=True):
        inside[place].replace(new)
    return copy


def _words(node: exp.Expr, rewritten: Rewritten) -> str:
    # sqlglot, 2026-11: it would write the names of functions in capitals, and INTERVAL '7' DAY; and NOT before it all.
    text = node.sql("mysql", normalize_functions=False)
    if isinstance(node, exp.Not) and isinstance(node.this, exp.Between | exp.In):
        first = node.this.this.sql("mysql", normalize_functions=False)
        text = f"{first} NOT{text.removeprefix('NOT ').removeprefix(first)}"
    text = in_the_authors_words(re.sub(r"INTERVAL '(-?[\d.]+)'", r"INTERVAL \1", text), rewritten, longest=None)
    return re.sub(r"\b(AND|IN|NOT|OR)\(", r"\1 (", text)
