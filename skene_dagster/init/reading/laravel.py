"""Tables from Laravel's migrations, in the order of their names: `Schema::create`, and what `Schema::table` changes."""

import re
from collections.abc import Iterator, Sequence

from skene_dagster.init.reading.source import Source
from skene_dagster.init.schema import Column, Schema, Table

_BLOCK = re.compile(r"Schema::(create|table)\(\s*['\"](\w+)['\"].*?\{(.*?)\n\s*\}\s*\)\s*;", re.DOTALL)
_CALL = re.compile(r"\$table->(\w+)\(([^;]*);")
_FIRST = re.compile(r"^\s*['\"](\w+)['\"]")
_DOWN = re.compile(r"public function down\b.*", re.DOTALL)
# Laravel 12, 2026-11: what it makes of its types on MySQL.
_TYPES = {
    **dict.fromkeys(("string", "char", "rememberToken", "ipAddress"), "varchar(255)"),
    **dict.fromkeys(("text", "mediumText", "longText", "tinyText"), "text"),
    **dict.fromkeys(("integer", "unsignedInteger", "smallInteger", "mediumInteger", "tinyInteger"), "int"),
    **dict.fromkeys(("bigInteger", "unsignedBigInteger", "foreignId", "foreignIdFor"), "bigint unsigned"),
    **dict.fromkeys(("timestamp", "timestampTz"), "timestamp"),
    **dict.fromkeys(("dateTime", "dateTimeTz"), "datetime"),
    **dict.fromkeys(("uuid", "foreignUuid"), "char(36)"),
    **dict.fromkeys(("ulid", "foreignUlid"), "char(26)"),
    **dict.fromkeys(("json", "jsonb"), "json"),
    **dict.fromkeys(("decimal", "float", "double"), "double"),
    "boolean": "tinyint(1)",
    "date": "date",
    "enum": "enum",
}


def read(sources: Sequence[Source]) -> Schema:
    """Read the tables."""
    found: dict[str, dict[str, Column]] = {}
    keys: dict[str, tuple[str, ...]] = {}
    for source in sources:
        for kind, table, body in _BLOCK.findall(_DOWN.sub("", source.text)):
            columns = found.setdefault(table, {}) if kind == "create" else found.get(table, {})
            for call, rest in _CALL.findall(body):
                _apply(columns, keys, table, call, rest)
    tables = tuple(Table(name, tuple(columns.values()), keys.get(name, ())) for name, columns in found.items())
    return Schema("database/migrations", tables, "Laravel")


def _apply(columns: dict[str, Column], keys: dict[str, tuple[str, ...]], table: str, call: str, rest: str) -> None:
    named = _FIRST.match(rest)
    if call in {"dropColumn", "dropColumns"}:
        for name in re.findall(r"['\"](\w+)['\"]", rest):
            columns.pop(name, None)
        return
    if call == "primary":
        keys[table] = tuple(re.findall(r"['\"](\w+)['\"]", rest))
        return
    if call == "renameColumn":
        names = re.findall(r"['\"](\w+)['\"]", rest)
        if len(names) == 2 and (old := columns.pop(names[0], None)) is not None:
            columns[names[1]] = Column(names[1], old.declared, old.kind, old.nullable, old.unique, old.refers_to)
        return
    if call == "unique" and named and named[1] in columns:
        old = columns[named[1]]
        columns[old.name] = Column(old.name, old.declared, old.kind, old.nullable, True, old.refers_to)
        return
    for column, is_key in _made(call, named[1] if named else "", rest):
        columns[column.name] = column
        if is_key:
            keys[table] = (column.name,)


def _made(call: str, name: str, rest: str) -> Iterator[tuple[Column, bool]]:
    """List the columns that one call makes, and whether each is the key."""
    nullable, unique = "->nullable(" in rest, "->unique(" in rest
    match call:
        case "id" | "bigIncrements" | "increments":
            declared = "int unsigned" if call == "increments" else "bigint unsigned"
            yield Column.of(name or "id", declared, nullable=False, unique=True), True
        case "timestamps" | "timestampsTz" | "nullableTimestamps":
            yield Column.of("created_at", "timestamp"), False
            yield Column.of("updated_at", "timestamp"), False
        case "softDeletes" | "softDeletesTz":
            yield Column.of(name or "deleted_at", "timestamp"), False
        case "rememberToken":
            yield Column.of("remember_token", "varchar(100)"), False
        case "morphs" | "nullableMorphs" | "uuidMorphs" | "nullableUuidMorphs" | "ulidMorphs" | "nullableUlidMorphs":
            yield Column.of(f"{name}_type", "varchar(255)"), False
            yield Column.of(f"{name}_id", "bigint unsigned"), False
        case _ if call in _TYPES and name:
            is_key = "->primary(" in rest
            points = re.search(r"->constrained\(\s*(?:['\"](\w+)['\"])?", rest)
            to = "" if points is None else points[1] or name.removesuffix("_id") + "s"
            column = Column.of(
                name, _TYPES[call], nullable=nullable and not is_key, unique=unique or is_key, refers_to=to
            )
            yield column, is_key
