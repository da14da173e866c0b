"""A server's plan names what is read from end to end; its statistics say whether that is much, and what spares it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pymysql
import pytest
from segment_world import loop
from sqlalchemy import Connection, Select, create_engine, event, literal_column, select, table, text

from skene_dagster.checks import scans
from skene_dagster.checks.scans import Scan
from skene_dagster.errors import Place, StoreError
from skene_dagster.loops.dialect.answers.indexes import Reading
from skene_dagster.loops.triggers import After, Rows
from skene_dagster.settings import MomentColumn

PLAN = loop()
STEP = PLAN.steps[0]
ORDERS = Rows("shop.Orders", "id", "user_id", MomentColumn(column="at"), changes=False, name=None)


def reading(name: str = "users", *, limited: bool = False, **other: Any) -> Reading:
    said: dict[str, Any] = {"table": name, "line": 0, "points": ("kind",), "ranges": (), **other}
    return Reading(name=name, limited=limited, **said)


@pytest.mark.parametrize(
    ("row", "names"),
    [
        pytest.param({"id": "└─TableFullScan_5", "access object": "table:u"}, ["u"], id="TiDB, a table"),
        pytest.param(
            {"id": "  └─IndexFullScan_7(Build)", "access object": "table:u, index:by_name(name)"}, ["u"], id="an index"
        ),
        pytest.param({"id": "└─TableRangeScan_5", "access object": "table:u"}, [], id="TiDB, a range"),
        pytest.param({"id": "HashJoin_8", "access object": ""}, [], id="TiDB, a join"),
        pytest.param({"id": 1, "type": "ALL", "table": "u"}, ["u"], id="MySQL, a table"),
        pytest.param({"id": 1, "type": "index", "table": "u"}, ["u"], id="MySQL, an index"),
        pytest.param({"id": 1, "type": "ref", "table": "u"}, [], id="MySQL, some of an index"),
        pytest.param({"id": None, "type": None, "table": None}, [], id="MySQL, no table"),
    ],
)
def test_a_plan_names_what_is_read_from_end_to_end(row: dict[str, Any], names: list[str]) -> None:
    assert list(scans._names_read_whole([row])) == names  # type: ignore[list-item]  # a row is a mapping


def whole(*names: str) -> Any:
    return [{"id": 1, "type": "ALL", "table": name} for name in names]


@pytest.mark.parametrize(
    ("read", "in_the_plan", "told"),
    [
        pytest.param([reading("u")], ["u"], ["u"], id="one"),
        pytest.param([reading("U")], ["u"], ["U"], id="in another case"),
        pytest.param([reading("u")], ["v"], [], id="another"),
        pytest.param([reading("u"), reading("u")], ["u"], [], id="one of two of a name"),
        pytest.param([reading("u"), reading("u")], ["u", "u"], ["u", "u"], id="both of a name"),
        pytest.param([reading("u")], ["u", "u"], ["u"], id="more often than it is named"),
        pytest.param([reading("u", limited=True)], ["u"], [], id="as far as a limit"),
        pytest.param([reading("s", table="db.skene_sends")], ["s"], [], id="ours"),
        pytest.param([reading("s", table="DB.SKENE_SENDS")], ["s"], [], id="ours, in capitals"),
    ],
)
def test_tables_of_the_author_that_are_surely_read_whole_are_told(
    read: list[Reading], in_the_plan: list[str], told: list[str]
) -> None:
    assert [one.name for one in scans._read_whole(STEP, read, whole(*in_the_plan))] == told


def test_what_triggers_is_read_beside_a_condition_of_rows() -> None:
    by_row = replace(STEP, trigger=ORDERS, condition=replace(STEP.condition, by_row=True))  # type: ignore[arg-type]
    alone = replace(STEP, trigger=ORDERS)
    read = [reading("orders")]

    assert list(scans._read_whole(by_row, read, whole("orders"))) == []
    assert list(scans._read_whole(by_row, read, whole("orders", "orders"))) == read
    assert list(scans._read_whole(alone, read, whole("orders"))) == read
    after = replace(by_row, trigger=After("first", timedelta(days=1)))
    assert list(scans._read_whole(after, read, whole("orders"))) == read


@pytest.fixture
def connection() -> Iterator[Connection]:
    """An SQLite that has what is asked of a server's information_schema."""
    with create_engine("sqlite://").connect() as connection:
        driver: Any = connection.connection.dbapi_connection
        driver.create_function("DATABASE", 0, lambda: "app")
        for sql in (
            "ATTACH ':memory:' AS information_schema",
            "CREATE TABLE information_schema.tables (table_schema, table_name, table_type, table_rows)",
            (
                "CREATE TABLE information_schema.columns (table_schema, table_name, column_name, data_type, "
                "character_octet_length, ordinal_position)"
            ),
            (
                "CREATE TABLE information_schema.statistics (table_schema, table_name, index_name, non_unique, "
                "column_name, seq_in_index)"
            ),
            "CREATE TABLE users (id)",
            (
                "INSERT INTO information_schema.columns VALUES ('app', 'users', 'id', 'bigint', NULL, 1), "
                "('app', 'users', 'kind', 'varchar', 80, 2), ('app', 'users', 'at', 'datetime', NULL, 3), "
                "('app', 'users', 'notes', 'text', 65535, 4)"
            ),
        ):
            connection.execute(text(sql))
        yield connection


