"""The functions that the embedded database can say, each with MySQL's meaning. Whatever is not here needs TiDB.

`skene_*` functions are those of `store/sqlite/functions.py`.
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["moment", "number", "text", ""]
"""What a value is known to be: a point in time, a number, a text, or nothing is known (a column)."""


@dataclass(frozen=True)
class Call:
    """How a function is written: `{0}` … are its arguments, `{all}` is all of them."""

    template: str
    least: int
    most: int
    kind: Kind


def _call(template: str, least: int, most: int | None = None, kind: Kind = "") -> Call:
    return Call(template, least, least if most is None else most, kind)


_MANY = 100
CALLS = {
    "ABS": _call("ABS({0})", 1, kind="number"),
    "CEIL": _call("skene_ceil({0})", 1, kind="number"),
    "CEILING": _call("skene_ceil({0})", 1, kind="number"),
    "FLOOR": _call("skene_floor({0})", 1, kind="number"),
    "MOD": _call("skene_mod({0}, {1})", 2, kind="number"),
    "ROUND": _call("skene_round({all})", 1, 2, kind="number"),
    "COALESCE": _call("COALESCE({all})", 2, _MANY),
    "IFNULL": _call("IFNULL({0}, {1})", 2),
    "IF": _call("CASE WHEN {0} THEN {1} ELSE {2} END", 3),
    "ISNULL": _call("(({0}) IS NULL)", 1, kind="number"),
    "NULLIF": _call("NULLIF({0}, {1})", 2),
    "GREATEST": _call("MAX({all})", 2, _MANY),
    "LEAST": _call("MIN({all})", 2, _MANY),
    "CONCAT": _call("skene_concat({all})", 1, _MANY, kind="text"),
    "CONCAT_WS": _call("skene_concat_ws({all})", 2, _MANY, kind="text"),
    "LOWER": _call("skene_lower({0})", 1, kind="text"),
    "LCASE": _call("skene_lower({0})", 1, kind="text"),
    "UPPER": _call("skene_upper({0})", 1, kind="text"),
    "UCASE": _call("skene_upper({0})", 1, kind="text"),
    "LENGTH": _call("LENGTH(CAST({0} AS BLOB))", 1, kind="number"),
    "OCTET_LENGTH": _call("LENGTH(CAST({0} AS BLOB))", 1, kind="number"),
    "CHAR_LENGTH": _call("LENGTH({0})", 1, kind="number"),
    "CHARACTER_LENGTH": _call("LENGTH({0})", 1, kind="number"),
    "TRIM": _call("TRIM({0})", 1, kind="text"),
    "LTRIM": _call("LTRIM({0})", 1, kind="text"),
    "RTRIM": _call("RTRIM({0})", 1, kind="text"),
    "LEFT": _call("skene_substring({0}, 1, {1})", 2, kind="text"),
    "RIGHT": _call("skene_right({0}, {1})", 2, kind="text"),
    "SUBSTRING": _call("skene_substring({all})", 2, 3, kind="text"),
    "SUBSTR": _call("skene_substring({all})", 2, 3, kind="text"),
    "MID": _call("skene_substring({all})", 3, kind="text"),
    "SUBSTRING_INDEX": _call("skene_substring_index({all})", 3, kind="text"),
    "REPLACE": _call("REPLACE({all})", 3, kind="text"),
    "INSTR": _call("INSTR({0}, {1})", 2, kind="number"),
    "LOCATE": _call("INSTR({1}, {0})", 2, kind="number"),
    "DATE": _call("skene_date({0})", 1, kind="moment"),
    "TIMESTAMP": _call("skene_moment({0})", 1, kind="moment"),
    "LAST_DAY": _call("skene_last_day({0})", 1, kind="moment"),
    "DATEDIFF": _call("skene_datediff({0}, {1})", 2, kind="number"),
    "FROM_UNIXTIME": _call("skene_from_unixtime({0})", 1, kind="moment"),
    "UNIX_TIMESTAMP": _call("skene_unix_timestamp({0})", 1, kind="number"),
    "DAYOFMONTH": _call("skene_part({0}, 'DAY')", 1, kind="number"),
    **{
        part: _call(f"skene_part({{0}}, '{part}')", 1, kind="number")
        for part in ("YEAR", "QUARTER", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND", "DAYOFWEEK", "WEEKDAY", "DAYOFYEAR")
    },
    **{name: _call(f"{name}({{all}})", 1) for name in ("MIN", "MAX", "FIRST_VALUE", "LAST_VALUE")},
    **{name: _call(f"{name}({{all}})", 1, kind="number") for name in ("COUNT", "SUM", "AVG", "NTILE")},
    **{name: _call(f"{name}({{all}})", 1, 3) for name in ("LAG", "LEAD")},
    **{
        name: _call(f"{name}()", 0, kind="number")
        for name in ("ROW_NUMBER", "RANK", "DENSE_RANK", "PERCENT_RANK", "CUME_DIST")
    },
}
OF_THEIR_ARGUMENTS = frozenset(("COALESCE", "IFNULL", "IF", "NULLIF", "GREATEST", "LEAST", "MIN", "MAX", "LAG", "LEAD"))
"""Functions whose value is of the kind of their arguments."""

PARTS = frozenset(("YEAR", "QUARTER", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND", "MICROSECOND"))
"""What EXTRACT may take out."""

FORMATS = frozenset("YymcdeHkisSfjWaMbTphIlrDw%")
"""The letters of DATE_FORMAT; those that count weeks need TiDB."""

_KEYWORDS = """
    abort action add after all alter always analyze and as asc attach autoincrement before begin between by cascade case
    cast check collate column commit conflict constraint create cross current current_date current_time
    current_timestamp database default deferrable deferred delete desc detach distinct do drop each else end escape
    except exclude exclusive exists explain fail filter first following for foreign from full generated glob group
    groups having if ignore immediate in index indexed initially inner insert instead intersect into is isnull join key
    last left like limit match materialized natural no not nothing notnull null nulls of offset on or order others outer
    over partition plan pragma preceding primary query raise range recursive references regexp reindex release rename
    replace restrict returning right rollback row rows savepoint select set table temp temporary then ties to
    transaction trigger true false unbounded union unique update using vacuum values view virtual when where window with
    without
"""
KEYWORDS = frozenset(_KEYWORDS.split())
"""SQLite's own words; as names they are written in backticks."""
