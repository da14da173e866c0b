import pytest
from tidb_guard import RULES, broken_rules, without_literals

# (the rule, a statement that it catches, one much like it that it lets pass)
CASES = [
    (
        "skip_locked",
        "SELECT batch_id FROM skene_batches WHERE state = 'reserved' FOR UPDATE\n SKIP LOCKED",
        "SELECT 'FOR UPDATE SKIP LOCKED' FROM skene_batches FOR UPDATE",
    ),
    (
        "shared_lock",
        "SELECT as_of FROM skene_segments LOCK IN SHARE MODE",
        "SELECT as_of FROM skene_segments FOR UPDATE",
    ),
    (
        "shared_lock",
        "select as_of from skene_segments for share",
        "select share from skene_segments where share = 1",
    ),
    (
        "check_constraint",
        "CREATE TABLE t (a INT, CONSTRAINT c CHECK (a > 0)) COLLATE utf8mb4_bin",
        "CREATE TABLE t (`check` INT) COLLATE utf8mb4_bin",
    ),
    ("returning", "INSERT INTO t (a) VALUES (%(a)s) RETURNING a", "SELECT `returning` FROM t"),
    (
        "new_row_alias",
        "INSERT INTO t (a, b) VALUES (%(a)s, %(b)s) AS new ON DUPLICATE KEY UPDATE b = new.b",
        "INSERT INTO t (a, b) VALUES (%(a)s, %(b)s) ON DUPLICATE KEY UPDATE b = VALUES(b)",
    ),
    (
        "new_row_alias",
        "INSERT INTO t SET a = f(1) AS new ON DUPLICATE KEY UPDATE a = new.a",
        "INSERT INTO t (a) SELECT q.a FROM (SELECT 1 AS a) AS q ON DUPLICATE KEY UPDATE a = VALUES(a)",
    ),
    (
        "create_table_as_select",
        "CREATE TEMPORARY TABLE IF NOT EXISTS t COLLATE utf8mb4_bin AS SELECT id FROM users",
        "INSERT INTO t (id) SELECT id FROM users",
    ),
    ("ignore", "INSERT IGNORE INTO t (a) VALUES (1)", "INSERT INTO t (a) VALUES (1) ON DUPLICATE KEY UPDATE a = a"),
    ("ignore", "UPDATE LOW_PRIORITY IGNORE t SET a = 1", "UPDATE t SET `ignore` = 1"),
    ("select_into", "SELECT COUNT(*) INTO @n FROM users", "INSERT INTO t (n) SELECT COUNT(*) FROM users"),
    (
        "json_table",
        "SELECT j.a FROM t, JSON_TABLE(t.doc, '$[*]' COLUMNS (a INT PATH '$')) AS j",
        "SELECT JSON_EXTRACT(t.doc, '$[0]') AS json_table FROM t",
    ),
    (
        "lateral",
        "SELECT u.id, e.at FROM users u JOIN LATERAL (SELECT 1 AS at) e ON TRUE",
        "SELECT u.id, e.at FROM users u JOIN (SELECT 1 AS at) e ON TRUE",
    ),
    (
        "page_without_order",
        "SELECT user_id FROM skene_segment_members WHERE user_id > %(after)s LIMIT %(page)s",
        "SELECT user_id FROM skene_segment_members WHERE user_id > %(after)s ORDER BY user_id LIMIT %(page)s",
    ),
    (
        "page_without_order",
        "SELECT MAX(user_id) FROM (SELECT user_id FROM skene_segment_members LIMIT 1000) AS page",
        "SELECT COUNT(*) FROM (SELECT 1 AS one FROM users LIMIT 1000) AS page",
    ),
    (
        "page_without_order",
        "SELECT batch_id FROM skene_batches UNION ALL SELECT parent_id FROM skene_batches LIMIT %(page)s",
        "SELECT batch_id FROM skene_batches WHERE `loop` = %(loop)s LIMIT 1",
    ),
    ("lock_tables", "LOCK TABLES skene_sends WRITE", "SELECT 1 FROM lock_tables"),
    (
        "self_reading_set",
        "UPDATE skene_batches SET attempts = attempts + 1, position = ATTEMPTS WHERE batch_id = %(id)s",
        "UPDATE skene_batches SET position = attempts, attempts = attempts + 1 WHERE batch_id = %(id)s",
    ),
    ("self_reading_set", "UPDATE t SET `a` = 1, b = a", "UPDATE t SET `a` = 1, b = c"),
    (
        "self_reading_set",
        "UPDATE t SET t.a = t.a + 1, t.b = CASE WHEN (SELECT MAX(x) FROM s WHERE s.y = t.a) > 1 THEN 2 ELSE 3 END",
        "UPDATE t SET t.a = t.a + 1, t.b = CASE WHEN (SELECT MAX(x) FROM s WHERE s.y = t.c) > 1 THEN 2 ELSE 3 END",
    ),
    (
        "no_collation",
        "CREATE TABLE t (name VARCHAR(64) COLLATE utf8mb4_bin) DEFAULT CHARSET=utf8mb4",
        "CREATE TABLE t (name VARCHAR(64)) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
    ),
    (
        "no_collation",
        "CREATE TABLE IF NOT EXISTS t (a INT) COLLATE utf8mb4_general_ci",
        "CREATE TABLE t LIKE skene_sends",
    ),
    (
        "update_join_limit",
        "UPDATE t JOIN (SELECT id FROM s LIMIT 5) AS q ON q.id = t.id\nSET t.a = 1 LIMIT 100",
        "UPDATE t JOIN (SELECT id FROM s LIMIT 5) AS q ON q.id = t.id\nSET t.a = 1",
    ),
    ("update_join_limit", "update t, s set t.a = s.a limit 5", "update t set a = 1, b = 2 limit 5"),
    ("convert_tz", "SELECT CONVERT_TZ(at, 'UTC', 'Europe/Berlin') FROM t", "SELECT 'CONVERT_TZ(' FROM t"),
    (
        "convert_tz",
        "SELECT CONVERT_TZ(at, '+00:00', @@global.time_zone) FROM t",
        "SELECT CONVERT_TZ(UTC_TIMESTAMP(), '+00:00', @@global.time_zone)",
    ),
    ("get_lock_without_waiting", "SELECT GET_LOCK('skene', 0)", "SELECT GET_LOCK('skene', 10)"),
    ("get_lock_without_waiting", "SELECT GET_LOCK(%(name)s, %(wait)s)", "SELECT GET_LOCK(%(name)s, 3600)"),
    (
        "calc_found_rows",
        "SELECT SQL_CALC_FOUND_ROWS id FROM t ORDER BY id LIMIT 5",
        "SELECT id FROM t ORDER BY id LIMIT 5",
    ),
    (
        "storage_options",
        "CREATE TABLE t (a INT) ENGINE=MEMORY COLLATE=utf8mb4_bin",
        "CREATE TABLE t (engine INT) ENGINE=InnoDB COLLATE=utf8mb4_bin",
    ),
    (
        "storage_options",
        "CREATE TABLE t (a INT) COLLATE utf8mb4_bin ROW_FORMAT=COMPRESSED",
        "SELECT a FROM t WHERE row_format > 1",
    ),
    (
        "isolation_level",
        "SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE",
        "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    ),
    ("isolation_level", "SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED", "SELECT 'ISOLATION LEVEL SERIALIZABLE'"),
    (
        "read_only_transaction",
        "START TRANSACTION READ ONLY",
        "START TRANSACTION READ ONLY AS OF TIMESTAMP '2026-11-23 00:00:00'",
    ),
    ("read_only_transaction", "SET SESSION TRANSACTION READ ONLY", "SET SESSION TRANSACTION READ WRITE"),
    (
        "auto_increment",
        "CREATE TABLE t (id BIGINT PRIMARY KEY AUTO_INCREMENT) COLLATE utf8mb4_bin",
        "CREATE TABLE t (id BIGINT PRIMARY KEY COMMENT 'no AUTO_INCREMENT') COLLATE utf8mb4_bin",
    ),
    ("auto_increment", "SELECT LAST_INSERT_ID()", "SELECT last_insert_id FROM t"),
    (
        "foreign_key",
        "ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES s (a)",
        "ALTER TABLE t ADD KEY f (a) COMMENT 'a foreign key in all but name'",
    ),
    (
        "descending_index",
        "CREATE INDEX newest ON t (user_id, at DESC)",
        "SELECT at FROM t USE INDEX (newest) ORDER BY at DESC",
    ),
    (
        "stale_write",
        "INSERT INTO t (id) SELECT id FROM users AS OF TIMESTAMP '2026-11-23 00:00:00'",
        "SELECT id FROM users AS OF TIMESTAMP '2026-11-23 00:00:00'",
    ),
    (
        "time_limit_on_a_write",
        "INSERT INTO t (id) SELECT /*+ MAX_EXECUTION_TIME(1000) */ id FROM users",
        "SELECT /*+ MAX_EXECUTION_TIME(1000) */ id FROM users",
    ),
]


@pytest.mark.parametrize(
    ("rule", "caught", "passed"), CASES, ids=[f"{rule}-{number}" for number, (rule, _, _) in enumerate(CASES, 1)]
)
def test_a_rule_catches_what_it_is_for_and_nothing_else(rule: str, caught: str, passed: str) -> None:
    assert [broken.name for broken in broken_rules(caught)] == [rule]
    assert broken_rules(passed) == []


def test_every_rule_has_a_case() -> None:
    assert {rule.name for rule in RULES} == {rule for rule, _, _ in CASES}


@pytest.mark.parametrize(
    ("sql", "bare"),
    [
        pytest.param("SELECT 'it''s', \"a\\\"b\" FROM t", "SELECT '', '' FROM t", id="literals"),
        pytest.param("SELECT `a` FROM `t`", "SELECT a_ FROM t_", id="quoted names"),
        pytest.param(
            "SELECT a -- RETURNING\nFROM t # LATERAL", "SELECT a  \nFROM t  ", id="comments to the line's end"
        ),
        pytest.param("SELECT a /* LATERAL */ FROM t", "SELECT a   FROM t", id="comment"),
        pytest.param("SELECT /*+ USE_INDEX(t) */ a FROM t", "SELECT /*+ USE_INDEX(t) */ a FROM t", id="hint"),
        pytest.param("a BIGINT /*T![auto_rand] AUTO_RANDOM */", "a BIGINT   AUTO_RANDOM  ", id="TiDB's own comment"),
        pytest.param("a INT /*!80016 CHECK (a > 0) */", "a INT   CHECK (a > 0)  ", id="MySQL's own comment"),
    ],
)
def test_nothing_is_left_that_could_be_mistaken_for_sql(sql: str, bare: str) -> None:
    assert without_literals(sql) == bare
