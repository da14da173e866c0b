"""Tables from schema.prisma, or a folder of *.prisma: models, line by line."""

import re
from collections.abc import Iterator, Sequence

from skene_dagster.init.reading.source import Source
from skene_dagster.init.schema import Column, Schema, Table

_MODEL = re.compile(r"^model\s+(\w+)\s*\{(.*?)^\}", re.MULTILINE | re.DOTALL)
_ENUM = re.compile(r"^enum\s+(\w+)", re.MULTILINE)
_FIELD = re.compile(r"^\s*(\w+)\s+(\w+)(\[\])?(\?)?\s*(.*)$")
_MAPPED = re.compile(r'@map\("([^"]+)"\)')
# Prisma, 2026-11: what it makes of its types on MySQL.
_TYPES = {
    "String": "varchar(191)",
    "Int": "int",
    "BigInt": "bigint",
    "Boolean": "tinyint(1)",
    "DateTime": "datetime(3)",
    "Float": "double",
    "Decimal": "decimal(65,30)",
    "Json": "json",
    "Bytes": "longblob",
}


def read(sources: Sequence[Source]) -> Schema:
    """Read the models."""
    text = "\n".join(source.text for source in sources)
    models = {name: _table_name(name, body) for name, body in _MODEL.findall(text)}
    enums = {*_ENUM.findall(text)}
    tables = tuple(_table(name, body, models, enums) for name, body in _MODEL.findall(text))
    return Schema(sources[0].path, tables, "Prisma")


def _table_name(name: str, body: str) -> str:
    found = re.search(r'^\s*@@map\("([^"]+)"\)', body, re.MULTILINE)
    return found[1] if found else name


def _table(name: str, body: str, models: dict[str, str], enums: set[str]) -> Table:
    lines = [re.sub(r"//.*", "", line) for line in body.splitlines()]
    names = {field: mapped for field, mapped, *_ in _fields(lines, models, enums)}
    points = _relations(lines, models)
    whole = re.search(r"@@id\(\[([^\]]+)\]", "\n".join(lines))
    primary = [names.get(one.strip(), one.strip()) for one in whole[1].split(",")] if whole else []
    columns = []
    for field, mapped, declared, nullable, rest in _fields(lines, models, enums):
        is_key = re.search(r"@id\b", rest) is not None
        if is_key:
            primary = [mapped]
        unique = is_key or re.search(r"@unique\b", rest) is not None
        columns.append(Column.of(mapped, declared, nullable=nullable, unique=unique, refers_to=points.get(field, "")))
    return Table(models[name], tuple(columns), tuple(primary))


def _fields(lines: Sequence[str], models: dict[str, str], enums: set[str]) -> Iterator[tuple[str, str, str, bool, str]]:
    """List the fields that are columns: those of a model's type are relations."""
    for line in lines:
        found = _FIELD.match(line)
        if found is None or found[2] in models or found[3] or line.strip().startswith("@@"):
            continue
        field, kind, _, optional, rest = found.groups()
        mapped = _MAPPED.search(rest)
        native = re.search(r"@db\.(\w+(\([^)]*\))?)", rest)
        declared = "enum" if kind in enums else (native[1].lower() if native else _TYPES.get(kind, ""))
        yield field, mapped[1] if mapped else field, declared, bool(optional), rest


def _relations(lines: Sequence[str], models: dict[str, str]) -> dict[str, str]:
    """Say to which table each field points, by the relations beside it."""
    found = {}
    for line in lines:
        relation = re.match(r"^\s*\w+\s+(\w+)\??\s+.*@relation\(.*fields:\s*\[(\w+)\]", line)
        if relation and relation[1] in models:
            found[relation[2]] = models[relation[1]]
    return found
