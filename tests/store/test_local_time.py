"""The product's moments are read as UTC. Where they seem to be in local time, that is said with the column."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from delivery_world import SETTINGS, planned
from refusing import another_user
from sqlalchemy import Engine, text

from skene_dagster import settings as settings_module
from skene_dagster.checks import local_time
from skene_dagster.product import newest
from skene_dagster.settings import read_settings
from skene_dagster.store.engine import database_clock

on_servers = pytest.mark.parametrize("database_url", ["mariadb", "tidb"], indirect=True)
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)

LOOP = """\
type: retention
steps:
  - trigger: {type: schedule, cron: "0 9 * * *"}
    condition:
      type: query
      query: |
        SELECT id FROM users
        WHERE seen_at < NOW() - INTERVAL 7 DAY
    action: {type: email, template: hello}
"""
ON_ORDERS = """\
type: activation
steps:
  - trigger: {type: database, table: orders, event: insert, at: paid_at}
    condition: {type: query, query: "SELECT id FROM users WHERE id > 0"}
    action: {type: email, template: hello, transactional: true}
"""


class Product:
    """A product's tables, its rows written as so long from now."""

    def __init__(self, engine: Engine, root: Path) -> None:
        self.engine, self.root = engine, root
        # Rows are written in whole seconds.
        self.now = database_clock(engine)().replace(microsecond=0)
        for folder in ("loops", "templates"):
            (root / folder).mkdir()
        (root / "skene.yaml").write_text(
            SETTINGS.replace("users: {", "users: {created_at: created_at, "), encoding="utf-8"
        )
        self.users = (
            "CREATE TABLE users (id INTEGER PRIMARY KEY NOT NULL, email VARCHAR(255), name VARCHAR(255), "
            "verified BOOLEAN, seen_at DATETIME, created_at DATETIME)"
        )

    def make(self, users: str = "") -> None:
        orders = "CREATE TABLE orders (id INTEGER PRIMARY KEY NOT NULL, user_id INTEGER, paid_at DATETIME)"
        self.do(users or self.users, orders)

    def do(self, *statements: str) -> None:
        with self.engine.begin() as connection:
            for sql in statements:
                connection.execute(text(sql))

    def write(self, table: str, column: str, *ahead: timedelta | None) -> None:
        """Write rows whose moment is so far ahead of now; None is a NULL."""
        statement = text(f"INSERT INTO {table} (id, {column}) VALUES (:id, :at)")
        with self.engine.begin() as connection:
            last = connection.execute(text(f"SELECT COALESCE(MAX(id), 0) FROM {table}")).scalar_one()
            rows = [
                {"id": last + n, "at": None if one is None else f"{self.now + one:%Y-%m-%d %H:%M:%S}"}
                for n, one in enumerate(ahead, start=1)
            ]
            connection.execute(statement, rows)

    def said(self, loop: str = LOOP) -> list[str]:
        settings = settings_module.load(self.root, {})
        plan = planned(self.root, settings, loop)
        with self.engine.connect() as connection:
            found = local_time.suspects(connection, [plan], settings, read_settings(self.root), self.now)
        return [f"{one.place} {one.says}" for one in found]

    @contextmanager
    def zone(self, zone: str) -> Iterator[None]:
        """Let the server tell new sessions the time of a zone."""
        self.do(f"SET GLOBAL time_zone = '{zone}'")
        try:
            yield
        finally:
            self.do("SET GLOBAL time_zone = 'SYSTEM'")


@pytest.fixture
def product(engine: Engine, tmp_path: Path) -> Product:
    return Product(engine, tmp_path)


def test_a_table_that_must_be_fresh_and_is_written_in_local_time_is_told_where_that_is_said(product: Product) -> None:
    product.make()
    product.write("orders", "paid_at", *(2 * HOUR - n * MINUTE for n in range(1, 20)))

    (said,) = product.said(f"{LOOP}fresh:\n  - {{table: orders, column: paid_at, within: 2h}}\n")

    assert said.startswith("loops/retention.yaml:11  fresh.0.column orders.paid_at: 19 rows are in the future")
    assert "It looks like local time" in said


