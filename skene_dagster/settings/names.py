"""Valid names of tables and columns."""

import re
from typing import Annotated

from pydantic import AfterValidator

from skene_dagster.documents import shown


def _identifier(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_$]{0,63}(\.[A-Za-z_][A-Za-z0-9_$]{0,63})?", name):
        raise ValueError(f"{shown(name)} is not a name of a table or column")
    return name


def _table(name: str) -> str:
    schema = name.rpartition(".")[0]
    if schema.casefold() in SYSTEM_SCHEMAS:
        raise ValueError(
            f"{shown(name)} is the database server's own table, not the product's. Name a table of the product"
        )
    return name


SYSTEM_SCHEMAS = frozenset(("mysql", "information_schema", "performance_schema", "sys", "metrics_schema"))
"""A server's own databases: accounts, rights, everybody's statements. A project's SQL cannot read them."""

Identifier = Annotated[str, AfterValidator(_identifier)]
TableName = Annotated[Identifier, AfterValidator(_table)]
