"""A join whose left side is read first, whatever the database believes of the sizes of its tables."""

from typing import Any

from sqlalchemy import ColumnElement, FromClause
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.selectable import Join


class Leading(Join):
    """`left JOIN right`, where few rows of the left find their rows of the right by an index.

    SQLite takes a table that was just made for one of a million rows and begins with the other; it keeps to the order
    of a CROSS JOIN (https://www.sqlite.org/lang_select.html, "side note"). MariaDB and TiDB know sizes.
    """

    inherit_cache = True

    def __init__(self, left: FromClause, right: FromClause, on: ColumnElement[bool]) -> None:
        super().__init__(left, right, on)


@compiles(Leading, "sqlite")
def _cross(element: Leading, compiler: SQLCompiler, **kw: Any) -> str:
    left, right = (compiler.process(side, **{**kw, "asfrom": True}) for side in (element.left, element.right))
    assert element.onclause is not None
    on = compiler.process(element.onclause, **kw)
    if not isinstance(element.left, Join):
        # SQLite 3.40, 2026-11: for so many rows it would first read all of the right into a Bloom filter.
        first = compiler.process(next(iter(element.left.c)), **kw)
        on += f" AND likelihood({first} = {first}, 0.001)"
    return f"{left} CROSS JOIN {right} ON {on}"