def test_moments_in_utc_are_found_well(product: Product) -> None:
    product.make()
    product.write("users", "created_at", -400 * DAY, -HOUR, None)
    product.write("users", "seen_at", -DAY, timedelta(0), 2 * MINUTE)

    assert product.said() == []


def test_an_empty_table_says_nothing(product: Product) -> None:
    product.make()

    assert product.said() == []


def test_a_column_of_a_condition_that_is_ahead_is_told_at_its_line_and_by_how_much(product: Product) -> None:
    product.make()
    product.write("users", "seen_at", *(2 * HOUR - n * MINUTE for n in range(40)))

    [said] = product.said()

    assert said.startswith(
        "loops/retention.yaml:8  step 1, condition.query users.seen_at: 40 rows are in the future; the newest is "
        "2 h 00 min ahead of now. It looks like local time (that of UTC+2)."
    )
    assert said.endswith("Moments are read as UTC: let the product store UTC.")


def test_a_mapped_column_is_told_at_its_setting(product: Product) -> None:
    product.make()
    product.write("users", "created_at", 5 * HOUR + 30 * MINUTE)

    [said] = product.said()

    assert "users.created_at: 1 row is in the future; the newest is 5 h 30 min ahead of now." in said
    assert said.startswith("skene.yaml:")
    assert "that of UTC+5:30" in said


def test_a_column_that_triggers_is_told_at_its_trigger(product: Product) -> None:
    product.make()
    product.write("orders", "paid_at", HOUR)

    [said] = product.said(ON_ORDERS)

    assert said.startswith("loops/retention.yaml:3  step 1, trigger.at orders.paid_at: 1 row is in the future;")


def test_a_column_that_is_named_twice_is_told_once_where_what_has_happened_is_named(product: Product) -> None:
    product.make()
    product.write("users", "created_at", *(2 * HOUR - n * MINUTE for n in range(40)))

    [said] = product.said(LOOP.replace("seen_at", "CREATED_AT"))

    assert said.startswith("skene.yaml:")


@pytest.mark.parametrize(
    "loop",
    [
        pytest.param(ON_ORDERS.replace("orders", "skene_orders"), id="whose rows trigger"),
        pytest.param(
            LOOP.replace("SELECT id FROM users", "SELECT user_id FROM skene_orders").replace("seen_at", "paid_at"),
            id="that a condition reads",
        ),
    ],
)
def test_a_table_of_ours_holds_utc(product: Product, loop: str) -> None:
    product.make()
    product.do("CREATE TABLE skene_orders (id INTEGER PRIMARY KEY NOT NULL, user_id INTEGER, paid_at DATETIME)")
    product.write("skene_orders", "paid_at", *(2 * HOUR - n * MINUTE for n in range(40)))

    assert product.said(loop) == []


