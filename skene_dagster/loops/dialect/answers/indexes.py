"""Which index could find what a condition wants from a table, judging by the condition's text alone."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sqlglot import exp

from skene_dagster.loops.dialect.answers.sources import common_table, written
from skene_dagster.loops.dialect.quoting import string_value
from skene_dagster.loops.dialect.rewriting import Rewritten, rewrite
from skene_dagster.loops.dialect.scanner import scan
from skene_dagster.loops.dialect.structure import conjuncts, judge
from skene_dagster.loops.plan import Query
from skene_dagster.text_lines import TextLines


@dataclass(frozen=True)
class Reading:
    """A table at one place of a condition's SQL."""

    table: str
    """As its author wrote it."""
    name: str
    """What the query, and with it the server's plan, calls it: its alias, or its name without a schema."""
    line: int
    """How many lines below the text's first it stands."""
    limited: bool
    """A LIMIT may end the reading early."""
    points: tuple[str, ...]
    """Columns that must equal a value, in lower case; a column without its table's name may be another table's."""
    ranges: tuple[str, ...]
    """Columns that must lie before, after or between values, likewise."""


def readings(query: Query, lines: TextLines | None = None) -> list[Reading]:
    """List the tables that a condition reads, each as often as it stands there.

    Where their lines are is told by `lines`, as for `read_query`.

    Of their columns only those that an index surely serves: by themselves compared with what is known before any row is
    read, in a comparison that every row must meet.
    """
    rewritten = rewrite(scan(query.author, lines))
    tables = judge(rewritten).find_all(exp.Table, bfs=False)
    return [_reading(table, rewritten) for table in tables if common_table(table) is None]


def index(reading: Reading, columns: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Choose an index among the table's columns: first those that equal a value, then one that lies in a range."""
    own = {column.casefold(): column for column in columns}
    points = dict.fromkeys(own[name] for name in reading.points if name in own)
    ranges = [own[name] for name in reading.ranges if name in own and own[name] not in points]
    # Behind a range the index is not sorted by what would come next.
    return tuple(points), tuple(ranges[:1])


def _reading(table: exp.Table, rewritten: Rewritten) -> Reading:
    name = table.alias_or_name
    conditions = [one for clause in _clauses(table) for one in conjuncts(clause)]
    points = _own(name, [_point(one) for one in conditions])
    ranges = _own(name, [_range(one, rewritten) for one in conditions])
    return Reading(written(table), name, table.this.meta["line"] - 1, _is_limited(table), points, ranges)


def _is_limited(table: exp.Table) -> bool:
    node: exp.Expr | None = table
    while node is not None and not node.args.get("limit"):
        node = node.parent
    return node is not None


def _own(name: str, columns: Iterable[exp.Column | None]) -> tuple[str, ...]:
    """Keep the columns of a table, and those that do not say whose they are."""
    own = ("", name.casefold())
    return tuple(column.name.casefold() for column in columns if column and column.table.casefold() in own)


def _clauses(table: exp.Table) -> Iterator[exp.Expr]:
    """Find the clauses that each row of a table must meet."""
    select = table.find_ancestor(exp.Select)
    assert select is not None
    joins: list[exp.Join] = select.args.get("joins") or []
    join = table.find_ancestor(exp.Join, exp.Select)
    if any(other.side == "RIGHT" for other in joins):
        return
    if isinstance(join, exp.Join) and join.side:
        # WHERE is asked of what was joined: `x.id IS NULL` finds those for whom there is no x.
        clauses = [join.args.get("on")]
    else:
        where = select.args.get("where")
        clauses = [where and where.this, *(other.args.get("on") for other in joins if not other.side)]
    yield from (clause for clause in clauses if clause is not None)


def _point(condition: exp.Expr) -> exp.Column | None:
    """Find the column that a condition looks up by a value, or by several."""
    match condition:
        case exp.EQ() | exp.NullSafeEQ():
            return _against_a_value(condition)
        case exp.Is(this=exp.Column() as column, expression=exp.Null()):
            return column
        case exp.In(this=exp.Column() as column, expressions=[_, *_] as values) if all(map(_is_known, values)):
            return column
        # TiDB and MariaDB, 2026-11: `NOT sent` looks up 0, and `sent` all but 0, in an index on both sides of it.
        case exp.Column() as column:
            return column
        case exp.Not(this=exp.Column() as column):
            return column
    return None


def _range(condition: exp.Expr, rewritten: Rewritten) -> exp.Column | None:
    """Find the column whose values a condition bounds."""
    match condition:
        case exp.LT() | exp.LTE() | exp.GT() | exp.GTE():
            return _against_a_value(condition)
        case exp.Between(this=exp.Column() as column, args={"low": low, "high": high}):
            return column if _is_known(low) and _is_known(high) else None
        case exp.Like(this=exp.Column() as column) if not condition.args.get("negate"):
            return column if (string_value(condition.expression, rewritten) or "%")[0] not in "%_" else None
    return None


def _against_a_value(comparison: exp.Expr) -> exp.Column | None:
    left, right = comparison.this, comparison.expression
    if isinstance(left, exp.Column):
        return left if _is_known(right) else None
    return right if isinstance(right, exp.Column) and _is_known(left) else None


def _is_known(value: exp.Expr) -> bool:
    """Whether a value is known before any row is read."""
    return value.find(exp.Column, exp.Query) is None
