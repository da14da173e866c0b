"""The author's SQL selects the same users on every database, and on servers the same as its original text."""

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Engine,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    bindparam,
    insert,
    text,
)
from sqlalchemy.dialects.mysql import DATETIME

from skene_dagster.errors import Place
from skene_dagster.loops.dialect import read_query
from skene_dagster.settings import Users
from skene_dagster.store.engine import is_sqlite, open_engine

AS_OF = dt.datetime(2026, 11, 23, 9)
ABOVE_DOUBLE = 9007199254740993
CASES = [Path(__file__).parent.parent / "dialect" / name for name in ("selected.sql", "written.sql")]

metadata = MetaData()
Moment = DateTime().with_variant(DATETIME(fsp=6), "mysql", "mariadb")
BINARY: dict[str, Any] = {"mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}
users = Table(
    "users",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("name", String(50)),
    Column("email", String(100)),
    Column("plan", String(20)),
    Column("age", Integer),
    Column("score", Numeric(10, 2, asdecimal=False)),
    Column("active", Boolean),
    Column("created_at", Moment),
    Column("last_activity_at", Moment),
    Column("re_engagement_sent", Boolean),
    Column("birthday", Date),
    Column("note", String(100)),
    Column("meta", JSON),
    **BINARY,
)
orders = Table(
    "orders",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("user_id", BigInteger),
    Column("amount", Integer),
    Column("created_at", Moment),
    **BINARY,
)


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


ANN_META = {"plan": "pro", "city": "Ulm", "seats": 7, "tags": ["a"]}
BOB_META = {"plan": "free", "city": "Rom", "seats": 2, "tags": []}
# fmt: off
USERS = [
    (1, "Ann", "ann@example.com", "pro", 30, 10.5, True, at("2026-01-31"), at("2026-11-16 09:00"), False,
     day("2000-02-29"), "50% off", ANN_META),
    (2, "Bob", "bob@example.com", "free", 25, 10.49, True, at("2026-11-16"), at("2026-11-16 08:59:59.999999"), False,
     day("1990-01-01"), "it's", BOB_META),
    (3, "ann", "ann2@example.com", "team", 45, 0, False, at("2025-12-31 23:59:59"), at("2026-11-16"), False,
     day("1980-06-15"), 'say "hi"', None),
    (4, "Zoë", "zoe@example.org", "free", 35, 99.99, False, at("2026-02-28 12:00"), None, False,
     None, r"a\b:c", {"plan": "free"}),
    (5, "Eve", "eve@example.com", None, None, None, None, at("2026-11-22 09:00"), at("2026-11-23 09:00"), True,
     day("2008-11-23"), "x:y :z 12:30", None),
    (6, "Dan", "dan@example.com", "pro", 28, 3, True, at("2026-10-01 00:00:00.000001"),
     at("2026-11-16 09:00:00.000001"), True, day("2008-11-24"), "line\nbreak", None),
    (7, "Max", "max@example.com", "team", 0, -2.5, False, at("2026-11-23 08:59:59"), at("2026-11-20 10:30"), False,
     day("1999-12-31"), "under_score", None),
    (ABOVE_DOUBLE, "Li", "li@example.com", "free", 20, 1.5, True, at("2024-02-29 23:00"), at("2026-01-01"), False,
     day("2001-12-31"), "tab\there", None),
]
ORDERS = [
    (1, 1, 10, at("2026-11-01")),
    (2, 1, 25, at("2026-09-01")),
    (3, 2, 5, at("2026-01-01")),
    (4, 7, 30, at("2026-10-24 09:00")),
    (5, 7, 1, at("2026-10-24 08:59")),
    (6, None, 50, at("2026-01-01")),
]
# fmt: on


@dataclass(frozen=True)
class Case:
    sql: str
    selected: list[int]
    ours: bool
    needs_tidb: str


def cases() -> list[Case]:
    found: list[Case] = []
    sql: list[str] = []
    for line in "\n".join(file.read_text(encoding="utf-8") for file in CASES).splitlines():
        if line.startswith("-- => "):
            ids = line.removeprefix("-- => ").split()
            query = "\n".join(sql)
            if not query.startswith(("SELECT", "WITH", "(SELECT")):
                query = f"SELECT id FROM users WHERE {query}"
            found.append(Case(query, [int(number) for number in ids], ours=False, needs_tidb=""))
            sql = []
        elif line == "-- ours":
            found[-1] = Case(found[-1].sql, found[-1].selected, ours=True, needs_tidb="")
        elif line.startswith("-- needs TiDB: "):
            found[-1] = Case(found[-1].sql, found[-1].selected, found[-1].ours, line.removeprefix("-- needs TiDB: "))
        elif line and not (line.startswith("-- ") and not sql):
            sql.append(line)
    return found


def selected(engine: Engine, sql: str) -> list[int]:
    statement = text(sql)
    known = (bindparam("as_of", AS_OF, DateTime), bindparam("as_of_date", AS_OF.date(), Date))
    used = [bind for bind in known if bind.key in statement.compile().params]
    with engine.connect() as connection:
        return sorted(row[0] for row in connection.execute(statement.bindparams(*used)))


def selected_by_original(engine: Engine, sql: str) -> list[int]:
    with engine.connect() as connection:
        connection.exec_driver_sql("SET timestamp = UNIX_TIMESTAMP('2026-11-23 09:00:00')")
        rows = sorted(row[0] for row in connection.exec_driver_sql(sql.replace("%", "%%")))
        connection.invalidate()
    return rows


@pytest.fixture
def product(engine: Engine) -> Engine:
    metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(insert(users), [dict(zip(users.c.keys(), row, strict=True)) for row in USERS])
        connection.execute(insert(orders), [dict(zip(orders.c.keys(), row, strict=True)) for row in ORDERS])
    return engine


def test_conditions_select_the_same_users_on_every_database(product: Engine) -> None:
    asked = [(case, _said(product, case.sql)) for case in cases()]

    wrong = [
        (case.sql, sql, rows, case.selected)
        for case, sql in asked
        if sql is not None and (rows := selected(product, sql)) != case.selected
    ]

    assert wrong == []


def test_conditions_can_be_a_part_of_our_statements(product: Engine) -> None:
    asked = [(case, _said(product, case.sql)) for case in cases()]

    wrong = [
        (case.sql, rows, case.selected)
        for case, sql in asked
        if sql is not None and (rows := selected(product, f"SELECT * FROM ({sql}) AS q")) != case.selected
    ]

    assert wrong == []


@pytest.mark.parametrize("database_url", ["mariadb", "tidb"], indirect=True)
def test_what_reaches_a_server_selects_the_same_users_as_the_original(product: Engine) -> None:
    originals = [case for case in cases() if not case.ours]

    wrong = [
        (case.sql, rows, case.selected)
        for case in originals
        if (rows := selected_by_original(product, case.sql)) != case.selected
    ]

    assert wrong == []


@pytest.mark.parametrize("case", [case for case in cases() if case.needs_tidb], ids=lambda case: case.needs_tidb)
def test_what_the_embedded_database_cannot_say_is_named(case: Case) -> None:
    query = read_query(case.sql, users=Users(), place=Place("selected.sql"))

    assert (query.sqlite, query.needs_tidb) == (None, f"{case.needs_tidb} needs TiDB")


def test_everything_else_can_be_said_on_the_embedded_database() -> None:
    lacking = {case.sql for case in cases() if not case.needs_tidb and _on_sqlite(case.sql) is None}

    assert lacking == set()


@pytest.mark.parametrize("form", ["2026-11-16 09:00:00", "2026-11-16T09:00:00", "2026-11-16 09:00:00.000"])
def test_moments_that_the_product_wrote_in_another_form_compare_right(form: str, tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'product.db'}")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE users (id INTEGER PRIMARY KEY, last_activity_at TEXT)")
        connection.exec_driver_sql("INSERT INTO users VALUES (1, ?)", (form,))
    within = _on_sqlite("SELECT id FROM users WHERE last_activity_at >= NOW() - INTERVAL 7 DAY")
    before = _on_sqlite("SELECT id FROM users WHERE last_activity_at < NOW() - INTERVAL 7 DAY")
    assert within is not None
    assert before is not None

    found = selected(engine, within), selected(engine, before)

    engine.dispose()
    assert found == ([1], [])


def _said(engine: Engine, sql: str) -> str | None:
    query = read_query(sql, users=Users(), place=Place("selected.sql"))
    return query.sqlite if is_sqlite(engine) else query.mysql


def _on_sqlite(sql: str) -> str | None:
    return read_query(sql, users=Users(), place=Place("selected.sql")).sqlite
