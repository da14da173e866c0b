"""Which column of a condition's result names the user."""

import pytest

from skene_dagster.errors import Place, QueryRejected
from skene_dagster.loops.dialect import read_query
from skene_dagster.loops.plan import Query
from skene_dagster.settings import Users


def query(sql: str, **users: str) -> Query:
    return read_query(sql, users=Users.model_validate(users), place=Place("loops/retention.yaml", 7))


def refused(sql: str) -> str:
    with pytest.raises(QueryRejected) as caught:
        query(sql)
    return caught.value.message


JOIN = "FROM users u JOIN orders o ON o.user_id = u.id"


@pytest.mark.parametrize(
    ("sql", "key", "columns"),
    [
        pytest.param("SELECT * FROM users", "id", None, id="all of the users table"),
        pytest.param("SELECT u.* FROM users AS u", "id", None, id="all, by alias"),
        pytest.param("SELECT id, email FROM users", "id", ("id", "email"), id="the key by name"),
        pytest.param("SELECT ID, Email FROM Users", "ID", ("ID", "Email"), id="in capitals"),
        pytest.param("SELECT email, users.id FROM users", "id", ("email", "id"), id="the key with its table"),
        pytest.param("SELECT id, id AS user_id FROM users", "id", ("id", "user_id"), id="the users table goes first"),
        pytest.param("SELECT id AS user_id FROM users", "user_id", ("user_id",), id="the key, renamed to user_id"),
        pytest.param("SELECT *, age + 1 AS next FROM users", "id", None, id="all, and one computed"),
        pytest.param(f"SELECT u.id, COUNT(*) AS n {JOIN} GROUP BY u.id", "id", ("id", "n"), id="the key of a join"),
        pytest.param(f"SELECT u.*, o.amount {JOIN}", "id", None, id="all users of a join"),
        pytest.param(f"SELECT o.user_id, u.email {JOIN}", "user_id", ("user_id", "email"), id="user_id of a join"),
        pytest.param("SELECT user_id FROM orders", "user_id", ("user_id",), id="user_id of another table"),
        pytest.param("SELECT * FROM orders", "user_id", None, id="all of another table, which must have user_id"),
        pytest.param("SELECT buyer AS user_id FROM orders", "user_id", ("user_id",), id="renamed to user_id"),
        pytest.param("SELECT id FROM (SELECT id FROM users) d", "id", ("id",), id="a derived table of users"),
        pytest.param("WITH d AS (SELECT * FROM users) SELECT id FROM d", "id", ("id",), id="a common table of users"),
        pytest.param("WITH a AS (SELECT * FROM users), b AS (SELECT * FROM a) SELECT * FROM b", "id", None, id="twice"),
        pytest.param("SELECT id FROM users UNION SELECT id FROM users", "id", ("id",), id="a set of users"),
        pytest.param(
            "SELECT user_id FROM a UNION SELECT x FROM b", "user_id", ("user_id",), id="a set by its first names"
        ),
        pytest.param("(SELECT id FROM users)", "id", ("id",), id="in parentheses"),
        pytest.param(
            "SELECT id FROM users WHERE EXISTS (SELECT 1, 1 FROM b)", "id", ("id",), id="inner columns are free"
        ),
    ],
)
def test_the_key_is_found(sql: str, key: str, columns: tuple[str, ...] | None) -> None:
    read = query(sql)

    assert (read.key, read.columns) == (key, columns)


@pytest.mark.parametrize(
    ("sql", "key"),
    [
        pytest.param("SELECT account_no, email FROM crm.accounts", "account_no", id="with its schema"),
        pytest.param("SELECT a.* FROM crm.accounts a", "account_no", id="by alias"),
        pytest.param("SELECT account_no FROM `crm`.`accounts`", "account_no", id="in backticks"),
    ],
)
def test_the_users_table_is_the_one_that_is_configured(sql: str, key: str) -> None:
    assert query(sql, table="crm.accounts", key="account_no").key == key


