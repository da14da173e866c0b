"""Tables from CREATE TABLE statements: dumps, structure.sql, migrations that are SQL."""

import re
from collections.abc import Iterator

import sqlglot
from sqlglot import exp
from sqlglot.errors import ErrorLevel, SqlglotError

from skene_dagster.init.schema import Column, Table

# Drizzle, 2026-11: its `--> statement-breakpoint` is no comment; read as one, it swallows the next statement.
_BREAK = re.compile(r"-->\s*statement-breakpoint")
_STATEMENT = re.compile(
    r"^\s*(CREATE\s+(TEMPORARY\s+)?TABLE|CREATE\s+UNIQUE\s+INDEX|ALTER\s+TABLE)\b.*?(?:;\s*$|\Z)",
    re.IGNORECASE | re.MULTILINE | re.DOTALL,
)
_LONGEST = 100_000
"""Characters of a statement; a longer one is no CREATE TABLE that a person wrote."""


def tables_of(text: str) -> list[Table]:
    """Read the tables; a statement that cannot be read is left out."""
    found: dict[str, Table] = {}
    for statement in _statements(text):
        if isinstance(statement, exp.Create) and isinstance(statement.this, exp.Schema):
            table = _table(statement.this)
            found[table.name.lower()] = table
        elif isinstance(statement, exp.Create) and statement.args.get("unique"):
            _add_unique(found, statement)
        elif isinstance(statement, exp.Alter):
            _add_keys(found, statement)
    return list(found.values())


def _statements(text: str) -> Iterator[exp.Expression]:
    for part in _BREAK.split(text):
        for match in _STATEMENT.finditer(part):
            if len(match[0]) > _LONGEST:
                continue
            try:
                read = sqlglot.parse(match[0], read="mysql", error_level=ErrorLevel.IGNORE)
            except (SqlglotError, RecursionError):
                continue
            yield from (one for one in read if isinstance(one, exp.Expression))


def _table(schema: exp.Schema) -> Table:
    definitions = [one for one in schema.expressions if isinstance(one, exp.ColumnDef)]
    rest = [one for one in schema.expressions if not isinstance(one, exp.ColumnDef)]
    rest = [inner for one in rest for inner in (one.expressions if isinstance(one, exp.Constraint) else [one])]
    primary = [name for one in rest if isinstance(one, exp.PrimaryKey) for name in _names(one.expressions)]
    unique = {
        names[0].lower()
        for one in rest
        if isinstance(one, exp.UniqueColumnConstraint) and len(names := _unique_names(one)) == 1
    }
    points = {
        names[0].lower(): to
        for one in rest
        if isinstance(one, exp.ForeignKey)
        and (names := _names(one.expressions))
        and (to := _referenced(one.args.get("reference")))
    }
    columns = []
    for definition in definitions:
        kinds = [one.args.get("kind") for one in definition.args.get("constraints") or []]
        name = definition.name
        if any(isinstance(one, exp.PrimaryKeyColumnConstraint) for one in kinds):
            primary.append(name)
        here = next((to for one in kinds if isinstance(one, exp.Reference) and (to := _referenced(one))), "")
        columns.append(
            Column.of(
                name,
                _declared(definition),
                nullable=not any(
                    isinstance(one, exp.NotNullColumnConstraint) and not one.args.get("allow_null") for one in kinds
                ),
                unique=name.lower() in unique or any(isinstance(one, exp.UniqueColumnConstraint) for one in kinds),
                refers_to=points.get(name.lower(), here),
            )
        )
    return Table(schema.this.name, tuple(columns), tuple(primary))


def _declared(definition: exp.ColumnDef) -> str:
    kind = definition.args.get("kind")
    # MySQL's names: sqlglot calls a TIMESTAMP by another one.
    return kind.sql(dialect="mysql") if isinstance(kind, exp.Expression) else ""


def _names(expressions: list[exp.Expression]) -> list[str]:
    return [found.name for one in expressions if (found := one.find(exp.Identifier)) is not None]


def _unique_names(one: exp.UniqueColumnConstraint) -> list[str]:
    return _names(one.this.expressions) if isinstance(one.this, exp.Schema) else []


def _referenced(reference: object) -> str:
    if not isinstance(reference, exp.Reference):
        return ""
    table = reference.find(exp.Table)
    return table.name if table is not None else ""


def _add_unique(found: dict[str, Table], statement: exp.Create) -> None:
    index = statement.this
    table = index.find(exp.Table) if isinstance(index, exp.Index) else None
    if table is None or table.name.lower() not in found:
        return
    names = [one.name for one in index.find_all(exp.Column)]
    if len(names) == 1:
        _change(found, table.name, names[0], unique=True)


def _add_keys(found: dict[str, Table], statement: exp.Alter) -> None:
    table = statement.this.name
    if table.lower() not in found:
        return
    for key in statement.find_all(exp.ForeignKey):
        if (names := _names(key.expressions)) and (to := _referenced(key.args.get("reference"))):
            _change(found, table, names[0], refers_to=to)
    for primary in statement.find_all(exp.PrimaryKey):
        old = found[table.lower()]
        found[table.lower()] = Table(old.name, old.columns, tuple(_names(primary.expressions)))


def _change(found: dict[str, Table], table: str, column: str, *, unique: bool = False, refers_to: str = "") -> None:
    old = found[table.lower()]
    columns = tuple(
        Column(one.name, one.declared, one.kind, one.nullable, one.unique or unique, refers_to or one.refers_to)
        if one.name.lower() == column.lower()
        else one
        for one in old.columns
    )
    found[table.lower()] = Table(old.name, columns, old.primary)