@pytest.mark.parametrize(
    ("ahead", "expected"),
    [
        pytest.param(
            [26800 * DAY],
            "1 row is far in the future; the newest is {0:%d %b %Y}. Correct or delete rows that are only test data.",
            id="a test row",
        ),
        pytest.param(
            [37 * MINUTE],
            "1 row is in the future; the newest is 37 min ahead of now. "
            "Moments are read as UTC: let the product store UTC, or correct rows that are only mistakes.",
            id="one row at no zone's distance",
        ),
        pytest.param(
            [2 * HOUR - 2 * MINUTE - SECOND for _ in range(9)],
            "9 rows are in the future; the newest is 1 h 58 min ahead of now. "
            "Moments are read as UTC: let the product store UTC, or correct rows that are only mistakes.",
            id="nine rows at nearly a zone's distance",
        ),
        pytest.param(
            [5 * MINUTE + SECOND],
            "1 row is in the future; the newest is 5 min ahead of now. "
            "Moments are read as UTC: let the product store UTC, or correct rows that are only mistakes.",
            id="further ahead than clocks differ",
        ),
        pytest.param(
            [14 * HOUR + 5 * MINUTE],
            "1 row is in the future; the newest is 14 h 05 min ahead of now. "
            "Moments are read as UTC: let the product store UTC, or correct rows that are only mistakes.",
            id="as far ahead as the furthest zone",
        ),
        pytest.param(
            [14 * HOUR + 5 * MINUTE + SECOND],
            "1 row is far in the future; the newest is {0:%d %b %Y}. Correct or delete rows that are only test data.",
            id="further ahead than any zone",
        ),
    ],
)
def test_a_few_wrong_rows_are_not_called_local_time(product: Product, ahead: list[timedelta], expected: str) -> None:
    product.make()
    product.write("users", "created_at", -DAY, *ahead)

    [said] = product.said()

    assert said.split("users.created_at: ")[1] == expected.format(product.now + ahead[0])


@pytest.mark.parametrize(
    ("ahead", "cause"),
    [
        pytest.param([2 * HOUR - 2 * MINUTE], " (that of UTC+2)", id="new as of two minutes"),
        pytest.param([10 * MINUTE for _ in range(10)], "", id="ten rows at no zone's distance"),
        pytest.param([14 * HOUR], " (that of UTC+14)", id="the furthest zone"),
    ],
)
def test_many_rows_or_one_at_a_zones_distance_look_like_local_time(
    product: Product, ahead: list[timedelta], cause: str
) -> None:
    product.make()
    product.write("users", "created_at", *ahead)

    [said] = product.said()

    assert f"ahead of now. It looks like local time{cause}. Moments are read as UTC" in said


def test_a_row_no_further_ahead_than_clocks_differ_is_of_now(product: Product) -> None:
    product.make()
    product.write("users", "created_at", 5 * MINUTE)

    assert product.said() == []


def test_a_row_of_the_far_future_hides_no_local_time(product: Product) -> None:
    product.make()
    product.write("users", "created_at", 26800 * DAY, *(2 * HOUR for _ in range(3)))

    near, far = product.said()

    assert "3 rows are in the future; the newest is 2 h 00 min ahead" in near
    assert "1 row is far in the future" in far


@pytest.mark.parametrize(
    "ahead",
    [
        pytest.param([n * DAY for n in range(30)], id="days of a month to come"),
        pytest.param([2 * HOUR, *(n * DAY for n in range(1, 6))], id="days to come, the first in two hours"),
        pytest.param([26800 * DAY], id="a far day"),
        pytest.param([100 * MINUTE + HOUR], id="one that comes soon"),
    ],
)
def test_what_a_condition_names_may_be_planned_for_later(product: Product, ahead: list[timedelta]) -> None:
    product.make()
    product.write("users", "seen_at", *ahead)

    assert product.said() == []


@pytest.mark.parametrize(
    "condition",
    [
        pytest.param("seen_at BETWEEN NOW() AND NOW() + INTERVAL 1 HOUR", id="the hour to come"),
        pytest.param("seen_at > NOW()", id="all that is to come"),
        pytest.param("users.seen_at < NOW() + INTERVAL 3 DAY", id="before a day to come"),
    ],
)
def test_a_column_that_a_condition_compares_with_what_is_to_come_may_hold_it(product: Product, condition: str) -> None:
    product.make()
    product.write("users", "seen_at", *(2 * HOUR - n * MINUTE for n in range(40)))

    assert product.said(LOOP.replace("seen_at < NOW() - INTERVAL 7 DAY", condition)) == []


def test_a_column_whose_name_speaks_of_the_future_may_hold_it(product: Product) -> None:
    product.make(product.users.replace("seen_at", "starts_at"))
    product.write("users", "starts_at", *(2 * HOUR - n * MINUTE for n in range(40)))

    assert product.said(LOOP.replace("seen_at", "starts_at")) == []


