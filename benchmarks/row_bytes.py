"""How many bytes a row of each table takes that grows with users, as the server's information_schema has it.

The rows are as they arrive: in the order of users, with names of loops and addresses of usual lengths. MariaDB counts
the pages that it has allocated; TiDB multiplies what ANALYZE found by the number of rows, before compression and for
one of its replicas.
"""

import argparse
import hashlib
import json
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import closing
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Date, Engine, Integer, Table, insert, text
from sqlalchemy.types import BigInteger, SmallInteger

from benchmarks import databases
from benchmarks.shown import show
from skene_dagster.settings import Users
from skene_dagster.store import schema
from skene_dagster.store.engine import open_engine
from skene_dagster.store.tables import OPEN, Moment, metadata

ROWS = 100_000
AT_ONCE = 2_000
START = datetime(2026, 3, 2, 9)

TABLES = (
    "skene_segment_members",
    "skene_sends",
    "skene_contacts",
    "skene_deferred",
    "skene_receipts",
    "skene_batches",
    "skene_webhooks",
    "skene_suppressions",
    "skene_preferences",
    "skene_events",
    "skene_user_days",
    "skene_user_activity",
    "skene_feature_adoption",
    "skene_engagement_levels",
    "skene_milestones",
    "skene_triggered",
    "skene_entitlements",
)
"""Those that grow with users; the others have a few rows for each step."""

WORDS = {
    "mode": "live",
    "loop": "retention",
    "step": "main",
    "segment": "retention.main",
    "occurrence": "1",
    "state": "accepted",
    "scope": "marketing",
    "reason": "said_no",
    "source": "one click",
    "answer": "no",
    "name": "report_exported",
    "event": "report_exported",
    "feature": "report",
    "milestone": "first_report",
    "level": "active",
    "type": "email.delivered",
    "kind": "delivered",
    "provider": "resend",
    "read_as": "applied",
    "domain": "example.com",
    "message": "You have used up your ten reports. Upgrade to export more.",
    "properties": json.dumps({"plan": "pro", "format": "csv", "rows": 1234}),
    "attributes": json.dumps({"amount": "12.00", "report": "Quarterly"}),
}
"""What is the same in each row; columns that are in neither list are NULL."""

LEFT_OUT = {
    "skene_sends": ("reason",),
    "skene_segment_members": ("attributes",),
    "skene_batches": ("reason",),
}
"""Columns that are NULL in most rows, by table."""

MOMENTS = {
    "exited_at": OPEN,
    "left_at": OPEN,
    "lifted_at": OPEN,
    "changes_at": OPEN,
}

SET = ("delivered_at", "accepted_at", "settled_at", "frozen_at", "first_attempt_at", "last_attempt_at", "due_at")
"""Moments that may be NULL, and are there in most rows."""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true", help="few rows")
    options.add_argument("--only", choices=databases.all_of_them(), help="one database")
    chosen = options.parse_args()
    number = 2_000 if chosen.quick else ROWS
    with tempfile.TemporaryDirectory() as name, closing(databases.each(Path(name), chosen.only)) as running:
        for database, url in running:
            if not url.startswith("sqlite"):
                rows = ([table, f"{data:.0f}", f"{indexes:.0f}"] for table, data, indexes in measured(url, number))
                title = f"{database}: bytes a row, of {number:,}"
                show(title, ["table", "data", "indexes"], rows)


def measured(url: str, number: int) -> Iterator[tuple[str, float, float]]:
    """Fill the tables, and say how many bytes a row of each takes: table, data, indexes."""
    engine = open_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE users (id BIGINT PRIMARY KEY, email VARCHAR(254))"))
    schema.upgrade(engine, Users())
    for name in TABLES:
        # A batch is a hundred emails.
        rows = number // 10 if name == "skene_batches" else number
        fill(engine, metadata.tables[name], rows)
        analyze(engine, name)
        yield name, *size(engine, name, rows)
        with engine.begin() as connection:
            connection.execute(text(f"DROP TABLE {name}"))
    engine.dispose()


def analyze(engine: Engine, name: str) -> None:
    """Have the server count; TiDB passes over texts, and columns that no query has asked for, unless it is told to."""
    with engine.connect() as connection:
        is_tidb = "TiDB" in str(connection.execute(text("SELECT VERSION()")).scalar())
        if is_tidb:
            connection.execute(text("SET tidb_analyze_skip_column_types = ''"))
        connection.execute(text(f"ANALYZE TABLE {name}{' ALL COLUMNS' if is_tidb else ''}")).close()


def size(engine: Engine, name: str, number: int) -> tuple[float, float]:
    query = text(
        "SELECT data_length, index_length FROM information_schema.tables "
        "WHERE table_schema = DATABASE() AND table_name = :name"
    )
    with engine.connect() as connection:
        data, index = connection.execute(query, {"name": name}).one()
    return int(data) / number, int(index) / number


def fill(engine: Engine, table: Table, number: int) -> None:
    some: list[dict[str, object]] = []
    for row in made(table, number):
        some.append(row)
        if len(some) == AT_ONCE:
            with engine.begin() as connection:
                connection.execute(insert(table), some)
            some = []
    with engine.begin() as connection:
        if some:
            connection.execute(insert(table), some)


def made(table: Table, number: int) -> Iterator[dict[str, object]]:
    columns = [column for column in table.columns if column.name not in LEFT_OUT.get(table.name, ())]
    for n in range(number):
        yield {column.name: value(table, column, n) for column in columns}


def value(table: Table, column: "Column[Any]", n: int) -> object:
    """Make the value of a column for the n-th user, or the n-th batch."""
    identity = hashlib.md5(f"{table.name} {n}".encode(), usedforsecurity=False).hexdigest()
    texts = {
        "user_id": n + 1,
        "recipient": f"1:{hashlib.sha256(str(n).encode()).hexdigest()}",
        "send_id": identity,
        "event_id": f"msg_{identity[:27]}",
        "provider_id": str(uuid.UUID(identity)),
        "batch_id": hashlib.md5(str(n if table.name == "skene_batches" else n // 100).encode()).hexdigest(),
        "origin": f"{'a' * 32}-{identity}",
        "address": None if table.name == "skene_webhooks" else f"person-{n}@example.com",
        "send_ids": " ".join([identity] * 100),
        "digest": identity,
        "text_digest": None,
        "position": n % 100,
    }
    if column.name in texts:
        return texts[column.name]
    if column.type is Moment:
        if column.name in MOMENTS:
            return MOMENTS[column.name]
        is_set = not column.nullable or (column.name in SET and table.name != "skene_webhooks")
        return START + timedelta(seconds=n / 10) if is_set else None
    if isinstance(column.type, Date):
        return date(2026, 3, 2)
    if isinstance(column.type, Integer | BigInteger | SmallInteger):
        return 100 if column.name == "size" else 1
    return WORDS.get(column.name)


if __name__ == "__main__":
    main()
