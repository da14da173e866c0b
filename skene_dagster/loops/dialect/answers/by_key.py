"""Whether a query can be restricted to some users, so that a large result can be read in parts."""

from sqlglot import exp

from skene_dagster.loops.dialect.structure import unwrapped

_NAMES = ("COUNT", "SUM", "AVG", "MIN", "MAX", "BIT_AND", "BIT_OR", "BIT_XOR", "STD", "STDDEV", "VARIANCE")
_AGGREGATES = frozenset(f"f_{name}" for name in _NAMES)


def is_aggregate(item: exp.Expr) -> bool:
    """Whether an item of a SELECT list is about several rows at once."""
    for node in item.walk(prune=lambda inner: isinstance(inner, exp.Query)):
        if isinstance(node, exp.GroupConcat | exp.Window) or (
            isinstance(node, exp.Anonymous) and node.name in _AGGREGATES
        ):
            return True
    return False


def is_by_key(tree: exp.Query, key: str) -> bool:
    """Whether each row of the result depends on one user only.

    Then a range of keys in the result can be looked up in the tables, and one range does not depend on when the others
    are read.
    """
    query = unwrapped(tree)
    if not isinstance(query, exp.Select) or query.args.get("with_"):
        return False
    if any(query.args.get(part) for part in ("limit", "offset", "windows")) or query.find(exp.Window):
        return False
    group = query.args.get("group")
    if group is None:
        return not any(is_aggregate(item) for item in query.expressions)
    # GROUP BY means a column of a table before it means an alias.
    named = next((item for item in query.expressions if item.alias_or_name.casefold() == key.casefold()), None)
    column = named.unalias().name if named is not None else key
    return any(grouped.name.casefold() == column.casefold() for grouped in group.expressions)
