"""From which columns of which tables a value comes: through functions that choose, derived tables, WITH and sets."""

from collections.abc import Iterator

from sqlglot import exp

from skene_dagster.loops.dialect import vocabulary as known
from skene_dagster.loops.dialect.answers.sources import common_table, is_star, sources, written
from skene_dagster.loops.dialect.structure import unwrapped
from skene_dagster.loops.dialect.time.clocks import FUNCTION
from skene_dagster.loops.dialect.vocabulary import words

_CHOOSE = words("ANY_VALUE COALESCE FIRST_VALUE GREATEST IFNULL LAST_VALUE LEAST MAX MIN")
"""Functions whose value is one of their arguments."""
_CHOOSE_FIRST = frozenset(("LAG", "LEAD", "NTH_VALUE", "NULLIF"))


def origins(operand: exp.Expr) -> list[tuple[exp.Column, tuple[str, ...]]]:
    """Follow a value to the columns that it is one of, each with the tables that may have it."""
    return [(end, tables) for end, tables in ends(operand) if isinstance(end, exp.Column)]


def ends(operand: exp.Expr) -> list[tuple[exp.Expr, tuple[str, ...]]]:
    """Follow a value to what it is one of: columns with their tables, and what is computed, which has none."""
    found: list[tuple[exp.Expr, tuple[str, ...]]] = []
    waiting, seen = [operand], {id(operand)}
    while waiting:
        node = waiting.pop()
        if isinstance(node, exp.Column):
            tables, further = tables_of(node)
            if tables:
                found.append((node, tables))
        else:
            further = _values(node)
            if not further:
                found.append((node, ()))
        waiting += [one for one in further if id(one) not in seen]
        seen |= {id(one) for one in further}
    return found


def _values(node: exp.Expr) -> list[exp.Expr]:
    """List what a value is one of."""
    match node:
        case exp.Paren() | exp.Window() | exp.Alias():
            return [node.this]
        case exp.Case():
            otherwise = node.args.get("default")
            return [branch.args["true"] for branch in node.args["ifs"]] + ([otherwise] if otherwise else [])
        case exp.Subquery():
            return _items(node.this, 0, "")
        case exp.Anonymous():
            return _chosen(node)
    return []


def _chosen(call: exp.Anonymous) -> list[exp.Expr]:
    name = call.name.removeprefix(FUNCTION)
    if name == "NULLIF" and any(isinstance(argument, exp.Literal) for argument in call.expressions):
        return []  # A strict server refuses to compare the moment with 'never'.
    if name in _CHOOSE:
        return call.expressions
    if name in _CHOOSE_FIRST:
        return call.expressions[:1]
    return call.expressions[1:] if name == "IF" else []


def item_named(column: exp.Column) -> exp.Expr | None:
    """Find the item of the SELECT list whose alias a name in HAVING or ORDER BY is.

    MariaDB 10.11, TiDB 8.5, 2026-11: an alias goes before the column of that name, unless that is grouped by; within
    an aggregate the name is the column's. SQLite prefers the column.
    """
    inner: exp.Expr = column
    while inner.parent is not None and not isinstance(inner, exp.Having | exp.Order | exp.Query):
        inner = inner.parent
        if isinstance(inner, exp.Anonymous) and inner.name.removeprefix(FUNCTION) in known.AGGREGATES:
            return None
    select = inner.parent
    if column.table or isinstance(inner, exp.Query) or not isinstance(select, exp.Select):
        return None
    group = select.args.get("group")
    grouped = [one for one in (group.expressions if group else []) if isinstance(one, exp.Column)]
    if any(_is_called(one, column.name) for one in grouped) and isinstance(inner, exp.Having):
        return None
    aliased = (item for item in select.expressions if isinstance(item, exp.Alias) and _is_called(item, column.name))
    return next((item.this for item in aliased), None)


def tables_of(column: exp.Column) -> tuple[tuple[str, ...], list[exp.Expr]]:
    """Find the tables that may have a column, and what it is in the SELECT list, or in derived tables that have it."""
    item = item_named(column)
    if item is not None:
        return (), [item]
    tables: list[str] = []
    further: list[exp.Expr] = []
    for node in _sources_of(column):
        common = common_table(node) if isinstance(node, exp.Table) else None
        if common is None and isinstance(node, exp.Table):
            tables.append(written(node))
        elif common is not None or isinstance(node, exp.Subquery):
            items = _named(common or node, column.name)
            further += items
            tables += [] if items else _behind_a_star((common or node).this)
    return tuple(dict.fromkeys(tables)), further


def _sources_of(column: exp.Column) -> Iterator[exp.Expr]:
    """Find what a column may be of: the sources of its SELECT, or of those around it that it can see."""
    wanted, select = column.table.casefold(), column.find_ancestor(exp.Select)
    while select is not None:
        found = [source.node for source in sources(select) if wanted in ("", source.name)]
        yield from found
        around = select.find_ancestor(exp.Select, exp.CTE, exp.From, exp.Join)
        if (found and wanted) or not isinstance(around, exp.Select):
            return
        select = around


def _named(derived: exp.Expr, name: str) -> list[exp.Expr]:
    """List the items that make a column of a derived table or of a WITH entry."""
    alias = derived.args.get("alias")
    names = [column.name.casefold() for column in (alias.args.get("columns") or [] if alias is not None else [])]
    if not names:
        return _items(derived.this, None, name)
    return _items(derived.this, names.index(name.casefold()), "") if name.casefold() in names else []


def _items(query: exp.Expr, place: int | None, name: str) -> list[exp.Expr]:
    """List the items of a query's SELECT lists that make one of its columns: by its place, or else by its name."""
    query = unwrapped(query)
    if isinstance(query, exp.SetOperation):
        branches = [query.this, query.expression]
        if place is None:
            first = _items_of_first(query)
            place = next((at for at, item in enumerate(first) if _is_called(item, name)), None)
        return [] if place is None else [item for branch in branches for item in _items(branch, place, name)]
    listed: list[exp.Expr] = query.args.get("expressions") or []
    if place is not None:
        return listed[place : place + 1]
    return [item for item in listed if _is_called(item, name)]


def _items_of_first(query: exp.Expr) -> list[exp.Expr]:
    while isinstance(query, exp.SetOperation):
        query = unwrapped(query.this)
    return query.args.get("expressions") or []


def _is_called(item: exp.Expr, name: str) -> bool:
    return str(item.alias_or_name).casefold() == name.casefold()


def _behind_a_star(query: exp.Expr) -> list[str]:
    """List the tables whose columns a query passes on by `*`."""
    query = unwrapped(query)
    if not any(is_star(item) for item in query.args.get("expressions") or []):
        return []
    nodes = [source.node for source in sources(query)]
    tables = [written(node) for node in nodes if isinstance(node, exp.Table) and common_table(node) is None]
    return tables + [table for node in nodes if isinstance(node, exp.Subquery) for table in _behind_a_star(node.this)]
