"""Which column of a condition's result names the user."""

from pathlib import Path

import pytest

from skene_dagster.errors import Place, QueryRejected
from skene_dagster.loops.dialect import read_query
from skene_dagster.loops.plan import Query
from skene_dagster.settings import Users, load

JOIN = "FROM users u JOIN orders o ON o.user_id = u.id"


def query(sql: str, **users: str) -> Query:
    return read_query(sql, users=Users.model_validate(users), place=Place("loops/retention.yaml", 7))


def refused(sql: str) -> str:
    with pytest.raises(QueryRejected) as caught:
        query(sql)
    return caught.value.message


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
        pytest.param(f"SELECT email, o.user_id {JOIN}", "user_id", ("email", "user_id"), id="user_id, and any column"),
        pytest.param("SELECT id AS user_id, id AS x FROM users", "user_id", ("user_id", "x"), id="the key, twice"),
        pytest.param("SELECT user_id, user_id AS x FROM o", "user_id", ("user_id", "x"), id="user_id, twice"),
        pytest.param("SELECT * FROM o JOIN i ON i.o_id = o.id", "user_id", None, id="all of a join of other tables"),
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
        pytest.param("SELECT id AS number FROM users", "number", ("number",), id="the key under another name"),
        pytest.param(f"SELECT u.id AS u, o.amount {JOIN}", "u", ("u", "amount"), id="under another name, of a join"),
        pytest.param("SELECT x FROM (SELECT id AS x FROM users) d", "x", ("x",), id="out of a derived table"),
        pytest.param("SELECT * FROM (SELECT id AS x FROM users) d", "x", None, id="all of a derived table"),
        pytest.param("WITH d AS (SELECT user_id AS x FROM o) SELECT x FROM d", "x", ("x",), id="out of a common table"),
        pytest.param("WITH d (x) AS (SELECT id FROM users) SELECT d.x FROM d", "x", ("x",), id="named by a list"),
        pytest.param(
            "WITH RECURSIVE t AS (SELECT id, 1 AS n FROM users UNION ALL SELECT u.id, n FROM users u JOIN t ON 1) "
            "SELECT id FROM t",
            "id",
            ("id",),
            id="out of a recursive table",
        ),
        pytest.param(
            "SELECT id FROM users JOIN (SELECT user_id AS u FROM o) d ON d.u = users.id",
            "id",
            ("id",),
            id="of a join whose other table has no such column",
        ),
        pytest.param("SELECT u.id FROM (users u JOIN o ON o.x = u.id)", "id", ("id",), id="of a join in parentheses"),
        pytest.param("SELECT id FROM (users)", "id", ("id",), id="of a table in parentheses"),
        pytest.param("SELECT id, COUNT(*) FROM users GROUP BY id", "id", ("id",), id="beside a column without a name"),
        pytest.param("SELECT id FROM users EXCEPT SELECT user_id FROM o", "id", ("id",), id="EXCEPT"),
        pytest.param("SELECT id FROM users EXCEPT SELECT x FROM o", "id", ("id",), id="EXCEPT of anything"),
        pytest.param("SELECT id FROM users INTERSECT SELECT user_id FROM o", "id", ("id",), id="INTERSECT"),
        pytest.param("SELECT x FROM o INTERSECT SELECT id FROM users", "x", ("x",), id="INTERSECT with users"),
        pytest.param("SELECT id FROM users UNION SELECT user_id FROM o", "id", ("id",), id="UNION by the first's name"),
        pytest.param(
            "SELECT name, user_id FROM o UNION SELECT name, id FROM users",
            "user_id",
            ("name", "user_id"),
            id="UNION of user_id with users",
        ),
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


@pytest.mark.parametrize(
    ("sql", "table"),
    [
        pytest.param("SELECT id FROM app.users", "users", id="the query says it"),
        pytest.param("SELECT id FROM `App`.users", "users", id="in backticks and capitals"),
        pytest.param("SELECT id FROM users", "app.users", id="the settings say it"),
        pytest.param("SELECT u.* FROM app.users u LEFT JOIN app.o ON o.x = u.id", "app.users", id="both say it"),
        pytest.param("WITH users AS (SELECT 1 AS id) SELECT id FROM app.users", "users", id="though WITH has the name"),
    ],
)
def test_the_connected_databases_name_may_stand_before_a_table(sql: str, table: str) -> None:
    read = read_query(sql, users=Users(table=table), place=Place("loops/x.yaml", 7), schema="app")

    assert (read.key, read.own_key) == ("id", True)


