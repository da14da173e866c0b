"""Users that a condition misses: a column that is NULL is neither before nor after any moment."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sqlglot import exp

from skene_dagster.loops.dialect.structure import conjuncts
from skene_dagster.loops.dialect.time.clocks import AS_OF, AS_OF_DATE
from skene_dagster.loops.plan import Query

_LONGEST = 60


@dataclass(frozen=True)
class Forgotten:
    """A comparison that is never true for a user whose column is NULL."""

    column: str
    written: str
    """The comparison in its author's words, or shortened."""
    at: int
    """Where in the text it stands."""


def before_a_moment(tree: exp.Query) -> tuple[str, ...]:
    """List the columns that a query wants to be before a moment, without mentioning NULL.

    Only clear cases are listed: a comparison that every row of the outermost SELECT must meet.
    """
    where = tree.args.get("where") if isinstance(tree, exp.Select) else None
    if where is None:
        return ()
    asked = {node.this.name.casefold() for node in tree.find_all(exp.Is)}
    return tuple(dict.fromkeys(name for name in _before_a_moment(where.this) if name.casefold() not in asked))


def forgotten(query: Query) -> list[Forgotten]:
    """List the comparisons by which a condition misses users whose column is NULL."""
    return [_found(column, query.author) for column in query.before_a_moment]


def _before_a_moment(where: exp.Expr) -> Iterator[str]:
    for condition in conjuncts(where):
        match condition:
            case exp.LT() | exp.LTE() if isinstance(condition.this, exp.Column) and _is_moment(condition.expression):
                yield condition.this.name
            case exp.GT() | exp.GTE() if isinstance(condition.expression, exp.Column) and _is_moment(condition.this):
                yield condition.expression.name


def _is_moment(side: exp.Expr) -> bool:
    return any(node.name in (AS_OF, AS_OF_DATE) for node in side.find_all(exp.Placeholder))


def _found(column: str, author: str) -> Forgotten:
    end = r"(?=\s+(?:AND|OR|GROUP|ORDER|HAVING|LIMIT)\b|\s*;?\s*$)"
    found = re.search(rf"(?is)(?:\w+\.)?`?\b{re.escape(column)}\b`?\s*<=?[^()]*(?:\([^()]*\)[^()]*?)*?{end}", author)
    if found is None:
        return Forgotten(column, f"{column} < …", 0)
    text = " ".join(found[0].split())
    return Forgotten(column, text if len(text) <= _LONGEST else f"{column} < …", found.start())
