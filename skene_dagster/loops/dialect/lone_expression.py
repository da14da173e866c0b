"""Check an expression on its own: true or false for one row of one table, independent of who asks and when."""

from dataclasses import replace

from sqlglot import exp

from skene_dagster.loops.dialect import vocabulary as known
from skene_dagster.loops.dialect.rewriting import TRIGGER_KEY, Rewritten
from skene_dagster.loops.dialect.scanner import Refusal
from skene_dagster.loops.dialect.structure import judge
from skene_dagster.loops.dialect.time.clocks import FUNCTION
from skene_dagster.loops.sql_reads import ROW

BEFORE, _AFTER = f"SELECT * FROM {ROW} WHERE (", "\n)"
"""What is put around an expression for the parser."""
_A_ROW_ALONE = "Write an expression over the columns of one row, such as: name = 'export' AND size > 100"


def judge_expression(rewritten: Rewritten, *, alone: bool) -> exp.Expr:
    """Return the expression's tree.

    Args:
        alone: it may ask for nothing but its row.

    Raises:
        Refusal: it cannot be read, has a part that is not known, or asks for more than its row.
    """
    if not rewritten.judged:
        raise Refusal("The SQL is empty.", _A_ROW_ALONE)
    if TRIGGER_KEY in rewritten.binds:
        raise Refusal("$1 cannot be used.", "There is no row that triggered. " + _A_ROW_ALONE)
    if alone and rewritten.binds:
        raise Refusal(
            "The clock (NOW(), CURDATE() …) cannot be used.",
            "What an event is must not depend on when it is looked at. " + _A_ROW_ALONE,
        )
    where = judge(replace(rewritten, judged=[BEFORE, *rewritten.judged, _AFTER])).args["where"].this
    if not isinstance(where, exp.Paren):
        raise Refusal("This is not one expression.", _A_ROW_ALONE)
    # A subquery may count; the expression itself is asked for some users at a time, who are not all that there are.
    for node in where.walk(prune=lambda inner: not alone and isinstance(inner, exp.Query)):
        _refuse(node, alone=alone)
    inner: exp.Expr = where.this
    return inner


def _refuse(node: exp.Expr, *, alone: bool) -> None:
    match node:
        case exp.Query() | exp.Exists() if alone:
            raise Refusal("A subquery cannot be used.", _A_ROW_ALONE)
        case exp.Window() | exp.GroupConcat() | exp.Distinct():
            raise Refusal("Nothing can be counted over several rows.", _A_ROW_ALONE)
        case exp.Anonymous() if node.name.removeprefix(FUNCTION) in known.AGGREGATES:
            name = node.name.removeprefix(FUNCTION)
            raise Refusal(f"{name}() is about several rows.", _A_ROW_ALONE)
        case exp.Star():
            raise Refusal("* cannot be used.", _A_ROW_ALONE)
        case exp.Alias():
            raise Refusal(f"AS {node.alias} cannot be used.", f"An expression has no name. {_A_ROW_ALONE}")