@pytest.mark.parametrize(
    ("url", "schema"),
    [
        pytest.param("mysql+pymysql://root:p%40ss@db:4000/app?ssl_ca=x", "app", id="a server"),
        pytest.param("mysql+pymysql://root@db/my%2Dapp", "my-app", id="percent-encoded"),
        pytest.param("mysql+pymysql://root@db", "", id="a server without a database"),
        pytest.param("sqlite:////srv/app.db", "main", id="SQLite"),
        pytest.param("mysql://[::1", "", id="no URL"),
    ],
)
def test_the_connected_databases_name_is_read_from_the_url(url: str, schema: str, tmp_path: Path) -> None:
    assert load(tmp_path, {"SKENE_DATABASE_URL": url}).schema == schema


@pytest.mark.parametrize(
    ("sql", "own"),
    [
        pytest.param("SELECT id FROM users", True, id="the users table"),
        pytest.param("SELECT email, id FROM users", True, id="behind another column"),
        pytest.param(
            "SELECT u.id FROM users u LEFT JOIN users boss ON boss.id = u.boss", True, id="the left of a join"
        ),
        pytest.param("SELECT id FROM users EXCEPT SELECT user_id FROM o", True, id="EXCEPT"),
        pytest.param("SELECT boss.id FROM users u LEFT JOIN users boss ON boss.id = u.boss", False, id="may be NULL"),
        pytest.param("SELECT u.id FROM users u RIGHT JOIN users boss ON boss.id = u.boss", False, id="RIGHT JOIN"),
        pytest.param("SELECT b.id FROM users u RIGHT JOIN users b ON b.id = u.boss", True, id="right of RIGHT JOIN"),
        pytest.param(
            "SELECT b.id FROM o LEFT JOIN (p JOIN users b ON b.id = p.x) ON p.y = o.id", False, id="within a LEFT JOIN"
        ),
        pytest.param("SELECT b.id FROM (o LEFT JOIN users b ON b.id = o.x)", False, id="a LEFT JOIN in parentheses"),
        pytest.param("SELECT b.id FROM o JOIN (p JOIN users b ON b.id = p.x) ON p.y = o.id", True, id="within a JOIN"),
        pytest.param(
            "SELECT u.id FROM users u JOIN o ON o.x = u.id RIGHT JOIN p ON p.y = u.id", False, id="a RIGHT JOIN later"
        ),
        pytest.param("SELECT id FROM users GROUP BY id WITH ROLLUP", False, id="ROLLUP"),
        pytest.param("SELECT id FROM users UNION SELECT referrer AS user_id FROM users", False, id="UNION with others"),
        pytest.param("SELECT referrer AS user_id FROM users", False, id="another column"),
        pytest.param("SELECT user_id FROM orders", False, id="another table"),
    ],
)
def test_it_is_known_whether_the_key_is_surely_the_users_own(sql: str, *, own: bool) -> None:
    assert query(sql).own_key == own


