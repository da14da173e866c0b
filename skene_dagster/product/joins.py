"""Joins with tables that a database has no statistics for: it assumes that a new table is large.

The hints here are for SQLite (https://www.sqlite.org/lang_corefunc.html#likelihood, and "side note" about CROSS JOIN
in https://www.sqlite.org/lang_select.html). MariaDB and TiDB see how few rows such a table has.
"""

from typing import Any

from sqlalchemy import ColumnElement, FromClause
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.selectable import Join


class _Join(Join):
    inherit_cache = True

    def __init__(self, left: FromClause, right: FromClause, on: ColumnElement[bool]) -> None:
        super().__init__(left, right, on)


class FromFew(_Join):
    """A join of few rows, on the left, with many, each of which is found by an index: there has to be one."""

    inherit_cache = True


class WithFew(_Join):
    """A join of rows with few others, on the right, which are looked at last."""

    inherit_cache = True


@compiles(FromFew, "sqlite")
def _from_few(element: FromFew, compiler: SQLCompiler, **kw: Any) -> str:
    # SQLite 3.40, 2026-11: for a million rows, as which it takes a table without statistics, it would first read all of
    # the right into a Bloom filter. What is always true, such as IS NOT NULL of a key, it drops with its likelihood.
    first = compiler.process(next(iter(element.left.c)), **kw)
    left, right, on = _sides(element, compiler, **kw)
    return f"{left} CROSS JOIN {right} ON {on} AND likelihood({first} = {first}, 0.001)"


@compiles(WithFew, "sqlite")
def _with_few(element: WithFew, compiler: SQLCompiler, **kw: Any) -> str:
    left, right, on = _sides(element, compiler, **kw)
    return f"{left} CROSS JOIN {right} ON {on}"


def _sides(element: Join, compiler: SQLCompiler, **kw: Any) -> tuple[str, str, str]:
    left, right = (compiler.process(side, **{**kw, "asfrom": True}) for side in (element.left, element.right))
    assert element.onclause is not None
    return left, right, compiler.process(element.onclause, **kw)
