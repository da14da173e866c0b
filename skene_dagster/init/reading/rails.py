"""Tables from db/schema.rb, which Rails writes itself."""

import re
from collections.abc import Iterator, Sequence

from skene_dagster.init.reading.source import Source
from skene_dagster.init.schema import Column, Schema, Table

_TABLE = re.compile(r'create_table "([^"]+)"(.*?) do \|t\|\n(.*?)^\s*end$', re.MULTILINE | re.DOTALL)
_COLUMN = re.compile(r'^\s*t\.(\w+) "([^"]+)"(.*)$', re.MULTILINE)
_UNIQUE = re.compile(r't\.index \["([^"]+)"\][^\n]*unique: true')
_POINTS = re.compile(r'add_foreign_key "([^"]+)", "([^"]+)"(?:.*?column: "([^"]+)")?')
# Rails 7, 2026-11: what it makes of its types on MySQL.
_TYPES = {
    "string": "varchar(255)",
    "text": "text",
    "integer": "int",
    "bigint": "bigint",
    "boolean": "tinyint(1)",
    "datetime": "datetime(6)",
    "timestamp": "timestamp",
    "date": "date",
    "json": "json",
    "uuid": "char(36)",
    "decimal": "decimal",
    "float": "float",
}
_NO_COLUMNS = frozenset({"index", "check_constraint", "foreign_key"})


def read(sources: Sequence[Source]) -> Schema:
    """Read the tables."""
    text = "\n".join(source.text for source in sources)
    points = {(table, column or f"{_singular(to)}_id"): to for table, to, column in _POINTS.findall(text)}
    tables = tuple(_table(name, options, body, points) for name, options, body in _TABLE.findall(text))
    return Schema(sources[0].path, tables, "Rails")


def _table(name: str, options: str, body: str, points: dict[tuple[str, str], str]) -> Table:
    unique = {*_UNIQUE.findall(body)}
    columns = [
        Column.of(
            column,
            _TYPES.get(kind, kind),
            nullable="null: false" not in rest,
            unique=column in unique,
            refers_to=points.get((name, column), ""),
        )
        for kind, column, rest in _COLUMN.findall(body)
        if kind not in _NO_COLUMNS
    ]
    key = [*_keys(options)]
    if len(key) == 1 and not any(column.name == key[0] for column in columns):
        columns.insert(0, Column.of(key[0], _type_of_key(options), nullable=False, unique=True))
    return Table(name, tuple(columns), tuple(key))


def _keys(options: str) -> Iterator[str]:
    if "id: false" in options:
        return
    named = re.search(r"primary_key: (\[[^\]]+\]|\"[^\"]+\")", options)
    yield from re.findall(r'"([^"]+)"', named[1]) if named else ("id",)


def _type_of_key(options: str) -> str:
    found = re.search(r"id: (?:\{ type: )?:(\w+)", options)
    return _TYPES.get(found[1], found[1]) if found else "bigint"


def _singular(table: str) -> str:
    return table[:-3] + "y" if table.endswith("ies") else table.removesuffix("s")