NO_KEY = "The query returns no column that names the user; it returns: "


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        pytest.param("SELECT email, name FROM users", f"{NO_KEY}email, name.", id="no key"),
        pytest.param("SELECT COUNT(*) FROM users", f"{NO_KEY}a column without a name.", id="only a number"),
        pytest.param("SELECT manager AS id FROM users", f"{NO_KEY}id.", id="another column under the key's name"),
        pytest.param("SELECT id FROM orders", f"{NO_KEY}id.", id="the key of another table"),
        pytest.param("SELECT id FROM app.users", f"{NO_KEY}id.", id="a table of the same name elsewhere"),
        pytest.param(
            "WITH users AS (SELECT * FROM leads) SELECT id FROM users", f"{NO_KEY}id.", id="WITH hides the users"
        ),
        pytest.param(
            "SELECT id FROM users UNION SELECT id FROM leads",
            "The second SELECT of the UNION has no user where the first has id: there is id.",
            id="not in every branch",
        ),
        pytest.param(
            "SELECT id FROM users UNION SELECT user_id FROM a UNION ALL SELECT 5",
            "The third SELECT of the UNION has no user where the first has id: there is a column without a name.",
            id="not in the third branch",
        ),
        pytest.param(
            "SELECT id, name FROM users UNION SELECT name, id FROM users",
            "The second SELECT of the UNION has the user in column 2, the first in column 1.",
            id="crossed",
        ),
        pytest.param(
            "SELECT name, id FROM users UNION SELECT name FROM leads",
            "The second SELECT of the UNION has no user where the first has id: there is nothing.",
            id="fewer columns",
        ),
        pytest.param(
            " UNION ".join(["SELECT id FROM users"] * 8 + ["SELECT mail FROM leads"]),
            "The ninth SELECT of the UNION has no user where the first has id: there is mail.",
            id="not in the ninth branch",
        ),
        pytest.param(
            " UNION ".join(["SELECT id FROM users"] * 9 + ["SELECT mail FROM leads"]),
            "The 10th SELECT of the UNION has no user where the first has id: there is mail.",
            id="not in the tenth branch",
        ),
        pytest.param(
            "SELECT id FROM users UNION SELECT mail FROM leads UNION SELECT 5",
            "The second SELECT of the UNION has no user where the first has id: there is mail.",
            id="not in the second of three branches",
        ),
        pytest.param(
            "SELECT id FROM users UNION SELECT * FROM leads",
            "The second SELECT of the UNION has no user where the first has id: there is *.",
            id="all of another table in a branch",
        ),
        pytest.param(
            "SELECT mail FROM leads UNION SELECT id FROM users", f"{NO_KEY}mail.", id="not in the first branch"
        ),
        pytest.param("SELECT MAX(id) AS top FROM users", f"{NO_KEY}top.", id="computed, under another name"),
        pytest.param(
            f"SELECT id, o.amount {JOIN}",
            "id of a join may come from any of its tables; which names the user?",
            id="the key of a join without its table, and another column",
        ),
        pytest.param(
            "SELECT id AS a, id AS b, id AS c FROM users",
            "Two columns of the result could name the user: a and b.",
            id="the key three times, under other names",
        ),
        pytest.param(
            f"SELECT u.id AS x, u.id AS y, o.* {JOIN}",
            "Two columns of the result could name the user: x and user_id, which a * may hold.",
            id="the key twice, and all of another table",
        ),
        pytest.param(
            "SELECT id AS a, id AS b FROM users",
            "Two columns of the result could name the user: a and b.",
            id="the key twice, under other names",
        ),
        pytest.param(
            "SELECT manager AS id, id AS x FROM users",
            "Two columns of the result could name the user: x and id.",
            id="the key beside a column under its name",
        ),
        pytest.param(
            "SELECT u.id AS x, o.* FROM users u JOIN orders o ON o.user_id = u.id",
            "Two columns of the result could name the user: x and user_id, which a * may hold.",
            id="the key under another name, and all of another table",
        ),
        pytest.param(
            "SELECT referrer AS user_id, id AS me FROM users",
            "Two columns of the result could name the user: me and user_id.",
            id="the key under another name, and another column as user_id",
        ),
        pytest.param("SELECT MAX(id) AS id FROM users", f"{NO_KEY}id (computed).", id="computed under its name"),
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
            "* of a join may come from any of its tables; which is the user?",
            id="all of a join",
        ),
        pytest.param(
            f"SELECT *, 1 AS one {JOIN}",
            "* of a join may come from any of its tables; which names the user?",
            id="all of a join, and a number",
        ),
        pytest.param(
            f"SELECT id {JOIN}",
            "id of a join may come from any of its tables; which is the user?",
            id="the key of a join without its table",
        ),
        pytest.param("SELECT id, 1 + 1, 1+1 FROM users", "The result has two columns '1 + 1'.", id="one text twice"),
        pytest.param("SELECT id, 'ID' FROM users", "The result has two columns 'id'.", id="a text that is a name"),
        pytest.param("SELECT id, name, NAME FROM users", "The result has two columns 'name'.", id="two of a name"),
        pytest.param(
            "SELECT id, a AS x, b AS X FROM users", "The result has two columns 'x'.", id="two that are named"
        ),
        pytest.param(f"SELECT u.id, o.at, u.at {JOIN}", "The result has two columns 'at'.", id="two of two tables"),
    ],
)
def test_a_result_without_one_clear_key_is_refused(sql: str, message: str) -> None:
    assert refused(sql) == message


