"""Which index could find what a condition wants of each table that it reads: told from its text."""

import pytest

from skene_dagster.errors import Place
from skene_dagster.loops.dialect import read_query
from skene_dagster.loops.dialect.answers.indexes import Reading, index, readings
from skene_dagster.settings import Users

COLUMNS = {
    "users": ["id", "email", "plan", "sent", "active", "last_activity_at", "created_at"],
    "actions": ["user_id", "kind", "at"],
}
USERS = "SELECT id FROM users WHERE "
ACTIONS = "SELECT u.id FROM users u JOIN actions a ON a.user_id = u.id"


def read(sql: str) -> list[Reading]:
    return readings(read_query(sql, users=Users(), place=Place("loops/retention.yaml", 7)))


def suggested(sql: str) -> list[str]:
    """Each table with the columns of its index, those of a range after a bar."""
    found = []
    for reading in read(sql):
        points, ranges = index(reading, COLUMNS[reading.table])
        found.append(" ".join([f"{reading.table}:", *points, *(f"| {column}" for column in ranges)]))
    return found


@pytest.mark.parametrize(
    ("condition", "columns"),
    [
        pytest.param(
            "last_activity_at < NOW() - INTERVAL '7 days' AND sent = false", "sent | last_activity_at", id="="
        ),
        pytest.param("'pro' = plan AND 5 < created_at", "plan | created_at", id="the value before the column"),
        pytest.param("(sent = 0 AND (plan = 'pro'))", "sent plan", id="in parentheses"),
        pytest.param("plan IN ('free', 'pro') AND created_at > 5", "plan | created_at", id="in"),
        pytest.param("last_activity_at IS NULL AND created_at <= 5", "last_activity_at | created_at", id="null"),
        pytest.param("plan <=> NULL", "plan", id="null or equal"),
        pytest.param("1 = 1 AND plan = 'pro'", "plan", id="beside a comparison of values"),
        pytest.param("active AND NOT sent", "active sent", id="true and false"),
        pytest.param("created_at BETWEEN 1 AND NOW()", "| created_at", id="between"),
        pytest.param("email LIKE 'ada%'", "| email", id="a beginning"),
        pytest.param("created_at >= 1 AND last_activity_at < 5", "| created_at", id="one range only"),
        pytest.param("created_at >= 1 AND created_at < 5", "| created_at", id="a range of both sides"),
        pytest.param("plan = 'pro' AND plan > 'a'", "plan", id="a range of what equals a value"),
        pytest.param("Users.PLAN = 'pro'", "plan", id="in capitals"),
        pytest.param("`plan` = 'pro'", "plan", id="quoted"),
        pytest.param(
            "plan = CONCAT('p', 'ro') AND created_at > DATE(NOW())", "plan | created_at", id="computed values"
        ),
    ],
)
def test_an_index_begins_with_what_equals_a_value_and_ends_with_a_range(condition: str, columns: str) -> None:
    assert suggested(USERS + condition) == [f"users: {columns}"]