def scan(connection: Connection, known: int | None, read: Reading, *, big: int = 1000, there: int = 0) -> list[Scan]:
    kind = "BASE TABLE" if known is not None else "VIEW"
    connection.execute(
        text("INSERT INTO information_schema.tables VALUES ('app', 'users', :kind, :known)"),
        {"kind": kind, "known": known},
    )
    connection.execute(text("INSERT INTO users VALUES (:id)"), [{"id": n} for n in range(there)] or [{"id": 0}])
    return list(scans._scan(connection, PLAN, STEP, read, big))


@pytest.mark.parametrize(
    ("number", "is_passed_over"),
    [pytest.param(1345, True, id="SHOW VIEW, which lacks"), pytest.param(1142, False, id="another right")],
)
def test_a_view_whose_plan_may_not_be_seen_has_none(
    connection: Connection, number: int, *, is_passed_over: bool
) -> None:
    def refuse(*_: object) -> None:
        raise pymysql.err.OperationalError(number, "it said so")

    statement: Select[Any] = select(literal_column("id")).select_from(table("users"))
    event.listen(connection, "before_cursor_execute", refuse)

    if is_passed_over:
        assert scans._explained(connection, statement) == []
    else:
        with pytest.raises(StoreError, match="it said so"):
            scans._explained(connection, statement)


AN_INDEX = "CREATE INDEX users_kind ON users (kind);"


@pytest.mark.parametrize(
    ("known", "there", "rows"),
    [
        pytest.param(1_234_567, 0, "about 1,200,000", id="by the statistics, in two digits"),
        pytest.param(1_001, 0, "about 1,000", id="one more than is big"),
        pytest.param(1_000, 1_001, "more than 1,000", id="no more by the statistics, and counted"),
        pytest.param(0, 1_001, "more than 1,000", id="without statistics"),
        pytest.param(1_000, 1_000, None, id="no more than is big"),
        pytest.param(None, 1_001, None, id="a view"),
    ],
)
def test_a_table_is_told_with_its_rows_if_it_is_big(
    connection: Connection, known: int | None, there: int, rows: str | None
) -> None:
    expected = (
        []
        if rows is None
        else [Scan(Place("loops/retention.yaml", 7, "step 1, condition.query"), "users", rows, AN_INDEX)]
    )

    assert scan(connection, known, reading(), there=there) == expected


@pytest.mark.parametrize(
    ("read", "create"),
    [
        pytest.param(
            reading(points=("kind",), ranges=("at",)), "CREATE INDEX users_kind_at ON users (kind, at);", id="of_user"
        ),
        pytest.param(reading(points=(), ranges=("at",)), "CREATE INDEX users_at ON users (at);", id="a range"),
        pytest.param(reading(points=(), ranges=()), "", id="nothing that an index serves"),
        pytest.param(reading(points=("notes",)), "", id="a text that no index takes"),
    ],
)
def test_an_index_is_told_that_would_spare_the_reading(connection: Connection, read: Reading, create: str) -> None:
    assert [one.index for one in scan(connection, 5_000, read)] == [create]


def test_who_has_the_index_and_reads_all_nevertheless_is_told_nothing(connection: Connection) -> None:
    connection.execute(
        text("INSERT INTO information_schema.statistics VALUES ('app', 'users', 'by_kind', 1, 'kind', 1)")
    )

    assert scan(connection, 5_000, reading()) == []
    assert [one.index for one in scan(connection, 5_000, reading(points=(), ranges=()))] == [""]


def test_a_scan_is_told_at_the_line_of_its_table(connection: Connection) -> None:
    (found,) = scan(connection, 5_000, reading(line=3))

    assert found.place.line == 10


def test_a_scan_of_a_text_without_a_line_has_none(connection: Connection) -> None:
    nowhere = replace(PLAN, document=replace(PLAN.document, lines={}))
    scan(connection, 5_000, reading())

    (found,) = scans._scan(connection, nowhere, STEP, reading(), 1000)

    assert found.place.line is None
