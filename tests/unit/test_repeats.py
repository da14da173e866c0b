"""Of a condition that may return a user twice it is said before a run fails; of none that cannot."""

import pytest

from skene_dagster.errors import Place
from skene_dagster.loops.dialect import read_query
from skene_dagster.loops.dialect.answers.repeats import Repeated, UniqueKeys, repeated
from skene_dagster.settings import Users


def found(sql: str, unique: UniqueKeys | None = None, users: Users = Users()) -> Repeated | None:  # noqa: B008 - frozen
    return repeated(read_query(sql, users=users, place=Place("loops/x.yaml", 7)), users, unique=unique)


MINE = "o ON o.user_id = u.id"


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        pytest.param(
            "SELECT u.id\nFROM users u\nJOIN orders o ON o.user_id = u.id",
            Repeated("orders", "u.id", shown=False, line=2),
            id="a join",
        ),
        pytest.param(
            "SELECT u.id, o.amount FROM users u JOIN orders o ON o.user_id = u.id WHERE o.amount > 5",
            Repeated("orders", "u.id", shown=True, line=0),
            id="a join whose columns are shown",
        ),
        pytest.param(
            "SELECT u.* FROM users u LEFT JOIN orders o ON o.user_id = u.id",
            Repeated("orders", "u.id", shown=False, line=0),
            id="an outer join",
        ),
        pytest.param(
            "SELECT u.id FROM users u, orders o WHERE o.user_id = u.id",
            Repeated("orders", "u.id", shown=False, line=0),
            id="a comma",
        ),
        pytest.param(
            "SELECT o.user_id FROM orders o JOIN users u ON u.id = o.user_id",
            Repeated("orders", "o.user_id", shown=False, line=0),
            id="the key of the other table",
        ),
        pytest.param(
            "SELECT u.id FROM users u JOIN (SELECT user_id FROM orders WHERE paid) o ON o.user_id = u.id",
            Repeated("o", "u.id", shown=False, line=0),
            id="a derived table",
        ),
        pytest.param(
            "WITH o AS (SELECT user_id, day FROM logins GROUP BY user_id, day) "
            "SELECT u.id FROM users u JOIN o ON o.user_id = u.id",
            Repeated("o", "u.id", shown=False, line=0),
            id="a group of more than the user",
        ),
        pytest.param(
            "WITH o AS (SELECT user_id, day, COUNT(*) AS n FROM logins GROUP BY user_id, day) "
            "SELECT u.id FROM users u JOIN o ON o.user_id = u.id",
            Repeated("o", "u.id", shown=False, line=0),
            id="a count by more than the user",
        ),
        pytest.param(
            "SELECT id FROM users WHERE a UNION ALL SELECT id FROM users WHERE b",
            Repeated("", "id", shown=False, line=0),
            id="UNION ALL",
        ),
        pytest.param(
            "SELECT o.user_id, o.day FROM orders o JOIN users u ON u.id = o.user_id",
            Repeated("orders", "o.user_id", shown=True, line=0),
            id="the key of the other table, with another column of it",
        ),
        pytest.param(
            "SELECT u.id, u.plan, 5 AS five FROM users u JOIN orders o ON o.user_id = u.id",
            Repeated("orders", "u.id", shown=False, line=0),
            id="a join that shows the users' own columns",
        ),
        pytest.param(
            "SELECT u.id, u.plan + o.amount AS both_ FROM users u JOIN orders o ON o.user_id = u.id",
            Repeated("orders", "u.id", shown=True, line=0),
            id="a join that shows what is computed of both",
        ),
        pytest.param(
            "SELECT U.Id FROM users u JOIN Orders O ON o.User_Id = U.id",
            Repeated("Orders", "U.Id", shown=False, line=0),
            id="a join in capitals",
        ),
        pytest.param(
            "SELECT u.id FROM users u JOIN shop.orders ON shop.orders.user_id = u.id",
            Repeated("shop.orders", "u.id", shown=False, line=0),
            id="a table of another schema",
        ),
        pytest.param(
            "SELECT u.id FROM users u JOIN plans p ON p.id = u.plan_id JOIN orders o ON o.user_id = u.id",
            Repeated("orders", "u.id", shown=False, line=0),
            id="the second of two that are joined",
        ),
        pytest.param(
            "SELECT id FROM users JOIN (SELECT user_id AS who FROM orders) d ON d.who = users.id",
            Repeated("d", "id", shown=False, line=0),
            id="a key without its table",
        ),
        pytest.param(
            "SELECT user_id FROM orders JOIN (SELECT id AS u FROM users) d ON d.u = orders.user_id",
            Repeated("orders", "user_id", shown=False, line=0),
            id="the key of the other table without its table",
        ),
        pytest.param(
            "SELECT uid FROM (SELECT user_id AS uid, day FROM a) d JOIN (SELECT id AS u FROM users) x ON x.u = d.uid",
            Repeated("d", "uid", shown=False, line=0),
            id="the key of a derived table without its table",
        ),
        pytest.param(
            "SELECT d.*, u.id FROM users u JOIN (SELECT user_id AS x, day FROM orders) d ON d.x = u.id",
            Repeated("d", "u.id", shown=True, line=0),
            id="all of another table before the key",
        ),
    ],
)
def test_what_may_return_a_user_twice_is_found(sql: str, expected: Repeated) -> None:
    assert found(sql) == expected


