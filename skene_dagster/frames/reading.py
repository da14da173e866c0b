"""Read a statement into frames, with the right types, in parts."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args

import pandas as pd
from sqlalchemy import BigInteger, Column, ColumnElement, Connection, Date, DateTime, Integer, Select
from sqlalchemy.types import NullType

from skene_dagster.errors import SchemaOutdated
from skene_dagster.settings import load
from skene_dagster.store import schema
from skene_dagster.store.engine import open_engine
from skene_dagster.store.failures import translated
from skene_dagster.store.keys import Key, common_key
from skene_dagster.store.tables import OPEN

Moment = str | date | datetime | pd.Timestamp
"""A moment, as pandas reads it: `2026-11-01`. Without a time zone it is UTC."""

Frames = pd.DataFrame | Iterator[pd.DataFrame]

ROWS_AT_ONCE = 50_000
"""Rows that are fetched at a time where all are wanted in one frame."""


class Words:
    """A closed list of words, as a type of a column."""

    def __init__(self, *lists: Any) -> None:
        self.dtype = pd.CategoricalDtype([word for one in lists for word in _words(one)])


def _words(of: Any) -> list[str]:
    found: list[str] = []
    for one in get_args(of):
        found += [one] if isinstance(one, str) else _words(one)
    return found


def read(
    project: str | Path,
    query: Select[Any],
    *,
    words: Mapping[str, Words] = MappingProxyType({}),
    columns: Sequence[str] | None,
    chunk_size: int | None,
) -> Frames:
    """Read a statement.

    Args:
        words: the columns whose words are a closed list.
        columns: which of its columns, in which order; None: all.
        chunk_size: rows of a frame at most; None: one frame with all.

    Raises:
        ValueError: it has no such column, or a frame would have no rows.
        SettingsError, SchemaOutdated, StoreError: see `frames`.
    """
    if chunk_size is not None and chunk_size < 1:
        raise ValueError(f"A chunk of {chunk_size} rows holds nothing.")
    known = {column.name: column for column in query.selected_columns}
    if unknown := [name for name in columns or () if name not in known]:
        raise ValueError(f"There is no column {unknown[0]!r}. These are: {', '.join(known)}.")
    chosen = query if columns is None else query.with_only_columns(*(known[name] for name in columns))
    parts = _parts(Path(project), chosen, words, chunk_size or ROWS_AT_ONCE)
    if chunk_size is not None:
        return parts
    whole: pd.DataFrame = pd.concat(list(parts), ignore_index=True)
    return whole


def _parts(project: Path, query: Select[Any], words: Mapping[str, Words], size: int) -> Iterator[pd.DataFrame]:
    with _reading(project) as (connection, keys):
        types = {column.name: _dtype(column, words, keys) for column in query.selected_columns}
        found = connection.execute(query, execution_options={"stream_results": True, "yield_per": size})
        is_empty = True
        for rows in found.partitions():
            is_empty = False
            yield _frame(types, rows)
        if is_empty:
            yield _frame(types, ())


@contextmanager
def _reading(project: Path) -> Iterator[tuple[Connection, Mapping[str, str]]]:
    """Connect; say what the columns of keys are."""
    settings = load(project)
    engine = open_engine(settings.database_url, read_only=True)
    try:
        if not schema.is_ready(engine):
            raise SchemaOutdated(
                "The skene_* tables are not in the database, or belong to an older release.",
                advice="On SQLite the next run makes or upgrades them; on a server, run: skene-dagster migrate",
            )
        with translated(), engine.connect() as connection:
            users = _key_dtype(common_key(connection, settings.users))
            # While there are no accounts, their key is of the type of the users key.
            accounts = settings.accounts and _key_dtype(common_key(connection, settings.accounts))
            yield connection, {"user_id": users, "account_id": accounts or users}
    finally:
        engine.dispose()


def _key_dtype(key: Key) -> str:
    if key.is_integer:
        # Above 2⁶³ only the unsigned type has room.
        return "UInt64" if "unsigned" in key.sql.lower() else "Int64"
    return "object" if "binary" in key.sql.lower() else "string"


def _dtype(column: ColumnElement[Any], words: Mapping[str, Words], keys: Mapping[str, str]) -> Any:
    if column.name in words:
        return words[column.name].dtype
    match column.type:
        case NullType():
            return keys[column.name]
        case DateTime() | Date():
            return "datetime64[us, UTC]"
        case BigInteger() | Integer():
            return "Int64"
        case _:
            return "Float64" if column.type.python_type is float else "string"


def _frame(types: Mapping[str, Any], rows: Sequence[Sequence[Any]]) -> pd.DataFrame:
    values = zip(*rows, strict=True) if rows else ([] for _ in types)
    columns = zip(types.items(), values, strict=True)
    frame: pd.DataFrame = pd.DataFrame({name: _series(list(some), dtype) for (name, dtype), some in columns})
    return frame


def _series(values: Any, dtype: Any) -> "pd.Series[Any]":
    if dtype == "datetime64[us, UTC]":
        over = [None if value == OPEN else value for value in values]
        values = pd.to_datetime(pd.Series(over, dtype="object"), utc=True)
    if isinstance(dtype, pd.CategoricalDtype):
        # What an older release wrote may have another word.
        unknown = sorted({*values} - {None, *dtype.categories})
        dtype = pd.CategoricalDtype([*dtype.categories, *unknown]) if unknown else dtype
    series: pd.Series[Any] = pd.Series(values, dtype=dtype)
    return series


def within(column: Column[Any], since: Moment | None, until: Moment | None) -> list[ColumnElement[bool]]:
    """The rows from a moment on, and before another, as conditions.

    Raises:
        ValueError: it is no moment.
    """
    found = []
    if since is not None:
        found.append(column >= _moment(since))
    if until is not None:
        found.append(column < _moment(until))
    return found


def lasting(begins: Column[Any], ends: Column[Any], at: Moment | None) -> list[ColumnElement[bool]]:
    """The rows of what lasted at a moment, as conditions; what ends at it is over."""
    return [] if at is None else [begins <= _moment(at), ends > _moment(at)]


def _moment(value: Moment) -> datetime:
    at = pd.Timestamp(value)
    at = at.tz_localize("UTC") if at.tzinfo is None else at.tz_convert("UTC")
    moment: datetime = at.to_pydatetime(warn=False)
    return moment.replace(tzinfo=None)


def same(column: Column[Any], value: object | None) -> list[ColumnElement[bool]]:
    """The rows with a value, as conditions; None: whatever they have."""
    return [] if value is None else [column == value]


def among(column: Column[Any], values: Sequence[object] | None) -> list[ColumnElement[bool]]:
    """The rows with one of some values, as conditions; None: whatever they have."""
    return [] if values is None else [column.in_(list(values))]