NO_KEY = "The query returns no column that names the user; it returns: "


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        pytest.param("SELECT email, name FROM users", f"{NO_KEY}email, name.", id="no key"),
        pytest.param("SELECT COUNT(*) FROM users", f"{NO_KEY}a column without a name.", id="only a number"),
        pytest.param("SELECT manager AS id FROM users", f"{NO_KEY}id.", id="another column under the key's name"),
        pytest.param("SELECT id AS number FROM users", f"{NO_KEY}number.", id="the key under another name"),
        pytest.param("SELECT id FROM orders", f"{NO_KEY}id.", id="the key of another table"),
        pytest.param("SELECT id FROM app.users", f"{NO_KEY}id.", id="a table of the same name elsewhere"),
        pytest.param(
            "WITH users AS (SELECT * FROM leads) SELECT id FROM users", f"{NO_KEY}id.", id="WITH hides the users"
        ),
        pytest.param("SELECT id FROM users UNION SELECT id FROM leads", f"{NO_KEY}id.", id="not in every branch"),
        pytest.param("SELECT id, name FROM users UNION SELECT name, id FROM users", f"{NO_KEY}id, name.", id="crossed"),
        pytest.param(
            f"SELECT u.id, o.user_id {JOIN}",
            "Two columns of the result could name the user: id and user_id.",
            id="the key and user_id",
        ),
        pytest.param(
            f"SELECT u.*, o.* {JOIN}",
            "Two columns of the result could name the user: id and user_id, which a * may hold.",
            id="all of both",
        ),
        pytest.param(
            f"SELECT * {JOIN}",
            "* of a join may come from any of its tables; which names the user?",
            id="all of a join",
        ),
        pytest.param(
            f"SELECT id {JOIN}",
            "id of a join may come from any of its tables; which names the user?",
            id="the key of a join without its table",
        ),
        pytest.param("SELECT id, COUNT(*) FROM users GROUP BY id", "Column 2 of the result has no name.", id="no name"),
        pytest.param("SELECT id, name, NAME FROM users", "The result has two columns 'name'.", id="two of a name"),
    ],
)
def test_a_result_without_one_clear_key_is_refused(sql: str, message: str) -> None:
    assert refused(sql) == message


def test_a_users_table_under_another_schema_is_pointed_out() -> None:
    with pytest.raises(QueryRejected) as caught:
        query("SELECT id FROM app.users")

    assert caught.value.advice.endswith("The users table is 'users' in skene.yaml; 'app.users' is another one.")


@pytest.mark.parametrize(
    ("sql", "by_key", "plain"),
    [
        pytest.param("SELECT * FROM users WHERE dormant", True, True, id="the users table"),
        pytest.param("SELECT u.id, u.name AS user_name FROM users AS u", True, True, id="under another name"),
        pytest.param(
            "SELECT u.id FROM users u WHERE EXISTS (SELECT 1 FROM orders o WHERE o.user_id = u.id)",
            True,
            True,
            id="asking another table",
        ),
        pytest.param(f"SELECT u.id {JOIN}", True, False, id="a join"),
        pytest.param("SELECT DISTINCT id FROM users", True, False, id="DISTINCT"),
        pytest.param("SELECT id FROM users GROUP BY id", True, False, id="GROUP BY"),
        pytest.param("SELECT referrer AS user_id FROM users", True, False, id="another column of the users table"),
        pytest.param("SELECT user_id FROM answers", True, False, id="another table"),
        pytest.param("SELECT id FROM (SELECT id FROM users) AS u", True, False, id="a derived table"),
        pytest.param(
            "SELECT id FROM users WHERE id IN (SELECT id FROM (SELECT id FROM users ORDER BY seen LIMIT 9) AS first)",
            True,
            False,
            id="who is among the first",
        ),
        pytest.param("SELECT id FROM users ORDER BY id LIMIT 5", False, False, id="LIMIT"),
        pytest.param("SELECT id FROM users UNION SELECT id FROM users", False, False, id="UNION"),
        pytest.param("WITH u AS (SELECT 1) SELECT id FROM users", False, False, id="WITH"),
    ],
)
def test_it_is_known_whose_rows_the_result_has(sql: str, *, by_key: bool, plain: bool) -> None:
    read = query(sql)

    assert (read.by_key, read.plain) == (by_key, plain)


def test_the_names_of_all_columns_that_a_query_reads_are_known() -> None:
    orders = "WITH o AS (SELECT user_id, Total FROM orders)"
    sql = f"{orders} SELECT u.id, 1 AS one FROM users u JOIN o ON o.user_id = u.id WHERE u.`Plan` = 'x'"

    assert query(sql).reads == ("id", "plan", "total", "user_id")
