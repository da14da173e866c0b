"""Reading a product's moments: a value that cannot be read is NULL, never an error.

A strict server refuses a whole `INSERT … SELECT` because of one value that it cannot read. So a text is tested before
it is cast, and so are the zero dates that modes other than ours allow.
"""

from skene_dagster.settings import Unit

COLUMN = "{0}"
"""The placeholder for the column in the expressions below, as in all that we write for each database."""

EARLIEST = "1000-01-01"
"""The first date that servers promise to compute with. Earlier ones are ways to write `never`, such as 0001-01-01."""

_LAST = 253_402_300_799
"""The last second of the year 9999."""

_YEAR = "[1-9][0-9][0-9][0-9]"
_LEAP_YEAR = "([1-9][0-9](0[48]|[2468][048]|[13579][26])|([2468][048]|[13579][26])00)"
_DATE = (
    f"({_YEAR}-(0?[13578]|1[02])-(0?[1-9]|[12][0-9]|3[01])|{_YEAR}-(0?[469]|11)-(0?[1-9]|[12][0-9]|30)"
    f"|{_YEAR}-0?2-(0?[1-9]|1[0-9]|2[0-8])|{_LEAP_YEAR}-0?2-29)"
)
_TIME = "[ T]([01]?[0-9]|2[0-3]):[0-5]?[0-9](:[0-5]?[0-9]([.][0-9]+)?)?"
_OFFSET = " ?[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?"
_AT_ITS_OFFSET = f"^{_DATE}{_TIME}{_OFFSET}$"
_IN_UTC = f"^{_DATE}({_TIME}( ?([Zz]|UTC))?)?$"
# More than six fraction digits are cut off, because a cast would refuse them.
_LOCAL = (
    f"CAST(REGEXP_SUBSTR({COLUMN}, '^[0-9-]+([ T][0-9:]+([.][0-9][0-9]?[0-9]?[0-9]?[0-9]?[0-9]?)?)?') AS DATETIME(6))"
)
_SHIFT = f"REGEXP_SUBSTR({COLUMN}, '[+-][0-9:]+$')"
_MINUTES = (
    f"IF(LEFT({_SHIFT}, 1) = '-', -1, 1) * "
    f"(SUBSTRING({_SHIFT}, 2, 2) * 60 + IF(CHAR_LENGTH({_SHIFT}) > 3, RIGHT({_SHIFT}, 2), 0))"
)

# MariaDB 10.11, 2026-11: the SELECT list may repeat an expression of GROUP BY, but none with AND or BETWEEN in it, nor
# one with a string beside a column of another character set (1055: "isn't in GROUP BY").
A_TEXT = (
    f"(CASE WHEN {COLUMN} REGEXP '{_AT_ITS_OFFSET}' THEN {_LOCAL} - INTERVAL {_MINUTES} MINUTE "
    f"WHEN {COLUMN} REGEXP '{_IN_UTC}' THEN {_LOCAL} END)"
).replace(COLUMN, f"CONVERT({COLUMN} USING utf8mb4)")
"""A text on a server: as SQLite's `skene_moment` reads it."""

# SQLite 3.40, 2026-11: datetime() lets 30 February pass, unless there is something to add.
A_TEXT_IN_SQLITE = (
    f"(CASE length({COLUMN}) "
    f"WHEN 19 THEN CASE WHEN datetime({COLUMN}, '+0 days') = {COLUMN} AND {COLUMN} >= '{EARLIEST}' "
    f"THEN {COLUMN} || '.000000' ELSE skene_moment({COLUMN}) END "
    f"WHEN 26 THEN CASE WHEN datetime({COLUMN}, '+0 days') || substr({COLUMN}, 20) = {COLUMN} "
    f"AND {COLUMN} >= '{EARLIEST}' AND substr({COLUMN}, 20) GLOB '.{'[0-9]' * 6}' "
    f"THEN {COLUMN} ELSE skene_moment({COLUMN}) END "
    f"ELSE skene_moment({COLUMN}) END)"
)
"""As `skene_moment` reads it; in its two most usual forms without a call to Python, which takes longer."""

A_MOMENT = (
    f"(CASE WHEN MONTH({COLUMN}) > 0 THEN "
    f"CASE WHEN DAYOFMONTH({COLUMN}) > 0 THEN CASE WHEN {COLUMN} >= '{EARLIEST}' THEN {COLUMN} END END END)"
)
"""A DATE, DATETIME or TIMESTAMP on a server."""

A_NUMBER: dict[Unit, str] = {
    "seconds": f"(CASE WHEN {COLUMN} BETWEEN 1 AND {_LAST} "
    f"THEN CAST('1970-01-01' AS DATETIME(6)) + INTERVAL {COLUMN} SECOND END)",
    "milliseconds": f"(CASE WHEN {COLUMN} BETWEEN 1 AND {_LAST}999 "
    f"THEN CAST('1970-01-01' AS DATETIME(6)) + INTERVAL {COLUMN} / 1000 SECOND END)",
}
"""A number on a server. Zero is a way to write `never`."""

A_NUMBER_IN_SQLITE: dict[Unit, str] = {
    "seconds": f"(CASE WHEN {COLUMN} BETWEEN 1 AND {_LAST} THEN skene_from_unixtime({COLUMN}) END)",
    "milliseconds": f"(CASE WHEN {COLUMN} BETWEEN 1 AND {_LAST}999 THEN skene_from_unixtime({COLUMN} / 1000.0) END)",
}


def filled(form: str, column: str) -> str:
    """Write an expression for a column."""
    return form.format(column)
