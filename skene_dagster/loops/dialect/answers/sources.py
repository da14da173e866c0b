"""What a SELECT reads: its source tables, by the names that WITH gives and by those of the database."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlglot import exp

from skene_dagster.settings import Accounts, Keyed


@dataclass(frozen=True)
class Product:
    """Where the users are, or the accounts, and which schema a table without one belongs to."""

    users: Keyed
    """The table whose rows a condition selects."""
    schema: str = ""
    """The connected database's name; empty where it is not known."""

    @property
    def word(self) -> str:
        """What a row of it is called."""
        return "account" if isinstance(self.users, Accounts) else "user"

    @property
    def reference(self) -> str:
        """What a column of another table is called that holds its key."""
        return f"{self.word}_id"

    def is_users(self, table: exp.Table) -> bool:
        """Whether a table of the database is the users table."""
        return self._bare(written(table)) == self._bare(self.users.table)

    def _bare(self, name: str) -> str:
        folded = name.casefold()
        return folded.removeprefix(f"{self.schema.casefold()}.") if self.schema else folded


@dataclass(frozen=True)
class Source:
    """A table, a derived table or a WITH entry that a SELECT reads."""

    node: exp.Expr
    join: exp.Join | None
    """How it is joined; None of the first."""
    nullable: bool
    """An outer join may leave its columns NULL."""

    @property
    def name(self) -> str:
        """What the SELECT calls it, in lower case."""
        return str(self.node.alias_or_name).casefold()


def sources(select: exp.Expr) -> list[Source]:
    """List what a SELECT reads, those in parentheses one by one."""
    origin = select.args.get("from_")
    found = list(_of(origin.this, None)) if origin else []
    for join in select.args.get("joins") or []:
        found += _of(join.this, join)
    sides = [join.side if join else "" for _, join in found]
    return [
        Source(node, join, sides[at] in ("LEFT", "FULL") or not {"RIGHT", "FULL"}.isdisjoint(sides[at + 1 :]))
        for at, (node, join) in enumerate(found)
    ]


def _of(node: exp.Expr, join: exp.Join | None) -> Iterator[tuple[exp.Expr, exp.Join | None]]:
    if isinstance(node.this, exp.Table):
        yield from _of(node.this, join)
        return
    yield node, join
    for inner in node.args.get("joins") or []:
        yield from _of(inner.this, join or inner)


def is_star(item: exp.Expr) -> bool:
    """Whether an item of a SELECT list is `*` or `t.*`."""
    return isinstance(item, exp.Star) or isinstance(item.this, exp.Star)


def tables(query: exp.Query) -> tuple[str, ...]:
    """Return the source tables as they are written, without the names that WITH defines, sorted."""
    found = {written(table) for table in query.find_all(exp.Table) if common_table(table) is None}
    return tuple(sorted(found))


def written(table: exp.Table) -> str:
    """Name a source table as it is written, with its schema if it has one there."""
    return f"{table.db}.{table.name}" if table.db else table.name


def common_table(table: exp.Table) -> exp.CTE | None:
    """Find the WITH entry that a table name means; one that is being defined does not mean itself."""
    if table.db:
        return None
    inner: exp.Expr = table
    node = table.parent
    while node is not None:
        clause = node.args.get("with_")
        if isinstance(clause, exp.With):
            entries: list[exp.CTE] = clause.expressions
            if inner is clause:
                entries = entries[: _entry_of(table, clause) + bool(clause.recursive)]
            for entry in reversed(entries):
                if entry.alias.casefold() == table.name.casefold():
                    return entry
        inner, node = node, node.parent
    return None


def _entry_of(table: exp.Table, clause: exp.With) -> int:
    node: exp.Expr = table
    while node.parent is not clause:
        assert node.parent is not None
        node = node.parent
    return [id(entry) for entry in clause.expressions].index(id(node))
