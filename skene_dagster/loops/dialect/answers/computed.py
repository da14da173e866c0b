"""Values that are computed: numbers of columns, seconds of the clock, and texts."""

from fractions import Fraction

from sqlglot import exp

from skene_dagster.loops.dialect.answers.origins import ends
from skene_dagster.loops.dialect.rewriting import Rewritten
from skene_dagster.loops.dialect.sqlite.values import kind_of
from skene_dagster.loops.dialect.time.clocks import FUNCTION
from skene_dagster.loops.dialect.vocabulary import words

_OF_A_DAY = frozenset(f"{FUNCTION}{name}" for name in ("DATE_FORMAT", "DAY", "DAYOFMONTH", "MONTH", "TO_DAYS", "YEAR"))
"""Functions that make a number such as 20261129 of a moment: servers compare it with one as it should be."""
_TEXTS = words("INSERT JSON_UNQUOTE JSON_VALUE LPAD REGEXP_REPLACE REGEXP_SUBSTR REPEAT REVERSE RPAD")
"""Functions whose value is a text, and that the embedded database lacks."""
_THOUSANDS = (Fraction(1000), Fraction(1_000_000), Fraction(1, 1000))


def is_number(node: exp.Expr, rewritten: Rewritten) -> bool:
    """Whether a value is computed, and a number whatever its columns hold; one that is written out is none."""
    plain = node.this if isinstance(node, exp.Neg) else node
    written_out = isinstance(plain, exp.Literal | exp.Boolean) or isinstance(node, exp.Column)
    return not written_out and kind_of(node, rewritten) == "number"


def is_text(node: exp.Expr, rewritten: Rewritten) -> bool:
    """Whether a value is a text that is computed, of a text as a rule."""
    match node:
        case exp.Anonymous():
            name = node.name.removeprefix(FUNCTION)
            return name in _TEXTS or (name != "DATE_FORMAT" and kind_of(node, rewritten) == "text")
        case exp.JSONExtractScalar():
            return isinstance(node.this, exp.Column)
    return isinstance(node, exp.Cast) and kind_of(node, rewritten) == "text"


def counts_seconds(node: exp.Expr) -> bool:
    """Whether a number is one of seconds for certain."""
    called = {call.name for call in node.find_all(exp.Anonymous)}
    return f"{FUNCTION}UNIX_TIMESTAMP" in called and not called & _OF_A_DAY


def columns_in(node: exp.Expr) -> list[tuple[exp.Column, tuple[str, ...], Fraction]]:
    """List the columns of which a value is computed, with the tables that may have each.

    The third is by what the column's own number is multiplied. A number that is put together from a year, a month
    and a day has none.
    """
    found: list[tuple[exp.Column, tuple[str, ...], Fraction]] = []
    waiting, seen = [(node, Fraction(1))], {id(node)}
    while waiting:
        top, by = waiting.pop()
        called = {call.name for call in top.find_all(exp.Anonymous)}
        if called & _OF_A_DAY or any(isinstance(one, exp.Extract) or _is_a_hundred(one) for one in top.walk()):
            return []
        for column in top.find_all(exp.Column):
            factor = by * _factor(column, top)
            for end, tables in ends(column):
                if isinstance(end, exp.Column):
                    found.append((end, tables, factor))
                elif id(end) not in seen:
                    seen.add(id(end))
                    waiting.append((end, factor))
    return found


def _is_a_hundred(node: exp.Expr) -> bool:
    return isinstance(node, exp.Literal) and node.name in ("100", "10000") and isinstance(node.parent, exp.Mul)


def _factor(column: exp.Expr, top: exp.Expr) -> Fraction:
    """Say by which thousands a column's number is multiplied on the way to a value."""
    factor, inner = Fraction(1), column
    while inner is not top and inner.parent is not None:
        inner, part = inner.parent, inner
        if isinstance(inner, exp.Div | exp.IntDiv) and part is inner.this:
            factor /= _thousands(inner.expression)
        elif isinstance(inner, exp.Mul):
            factor *= _thousands(inner.expression if part is inner.this else inner.this)
    return factor


def _thousands(node: exp.Expr) -> Fraction:
    number = Fraction(node.name) if isinstance(node, exp.Literal) and not node.is_string else Fraction(1)
    return number if number in _THOUSANDS else Fraction(1)
