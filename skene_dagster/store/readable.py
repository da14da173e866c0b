"""A product's moment, read: whatever cannot be read as one is NULL, and never an error.

A strict server refuses a whole `INSERT … SELECT` for one value that it cannot read. So a text is tested before it is
cast, and so are the zero dates that other modes than ours let pass.
"""

from skene_dagster.settings import Unit

EARLIEST = "1000-01-01"
"""The first date that servers promise to compute with. Before it lie the ways to write `never`: 0000-00-00, 0001-01-01."""

_LAST = 253_402_300_799
"""The last second of the year 9999."""

# Without braces: it becomes a part of texts that are filled in.
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
# More digits of a second than six are cut off: a cast would refuse them.
_LOCAL = "CAST(REGEXP_SUBSTR($, '^[0-9-]+([ T][0-9:]+([.][0-9][0-9]?[0-9]?[0-9]?[0-9]?[0-9]?)?)?') AS DATETIME(6))"
_SHIFT = "REGEXP_SUBSTR($, '[+-][0-9:]+$')"
_MINUTES = (
    f"IF(LEFT({_SHIFT}, 1) = '-', -1, 1) * "
    f"(SUBSTRING({_SHIFT}, 2, 2) * 60 + IF(CHAR_LENGTH({_SHIFT}) > 3, RIGHT({_SHIFT}, 2), 0))"
)

A_TEXT = (
    f"(CASE WHEN $ REGEXP '{_AT_ITS_OFFSET}' THEN {_LOCAL} - INTERVAL {_MINUTES} MINUTE "
    f"WHEN $ REGEXP '{_IN_UTC}' THEN {_LOCAL} END)"
)
"""A text on a server, `$` being the column: as SQLite's `skene_moment` reads it."""

A_MOMENT = f"(CASE WHEN MONTH($) > 0 AND DAYOFMONTH($) > 0 AND $ >= '{EARLIEST}' THEN $ END)"
"""A DATE, DATETIME or TIMESTAMP on a server."""

A_NUMBER: dict[Unit, str] = {
    "seconds": f"(CASE WHEN $ BETWEEN 1 AND {_LAST} THEN CAST('1970-01-01' AS DATETIME(6)) + INTERVAL $ SECOND END)",
    "milliseconds": f"(CASE WHEN $ BETWEEN 1 AND {_LAST}999 "
    "THEN CAST('1970-01-01' AS DATETIME(6)) + INTERVAL $ / 1000 SECOND END)",
}
"""A number on a server. Zero is a way to write `never`."""

A_NUMBER_IN_SQLITE: dict[Unit, str] = {
    "seconds": f"(CASE WHEN $ BETWEEN 1 AND {_LAST} THEN skene_from_unixtime($) END)",
    "milliseconds": f"(CASE WHEN $ BETWEEN 1 AND {_LAST}999 THEN skene_from_unixtime($ / 1000.0) END)",
}
