"""The product's tables by the names that settings and loops give them: `orders`, or `shop.orders`."""

from sqlalchemy import TableClause, column, table


def parts(name: str) -> tuple[str | None, str]:
    """Take a name apart: the schema, None for that of the connection, and the table."""
    schema, _, bare = name.rpartition(".")
    return schema or None, bare


def named(name: str, *columns: str) -> TableClause:
    """Return a table with some of its columns, each once, for statements."""
    schema, bare = parts(name)
    return table(bare, *(column(one) for one in dict.fromkeys(columns)), schema=schema)