@pytest.mark.parametrize(
    "sql",
    [
        pytest.param("SELECT id FROM users WHERE a", id="one table"),
        pytest.param("SELECT DISTINCT u.id FROM users u JOIN orders o ON o.user_id = u.id", id="DISTINCT"),
        pytest.param("SELECT u.id FROM users u JOIN orders o ON o.user_id = u.id GROUP BY u.id", id="GROUP BY"),
        pytest.param("SELECT id FROM users u WHERE EXISTS (SELECT 1 FROM orders WHERE user_id = u.id)", id="EXISTS"),
        pytest.param("SELECT u.id FROM users u LEFT JOIN o ON o.user_id = u.id WHERE o.id IS NULL", id="anti-join"),
        pytest.param("SELECT u.id FROM users u JOIN plans p ON p.id = u.plan_id", id="by the other table's id"),
        pytest.param("SELECT u.id FROM users u JOIN users boss ON boss.id = u.boss_id", id="by the users' key"),
        pytest.param(
            "SELECT u.id FROM users u JOIN (SELECT user_id, SUM(x) AS s FROM o GROUP BY user_id) o ON o.user_id = u.id",
            id="a group by user",
        ),
        pytest.param(
            "WITH o AS (SELECT DISTINCT user_id FROM orders) SELECT u.id FROM users u JOIN o ON o.user_id = u.id",
            id="a common table of each user once",
        ),
        pytest.param(
            "WITH a AS (SELECT AVG(x) AS mean FROM o) SELECT u.id FROM users u, a WHERE u.x > a.mean", id="one row"
        ),
        pytest.param(
            "SELECT u.id FROM users u JOIN (SELECT user_id, ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY at) AS n "
            "FROM o) o ON o.user_id = u.id AND o.n = 1",
            id="the first of each user",
        ),
        pytest.param("SELECT id FROM users UNION SELECT user_id FROM orders", id="UNION"),
        pytest.param("SELECT id FROM users EXCEPT SELECT user_id FROM orders", id="EXCEPT"),
        pytest.param(
            "SELECT u.id, COUNT(*) AS n FROM users u JOIN orders o ON o.user_id = u.id", id="one row, counted"
        ),
        pytest.param(
            "SELECT u.id FROM users u JOIN orders o ON o.user_id = u.id WHERE o.id = $1", id="of a row that triggered"
        ),
        pytest.param(
            "SELECT d.id FROM (SELECT DISTINCT id, plan_id FROM users) d JOIN plans p ON p.id = d.plan_id",
            id="the users' key out of a derived table",
        ),
        pytest.param("SELECT o.* FROM orders o JOIN users u ON u.id = o.user_id", id="a key that a * may hold"),
        pytest.param(
            "SELECT d.user_id FROM (SELECT user_id, MAX(at) AS at FROM orders GROUP BY user_id) d "
            "JOIN users u ON u.id = d.user_id",
            id="a key that is each user's once",
        ),
    ],
)
def test_of_what_cannot_nothing_is_said(sql: str) -> None:
    assert found(sql) is None


