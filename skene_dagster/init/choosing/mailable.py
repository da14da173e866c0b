"""Who may be mailed at all, as SQL for `users.mailable`: not gone, not staff, with a confirmed address."""

from collections.abc import Iterator
from dataclasses import dataclass

from skene_dagster.init.choosing import vocabulary
from skene_dagster.init.choosing.columns import find, is_zero, read_when
from skene_dagster.init.schema import Column, Rows, Schema, Table
from skene_dagster.init.words import folded
from skene_dagster.store.names import quoted

LEAST_VERIFIED = 0.5
"""Share of users with a confirmed address, below which the product does not seem to ask for it."""

ALLAUTH = "account_emailaddress"


@dataclass(frozen=True)
class Tested:
    """One condition, and why it is there."""

    sql: str
    why: str


def tests(schema: Schema, table: Table, address: str, rows: Rows, prefix: str) -> Iterator[Tested | str]:
    """List the conditions; and, as texts, what is said aloud instead of being one."""
    if any(value == "" for value in rows.sample(table.name, address)):
        yield Tested(f"{quoted(address)} <> ''", "an empty text is no address")
    for column in table.columns:
        name = folded(column.name, table, prefix)
        if name in vocabulary.GONE_AT:
            if column.kind == "flag":
                yield Tested(f"COALESCE({quoted(column.name)}, 0) = 0", "gone")
            else:
                yield Tested(_is_never(table, column, rows), "gone")
        elif name in vocabulary.GONE and column.kind in ("flag", "number"):
            yield Tested(_is_off(column), "gone")
        elif name in vocabulary.PRESENT and column.kind in ("flag", "number"):
            yield Tested(f"{quoted(column.name)} = 1", "active accounts only")
        elif name in vocabulary.STAFF and column.kind in ("flag", "number"):
            yield Tested(_is_off(column), "not staff")
    yield from _verified(schema, table, rows, prefix)
    for name in ("status", "state", "role"):
        telling = find(table, [name], kinds=["text"], prefix=prefix)
        if telling is not None:
            yield f"{table.name}.{telling.name} may say who is gone or staff: add it to users.mailable if it does."


def _is_off(column: Column) -> str:
    name = quoted(column.name)
    return f"COALESCE({name}, 0) = 0" if column.nullable else f"{name} = 0"


def _is_never(table: Table, column: Column, rows: Rows) -> str:
    name = quoted(column.name)
    found = read_when(table, column, rows)
    values = rows.sample(table.name, column.name)
    if (found is not None and found.unit) or column.kind == "number":
        return f"COALESCE({name}, 0) = 0"
    # A zero date is no moment, so that the comparison is NULL; NULL stays what it is.
    if any(map(is_zero, values)):
        return f"COALESCE({name} >= '1000-01-01', FALSE) = FALSE"
    return f"{name} IS NULL"


def _verified(schema: Schema, table: Table, rows: Rows, prefix: str) -> Iterator[Tested | str]:
    allauth = schema.table(ALLAUTH)
    if allauth is not None and allauth.has("user_id", "verified"):
        yield from _if_usual(
            Tested(f"{quoted(table.primary[0])} IN (SELECT user_id FROM {ALLAUTH} WHERE verified = 1)", "confirmed"),
            rows.count(table.name),
            rows.count_where_set(ALLAUTH, "verified"),
            f"{ALLAUTH}.verified",
        )
        return
    column = find(table, vocabulary.VERIFIED, prefix=prefix)
    if column is None:
        return
    name = quoted(column.name)
    if column.kind in ("flag", "number"):
        sql = f"{name} = 1" if column.kind == "flag" else f"{name} > 0"
    else:
        sql = f"{name} <> ''" if column.kind == "text" else f"{name} IS NOT NULL"
    yield from _if_usual(
        Tested(sql, "confirmed"),
        rows.count(table.name),
        rows.count_where_set(table.name, column.name),
        f"{table.name}.{column.name}",
    )


def _if_usual(test: Tested, of: int | None, those: int, column: str) -> Iterator[Tested | str]:
    if not of:
        said = f"{column} says whose address is confirmed."
        yield f"{said} If the product asks for that, add `{test.sql}` to users.mailable."
    elif those < of * LEAST_VERIFIED:
        yield f"{column} is set for {those:,} of {of:,}: it is not asked for. To mail only those, add `{test.sql}`."
    else:
        yield Tested(test.sql, test.why)
