"""What the database's errors mean, by the server's own number: never by the driver's class, which is too coarse."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import pymysql
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from skene_dagster.errors import StoreError, StoreTooLarge, StoreUnavailable

WHOLE_TRANSACTION_AGAIN = frozenset(
    {
        8002,  # TiDB: SELECT FOR UPDATE met a write
        8005,  # TiDB: the start timestamp is stale
        8022,  # TiDB: the commit failed and was rolled back
        8028,  # TiDB: the table changed meanwhile
        9007,  # TiDB: write conflict
        1205,  # lock wait timeout; only the statement was rolled back, so all of it is done again
        1213,  # deadlock
        3572,  # NOWAIT met a lock
    }
)
"""The transaction did not happen, and the same one may well succeed."""

NOT_NOW = frozenset(
    {
        *{9001, 9002, 9003, 9004, 9005, 9008, 9010, 9012, 9013},  # TiDB: a part of the cluster is slow or away
        *{9006, 8055},  # TiDB: the snapshot is older than what is kept
        *{8027, 8176, 8252},  # TiDB: stale schema lease, memory of the server, request units
        *{1040, 1053, 1203},  # too many connections, shutting down
        *{2002, 2003, 2005, 2006, 2013, 2014, 2055},  # not connected, or not any more
    }
)
"""The server, or the way to it, is in trouble; a run should be tried again later, not this transaction at once."""

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
"""The same work in smaller parts would be taken; as it is, never."""

OF_ONE_ROW = frozenset(
    {
        1048,  # NULL in a column that has none
        *{1264, 1265, 1406},  # out of range, cut off, too long
        *{1292, 1366},  # not of the column's type, or not in its character set
        4025,  # MariaDB: a CHECK of the product's
        8025,  # TiDB: the row is too large
    }
)
"""A value is not taken; the other rows of the same statement would be."""

_A_VALUE = re.compile(r"(entry|value:?|argument:?) '.*?'(?= for |$| at row )", re.DOTALL)
"""Where a server quotes a value of a row: `Duplicate entry '…' for key`, `Incorrect DOUBLE value: '…'`."""

# TiDB, 2026-11: 1105 stands for anything; only the words tell what passes.
_PASSING_WORDS = ("Information schema is changed", "try again later", "region unavailable", "Region is unavailable")

_ADVICE = {
    1044: "Grant the database user its rights on this database.",
    1045: "Check the user and password in SKENE_DATABASE_URL.",
    1049: "Create the database, or correct its name in SKENE_DATABASE_URL.",
    1142: "Grant the database user this right.",
    1227: "Grant the database user this right.",
}


def code_of(error: BaseException) -> int | None:
    """Return the server's (or PyMySQL's) number of an error; None where there is none."""
    args = _driver_error(error).args
    return args[0] if args and isinstance(args[0], int) else None


def words_of(error: BaseException) -> str:
    """Return what the database said, without the statement, its parameters, and the values that it quotes."""
    original = _driver_error(error)
    code = code_of(original)
    if "user-defined function raised exception" in str(original):
        # SQLite, 2026-11: a text that is not UTF-8 cannot even be handed to a function of ours.
        return "a function met a value that it cannot read, such as a text that is not UTF-8"
    if code is None or len(original.args) < 2:
        return str(original) or type(original).__name__
    said = _A_VALUE.sub(r"\1 '…'", str(original.args[1]))
    return f"{said} ({code})"


def is_busy(error: BaseException) -> bool:
    """Whether the transaction did not happen for a reason that passes at once: conflicts, locks, SQLite's busy."""
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
    """Whether a value of some row was refused, so that the rows without it would have been taken."""
    original = _driver_error(error)
    if isinstance(original, sqlite3.IntegrityError | sqlite3.DataError):
        return not is_duplicate(error)
    return code_of(original) in OF_ONE_ROW


def is_lost(error: BaseException) -> bool:
    """Whether the connection broke, so that what the last statement did is not known."""
    return isinstance(error, DBAPIError) and error.connection_invalidated


@contextmanager
def translated() -> Iterator[None]:
    """Turn the database's errors into StoreError, StoreTooLarge and StoreUnavailable with a sentence.

    A duplicate key stays SQLAlchemy's IntegrityError: it is an answer to whoever inserts, not a failure.
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
        # SQLite, 2026-11: a key that arrived as no UTF-8 can be read, but not asked for.
        raise StoreError(
            "A users key is a text that is not UTF-8, and cannot be asked for.",
            advice="Write it anew in the users table; hex() shows its bytes.",
        ) from error


def in_words(error: BaseException) -> StoreError:
    """Say what the database's error means; nothing of the statement or its parameters is repeated."""
    words = words_of(error)
    code = code_of(error)
    if is_busy(error):
        return StoreUnavailable(f"The database was busy: {words}.", advice="Try again.")
    if isinstance(error, PoolTimeout):
        return StoreUnavailable("All connections to the database are in use.", advice="Try again.")
    if code in {2002, 2003, 2005}:
        advice = "Check SKENE_DATABASE_URL, and that the server runs."
        return StoreUnavailable(f"The database cannot be reached: {words}.", advice=advice)
    if code in NOT_NOW or is_lost(error) or (code == 1105 and any(part in words for part in _PASSING_WORDS)):
        return StoreUnavailable(f"The database cannot answer now: {words}.", advice="Try again later.")
    if code in TOO_LARGE:
        return StoreTooLarge(f"This is too large for the database: {words}.")
    if "unable to open database file" in words or "not a database" in words:
        return StoreError(f"The database file cannot be used: {words}.", advice="Check SKENE_DATABASE_URL.")
    return StoreError(f"The database refused: {words}.", advice=_ADVICE.get(code or 0, ""))


def _driver_error(error: BaseException) -> BaseException:
    if isinstance(error, StoreError) and error.__cause__ is not None:
        error = error.__cause__
    return error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