@pytest.mark.parametrize(
    ("joined", "source"),
    [
        pytest.param("JOIN plans p ON p.id = p.parent_id", "plans", id="p.id equals a column of its own table"),
        pytest.param("JOIN plans p ON p.id = u.plan_id + p.shift", "plans", id="and so does what is computed with one"),
        pytest.param("JOIN plans p ON p.id > u.plan_id", "plans", id="a comparison that several rows meet"),
        pytest.param("JOIN plans p ON p.name = u.plan", "plans", id="a column that is no key"),
        pytest.param("JOIN plans p ON u.plan_id = u.id", "plans", id="a condition that is not about the table"),
        pytest.param("JOIN plans p ON p.id = u.plan_id OR p.free", "plans", id="one of two conditions"),
        pytest.param(f"LEFT JOIN orders {MINE} WHERE o.id IS NOT NULL", "orders", id="those who have a row"),
        pytest.param(f"LEFT JOIN orders {MINE} WHERE u.plan IS NULL", "orders", id="another column that is NULL"),
        pytest.param(f"LEFT JOIN orders {MINE} WHERE o.amount + 1 IS NULL", "orders", id="what is computed is NULL"),
        pytest.param(f"LEFT JOIN orders {MINE} WHERE o.paid IS TRUE", "orders", id="a column that is true"),
        pytest.param(f"LEFT JOIN orders {MINE} WHERE o.id IS NULL OR o.paid", "orders", id="NULL or something else"),
        pytest.param(f"LEFT JOIN orders {MINE} WHERE o.paid", "orders", id="an outer join with another condition"),
        pytest.param(f"JOIN orders {MINE} WHERE o.paid_at IS NULL", "orders", id="an inner join whose column is NULL"),
        pytest.param("JOIN profiles USING (user_id)", "profiles", id="USING a column that is no key"),
        pytest.param(
            f"JOIN (SELECT user_id FROM a UNION ALL SELECT user_id FROM b) {MINE}", "o", id="a derived UNION ALL"
        ),
        pytest.param(
            f"JOIN (SELECT user_id, day FROM a UNION SELECT user_id, day FROM b) {MINE}",
            "o",
            id="a derived UNION of more columns",
        ),
        pytest.param(f"JOIN (SELECT DISTINCT user_id, day FROM orders) {MINE}", "o", id="DISTINCT of more columns"),
        pytest.param("JOIN (SELECT id, plan FROM users) b ON b.plan = u.plan", "b", id="users by another column"),
        pytest.param(
            f"JOIN (SELECT user_id, (SELECT MAX(x) FROM y) AS top FROM orders) {MINE}",
            "o",
            id="an aggregate in a subquery of its list",
        ),
        pytest.param(
            "JOIN (SELECT id FROM users WHERE a UNION ALL SELECT id FROM users WHERE b) b ON b.id = u.boss_id",
            "b",
            id="a derived UNION ALL of the users' keys",
        ),
    ],
)
def test_a_join_that_several_rows_may_meet_is_found(joined: str, source: str) -> None:
    assert found(f"SELECT u.id FROM users u {joined}") == Repeated(source, "u.id", shown=False, line=0)


