"""Which columns of a result name a user: followed through aliases, derived tables, WITH and sets."""

from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Literal

from sqlglot import exp

from skene_dagster.loops.dialect.answers.sources import Product, Source, common_table, is_star, sources
from skene_dagster.loops.dialect.structure import unwrapped

Names = Literal["own", "named", ""]
"""A column is the users table's own key; or it is called `user_id`, or may be NULL; or it names nobody.

Where a condition selects accounts, it is the accounts table's, and `account_id`.
"""


@dataclass(frozen=True)
class Output:
    """A column of a result, or the further columns that only the database knows."""

    name: str
    """Empty where there is none."""
    names: Names
    expression: exp.Expr
    unknown: bool = False
    """It stands for the columns of a table that a `*` returns."""
    of_users: bool = False
    """That table is the users table."""


class Lineage:
    """The columns of the queries inside one."""

    def __init__(self, product: Product) -> None:
        self._product = product
        self._known: dict[int, list[Output]] = {}
        self._open: set[int] = set()

    def outputs(self, query: exp.Expr) -> list[Output]:
        """List the columns of a query's result."""
        query = unwrapped(query)
        if id(query) not in self._known:
            made = self._of_set(query) if isinstance(query, exp.SetOperation) else self._of_select(query)
            if not self._open:
                self._known[id(query)] = made
            return made
        return self._known[id(query)]

    def is_users(self, source: Source) -> bool:
        """Whether a source is the users table, or keeps its key under its name."""
        key = self._product.users.key.casefold()
        return any(output.names == "own" and output.name.casefold() == key for output in self.of_source(source))

    def of_source(self, source: Source) -> list[Output]:
        """List the columns of what a SELECT reads."""
        node = source.node
        if isinstance(node, exp.Table):
            common = common_table(node)
            if common is None:
                return self._of_table(node)
            return _renamed(self._of_common(common), common.args["alias"])
        if not isinstance(node, exp.Subquery):
            return [Output("", "", node, unknown=True)]
        return _renamed(self.outputs(node.this), node.args.get("alias"))

    def _of_table(self, table: exp.Table) -> list[Output]:
        if not self._product.is_users(table):
            return [Output("", "", table, unknown=True)]
        return [Output(self._product.users.key, "own", table), Output("", "", table, unknown=True, of_users=True)]

    def _of_common(self, entry: exp.CTE) -> list[Output]:
        if id(entry) in self._open:
            # WITH RECURSIVE: what it begins with says what it goes on with.
            first = unwrapped(entry.this)
            return self.outputs(first.this) if isinstance(first, exp.SetOperation) else []
        if id(entry) not in self._known:
            self._open.add(id(entry))
            found = self.outputs(entry.this)
            self._open.remove(id(entry))
            self._known[id(entry)] = found
        return self._known[id(entry)]

    def _of_set(self, query: exp.SetOperation) -> list[Output]:
        left, right = self.outputs(query.this), self.outputs(query.expression)
        if isinstance(query, exp.Except):
            return left
        if any(output.unknown for output in (*left, *right)):
            alike = [output.name.casefold() for output in left] == [output.name.casefold() for output in right]
            pairs = list(zip(left, right, strict=True)) if alike else [(output, None) for output in left]
        else:
            pairs = [(a, b) for a, b in zip_longest(left, right) if a is not None]
        both = _either if isinstance(query, exp.Intersect) else _weaker
        return [replace(a, names=both(a.names, b.names if b else "")) for a, b in pairs]

    def _of_select(self, select: exp.Expr) -> list[Output]:
        read = sources(select)
        found: list[Output] = []
        for item in select.args.get("expressions") or []:
            found += self._of_item(item, read)
        return found

    def _of_item(self, item: exp.Expr, read: list[Source]) -> list[Output]:
        expression = item.unalias()
        if is_star(expression):
            table = expression.table.casefold() if isinstance(expression, exp.Column) else ""
            return [
                replace(output, names=_from(source, output.names), expression=expression)
                for source in read
                if table in ("", source.name)
                for output in self.of_source(source)
            ]
        name = item.alias_or_name if isinstance(item, exp.Alias | exp.Column) else ""
        names = self._names(expression, read) if name else ""
        return [Output(name, names or ("named" if name.casefold() == self._product.reference else ""), expression)]

    def _names(self, expression: exp.Expr, read: list[Source]) -> Names:
        if not isinstance(expression, exp.Column):
            return ""
        wanted, table = expression.name.casefold(), expression.table.casefold()
        found: list[Names] = []
        for source in read:
            if table in ("", source.name):
                outputs = self.of_source(source)
                own = next((output for output in outputs if output.name.casefold() == wanted), None)
                if own is not None:
                    found.append(_from(source, own.names))
                elif any(output.unknown for output in outputs):
                    found.append("named" if wanted == self._product.reference else "")
        # Of several tables that may have the column, it can be any's.
        return found[0] if len(found) == 1 or set(found) == {"named"} else ""


def _from(source: Source, names: Names) -> Names:
    return "named" if names and source.nullable else names


def _renamed(outputs: list[Output], alias: exp.Expr | None) -> list[Output]:
    names = [column.name for column in alias.args.get("columns") or []] if alias is not None else []
    if not names or any(output.unknown for output in outputs):
        return [Output("", "", alias, unknown=True)] if names and alias is not None else outputs
    return [replace(output, name=name) for output, name in zip(outputs, names, strict=False)]


def _weaker(a: Names, b: Names) -> Names:
    return "" if "" in (a, b) else "named" if "named" in (a, b) else "own"


def _either(a: Names, b: Names) -> Names:
    return "own" if "own" in (a, b) else "named" if "named" in (a, b) else ""
