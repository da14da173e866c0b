"""What is known about a value in the embedded database: a point in time, a number or a text."""

import re

from sqlglot import exp

from skene_dagster.loops.dialect.answers.origins import item_named
from skene_dagster.loops.dialect.quoting import string_value
from skene_dagster.loops.dialect.rewriting import Rewritten
from skene_dagster.loops.dialect.sqlite.calls import CALLS, OF_THEIR_ARGUMENTS, Kind
from skene_dagster.loops.dialect.structure import COMPARISONS, EQUALITIES
from skene_dagster.loops.dialect.time import dates
from skene_dagster.loops.dialect.time.clocks import AS_OF, AS_OF_DATE, FUNCTION
from skene_dagster.loops.dialect.vocabulary import words

_NUMBERS = (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Mod, exp.Neg, exp.Extract, exp.Boolean)
_CASTS: dict[exp.DType, Kind] = {
    exp.DType.DATE: "moment",
    exp.DType.DATETIME: "moment",
    exp.DType.CHAR: "text",
    exp.DType.BIGINT: "number",
}
_MOMENTS = words("ADDDATE CONVERT_TZ DATE_ADD DATE_SUB FROM_DAYS MAKEDATE STR_TO_DATE SUBDATE TIMESTAMPADD")

SYMBOLS: dict[type[exp.Expr], str] = {
    exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">=", exp.NullSafeEQ: "IS",
    exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.And: "AND", exp.Or: "OR",
}  # fmt: skip
LOOSE = (*COMPARISONS, exp.And, exp.Or, exp.Not, exp.In, exp.Between, exp.Like, exp.Escape, exp.Is)
"""What binds less than an operand may: MySQL and SQLite would read it differently without parentheses."""

SHOWN: dict[type[exp.Expr], str] = {
    exp.Xor: "XOR", exp.RegexpLike: "REGEXP", exp.JSONExtract: "->", exp.JSONExtractScalar: "->>", exp.Any: "ANY",
    exp.JSONArrayContains: "MEMBER OF", exp.GroupConcat: "GROUP_CONCAT()", exp.BitwiseAnd: "&", exp.BitwiseOr: "|",
    exp.BitwiseXor: "^", exp.BitwiseNot: "~", exp.BitwiseLeftShift: "<<", exp.BitwiseRightShift: ">>",
    exp.Tuple: "A list in parentheses", exp.All: "ALL", exp.Collate: "COLLATE", exp.Extract: "EXTRACT() of this unit",
    exp.Trim: "TRIM() of other letters", exp.Distinct: "COUNT() of several columns",
}  # fmt: skip
"""What the embedded database lacks, by the names that authors know."""


class NeedsTidb(Exception):
    """The construct that the embedded database does not have."""


def kind_of(node: exp.Expr, rewritten: Rewritten) -> Kind:
    """Say what a value is known to be."""
    match node:
        case exp.Placeholder() if node.name in (AS_OF, AS_OF_DATE):
            return "moment"
        case exp.Literal():
            value = string_value(node, rewritten)
            return "number" if value is None else "moment" if dates.is_moment(value) else "text"
        case exp.Paren():
            return kind_of(node.this, rewritten)
        case exp.Column():
            item = item_named(node)
            return "" if item is None else kind_of(item, rewritten)
        case exp.Add() | exp.Sub() if isinstance(node.expression, exp.Interval):
            return "moment"
        case exp.Cast():
            return _CASTS.get(node.to.this, "")
        case exp.Window():
            return kind_of(node.this, rewritten)
        case exp.Anonymous():
            return _kind_of_call(node, rewritten)
    return "number" if isinstance(node, _NUMBERS) else ""


def kinds_of_values(call: exp.Anonymous, rewritten: Rewritten) -> list[Kind]:
    """Say of what kinds the values are between which a call chooses."""
    return [kind_of(value, rewritten) for value in _values(call)]


def has_words(nodes: list[exp.Expr], rewritten: Rewritten) -> bool:
    """Whether one of several values is a string that is no moment, such as 'never', or may be one by its default."""
    for node in nodes:
        if isinstance(node, exp.Literal) and kind_of(node, rewritten) == "text":
            return True
        # What NULLIF is compared with is never its value.
        if _chooses(node) and has_words(_values(node)[: 1 if node.name == f"{FUNCTION}NULLIF" else None], rewritten):
            return True
    return False


def are_moments(node: exp.Expr, sides: list[exp.Expr], rewritten: Rewritten) -> bool:
    """Whether what is compared with each other are points in time.

    Raises:
        NeedsTidb: they are of different kinds.
    """
    kinds = {kind_of(side, rewritten) for side in sides} - {""}
    if "number" in kinds and len(kinds) > 1:
        raise NeedsTidb("Comparing a number with a string")
    if any(isinstance(side, exp.Literal) and dates.is_a_number(side.name) for side in sides):
        # A moment is a text there, and greater than every number.
        raise NeedsTidb("A date that is written as a number")
    words_too = has_words(sides, rewritten)
    if "moment" in kinds and words_too and not isinstance(node, EQUALITIES):
        raise NeedsTidb("Comparing a point in time with another text")
    return "moment" in kinds and not words_too


def in_full(node: exp.Expr) -> bool:
    """Whether a point in time has date, time and fraction whatever happens."""
    if isinstance(node, (exp.Add, exp.Sub)):
        return in_full(node.this)
    return isinstance(node, exp.Placeholder) and node.name == AS_OF


def moment_of(literal: exp.Expr, rewritten: Rewritten) -> str | None:
    """Return a date that is written as a string in the full form; None if it is no such string.

    Raises:
        NeedsTidb: there is no such day.
    """
    value = string_value(literal, rewritten)
    if value is None or not dates.is_moment(value):
        return None
    read = dates.read(value)
    if read is None:
        raise NeedsTidb(f"The date {value!r}")
    return read.isoformat(" ", "microseconds")


def quoted(value: str) -> str:
    """Write a text for SQLAlchemy's `text()`."""
    return "'" + value.replace("'", "''").replace(":", r"\:") + "'"


def negative(written: str) -> str:
    """Write a number with the other sign."""
    if re.fullmatch(r"-[\d.]+", written):
        return written[1:]
    return f"-{written}" if re.fullmatch(r"[\d.]+", written) else f"-({written})"


def _kind_of_call(node: exp.Anonymous, rewritten: Rewritten) -> Kind:
    name = node.name.removeprefix(FUNCTION)
    if name in _MOMENTS:
        return "moment"
    if name == "NULLIF":
        return kind_of(node.expressions[0], rewritten) if node.expressions else ""
    if name in OF_THEIR_ARGUMENTS:
        return next((kind for kind in kinds_of_values(node, rewritten) if kind), "")
    if name in ("TIMESTAMPDIFF", "DATE_FORMAT"):
        return "number" if name == "TIMESTAMPDIFF" else "text"
    return CALLS[name].kind if name in CALLS else ""


def _values(call: exp.Expr) -> list[exp.Expr]:
    """List the arguments of a call that are no condition."""
    return call.expressions[1:] if call.name == f"{FUNCTION}IF" else call.expressions


def _chooses(node: exp.Expr) -> bool:
    return isinstance(node, exp.Anonymous) and node.name.removeprefix(FUNCTION) in OF_THEIR_ARGUMENTS
