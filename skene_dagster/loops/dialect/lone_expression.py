"""Check an expression on its own: for one row of one table true or false, or a moment, independent of who asks."""

from dataclasses import replace

from sqlglot import exp

from skene_dagster.loops.dialect import vocabulary as known
from skene_dagster.loops.dialect.answers.origins import ends
from skene_dagster.loops.dialect.quoting import in_the_authors_words
from skene_dagster.loops.dialect.rewriting import TRIGGER_KEY, Rewritten, rewrite_part
from skene_dagster.loops.dialect.scanner import Refusal, Word, scan
from skene_dagster.loops.dialect.sqlite.values import kind_of
from skene_dagster.loops.dialect.structure import judge
from skene_dagster.loops.dialect.time.clocks import FUNCTION
from skene_dagster.loops.sql_reads import ROW

BEFORE, _AFTER = f"SELECT * FROM {ROW} WHERE (", "\n)"
"""What is put around an expression for the parser."""
_READ = "TIMESTAMP("
# So early that it is a way to write `never`; see product/readable.py.
_IS_ONE = ") > '1000-01-01'"
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
    # SQLGlot 30, 2026-11: brackets around a subquery are a subquery, too.
    is_subquery = isinstance(where, exp.Subquery) and isinstance(where.this, exp.Subquery)
    if not (isinstance(where, exp.Paren) or is_subquery):
        raise Refusal("This is not one expression.", _A_ROW_ALONE)
    # A subquery may count; the expression itself is asked for some users at a time, who are not all that there are.
    for node in where.walk(prune=lambda inner: not alone and isinstance(inner, exp.Query)):
        _refuse(node, alone=alone)
    inner: exp.Expr = where.this
    return inner


def test_of_a_moment(words: list[Word]) -> list[Word]:
    """Make of an expression that is a moment, or NULL, one that is true if it is a moment."""
    last = words[-1].line if words else 1
    return [*scan(_READ), *words, *(replace(word, line=last) for word in scan(_IS_ONE))]


def judge_moment(words: list[Word]) -> None:
    """Check an expression that is to be a moment, or NULL.

    Raises:
        Refusal: it is no expression, or certainly no moment: true or false, or a number.
    """
    rewrite_part(words)
    rewritten = rewrite_part(test_of_a_moment(words))
    read = judge_expression(rewritten, alone=False).this.expressions
    if len(read) != 1 or isinstance(read[0], exp.Tuple):
        raise Refusal("This is not one expression.", _A_ROW_ALONE)
    for value, _ in ends(read[0]):
        if isinstance(value, exp.Predicate | exp.Connector | exp.Not) or kind_of(value, rewritten) == "number":
            raise Refusal(
                f"{_shown(value, rewritten)} is no moment.",
                "Write what is the moment when they agreed, or NULL: CASE WHEN newsletter = 1 THEN created_at END",
            )


def judge_key(words: list[Word]) -> None:
    """Check an expression that is to be a key, or NULL.

    Raises:
        Refusal: it is certainly none: true or false, or several values.
    """
    rewritten = rewrite_part(words)
    tree = judge_expression(rewritten, alone=False)
    if isinstance(tree, exp.Tuple):
        raise Refusal("This is not one expression.", _A_ROW_ALONE)
    for value, _ in ends(tree):
        if isinstance(value, exp.Predicate | exp.Connector | exp.Not):
            raise Refusal(
                f"{_shown(value, rewritten)} is true or false, and no key.",
                "Write a column with a key, such as: owner_id",
            )


def _shown(value: exp.Expr, rewritten: Rewritten) -> str:
    if isinstance(value, exp.Not) and isinstance(value.this, exp.Is):
        # SQLGlot 30, 2026-11: it writes NOT x IS NULL.
        text = f"{_sql(value.this.this)} IS NOT {_sql(value.this.expression)}"
    else:
        text = _sql(value)
    return in_the_authors_words(text, rewritten)


def _sql(value: exp.Expr) -> str:
    return value.sql("mysql", normalize_functions=False)


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