@pytest.mark.parametrize(
    ("sql", "advice"),
    [
        pytest.param(
            f"SELECT u.id, o.user_id {JOIN}",
            "Return only one of them, for example: SELECT u.id, … without the other.",
            id="the key and user_id",
        ),
        pytest.param(
            f"SELECT u.*, o.* {JOIN}",
            "Return only one of them, for example: SELECT u.id, … without the other.",
            id="all of both",
        ),
        pytest.param(f"SELECT * {JOIN}", "Write u.id, and the other columns by name.", id="all of a join"),
        pytest.param(
            "SELECT * FROM orders o JOIN users u ON o.user_id = u.id",
            "Write u.id, and the other columns by name.",
            id="all of a join whose second table has the users",
        ),
        pytest.param(
            "SELECT id FROM users UNION SELECT mail FROM leads",
            "Return the user's key there; if mail is it, write id AS user_id in the first SELECT.",
            id="not in every branch",
        ),
        pytest.param(
            "SELECT id, name FROM users UNION SELECT name, id FROM users",
            "Write the columns in the same order in both.",
            id="crossed",
        ),
        pytest.param(
            "SELECT id, name, NAME FROM users", "Give one of them another name: … AS name.", id="one name twice"
        ),
        pytest.param(
            "SELECT mail FROM leads",
            "Select the users table's key, for example: SELECT id, email FROM users …",
            id="no key, of a table that is called otherwise",
        ),
    ],
)
def test_a_result_without_one_clear_key_is_refused_with_what_to_write(sql: str, advice: str) -> None:
    with pytest.raises(QueryRejected) as caught:
        query(sql)

    assert caught.value.advice == advice


def test_a_key_that_is_called_user_id_may_come_from_any_table_of_a_join() -> None:
    assert query("SELECT user_id FROM users JOIN orders USING (user_id)", key="user_id").key == "user_id"


def test_a_users_table_under_another_schema_is_pointed_out() -> None:
    with pytest.raises(QueryRejected) as caught:
        query("SELECT id FROM app.users")

    assert caught.value.advice.endswith("The users table is 'users' in skene.yaml; 'app.users' is a different table.")


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
        pytest.param("SELECT id AS number FROM users", True, True, id="the key under another name"),
        pytest.param("SELECT boss AS id, user_id FROM users", True, False, id="another column under the key's name"),
        pytest.param(f"SELECT u.id {JOIN}", True, False, id="a join"),
        pytest.param("SELECT DISTINCT id FROM users", True, False, id="DISTINCT"),
        pytest.param("SELECT id FROM users GROUP BY id", True, False, id="GROUP BY"),
        pytest.param("SELECT id FROM users HAVING id > 5", True, False, id="HAVING"),
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
        pytest.param("SELECT id, COUNT(*) AS n FROM users", False, False, id="COUNT without GROUP BY"),
        pytest.param("SELECT user_id, GROUP_CONCAT(x) AS g FROM o", False, False, id="GROUP_CONCAT without GROUP BY"),
        pytest.param("SELECT id, RANK() OVER (ORDER BY x) AS r FROM users", False, False, id="a window"),
        pytest.param(
            "SELECT user_id, RANK() OVER (ORDER BY COUNT(*)) AS r FROM o GROUP BY user_id",
            False,
            False,
            id="a window over groups",
        ),
        pytest.param("SELECT user_id FROM o GROUP BY plan, day", False, False, id="GROUP BY others"),
        pytest.param(
            "SELECT user_id, MAX(x) AS m FROM o GROUP BY plan, User_Id", True, False, id="GROUP BY, with others"
        ),
        pytest.param("SELECT MAX(x) AS m, user_id AS uid FROM o GROUP BY user_id", True, False, id="GROUP BY, renamed"),
        pytest.param("SELECT x AS m, user_id AS uid FROM o GROUP BY x", False, False, id="GROUP BY another item"),
        pytest.param(
            "SELECT u.* FROM users u JOIN o ON o.x = u.id GROUP BY u.id", True, False, id="GROUP BY, of all columns"
        ),
        pytest.param("SELECT id, LOWER(email) AS e, f_COUNT FROM users", True, True, id="a function of one row"),
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


def test_a_table_that_is_nearly_called_like_the_users_table_is_named() -> None:
    with pytest.raises(QueryRejected) as caught:
        query("SELECT id FROM user WHERE plan = 'free'")

    assert "The users table is 'users' in skene.yaml; 'user' is a different table." in caught.value.advice