@pytest.mark.parametrize(
    "ahead",
    [
        pytest.param([(n + 1) * HOUR / 2 for n in range(12)], id="an appointment each half hour"),
        pytest.param([2 * HOUR for _ in range(40)], id="many at one moment"),
        pytest.param([2 * HOUR - n * MINUTE for n in range(9)], id="a few"),
        pytest.param([2 * HOUR - n * 201 * SECOND for n in range(10)], id="ten, in more than half an hour"),
        pytest.param([127 * MINUTE - n * MINUTE for n in range(40)], id="many, up to no zone's distance"),
        pytest.param([3 * DAY, *(2 * HOUR - n * MINUTE for n in range(40))], id="many, and one that is planned"),
    ],
)
def test_of_a_column_of_a_condition_little_evidence_is_none(product: Product, ahead: list[timedelta]) -> None:
    product.make()
    product.write("users", "seen_at", *ahead)

    assert product.said() == []


def test_ten_moments_within_half_an_hour_of_a_zones_now_are_evidence(product: Product) -> None:
    product.make()
    product.write("users", "seen_at", *(2 * HOUR - n * 200 * SECOND for n in range(10)))

    [said] = product.said()

    assert "users.seen_at: 10 rows are in the future" in said
    assert "(that of UTC+2)" in said


def test_of_many_future_rows_only_the_first_thousand_are_counted(product: Product) -> None:
    product.make()
    product.write("users", "created_at", *(HOUR for _ in range(1000)))

    [thousand] = product.said()
    product.write("users", "created_at", HOUR)
    [more] = product.said()

    assert "users.created_at: 1,000 rows are in the future;" in thousand
    assert "users.created_at: more than 1,000 rows are in the future;" in more


