"""The condition's own columns that an email names: kept with a member as JSON, until the email is made.

JSON has no bytes, and each database converts them differently (TiDB to base64 with a type before it, MariaDB to text,
SQLite fails), so they are kept in hex, under a name that says so.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import CTE, ColumnElement, Connection, LargeBinary, Subquery, Text, case, cast, func, literal, select

from skene_dagster.store.engine import is_sqlite

LARGEST = 60_000
"""The most bytes kept for one row; a TEXT column holds 65,535."""

_TOO_LARGE = json.dumps("too large")
_HEX = "hex:"
"""The prefix of a binary column's name; no column that an email can name has a colon."""

_STRINGS = frozenset({16, 252, 253, 254})
"""MySQL's field types of bits, blobs and strings; servers call all blobs 252, whatever their length (2026-11)."""
_BINARY = 63
"""MySQL's character set `binary`."""


class TooLarge:
    """What is kept instead of columns that are too large."""


def kept(connection: Connection, answer: Subquery, names: Sequence[str], rows: CTE | None = None) -> ColumnElement[str]:
    """Return an expression for the JSON of these columns of the condition's answer.

    Args:
        rows: what the condition reads, if it is about rows that triggered.
    """
    # TiDB, 2026-11: it takes a text that is compared with JSON for a JSON string, which is never equal.
    pairs: list[Any]
    if is_sqlite(connection):
        pairs = [part for name in names for part in _of_sqlite(name, answer.c[name])]
        made = cast(func.json_object(*pairs), Text)
        size = func.length(cast(made, LargeBinary))
    else:
        binary = _binary(connection, answer, names, rows)
        pairs = [
            part
            for name in names
            for part in ((_HEX + name, func.hex(answer.c[name])) if name in binary else (name, answer.c[name]))
        ]
        made = cast(func.JSON_OBJECT(*pairs), Text)
        size = func.length(made)
    return case((size > LARGEST, literal(_TOO_LARGE, Text)), else_=made)


def read(text: str | None, names: Sequence[str]) -> Mapping[str, object]:
    """Read what was kept of these columns with one member."""
    found = json.loads(text or "{}")
    if not isinstance(found, dict):
        return {name: TooLarge() for name in names}
    return {
        name.removeprefix(_HEX): bytes.fromhex(value) if name.startswith(_HEX) and value is not None else value
        for name, value in found.items()
    }


def _of_sqlite(name: str, value: ColumnElement[object]) -> tuple[ColumnElement[str], ColumnElement[object]]:
    # In SQLite each value has a type of its own, whatever the column's.
    is_blob = func.typeof(value) == "blob"
    return case((is_blob, _HEX + name), else_=name), case((is_blob, func.hex(value)), else_=value)


def _binary(connection: Connection, answer: Subquery, names: Sequence[str], rows: CTE | None) -> frozenset[str]:
    """Ask a server which of the columns are bytes, without evaluating the condition."""
    nothing = select(*(answer.c[name] for name in names)).limit(0)
    result = connection.execute(nothing if rows is None else nothing.add_cte(rows))
    # PyMySQL, 2026-11: `description` tells VARBINARY from VARCHAR by nothing; the packets that it was made of do.
    fields = result.cursor._result.fields  # noqa: SLF001
    result.close()
    pairs = zip(names, fields, strict=True)
    return frozenset(name for name, field in pairs if field.type_code in _STRINGS and field.charsetnr == _BINARY)
