"""What the database's errors mean, by the server's own number: never by the driver's class, which is too coarse."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pymysql
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from skene_dagster.errors import StoreError, StoreTooLarge, StoreUnavailable

WHOLE_TRANSACTION_AGAIN = frozenset(
    {
        8002,  # TiDB: SELECT FOR UPDATE met a write
        8005,  # TiDB: the start timestamp is stale
        8022,  # TiDB: the commit failed and was rolled back
        8028,  # TiDB: the table changed in the meantime
        9007,  # TiDB: write conflict
        1205,  # lock wait timeout; only the statement was rolled back, so all of it is done again
        1213,  # deadlock
        3572,  # NOWAIT met a lock
    }
)
"""The transaction was not committed, and may succeed if repeated."""

NOT_NOW = frozenset(
    {
        *{9001, 9002, 9003, 9004, 9005, 9008, 9010, 9012, 9013},  # TiDB: a part of the cluster is slow or away
        *{9006, 8055},  # TiDB: the snapshot is older than what is kept
        *{8027, 8176, 8252},  # TiDB: stale schema lease, memory of the server, request units
        *{1040, 1053, 1203},  # too many connections, shutting down
        *{2002, 2003, 2005, 2006, 2013, 2014, 2055},  # not connected, or not any more
    }
)
"""The server, or the connection to it, is in trouble; try the run again later, not this transaction at once."""

TOO_LARGE = frozenset(
    {
        8001,  # TiDB: a statement has used up its memory
        8004,  # TiDB: a transaction is too large
        8175,  # TiDB: a statement or its transaction has used up tidb_mem_quota_query
        8229,  # TiDB: a transaction has lived for an hour
        1197,  # MariaDB: a transaction is larger than max_binlog_cache_size
        1206,  # MariaDB: more locks than there is memory for
    }
)
"""The same work would be accepted in smaller parts, but never like this."""

OF_ONE_ROW = frozenset(
    {
        1048,  # NULL in a column that has none
        *{1264, 1265, 1406},  # out of range, cut off, too long
        *{1292, 1366},  # not of the column's type, or not in its character set
        4025,  # MariaDB: a CHECK of the product's
        8025,  # TiDB: the row is too large
    }
)
"""A value is refused; the statement's other rows would be accepted."""

_A_VALUE = re.compile(r"(entry|value:?|argument:?) '.*?'(?= for |$| at row )", re.DOTALL)
"""Where a server quotes a value of a row: `Duplicate entry '…' for key`, `Incorrect DOUBLE value: '…'`."""

DENIED = frozenset(
    {
        *{1044, 1045, 1130, 1142, 1143, 1227, 1698},  # a database, who we are, a table, a column, a privilege
        *{1820, 1862},  # a password that has to be changed
        1345,  # EXPLAIN of a view without SHOW VIEW
        8121,  # TiDB, 2026-11: an UPDATE without the right to, where MySQL says 1142; it names no table
    }
)
"""The database user may not do this; no file is wrong."""


_STANDS_FOR_ANYTHING = frozenset({None, 3, 1026, 1030, 1105, 1290})
"""SQLite has no numbers. Of a server's: an error of the operating system, of the storage, TiDB's any, an option's."""


@dataclass(frozen=True)
class _Refusal:
    """What some of the database's errors have in common."""

    said: str
    advice: str
    codes: frozenset[int] = frozenset()
    words: tuple[str, ...] = ()
    """Texts that identify them if they have no number of their own, in lower case."""
    error: type[StoreError] = StoreError

    def covers(self, code: int | None, words: str) -> bool:
        return code in self.codes or (
            code in _STANDS_FOR_ANYTHING and any(part in words.lower() for part in self.words)
        )


