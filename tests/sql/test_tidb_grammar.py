import pytest
import tidb_grammar
from tidb_grammar import refusals

pytestmark = pytest.mark.skipif(bool(tidb_grammar.why_not_here()), reason=tidb_grammar.why_not_here())

REFUSED = [
    "SELECT id FROM users WHERE last_activity_at < NOW() - INTERVAL '7 days'",
    "INSERT INTO t (a) VALUES (%(a)s) RETURNING a",
    "INSERT INTO t (a) VALUES (%(a)s) AS new ON DUPLICATE KEY UPDATE a = new.a",
    "WITH q AS (SELECT 1 AS a) INSERT INTO t (a) SELECT a FROM q",
    "SELECT u.id FROM users u, LATERAL (SELECT u.id) q",
    "SET STATEMENT max_statement_time = 10 FOR SELECT 1",
    "SELECT 1; SELECT 2",
    "",
]
ACCEPTED = [
    "SELECT id FROM users WHERE last_activity_at < %(as_of)s - INTERVAL 7 DAY AND name LIKE 'a%%'",
    "INSERT INTO t (a, b) VALUES (%s, 'ü') ON DUPLICATE KEY UPDATE b = VALUES(b)",
    "INSERT INTO t (a) WITH q AS (SELECT 1 AS a) SELECT a FROM q LIMIT %(n)s",
    "CREATE TABLE t (id BIGINT PRIMARY KEY /*T![clustered_index] CLUSTERED */) COLLATE=utf8mb4_bin",
]


def test_tidb_refuses_what_a_server_answers_with_1064() -> None:
    refused = refusals([*REFUSED, *ACCEPTED])

    assert [one.sql for one in refused] == [sql.replace("%(a)s", "?") for sql in REFUSED]
    assert all(one.error for one in refused)


def test_tidb_accepts_what_it_can_say() -> None:
    assert refusals(ACCEPTED) == []