def test_of_a_big_table_without_an_index_the_last_rows_by_its_key_are_read(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(newest, "READ_WHOLE", 20)
    monkeypatch.setattr(newest, "SAMPLE", 10)
    product.make()
    product.write("users", "created_at", *(HOUR for _ in range(15)), *(-DAY for _ in range(10)))

    without = product.said()
    product.write("users", "created_at", HOUR)
    with_one = product.said()

    assert without == []
    assert "1 of the last 10 rows is in the future;" in with_one[0]


@on_servers
def test_of_a_big_table_with_an_index_the_newest_are_found(product: Product, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(newest, "READ_WHOLE", 20)
    monkeypatch.setattr(newest, "SAMPLE", 10)
    product.make()
    product.do("CREATE INDEX by_created ON users (created_at)")
    product.write("users", "created_at", *(HOUR for _ in range(15)), *(-DAY for _ in range(15)))

    [said] = product.said()

    assert "15 rows are in the future" in said


@on_servers
def test_the_zone_of_the_server_is_named_where_it_explains_what_is_ahead(product: Product) -> None:
    product.make()
    product.write("users", "created_at", 80 * MINUTE)

    with product.zone("+02:00"):
        [said] = product.said()

    assert "the newest is 1 h 20 min ahead of now. It looks like local time (the server's zone is UTC+2)." in said


FILLED = "seen_at DATETIME DEFAULT CURRENT_TIMESTAMP"


@on_servers
@pytest.mark.parametrize(
    ("column", "zone", "newest_is", "says"),
    [
        pytest.param(
            FILLED,
            "-05:00",
            -5 * HOUR - 2 * MINUTE,
            "NOW() fills it, and the server's zone is UTC-5: sessions that set no zone of their own write local time. "
            "The newest is 5 h 02 min behind now.",
            id="filled by a server west of UTC",
        ),
        pytest.param(
            "seen_at DATETIME ON UPDATE CURRENT_TIMESTAMP",
            "+02:00",
            -3 * HOUR,
            "NOW() fills it, and the server's zone is UTC+2: sessions that set no zone of their own write local time. "
            "The newest is 3 h 00 min behind now.",
            id="filled at each change by a server east of UTC",
        ),
        pytest.param(
            "seen_at DATETIME",
            "-05:00",
            -5 * HOUR - 2 * MINUTE,
            "The newest is 5 h 02 min behind now. It may be local time: the server's zone is UTC-5.",
            id="written by the product, and new as far as the zone goes",
        ),
        pytest.param(
            "seen_at DATETIME",
            "-05:00",
            -5 * HOUR - 30 * MINUTE,
            "The newest is 5 h 30 min behind now. It may be local time: the server's zone is UTC-5.",
            id="written by the product, half an hour before the zone's now",
        ),
        pytest.param(
            "seen_at DATETIME", "-05:00", -5 * HOUR - 30 * MINUTE - SECOND, "", id="longer before the zone's now"
        ),
        pytest.param(
            FILLED,
            "+02:00",
            -5 * MINUTE - SECOND,
            "NOW() fills it, and the server's zone is UTC+2: sessions that set no zone of their own write local time. "
            "The newest is 5 min behind now.",
            id="further behind than clocks differ",
        ),
        pytest.param(
            FILLED,
            "-05:00",
            -48 * HOUR,
            "NOW() fills it, and the server's zone is UTC-5: sessions that set no zone of their own write local time. "
            "The newest is 2 days behind now.",
            id="two days behind",
        ),
        pytest.param(
            FILLED,
            "-05:00",
            -48 * HOUR + MINUTE,
            "NOW() fills it, and the server's zone is UTC-5: sessions that set no zone of their own write local time. "
            "The newest is 47 h 59 min behind now.",
            id="nearly two days behind",
        ),
        pytest.param(
            FILLED,
            "-05:00",
            None,
            "NOW() fills it, and the server's zone is UTC-5: sessions that set no zone of their own write local time.",
            id="filled, and no row has it",
        ),
        pytest.param("seen_at DATETIME", "-05:00", None, "", id="written by the product, and no row has it"),
        pytest.param(FILLED, "-05:00", -5 * HOUR + 5 * MINUTE, "", id="newer than local time could be"),
        pytest.param(FILLED, "+02:00", -5 * MINUTE, "", id="as new as now"),
        pytest.param("seen_at DATETIME", "-05:00", -9 * HOUR, "", id="written by the product, hours ago"),
        pytest.param("seen_at DATETIME", "+02:00", -HOUR, "", id="written by the product east of UTC"),
        pytest.param(FILLED, "+00:00", -HOUR, "", id="filled by a server in UTC"),
        pytest.param(
            "seen_at TIMESTAMP NULL DEFAULT CURRENT_TIMESTAMP", "-05:00", -6 * HOUR, "", id="converted by the server"
        ),
    ],
)
def test_what_a_server_of_another_zone_fills_in_itself_is_told(
    product: Product, column: str, zone: str, newest_is: timedelta | None, says: str
) -> None:
    product.make(product.users.replace("seen_at DATETIME", column))
    product.write("users", "seen_at", newest_is)

    with product.zone(zone):
        said = product.said()

    assert [one.split("users.seen_at: ")[1].split(" Moments are read")[0] for one in said] == ([says] if says else [])


@on_sqlite
def test_texts_that_are_no_moments_are_passed_over(product: Product) -> None:
    product.make()
    product.do("INSERT INTO users (id, created_at) VALUES (1, 'never'), (2, 17), (3, ''), (4, '9999-12-31 00:00:00')")

    assert product.said() == []


@on_servers
def test_a_table_that_may_not_be_read_is_left_to_others(product: Product) -> None:
    product.make()
    product.write("users", "created_at", HOUR)

    with another_user(product.engine, f"GRANT SELECT (id) ON {product.engine.url.database}.users TO {{us}}") as theirs:
        product.engine = theirs
        assert product.said() == []
