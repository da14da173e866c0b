"""The product's tables by the names that settings and loops give them: `orders`, or `shop.orders`."""

import re

from sqlalchemy import TableClause, column, table
from sqlalchemy.dialects.mysql.reserved_words import RESERVED_WORDS_MARIADB, RESERVED_WORDS_MYSQL

# Not reserved everywhere, but a function or a clause somewhere.
_ALSO = frozenset({"user", "session", "role", "date", "time", "timestamp", "event", "type", "value", "action", "at"})


def parts(name: str) -> tuple[str | None, str]:
    """Take a name apart: the schema, None for that of the connection, and the table."""
    schema, _, bare = name.rpartition(".")
    return schema or None, bare


def named(name: str, *columns: str) -> TableClause:
    """Return a table with some of its columns, each once, for statements."""
    schema, bare = parts(name)
    return table(bare, *(column(one) for one in dict.fromkeys(columns)), schema=schema)


def quoted(name: str) -> str:
    """Write a name for SQL in MySQL's dialect: in backticks where it needs them."""
    known = name.lower() in RESERVED_WORDS_MYSQL | RESERVED_WORDS_MARIADB | _ALSO
    return f"`{name}`" if known or not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name) else name