@pytest.mark.parametrize(
    "condition",
    [
        pytest.param("plan = 'pro' OR sent = 0", id="or"),
        pytest.param("NOT (plan = 'pro')", id="not"),
        pytest.param("plan <> 'pro'", id="another value"),
        pytest.param("plan NOT IN ('pro')", id="none of several"),
        pytest.param("plan IS NOT NULL", id="not null"),
        pytest.param("created_at NOT BETWEEN 1 AND 2", id="outside"),
        pytest.param("LOWER(plan) = 'pro'", id="in a function"),
        pytest.param("id + 1 = 5", id="in an expression"),
        pytest.param("-id = 5", id="with a sign"),
        pytest.param("CAST(plan AS CHAR) = 'pro'", id="cast"),
        pytest.param("plan COLLATE utf8mb4_general_ci = 'pro'", id="under another collation"),
        pytest.param("(plan, sent) = ('pro', 0)", id="with others"),
        pytest.param("created_at < last_activity_at", id="with another column"),
        pytest.param("created_at BETWEEN last_activity_at AND NOW()", id="between columns"),
        pytest.param("created_at BETWEEN NOW() AND last_activity_at", id="between a value and a column"),
        pytest.param("LOWER(plan) = email", id="a column against another in a function"),
        pytest.param("active IS TRUE", id="true by another word"),
        pytest.param("plan IN ('pro', email)", id="one of columns"),
        pytest.param("email LIKE '%@example.com'", id="an end"),
        pytest.param("email LIKE '_da%'", id="an unknown beginning"),
        pytest.param("email LIKE CONCAT(plan, '%')", id="like another column"),
        pytest.param("email NOT LIKE 'ada%'", id="unlike"),
        pytest.param("elsewhere = 1", id="a column that cannot be indexed"),
    ],
)
def test_no_index_is_suggested_for_what_none_could_find(condition: str) -> None:
    assert suggested(USERS + condition) == ["users:"]


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        pytest.param("SELECT id FROM users", ["users:"], id="everybody"),
        pytest.param(
            f"{ACTIONS} AND a.kind = 'x' WHERE u.plan = 'pro' AND at > 5",
            ["users: plan", "actions: kind | at"],
            id="of a join each table has its own, also where a column does not say whose it is",
        ),
        pytest.param(
            f"{ACTIONS} WHERE u.kind = 'x' AND A.at > 5", ["users:", "actions: | at"], id="a column of the other table"
        ),
        pytest.param("SELECT u.id FROM users u, actions a WHERE a.kind = 'x'", ["users:", "actions: kind"], id="comma"),
        pytest.param(
            "SELECT u.id FROM users u LEFT JOIN actions a ON a.user_id = u.id AND a.kind = 'x' AND u.sent = 0 "
            "WHERE a.user_id IS NULL AND u.plan = 'pro'",
            ["users: plan", "actions: kind"],
            id="of a left join, ON finds the one and WHERE the other",
        ),
        pytest.param(
            "SELECT u.id FROM actions a RIGHT JOIN users u ON a.user_id = u.id WHERE a.kind = 'x'",
            ["actions:", "users:"],
            id="of a right join nothing is said",
        ),
        pytest.param(
            f"{USERS} plan = 'pro' AND EXISTS "
            "(SELECT 1 FROM actions WHERE user_id = users.id AND kind = 'x' AND sent = 0)",
            ["users: plan", "actions: kind"],
            id="a subquery has its own",
        ),
        pytest.param(
            f"{USERS} id IN (SELECT user_id FROM actions WHERE at > 5) AND created_at > (SELECT MAX(at) FROM actions)",
            ["users:", "actions: | at", "actions:"],
            id="what a subquery returns is not known beforehand",
        ),
        pytest.param(
            "WITH paid AS (SELECT * FROM users WHERE plan = 'pro') SELECT id FROM paid WHERE sent = 0",
            ["users: plan"],
            id="a name of WITH is no table",
        ),
        pytest.param(
            "SELECT id FROM (SELECT id, sent FROM users WHERE plan = 'pro') AS d WHERE sent = 0",
            ["users: plan"],
            id="a derived table",
        ),
        pytest.param(
            f"{USERS} plan = 'pro' UNION SELECT id FROM users WHERE sent = 0",
            ["users: plan", "users: sent"],
            id="each part of a union",
        ),
        pytest.param(
            "SELECT * FROM actions WHERE user_id = $1 AND kind = 'x'",
            ["actions: user_id kind"],
            id="the row that triggered is a value",
        ),
    ],
)
def test_each_table_that_is_read_has_an_index_of_its_own(sql: str, found: list[str]) -> None:
    assert sorted(suggested(sql)) == sorted(found)


def test_a_table_is_known_by_its_line_and_by_what_the_query_calls_it() -> None:
    sql = "SELECT actions.user_id -- who\nFROM product.users AS u\nJOIN actions ON actions.user_id = u.id"

    found = [(reading.table, reading.name, reading.line) for reading in read(sql)]

    assert found == [("product.users", "u", 1), ("actions", "actions", 2)]


@pytest.mark.parametrize(
    ("sql", "limited"),
    [
        pytest.param("SELECT id FROM users", [False], id="no LIMIT"),
        pytest.param("SELECT id FROM users ORDER BY id LIMIT 5", [True], id="a LIMIT"),
        pytest.param(
            "SELECT id FROM users WHERE id IN (SELECT user_id FROM actions) ORDER BY id LIMIT 5",
            [True, True],
            id="a LIMIT around a subquery",
        ),
        pytest.param(
            "SELECT u.id FROM (SELECT user_id FROM actions ORDER BY at LIMIT 5) a JOIN users u ON u.id = a.user_id",
            [True, False],
            id="a LIMIT in a derived table",
        ),
    ],
)
def test_it_is_known_which_reading_may_end_early(sql: str, limited: list[bool]) -> None:
    assert [reading.limited for reading in read(sql)] == limited
