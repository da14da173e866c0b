"""What the database says of a name or of a statement, in words that an author can use."""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Select, literal_column, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.base import Executable
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ClauseElement

from skene_dagster.documents import Document, nearest
from skene_dagster.errors import Place, StoreError
from skene_dagster.settings import FILE
from skene_dagster.store.failures import DENIED, code_of, translated, words_of
from skene_dagster.store.names import named

MOST_NAMES = 12

NO_SHOW_VIEW = 1345
"""EXPLAIN of a view wants this right, too; a SELECT does not."""


def columns_in(connection: Connection, name: str) -> tuple[str, ...]:
    """List a table's (or view's) columns; none if there is no such table."""
    every: Select[Any] = select(literal_column("*")).select_from(named(name)).limit(0)
    found: list[tuple[str, ...]] = []
    refusal(lambda: found.append(tuple(connection.execute(every).keys())))
    return found[0] if found else ()


class Explain(Executable, ClauseElement):
    """EXPLAIN of a SELECT: the database plans it and reveals no data."""

    inherit_cache = False

    def __init__(self, statement: Select[Any]) -> None:
        self.statement = statement


@compiles(Explain)
def _explain(element: Explain, compiler: SQLCompiler, **kw: object) -> str:
    return f"EXPLAIN {compiler.process(element.statement, **kw)}"


def refusal(work: Callable[[], object]) -> str:
    """Do `work`; return the database's message if it refuses the SQL, and otherwise an empty text."""
    try:
        with translated():
            work()
    except StoreError as error:
        if error.retryable or code_of(error) in DENIED:
            raise
        return words_of(error)
    return ""


def planned(connection: Connection, statement: Select[Any]) -> str:
    """Have a SELECT planned; return the database's message if it refuses the SQL, and otherwise an empty text."""
    try:
        return refusal(lambda: connection.execute(Explain(statement)))
    except StoreError as error:
        if code_of(error) != NO_SHOW_VIEW:
            raise
    # It may be read all the same: without a row of the answer the names and types are checked, too.
    return refusal(lambda: connection.execute(statement.limit(0)))


@contextmanager
def needed_at(place: Place) -> Iterator[None]:
    """Add to an error about a missing right the place of the text that needs it.

    Raises:
        StoreError: with that place; whatever else the database says passes as it is.
    """
    try:
        yield
    except StoreError as error:
        if error.place is not None or code_of(error) not in DENIED:
            raise
        raise StoreError(error.message, advice=error.advice, place=place) from error.__cause__


def at(document: Document, part: str) -> Place:
    """Return the place of a setting in skene.yaml, as near as its lines tell."""
    path = tuple(part.split(".")) if part else ()
    return document.place(path) if path in document.lines else Place(FILE, part=part)


def at_word(text: str, word: str) -> int:
    """Return the offset of a word in a text; 0 if it is not there."""
    found = re.search(rf"\b{re.escape(word)}\b", text) if word else None
    return found.start() if found else 0


def has(columns: Iterable[str], name: str) -> bool:
    """Whether a column is among some."""
    # MySQL and SQLite, 2026-11: the case of a column's name does not matter.
    return name.lower() in {column.lower() for column in columns}


def names(wanted: str, known: Iterable[str]) -> str:
    """Suggest the existing names, or the one that was probably meant; our own tables only if that is one of them."""
    names = list(dict.fromkeys(known))
    near = nearest(wanted, names)
    if near:
        return f"Did you mean {near[0]!r}?"
    names = [name for name in names if not name.startswith("skene_")] or names
    more = ", …" if len(names) > MOST_NAMES else ""
    return f"There is: {', '.join(names[:MOST_NAMES])}{more}." if names else ""


def meant(said: str, columns: Iterable[str], tables: Iterable[str]) -> str:
    """Guess from the database's words which name was meant."""
    if column := unknown_column(said):
        return names(column, columns)
    if name := unknown_table(said):
        return names(name, tables)
    return ""


def unknown_column(said: str) -> str:
    """Read from the database's words which column it does not know."""
    found = re.search(r"(?:Unknown column |no such column: )'?([\w.$]+)", said)
    return found[1].rpartition(".")[2] if found else ""


def unknown_table(said: str) -> str:
    """Read from the database's words which table it does not know."""
    found = re.search(r"(?:Table '([\w.$]+)' doesn't exist|no such table: ([\w.$]+))", said)
    return (found[1] or found[2]).rpartition(".")[2] if found else ""
