"""Of a condition that may return a user twice it is said before a run fails; of none that cannot."""

import pytest

from skene_dagster.errors import Place
from skene_dagster.loops.dialect import read_query
from skene_dagster.loops.dialect.repeats import Repeated, UniqueKeys, repeated
from skene_dagster.settings import Users


def found(sql: str, unique: UniqueKeys | None = None) -> Repeated | None:
    users = Users()
    return repeated(read_query(sql, users=users, place=Place("loops/x.yaml", 7)), users, unique=unique)


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
    ],
)
def test_of_what_cannot_nothing_is_said(sql: str) -> None:
    assert found(sql) is None


PROFILE = "SELECT u.id FROM users u JOIN profiles p ON p.user_id = u.id"


def test_a_unique_key_that_the_database_has_says_that_it_cannot() -> None:
    assert found(PROFILE) is not None
    assert found(PROFILE, {"profiles": [frozenset({"id"}), frozenset({"user_id"})]}) is None


def test_a_column_id_that_is_no_key_in_the_database_says_that_it_can() -> None:
    sql = "SELECT u.id FROM users u JOIN plans p ON p.id = u.plan_id"

    assert found(sql) is None
    assert found(sql, {"plans": []}) == Repeated("plans", "u.id", shown=False, line=0)
