"""A big table that a condition reads from end to end is found by the server's own plan, unless it is so on purpose."""

from datetime import datetime
from pathlib import Path

import pytest
from delivery_world import SETTINGS, planned
from sqlalchemy import Engine, text

from skene_dagster import settings as settings_module
from skene_dagster.checks.scans import Scan, big_scans

BIG = 50
"""What is big to these tests."""
AS_OF = datetime(2026, 3, 1, 9)
SCHEDULE = '{type: schedule, cron: "0 9 * * *"}'
SIGN_UP = "{type: database, table: users, event: insert}"
LOOP = """\
type: retention
steps:
  - trigger: {trigger}
    condition:
      type: query
      query: |
        {sql}
    action: {{type: email, template: hello}}
"""

on_servers = pytest.mark.parametrize("database_url", ["mariadb", "tidb"], indirect=True)


class Product:
    """Sixty users with an action each, and what the server says of a loop."""

    def __init__(self, engine: Engine, root: Path) -> None:
        self.engine = engine
        self.root = root
        for folder in ("loops", "templates"):
            (root / folder).mkdir()
        (root / "skene.yaml").write_text(SETTINGS, encoding="utf-8")
        self.do(
            "CREATE TABLE users (id BIGINT PRIMARY KEY NOT NULL, email VARCHAR(255), name VARCHAR(255), "
            "sent BOOLEAN NOT NULL, notes TEXT, seen_at DATETIME NOT NULL, created_at DATETIME NOT NULL)",
            "CREATE TABLE actions (user_id BIGINT NOT NULL, kind VARCHAR(20) NOT NULL, at DATETIME NOT NULL)",
            *(
                f"INSERT INTO users VALUES ({n}, 'user-{n}@example.com', 'User', FALSE, '', '2020-01-01', '2020-01-01')"
                for n in range(60)
            ),
            "INSERT INTO actions SELECT id, 'export', created_at FROM users",
        )

    def do(self, *statements: str) -> None:
        with self.engine.begin() as connection:
            for sql in statements:
                connection.execute(text(sql))

    def scans(self, sql: str, trigger: str = SCHEDULE, big: int = BIG) -> list[Scan]:
        settings = settings_module.load(self.root, {})
        loop = LOOP.format(trigger=trigger, sql=sql.replace("\n", "\n        "))
        plan = planned(self.root, settings, loop)
        with self.engine.connect() as connection:
            return list(big_scans(connection, plan, settings, AS_OF, big=big))

    def tables(self, sql: str, trigger: str = SCHEDULE) -> list[str]:
        return [scan.table for scan in self.scans(sql, trigger)]


@pytest.fixture
def product(engine: Engine, tmp_path: Path) -> Product:
    return Product(engine, tmp_path)


DORMANT = "SELECT id\nFROM users\nWHERE seen_at < NOW() - INTERVAL 7 DAY AND sent = false"


@on_servers
def test_a_scan_is_told_at_its_line_with_its_rows_and_an_index(product: Product) -> None:
    (scan,) = product.scans(DORMANT)

    assert str(scan.place) == "loops/retention.yaml:8  step 1, condition.query"
    assert (scan.table, scan.index) == ("users", "CREATE INDEX users_sent_seen_at ON users (sent, seen_at);")
    assert scan.rows in ("about 60", "more than 50")
    assert product.scans(DORMANT, big=60) == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_sqlite_is_not_asked(product: Product) -> None:
    assert product.scans(DORMANT) == []


READ_WHOLE = {
    "everybody": ("SELECT id FROM users", ["users"]),
    "one": ("SELECT id FROM users WHERE id = 5", []),
    "some, by the key": ("SELECT id FROM users WHERE id < 5", []),
    "by its alias": ("SELECT u.id FROM users AS u WHERE u.sent = 0", ["users"]),
    "one of two that have the same name, and nobody knows which": (
        "SELECT u.id FROM users u WHERE u.id = 5 AND EXISTS (SELECT 1 FROM actions u WHERE u.kind = 'x')",
        [],
    ),
    "both of two": (
        "SELECT id FROM users WHERE sent = 0 UNION SELECT id FROM users WHERE seen_at < NOW()",
        ["users", "users"],
    ),
    "within": (
        "WITH x AS (SELECT user_id FROM actions WHERE kind = 'x') SELECT u.id FROM users u, x WHERE u.id = 5",
        ["actions"],
    ),
    "perhaps no further than a limit": ("SELECT id FROM users ORDER BY id LIMIT 5", []),
    "a view": ("SELECT id AS user_id FROM old_users WHERE sent = 0", []),
}
"""What is read, how, and the tables that are told."""


@on_servers
def test_the_plan_tells_which_tables_are_read_whole(product: Product) -> None:
    product.do("CREATE VIEW old_users AS SELECT * FROM users")

    told = {how: product.tables(sql) for how, (sql, _) in READ_WHOLE.items()}

    assert told == {how: tables for how, (_, tables) in READ_WHOLE.items()}


@on_servers
def test_nobody_is_told_to_index_a_table_of_ours(product: Product) -> None:
    product.do("CREATE TABLE skene_notes (user_id BIGINT PRIMARY KEY, note VARCHAR(20)) COLLATE utf8mb4_bin")
    product.do("INSERT INTO skene_notes (user_id, note) SELECT id, 'x' FROM users")

    assert product.tables("SELECT user_id FROM skene_notes WHERE note = 'x'") == []


@on_servers
def test_a_condition_that_no_index_serves_is_told_without_one(product: Product) -> None:
    (scan,) = product.scans("SELECT id FROM users WHERE LOWER(name) = 'ada' AND notes = 'x'")

    assert (scan.table, scan.index) == ("users", "")


@on_servers
def test_of_a_row_that_triggers_the_condition_should_look_up_the_rest(product: Product) -> None:
    sql = "SELECT * FROM actions WHERE user_id = $1 AND kind = 'export'"

    (scan,) = product.scans(sql, SIGN_UP)
    product.do(scan.index)

    assert scan.index == "CREATE INDEX actions_user_id_kind ON actions (user_id, kind);"
    assert product.scans(sql, SIGN_UP) == []


@on_servers
def test_what_is_read_for_the_trigger_is_not_the_conditions(product: Product) -> None:
    assert product.tables("SELECT id FROM users WHERE id = $1 AND sent = 0", SIGN_UP) == []


@on_servers
def test_a_table_of_another_database_and_with_names_of_any_kind_is_indexed_there(product: Product) -> None:
    database = product.engine.url.database
    product.do("CREATE TABLE `Order` (user_id BIGINT, `key` INTEGER)", "INSERT INTO `Order` SELECT id, 1 FROM users")

    (scan,) = product.scans(f"SELECT user_id FROM {database}.`Order` WHERE `key` = 5")

    assert scan.index == f"CREATE INDEX `Order_key` ON {database}.`Order` (`key`);"
