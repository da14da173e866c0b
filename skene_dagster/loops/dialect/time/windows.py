"""What a condition asks of a column and the clock: the window of moments that it selects at a tick."""

import re
from collections import defaultdict
from collections.abc import Iterator

from sqlglot import exp

from skene_dagster.loops.dialect.answers.by_key import is_aggregate
from skene_dagster.loops.dialect.quoting import line_of
from skene_dagster.loops.dialect.rewriting import Rewritten, rewrite
from skene_dagster.loops.dialect.scanner import scan
from skene_dagster.loops.dialect.sqlite.queries import write_sqlite_expression
from skene_dagster.loops.dialect.sqlite.values import NeedsTidb
from skene_dagster.loops.dialect.structure import conjuncts, judge
from skene_dagster.loops.dialect.time.clocks import AS_OF, AS_OF_DATE, FUNCTION
from skene_dagster.loops.dialect.time.moments import Moments
from skene_dagster.loops.sql_reads import Window

_MOMENT = "moment"
_OF_THE_CALENDAR = re.compile(r"'(MONTH|QUARTER|YEAR)'|skene_(last_day|date_format|part)\b")
_WITH_UNIT = (f"{FUNCTION}TIMESTAMPADD", f"{FUNCTION}TIMESTAMPDIFF")


def windows(tree: exp.Query, rewritten: Rewritten) -> tuple[Window, ...]:
    """List the windows of a query, one for each column that a SELECT of it compares with the clock.

    Left out is what counts or shows rows or asks for users who have none (NOT EXISTS, EXCEPT), and what only TiDB can
    evaluate.
    """
    return tuple(
        window for select in tree.find_all(exp.Select) if _selects(select) for window in _of_select(select, rewritten)
    )


def window_of(condition: str) -> Window:
    """Read the window of a condition that compares one column with the clock."""
    rewritten = rewrite(scan(f"SELECT id FROM users WHERE {condition}"))
    (window,) = windows(judge(rewritten), rewritten)
    return window


_AROUND = (
    exp.With, exp.CTE, exp.Subquery, exp.From, exp.Join, exp.Exists, exp.In, exp.Where, exp.And, exp.Paren, exp.Select,
    exp.SetOperation,
)  # fmt: skip


def _selects(select: exp.Select) -> bool:
    """Whether the rows of a SELECT are users who are selected, and not counted, left out or only shown."""
    if select.args.get("having") or any(is_aggregate(item) for item in select.expressions):
        return False
    inner: exp.Expr = select
    while inner.parent is not None:
        outer = inner.parent
        shown = isinstance(outer, exp.Select) and inner.arg_key == "expressions"
        left_out = isinstance(outer, exp.Except) and inner.arg_key == "expression"
        if not isinstance(outer, _AROUND) or shown or left_out:
            return False
        inner = outer
    return True


def _of_select(select: exp.Select, rewritten: Rewritten) -> Iterator[Window]:
    clauses = [where.this for where in (select.args.get("where"),) if where is not None]
    clauses += [join.args["on"] for join in select.args.get("joins") or () if join.args.get("on") and not join.side]
    found: dict[str, list[exp.Expr]] = defaultdict(list)
    for condition in (part for clause in clauses for part in conjuncts(clause)):
        columns = {column.sql("mysql") for column in _columns(condition)} if _asks_the_clock(condition) else set()
        if len(columns) == 1:
            found[columns.pop()].append(condition)
    for column, conditions in found.items():
        try:
            sqlite = " AND ".join(f"({_written(condition, rewritten)})" for condition in conditions)
        except NeedsTidb:
            continue
        calendar = _OF_THE_CALENDAR.search(sqlite) is not None
        yield Window(column, sqlite, calendar, line_of(conditions[0], rewritten) or 1)


def _columns(condition: exp.Expr) -> Iterator[exp.Column]:
    for column in condition.find_all(exp.Column):
        call = column.parent
        # sqlglot, 2026-11: the unit of TIMESTAMPDIFF(DAY, …) looks like a column.
        if not (isinstance(call, exp.Anonymous) and call.name in _WITH_UNIT and call.expressions[0] is column):
            yield column


def _asks_the_clock(condition: exp.Expr) -> bool:
    binds = (node.name in (AS_OF, AS_OF_DATE) for node in condition.find_all(exp.Placeholder))
    return any(binds) and condition.find(exp.Query) is None


def _written(condition: exp.Expr, rewritten: Rewritten) -> str:
    """Write a condition for SQLite, its column being a moment; without SQLAlchemy's way of writing a colon."""
    condition = condition.copy()
    for column in list(_columns(condition)):
        column.replace(exp.column(_MOMENT))
    return write_sqlite_expression(condition, rewritten, Moments()).replace(r"\:", ":")
