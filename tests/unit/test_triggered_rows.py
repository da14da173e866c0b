"""A query with $1 is asked about all rows that triggered at once, or refused where that would mean another thing."""

import pytest

from skene_dagster.errors import Place, QueryRejected
from skene_dagster.loops.dialect import read_query
from skene_dagster.settings import Users

ROWS = "skene_trigger CROSS JOIN"
KEY = "skene_trigger.skene_row_key"
RESULT = f"{KEY}, skene_trigger.skene_row_at"


def on_servers(sql: str) -> str:
    return read_query(sql, users=Users(), place=Place("loops/x.yaml", 7)).mysql


@pytest.mark.parametrize(
    ("sql", "asked"),
    [
        pytest.param(
            "SELECT * FROM actions WHERE user_id = $1", f"SELECT * FROM {ROWS} actions WHERE user_id = {KEY}", id="all"
        ),
        pytest.param(
            "SELECT user_id, * FROM actions WHERE user_id = $1",
            f"SELECT user_id, * FROM {ROWS} actions WHERE user_id = {KEY}",
            id="all, beside a column",
        ),
        pytest.param(
            "SELECT a.* FROM actions a WHERE a.user_id = $1",
            f"SELECT a.*, {RESULT} FROM {ROWS} actions a WHERE a.user_id = {KEY}",
            id="all of one table",
        ),
        pytest.param(
            "SELECT user_id FROM actions WHERE user_id=$1",
            f"SELECT user_id, {RESULT} FROM {ROWS} actions WHERE user_id={KEY}",
            id="a column",
        ),
        pytest.param(
            "SELECT user_id, (SELECT MAX(at) FROM logins) AS last FROM actions WHERE user_id = $1",
            f"SELECT user_id, (SELECT MAX(at) FROM logins) AS last, {RESULT} FROM {ROWS} actions WHERE user_id = {KEY}",
            id="a FROM before its own",
        ),
        pytest.param(
            "SELECT user_id\nFROM actions\nWHERE $1 = user_id AND $1 > 5",
            f"SELECT user_id, {RESULT}\nFROM {ROWS} actions\nWHERE {KEY} = user_id AND {KEY} > 5",
            id="over three lines, twice",
        ),
        pytest.param(
            "SELECT u.id FROM users u WHERE EXISTS (SELECT 1 FROM actions a WHERE a.id = $1 AND a.user_id = u.id)",
            f"SELECT u.id, {RESULT} FROM {ROWS} users u "
            f"WHERE EXISTS (SELECT 1 FROM actions a WHERE a.id = {KEY} AND a.user_id = u.id)",
            id="in a subquery of its WHERE",
        ),
        pytest.param(
            "SELECT d.user_id FROM (SELECT user_id, MAX(at) AS n FROM actions GROUP BY 1) d WHERE d.user_id = $1",
            f"SELECT d.user_id, {RESULT} FROM {ROWS} (SELECT user_id, MAX(at) AS n FROM actions GROUP BY 1) d "
            f"WHERE d.user_id = {KEY}",
            id="beside a derived table",
        ),
        pytest.param(
            "SELECT d.user_id FROM (SELECT user_id FROM actions WHERE at < NOW()) d WHERE d.user_id = $1",
            f"SELECT d.user_id, {RESULT} FROM {ROWS} (SELECT user_id FROM actions "
            f"WHERE at < CAST(:as_of AS DATETIME(6))) d WHERE d.user_id = {KEY}",
            id="beside a derived table that asks the clock",
        ),
        pytest.param(
            "SELECT user_id FROM actions WHERE user_id = $1 AND id > $1 - 7",
            f"SELECT user_id, {RESULT} FROM {ROWS} actions WHERE user_id = {KEY} AND id > {KEY} - 7",
            id="computed with",
        ),
    ],
)
def test_a_query_is_joined_with_the_rows_that_triggered(sql: str, asked: str) -> None:
    assert on_servers(sql) == asked


OF_ITS_OWN = "A query with $1 cannot have {} of its own."
INSIDE = "$1 is in a query inside FROM, where it is not visible."


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        pytest.param(
            "SELECT user_id FROM a WHERE user_id = $1 UNION SELECT user_id FROM b",
            "A query with $1 cannot be a UNION, EXCEPT or INTERSECT.",
            id="UNION",
        ),
        pytest.param(
            "WITH a AS (SELECT 1 AS x) SELECT user_id FROM b WHERE user_id = $1", OF_ITS_OWN.format("WITH"), id="WITH"
        ),
        pytest.param("SELECT DISTINCT user_id FROM a WHERE user_id = $1", OF_ITS_OWN.format("DISTINCT"), id="DISTINCT"),
        pytest.param(
            "SELECT user_id FROM a WHERE user_id = $1 GROUP BY user_id", OF_ITS_OWN.format("GROUP BY"), id="GROUP BY"
        ),
        pytest.param(
            "SELECT user_id FROM a WHERE user_id = $1 HAVING user_id > 5", OF_ITS_OWN.format("HAVING"), id="HAVING"
        ),
        pytest.param(
            "SELECT user_id FROM a WHERE user_id = $1 ORDER BY at LIMIT 1", OF_ITS_OWN.format("ORDER BY"), id="ORDER BY"
        ),
        pytest.param("SELECT $1 AS user_id", "A query with $1 reads no table.", id="no table"),
        pytest.param(
            "SELECT user_id, COUNT(*) AS n FROM a WHERE user_id = $1",
            "A query with $1 cannot count or sum its rows.",
            id="COUNT",
        ),
        pytest.param(
            "SELECT user_id FROM (SELECT user_id FROM a WHERE user_id = $1) d", INSIDE, id="in a derived table"
        ),
        pytest.param(
            "SELECT u.id FROM users u JOIN (SELECT user_id FROM a WHERE user_id = $1) d ON d.user_id = u.id",
            INSIDE,
            id="in a derived table that is joined",
        ),
        pytest.param(
            "SELECT id FROM users WHERE id = $1 AND id IN (SELECT x FROM (SELECT x FROM a WHERE x = $1) d)",
            INSIDE,
            id="in a derived table of a subquery",
        ),
        pytest.param(
            "SELECT user_id FROM (SELECT user_id FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.id = $1)) d",
            INSIDE,
            id="in a subquery of a derived table",
        ),
    ],
)
def test_what_cannot_be_asked_about_several_rows_at_once_is_refused(sql: str, message: str) -> None:
    with pytest.raises(QueryRejected) as refused:
        on_servers(sql)

    assert refused.value.message == message