@pytest.mark.parametrize(
    "joined",
    [
        pytest.param("JOIN plans p ON p.id = 5", id="one row by a number"),
        pytest.param("JOIN plans p ON 5 = p.id", id="one row by a number before it"),
        pytest.param("JOIN plans p ON p.free AND (p.id = u.plan_id)", id="by id and another condition"),
        pytest.param("JOIN plans p WHERE P.ID = u.plan_id", id="by id in capitals, in WHERE"),
        pytest.param("JOIN plans USING (id)", id="USING its id"),
        pytest.param("JOIN users boss ON BOSS.id = u.boss_id", id="by their key in capitals"),
        pytest.param(
            f"LEFT JOIN orders {MINE} AND o.paid WHERE u.active AND O.id IS NULL",
            id="an anti-join with other conditions",
        ),
        pytest.param(f"JOIN (SELECT user_id FROM a UNION SELECT user_id FROM b) {MINE}", id="a derived UNION"),
        pytest.param(f"JOIN (SELECT * FROM orders) {MINE}", id="columns that only the database knows"),
        pytest.param(
            f"JOIN (SELECT user_id FROM orders ORDER BY at LIMIT 1) {MINE}", id="a derived table with a LIMIT"
        ),
        pytest.param(
            f"JOIN (SELECT user_id, MAX(at) AS at FROM orders GROUP BY user_id, MONTH(at)) {MINE}",
            id="a group by something that is not shown",
        ),
        pytest.param(
            "JOIN (SELECT id, plan FROM users) b ON b.id = u.boss_id", id="a derived table of users by their key"
        ),
        pytest.param(f"JOIN (SELECT a.user_id FROM a JOIN b ON b.x = a.x) {MINE}", id="a join in a derived table"),
        pytest.param(
            f"JOIN (SELECT DISTINCT user_id, day FROM orders) {MINE} AND o.day = u.day",
            id="DISTINCT by all its columns",
        ),
        pytest.param(
            f"JOIN (SELECT user_id, day FROM o GROUP BY user_id, day) {MINE} AND o.day = u.day",
            id="a group by all that it shows",
        ),
        pytest.param(f"JOIN (SELECT o.*, 1 AS one FROM orders o) {MINE}", id="columns of which some are not known"),
        pytest.param(f"JOIN (SELECT user_id, COUNT(*) AS n FROM orders) {MINE}", id="one row, beside a column"),
        pytest.param(
            f"JOIN (SELECT user_id FROM (SELECT user_id, RANK() OVER (ORDER BY at) AS n FROM a) x WHERE n = 1) {MINE}",
            id="what a window has chosen",
        ),
        pytest.param(
            f"JOIN (SELECT user_id, day FROM orders GROUP BY user_id, day, kind) {MINE}",
            id="a group by more than it shows",
        ),
    ],
)
def test_of_a_join_that_one_row_meets_or_of_which_nobody_can_tell_nothing_is_said(joined: str) -> None:
    assert found(f"SELECT u.id FROM users u {joined}") is None


PROFILE = "SELECT u.id FROM users u JOIN profiles p ON p.user_id = u.id"


def test_a_unique_key_that_the_database_has_says_that_it_cannot() -> None:
    assert found(PROFILE) is not None
    assert found(PROFILE, {"profiles": [frozenset({"id"}), frozenset({"user_id"})]}) is None


def test_a_column_id_that_is_no_key_in_the_database_says_that_it_can() -> None:
    sql = "SELECT u.id FROM users u JOIN plans p ON p.id = u.plan_id"

    assert found(sql) is None
    assert found(sql, {"plans": []}) == Repeated("plans", "u.id", shown=False, line=0)


def test_what_is_asked_of_one_table_says_nothing_of_another() -> None:
    assert found("SELECT u.id FROM users u JOIN plans p ON p.id = u.plan_id", {"orders": []}) is None


def test_of_a_key_of_two_columns_both_must_be_said() -> None:
    unique = {"seats": [frozenset({"team", "place"})]}
    sql = "SELECT u.id FROM users u JOIN seats s ON s.team = u.team"

    assert found(f"{sql} AND s.place = u.place", unique) is None
    assert found(sql, unique) == Repeated("seats", "u.id", shown=False, line=0)


def test_the_users_key_is_the_one_that_is_configured() -> None:
    users = Users(table="accounts", key="No")

    assert found("SELECT a.no FROM accounts a JOIN accounts b ON b.no = a.boss", users=users) is None
    assert found("SELECT a.* FROM accounts a JOIN orders o ON o.user_id = a.no", users=users) == Repeated(
        "orders", "a.No", shown=False, line=0
    )
