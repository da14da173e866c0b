"""Write a checked query for the embedded database, or say which construct needs TiDB."""

from sqlglot import exp

from skene_dagster.loops.dialect.rewriting import Rewritten
from skene_dagster.loops.dialect.sqlite.expressions import Expressions
from skene_dagster.loops.dialect.sqlite.values import NeedsTidb
from skene_dagster.loops.dialect.structure import unwrapped
from skene_dagster.loops.dialect.time.moments import Moments


def write_sqlite(query: exp.Query, rewritten: Rewritten, moments: Moments) -> str:
    """Return the query for SQLite.

    Raises:
        NeedsTidb: it has something that SQLite cannot say with MySQL's meaning.
    """
    return _Queries(rewritten, moments).query(query)


def write_sqlite_expression(tree: exp.Expr, rewritten: Rewritten, moments: Moments) -> str:
    """Return a single expression for SQLite; see `write_sqlite`."""
    return Expressions(rewritten, moments, _Queries(rewritten, moments).query).expression(tree)


class _Queries:
    """One method per clause."""

    def __init__(self, rewritten: Rewritten, moments: Moments) -> None:
        self._expressions = Expressions(rewritten, moments, self.query)

    def query(self, query: exp.Expr) -> str:
        query = unwrapped(query)
        clause = query.args.get("with_")
        start = self._with(clause) if clause else ""
        body = self._set_operation(query) if isinstance(query, exp.SetOperation) else self._select(query)
        return start + body + self._order_and_limit(query)

    def _with(self, clause: exp.With) -> str:
        entries = []
        for entry in clause.expressions:
            alias = entry.args["alias"]
            reads_itself = any(table.name.casefold() == alias.name.casefold() for table in entry.find_all(exp.Table))
            if reads_itself and not clause.recursive:
                raise NeedsTidb("WITH under the name of the table that it reads")
            names = f"({self._expressions.all(alias.columns)})" if alias.columns else ""
            entries.append(f"{self._expressions.expression(alias.this)}{names} AS ({self.query(entry.this)})")
        return f"WITH {'RECURSIVE ' if clause.recursive else ''}{', '.join(entries)} "

    def _set_operation(self, query: exp.SetOperation) -> str:
        branches = (query.this, query.expression)
        kinds = {type(operation) for operation in (query, *branches) if isinstance(operation, exp.SetOperation)}
        if len(kinds) > 1:
            raise NeedsTidb("UNION mixed with EXCEPT or INTERSECT")
        for branch in branches:
            plain = isinstance(branch, exp.Select | exp.SetOperation)
            if not plain or any(branch.args.get(part) for part in ("order", "limit", "offset", "with_")):
                raise NeedsTidb("A query in parentheses inside UNION")
        word = type(query).__name__.upper() + (" ALL" if query.args.get("distinct") is False else "")
        return f"{self.query(branches[0])} {word} {self.query(branches[1])}"

    def _select(self, select: exp.Expr) -> str:
        if select.args.get("windows"):
            raise NeedsTidb("WINDOW")
        text = (
            "SELECT " + ("DISTINCT " if select.args.get("distinct") else "") + self._expressions.all(select.expressions)
        )
        origin = select.args.get("from_")
        if origin:
            text += f" FROM {self._source(origin.this)}"
        for join in select.args.get("joins") or []:
            text += self._join(join)
        for part in ("where", "having"):
            condition = select.args.get(part)
            if part == "having":
                text += self._group(select.args.get("group"))
            if condition and part == "having" and not select.args.get("group"):
                raise NeedsTidb("HAVING without GROUP BY")  # SQLite, 2026-11: only from 3.39 on
            if condition:
                text += f" {part.upper()} {self._expressions.expression(condition.this)}"
        return text

    def _group(self, group: exp.Group | None) -> str:
        if group is None:
            return ""
        if any(value for name, value in group.args.items() if name != "expressions"):
            raise NeedsTidb("WITH ROLLUP")
        return f" GROUP BY {self._expressions.all(group.expressions)}"

    def _order_and_limit(self, query: exp.Expr) -> str:
        order, limit, offset = (query.args.get(part) for part in ("order", "limit", "offset"))
        text = f" {self._expressions.order(order)}" if order else ""
        text += f" LIMIT {self._expressions.expression(limit.expression)}" if limit else ""
        return text + (f" OFFSET {self._expressions.expression(offset.expression)}" if offset else "")

    def _source(self, source: exp.Expr) -> str:
        if source.args.get("joins"):
            raise NeedsTidb("A join in parentheses")
        alias = source.args.get("alias")
        named = f" AS {self._expressions.expression(alias.this)}" if alias else ""
        if isinstance(source, exp.Table):
            # Index hints change no result; SQLite has none of those indexes.
            return ".".join(self._expressions.expression(part) for part in source.parts) + named
        if not isinstance(source.this, exp.Table):
            return f"({self.query(source.this)}){named}"
        raise NeedsTidb("A join in parentheses")

    def _join(self, join: exp.Join) -> str:
        if join.side == "RIGHT":
            raise NeedsTidb("RIGHT JOIN")  # SQLite, 2026-11: only from 3.39 on
        words = [word for word in (join.method, join.side, join.kind) if word]
        condition = join.args.get("on")
        using = join.args.get("using")
        comma = not words and condition is None and not using
        text = ", " if comma else f" {' '.join([*words, 'JOIN'])} "
        text += self._source(join.this)
        if condition is not None:
            text += f" ON {self._expressions.expression(condition)}"
        return text + (f" USING ({self._expressions.all(using)})" if using else "")