_REFUSALS = (
    _Refusal(
        "The database cannot be reached",
        "Check SKENE_DATABASE_URL, and that the server is running.",
        frozenset({2002, 2003, 2005}),
        error=StoreUnavailable,
    ),
    _Refusal(
        "The database has no connection left for this user",
        "Try again later; or end other sessions, or raise the server's max_connections (max_user_connections).",
        frozenset({1040, 1203, 1226}),
        error=StoreUnavailable,
    ),
    _Refusal(
        "The database file cannot be written",
        "Allow this system user to write the file and its folder.",
        words=("readonly database",),
    ),
    _Refusal(
        "The database accepts no writes: it is read-only",
        "It may be a failover or maintenance, which passes. If not: SKENE_DATABASE_URL names a replica, or somebody "
        "has set read_only (on TiDB: tidb_super_read_only, tidb_restricted_read_only).",
        frozenset({1036, 1792, 1836, 1874}),
        ("with the --read-only option", "with the --super-read-only option", "with the --innodb-read-only option"),
        StoreUnavailable,
    ),
    _Refusal(
        "The database has no space left",
        "Free disk space where the database keeps its files, or give it more; the next run goes on from here.",
        frozenset({1021, 1114}),
        ("disk is full", "disk full", "no space left", "errno: 28", "got error 28"),
        StoreUnavailable,
    ),
    _Refusal(
        "What was sent is too large for the database",
        "Raise max_allowed_packet on the server.",
        frozenset({1153}),
        error=StoreTooLarge,
    ),
    _Refusal("This is too large for the database", "", TOO_LARGE, error=StoreTooLarge),
    _Refusal(
        "The database cannot answer now",
        "Try again later.",
        NOT_NOW,
        ("information schema is changed", "try again later", "region unavailable", "region is unavailable"),
        StoreUnavailable,
    ),
    _Refusal(
        "There is no such database",
        "Create the database, or correct its name in SKENE_DATABASE_URL.",
        frozenset({1049}),
    ),
    _Refusal(
        "The database refuses this user's login",
        "Check the user and password in SKENE_DATABASE_URL.",
        frozenset({1045, 1130, 1698, 1820, 1862}),
    ),
    _Refusal(
        "The database user may not use this database",
        "Grant the rights that docs/tidb.md lists.",
        frozenset({1044}),
    ),
    _Refusal(
        "The database user may not see how a view is read, so it cannot be EXPLAINed",
        "Grant SHOW VIEW on the views that conditions and settings read.",
        frozenset({1345}),
    ),
    _Refusal("The database user has no right to do this", "Grant it: docs/tidb.md lists what is needed.", DENIED),
    _Refusal(
        "The database file cannot be used",
        "Check SKENE_DATABASE_URL.",
        words=("unable to open database file", "not a database"),
    ),
)
"""The first that covers an error says what it means."""


def code_of(error: BaseException) -> int | None:
    """Return the server's (or PyMySQL's) number of an error; None if it has none."""
    args = _driver_error(error).args
    return args[0] if args and isinstance(args[0], int) else None


def words_of(error: BaseException) -> str:
    """Return what the database said, without the statement, its parameters, and the values that it quotes."""
    original = _driver_error(error)
    code = code_of(original)
    if "user-defined function raised exception" in str(original):
        # SQLite, 2026-11: a text that is not UTF-8 cannot even be handed to a function of ours.
        return "a function got a value that it cannot read, such as text that is not UTF-8"
    if code is None or len(original.args) < 2:
        return str(original) or type(original).__name__
    said = _A_VALUE.sub(r"\1 '…'", str(original.args[1]))
    return f"{said} ({code})"


def is_busy(error: BaseException) -> bool:
    """Whether the transaction failed for a reason that passes at once: conflicts, locks, SQLite's busy."""
    original = _driver_error(error)
    if isinstance(original, sqlite3.OperationalError):
        return "is locked" in str(original) or "schema has changed" in str(original)
    return code_of(original) in WHOLE_TRANSACTION_AGAIN


def is_duplicate(error: BaseException) -> bool:
    """Whether a unique key refused a row."""
    original = _driver_error(error)
    if isinstance(original, sqlite3.IntegrityError):
        return "UNIQUE constraint failed" in str(original)
    return code_of(original) == 1062


def is_of_one_row(error: BaseException) -> bool:
    """Whether a value of some row was refused, so that the other rows would have been accepted."""
    original = _driver_error(error)
    if isinstance(original, sqlite3.IntegrityError | sqlite3.DataError):
        return not is_duplicate(error)
    return code_of(original) in OF_ONE_ROW


def is_lost(error: BaseException) -> bool:
    """Whether the connection broke, so that the effect of the last statement is unknown."""
    return isinstance(error, DBAPIError) and error.connection_invalidated


@contextmanager
def translated() -> Iterator[None]:
    """Turn the database's errors into StoreError, StoreTooLarge and StoreUnavailable with a sentence.

    A duplicate key stays SQLAlchemy's IntegrityError: it is an answer to the caller who inserts, not a failure.
    """
    try:
        yield
    except IntegrityError as error:
        if is_duplicate(error):
            raise
        raise in_words(error) from error
    except (SQLAlchemyError, sqlite3.Error, pymysql.MySQLError) as error:
        raise in_words(error) from error
    except UnicodeEncodeError as error:
        # SQLite, 2026-11: a key that is not UTF-8 can be read, but not used in a query.
        raise StoreError(
            "A users key is text that is not UTF-8, so it cannot be queried.",
            advice="Correct it in the users table; hex() shows its bytes.",
        ) from error


def in_words(error: BaseException) -> StoreError:
    """Translate the database's error; it quotes nothing of the statement or its parameters."""
    words = words_of(error)
    if is_busy(error):
        return StoreUnavailable(f"The database was busy: {words}.", advice="Try again.")
    if isinstance(error, PoolTimeout):
        return StoreUnavailable("All connections to the database are in use.", advice="Try again.")
    for refusal in _REFUSALS:
        if refusal.covers(code_of(error), words):
            return refusal.error(f"{refusal.said}: {words}.", advice=refusal.advice)
    if is_lost(error):
        return StoreUnavailable(f"The database cannot answer now: {words}.", advice="Try again later.")
    return StoreError(f"The database refused: {words}.")


def _driver_error(error: BaseException) -> BaseException:
    if isinstance(error, StoreError) and error.__cause__ is not None:
        error = error.__cause__
    return error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
