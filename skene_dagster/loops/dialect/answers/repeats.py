"""Users that a condition may return twice: a join has a row for each match, but a user may appear only once."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from sqlglot import exp

from skene_dagster.loops.dialect.answers.by_key import is_aggregate
from skene_dagster.loops.dialect.answers.lineage import Lineage
from skene_dagster.loops.dialect.answers.sources import Product, Source, common_table, is_star, sources, written
from skene_dagster.loops.dialect.rewriting import rewrite
from skene_dagster.loops.dialect.scanner import scan
from skene_dagster.loops.dialect.structure import conjuncts, judge, unwrapped
from skene_dagster.loops.plan import Query
from skene_dagster.settings import Keyed
from skene_dagster.text_lines import TextLines

UniqueKeys = Mapping[str, Iterable[frozenset[str]]]
"""The columns, in lower case, that no two rows of a table have in common; by the table as it is written."""


@dataclass(frozen=True)
class Repeated:
    """A source of which a user may have several rows."""

    source: str
    """The table, or what the query calls it; empty for both SELECTs of a UNION ALL."""
    key: str
    """The key, as it is written."""
    shown: bool
    """Columns of the source are in the result, too."""
    line: int
    """How many lines below the text's first it stands."""


def repeated(
    query: Query, users: Keyed, lines: TextLines | None = None, *, schema: str = "", unique: UniqueKeys | None = None
) -> Repeated | None:
    """Find what may return a user twice, if anything; unclear cases are not reported.

    Args:
        unique: what the database says; a column `id` is taken for a key of its table where it was not asked.
    """
    if query.by_row:
        return None
    tree = unwrapped(judge(rewrite(scan(query.author, lines))))
    if isinstance(tree, exp.Union):
        return Repeated("", query.key, shown=False, line=0) if tree.args.get("distinct") is False else None
    if not isinstance(tree, exp.Select) or tree.args.get("distinct") or tree.args.get("group"):
        return None
    read = sources(tree)
    if len(read) < 2 or any(is_aggregate(item) for item in tree.expressions):
        return None
    return _Join(tree, read, Product(users, schema), unique).repeated(query.key)


class _Join:
    """One SELECT of several sources."""

    def __init__(self, select: exp.Select, read: list[Source], product: Product, unique: UniqueKeys | None) -> None:
        self._select = select
        self._read = read
        self._product = product
        self._lineage = Lineage(product)
        self._unique = unique
        self._conditions = [part for clause in self._clauses() for part in conjuncts(clause)]

    def repeated(self, key: str) -> Repeated | None:
        column = self._key(key)
        owners = [source for source in self._read if column is not None and self._may_own(source, column)]
        if column is None or len(owners) != 1:
            return None
        owner = owners[0]
        own = [output.names for output in self._lineage.of_source(owner) if _same(output.name, column.name)]
        if own != ["own"] and not self._is_single(owner, {column.name.casefold()}):
            return self._found(owner, column)
        others = (source for source in self._read if source is not owner)
        many = next((source for source in others if not self._is_single(source, self._compared(source))), None)
        return self._found(many, column) if many else None

    def _key(self, key: str) -> exp.Column | None:
        """Find the key as it is written, with the table that it is of."""
        for item in self._select.expressions:
            column = item.unalias()
            if not isinstance(column, exp.Column):
                continue
            named = (source for source in self._read if source.name == column.table.casefold())
            if is_star(column) and any(map(self._lineage.is_users, named)):
                return exp.column(self._product.users.key, table=column.table)
            if _same(item.alias_or_name, key):
                return column
        return None

    def _may_own(self, source: Source, column: exp.Column) -> bool:
        if column.table:
            return column.table.casefold() == source.name
        return any(output.unknown or _same(output.name, column.name) for output in self._lineage.of_source(source))

    def _found(self, source: Source, key: exp.Column) -> Repeated:
        node = source.node
        name = written(node) if isinstance(node, exp.Table) else node.alias_or_name
        shown = any(
            column.table.casefold() == source.name and column.sql() != key.sql()
            for item in self._select.expressions
            for column in item.find_all(exp.Column)
        )
        found = next((inner.meta["line"] for inner in node.walk() if "line" in inner.meta), 1)
        return Repeated(name, key.sql("mysql"), shown=shown, line=found - 1)

    def _is_single(self, source: Source, columns: set[str]) -> bool:
        """Whether at most one row of a source has these columns' values, or nobody can tell."""
        node = source.node
        if self._is_anti_joined(source):
            return True
        if isinstance(node, exp.Table):
            common = common_table(node)
            if common is None:
                return any(key <= columns for key in self._keys(node))
            return _is_single_of(common.this, columns, self._lineage)
        return _is_single_of(node.this, columns, self._lineage)

    def _keys(self, table: exp.Table) -> Iterable[frozenset[str]]:
        if self._product.is_users(table):
            yield frozenset((self._product.users.key.casefold(),))
        if self._unique is not None and written(table) in self._unique:
            yield from self._unique[written(table)]
        else:
            yield frozenset(("id",))

    def _compared(self, source: Source) -> set[str]:
        """List the columns of a source that equal something of another."""
        found: set[str] = set()
        for condition in self._conditions:
            if isinstance(condition, exp.EQ):
                sides = (condition.this, condition.expression), (condition.expression, condition.this)
                found |= {
                    side.name.casefold()
                    for side, other in sides
                    if isinstance(side, exp.Column)
                    and side.table.casefold() == source.name
                    and not any(column.table.casefold() in ("", source.name) for column in other.find_all(exp.Column))
                }
        using = source.join.args.get("using") if source.join else None
        return found | {column.name.casefold() for column in using or []}

    def _is_anti_joined(self, source: Source) -> bool:
        """Whether only users without a row there are wanted: LEFT JOIN … WHERE x.id IS NULL."""
        where = self._select.args.get("where")
        return source.nullable and any(
            isinstance(part, exp.Is)
            and isinstance(part.expression, exp.Null)
            and isinstance(part.this, exp.Column)
            and part.this.table.casefold() == source.name
            for part in (conjuncts(where.this) if where else ())
        )

    def _clauses(self) -> Iterator[exp.Expr]:
        where = self._select.args.get("where")
        if where is not None:
            yield where.this
        for source in self._read:
            if source.join is not None and source.join.args.get("on") is not None:
                yield source.join.args["on"]


def _is_single_of(query: exp.Expr, columns: set[str], lineage: Lineage) -> bool:
    """Whether a query has at most one row for these columns' values, or nobody can tell."""
    query = unwrapped(query)
    outputs = lineage.outputs(query)
    if any(output.unknown for output in outputs):
        return True
    names = {output.name.casefold() for output in outputs}
    if isinstance(query, exp.SetOperation):
        return query.args.get("distinct") is not False and names <= columns
    grouped, limit = query.args.get("group"), query.args.get("limit")
    if limit is not None or query.find(exp.Window):
        return True
    if grouped is None and any(is_aggregate(item) for item in query.expressions):
        return True
    if query.args.get("distinct"):
        return names <= columns
    if grouped is not None:
        by = {column.sql() for column in grouped.expressions}
        shown = {output.name.casefold() for output in outputs if output.expression.sql() in by}
        return len(shown) < len(by) or shown <= columns
    own = {output.name.casefold() for output in outputs if output.names == "own"}
    return len(sources(query)) > 1 or bool(own & columns)


def _same(a: str, b: str) -> bool:
    return a.casefold() == b.casefold()
