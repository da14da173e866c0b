"""What is known about the columns that a condition's SQL reads: which hold moments, and how it uses the clock."""

from dataclasses import dataclass
from typing import Literal

ROW = "skene_row"
"""What stands for the table whose row an expression is about."""

Beside = tuple[tuple[tuple[str, ...], str], ...]
"""Columns: the tables that may have each, and its name."""

ReadAs = Literal["moment", "number", "text", "against seconds"]
"""How a column is read: as a moment itself; in a number, or a text, that is computed of it and read as a moment; or,
if it is a moment, compared with a number of seconds."""


@dataclass(frozen=True)
class MomentRead:
    """A column that SQL reads as a moment: it is compared with one, or handed to a function of time."""

    tables: tuple[str, ...]
    """The source tables that may have it, nearest first, as they are written."""
    column: str
    start: int
    """Where in `mysql` it begins, or the text that is computed of it."""
    end: int
    is_item: bool
    """It stands in a SELECT list by itself, where its name is the result's."""
    is_compared: bool
    """It is compared by itself, so that an index may serve."""
    beside: Beside = ()
    """It is compared with these columns, each of one of some tables; it is a moment only if one of them is."""
    read_as: ReadAs = "moment"


@dataclass(frozen=True)
class Window:
    """What a query asks of one column and the clock."""

    column: str
    """The column, as it is written."""
    sqlite: str
    """For SQLite, with the binds of `Query`: whether `moment`, a value of the column, is in the window."""
    calendar: bool
    """It asks for months, weekdays or the like: its length is another one on other days."""
    line: int
    """The line of the query where it begins, the first being 1."""
