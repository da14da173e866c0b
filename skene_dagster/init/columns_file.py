"""The product's tables and columns in a file of the project: so that whoever writes loops needs no database."""

from collections.abc import Iterator

from skene_dagster.init.schema import Column, Schema, Table

COLUMNS = "skene.columns.txt"

_HEAD = """\
# The product's tables and columns: what conditions and skene.yaml may name. No row is in it.
# After a change of the tables: skene-dagster schema --columns --read
"""


def columns_text(schema: Schema) -> str:
    """Write all tables, each with its columns: their types, and what else is known of them."""
    tables = sorted(schema.tables, key=lambda table: table.name)
    return _HEAD + "".join(f"\n{table.name}\n{''.join(_lines(table))}" for table in tables)


def _lines(table: Table) -> Iterator[str]:
    for column in table.columns:
        said = ", ".join([column.declared or "?", *_more(table, column)])
        yield f"  {column.name}  {' '.join(said.split())}\n"


def _more(table: Table, column: Column) -> Iterator[str]:
    if column.name in table.primary:
        yield "key" if len(table.primary) == 1 else f"key with {', '.join(table.primary)}"
    elif column.unique:
        yield "unique"
    if not column.nullable and column.name not in table.primary:
        yield "never NULL"
    if column.refers_to:
        yield f"refers to {column.refers_to}"
