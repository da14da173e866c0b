r"""What the embedded database gets for each way of writing a condition, and what it leaves to TiDB.

Points in time are texts there: `skene_moment()` makes one of whatever is compared with one.
"""

import pytest

from skene_dagster.errors import Place
from skene_dagster.loops.dialect import read_query
from skene_dagster.loops.dialect.sqlite.calls import FORMATS
from skene_dagster.loops.plan import Query
from skene_dagster.settings import Users

EACH_FORMAT = "".join(f"%{letter}" for letter in sorted(FORMATS))
WHERE = "SELECT id FROM users WHERE "


def query(sql: str) -> Query:
    return read_query(sql, users=Users(), place=Place("loops/x.yaml", 7))


@pytest.mark.parametrize(
    ("condition", "written"),
    [
        ("- -age < -age", "-(-age) < -age"),
        ("größe > 1 AND a$b = 2", "`größe` > 1 AND `a$b` = 2"),
        ("users.1st = 2", "users.`1st` = 2"),
        ("a - 3 * b = 1", "a - 3 * b = 1"),
        ("a IS NOT NULL AND b IS TRUE", "NOT a IS NULL AND b IS TRUE"),
        ("CASE plan WHEN 'pro' THEN 1 END = 1", "CASE `plan` WHEN 'pro' THEN 1 END = 1"),
        ("CASE WHEN a THEN b WHEN c THEN d ELSE e END = 1", "CASE WHEN a THEN b WHEN c THEN d ELSE e END = 1"),
        ("age IN (SELECT age FROM users)", "age IN (SELECT age FROM users)"),
        ("age NOT IN (1, 2)", "NOT age IN (1, 2)"),
        ("age > (SELECT AVG(age) FROM users)", "age > (SELECT AVG(age) FROM users)"),
        ("EXISTS (SELECT 1 FROM orders)", "EXISTS (SELECT 1 FROM orders)"),
        ("a BETWEEN 3 AND 5", "a BETWEEN 3 AND 5"),
        (
            "a NOT BETWEEN '2026-01-01' AND NOW()",
            r"NOT skene_moment(a) BETWEEN '2026-01-01 00\:00\:00.000000' AND :as_of",
        ),
        ("name NOT LIKE 'a%'", r"name NOT LIKE 'a%' ESCAPE '\'"),
        ("name NOT LIKE 'a|%' ESCAPE '|'", "name NOT LIKE 'a|%' ESCAPE '|'"),
        ("ROUND(a, 1) = 1", "skene_round(a, 1) = 1"),
        ("ADDDATE(a, 7) < NOW()", "skene_moment(skene_shift(a, 7, 'DAY')) < :as_of"),
        ("DATE_ADD(a, INTERVAL 7 HOUR) < NOW()", "skene_moment(skene_shift(a, 7, 'HOUR')) < :as_of"),
        ("SUBDATE(a, INTERVAL 7 DAY) < NOW()", "skene_moment(skene_shift(a, -7, 'DAY')) < :as_of"),
        ("DATE_SUB(a, INTERVAL '-7' DAY) < NOW()", "skene_moment(skene_shift(a, 7, 'DAY')) < :as_of"),
        ("DATE_SUB(a, INTERVAL ' +7' DAY) < NOW()", "skene_moment(skene_shift(a, -7, 'DAY')) < :as_of"),
        ("a + INTERVAL n WEEK < NOW()", "skene_moment(skene_shift(a, n, 'WEEK')) < :as_of"),
        ("a - INTERVAL n DAY < NOW()", "skene_moment(skene_shift(a, -(n), 'DAY')) < :as_of"),
        ("a - INTERVAL -n DAY < NOW()", "skene_moment(skene_shift(a, -(-n), 'DAY')) < :as_of"),
        ("NOW() - INTERVAL 7 DAY < NOW()", "skene_shift(:as_of, -7, 'DAY') < :as_of"),
        ("TIMESTAMPADD(DAY, 3, a) < NOW()", "skene_moment(skene_shift(a, 3, 'DAY')) < :as_of"),
        ("TIMESTAMPDIFF(HOUR, a, NOW()) > 3", "skene_timestampdiff('HOUR', a, :as_of) > 3"),
        (f"DATE_FORMAT(a, '{EACH_FORMAT}') = 'x'", f"skene_date_format(a, '{EACH_FORMAT}') = 'x'"),
        ("EXTRACT(DAY FROM a) = 3", "skene_part(a, 'DAY') = 3"),
        ("CAST(a AS DATETIME(6)) < NOW()", "skene_moment(skene_moment(a)) < :as_of"),
        ("a < (DATE(b))", "skene_moment(a) < skene_moment((skene_date(b)))"),
        ("NOW() = 'never'", ":as_of = 'never'"),
        ("NULLIF(a, 'never') < NOW()", "skene_moment(NULLIF(a, 'never')) < :as_of"),
        ("`20261123` < b + 5", "`20261123` < b + 5"),
        ("NULLIF(DATE(a), b) > c", "skene_moment(NULLIF(skene_date(a), b)) > skene_moment(c)"),
        (
            "IF(TRUE, DATE(b), c) < d",
            "skene_moment(CASE WHEN TRUE THEN skene_date(b) ELSE c END) < skene_moment(d)",
        ),
        ("CONCAT(a, b) < NOW()", "skene_moment(skene_concat(a, b)) < :as_of"),
        ("a = b AND 5 < a AND a < 5", "a = b AND 5 < a AND a < 5"),
        (
            "a <= b",
            "CASE WHEN skene_any_moment(a, b) THEN skene_moment(a) <= skene_moment(b) ELSE a <= b END",
        ),
    ],
)
def test_a_condition_is_written_with_the_meaning_that_it_has_in_mysql(condition: str, written: str) -> None:
    assert query(WHERE + condition).sqlite == f"SELECT id FROM users WHERE {written}"


@pytest.mark.parametrize(
    ("condition", "what"),
    [
        ("CASE CURDATE() WHEN a THEN 1 ELSE 0 END = 1", "CASE with a point in time"),
        (r"note = 'a\0b'", r"A string with \0"),
        (
            "at > '2026/01/02'",
            "A date that is written as '2026/01/02', not as '2026-11-23' or '2026-11-23 09:00:00',",
        ),
        ("ROUND(a, -1) = 1", "ROUND() to tens"),
        ("COALESCE(a) = 1", "COALESCE()"),
        ("IFNULL(a, 1, 2) = 1", "IFNULL()"),
        ("IFNULL(DATE(a), 1)", "IFNULL() of different kinds of values"),
        ("DATE_ADD(a, INTERVAL '1 1' DAY_HOUR) < NOW()", "INTERVAL … DAY_HOUR"),
        ("TIMESTAMPADD(DAY_HOUR, 3, a) < NOW()", "TIMESTAMPADD(DAY_HOUR, …)"),
        ("DATE_FORMAT(a, plan) = '3'", "DATE_FORMAT() with this format"),
        ("DATE_FORMAT(a, '%v') = '3'", "DATE_FORMAT() with this format"),
        ("EXTRACT(DAY_HOUR FROM a) = 3", "EXTRACT() of this unit"),
        ("a IN b", "This form of IN"),
        ("CAST(a AS DATETIME) < NOW()", "CAST to DATETIME"),
        ("CAST(a AS CHAR(3)) = 'abc'", "CAST to CHAR(3)"),
        ("a * DATE(b) = 1", "Arithmetic with points in time"),
        ("DATE(a) + b = 1", "Arithmetic with points in time"),
        ("(a = b) = c = d", "A comparison inside another without parentheses"),
        ("a > 20260102", "A date that is written as a number"),
        ("COALESCE(a, 'never') < NOW()", "Comparing a point in time with another text"),
        ("NULLIF('never', a) < NOW()", "Comparing a point in time with another text"),
        ("a > '2026-02-30'", "The date '2026-02-30'"),
        ("TIMESTAMPDIFF(DAY, a, b) > '5'", "Comparing a number with a string"),
        ("DATE_FORMAT(a, '%Y') > 5", "Comparing a number with a string"),
        ("NOW() > 'never'", "Comparing a point in time with another text"),
    ],
)
def test_what_cannot_be_said_alike_needs_tidb(condition: str, what: str) -> None:
    read = query(WHERE + condition)

    assert (read.sqlite, read.needs_tidb) == (None, f"{what} needs TiDB")


@pytest.mark.parametrize(
    ("sql", "written"),
    [
        ("SELECT id, (SELECT 1) AS n FROM users", "SELECT id, (SELECT 1) AS n FROM users"),
        ("SELECT id FROM users ORDER BY id LIMIT 3 OFFSET 1", "SELECT id FROM users ORDER BY id LIMIT 3 OFFSET 1"),
        ("SELECT DISTINCT id FROM users", "SELECT DISTINCT id FROM users"),
        ("SELECT id FROM users ORDER BY a DESC, id LIMIT 3", "SELECT id FROM users ORDER BY a DESC, id LIMIT 3"),
        (
            "SELECT user_id FROM o GROUP BY user_id HAVING COUNT(DISTINCT kind) > 3",
            "SELECT user_id FROM o GROUP BY user_id HAVING COUNT(DISTINCT kind) > 3",
        ),
        (
            "SELECT user_id, MAX(at) AS m FROM o GROUP BY user_id HAVING m > 5 ORDER BY m, user_id LIMIT 3",
            "SELECT user_id, MAX(at) AS m FROM o GROUP BY user_id HAVING (MAX(at)) > 5 ORDER BY m, user_id LIMIT 3",
        ),
        ("SELECT id, COUNT(*) OVER () AS n FROM users", "SELECT id, COUNT(*) OVER () AS n FROM users"),
        (
            "SELECT id, SUM(a) OVER (PARTITION BY b ORDER BY c ROWS BETWEEN 3 PRECEDING AND CURRENT ROW) FROM users",
            "SELECT id, SUM(a) OVER (PARTITION BY b ORDER BY c ROWS BETWEEN 3 PRECEDING AND CURRENT ROW) FROM users",
        ),
        (
            "SELECT id, SUM(a) OVER (ORDER BY c ROWS UNBOUNDED PRECEDING) AS s FROM users",
            "SELECT id, SUM(a) OVER (ORDER BY c ROWS UNBOUNDED PRECEDING) AS s FROM users",
        ),
        ("WITH o (a, b) AS (SELECT 1, 2) SELECT id FROM users", "WITH o(a, b) AS (SELECT 1, 2) SELECT id FROM users"),
        (
            "SELECT user_id FROM o WHERE a GROUP BY user_id, b HAVING COUNT(*) > 3",
            "SELECT user_id FROM o WHERE a GROUP BY user_id, b HAVING COUNT(*) > 3",
        ),
        ("SELECT u.id FROM users u, o", "SELECT u.id FROM users AS u, o"),
        ("SELECT u.id FROM users u CROSS JOIN o", "SELECT u.id FROM users AS u CROSS JOIN o"),
        ("SELECT u.id FROM users u NATURAL JOIN o", "SELECT u.id FROM users AS u NATURAL JOIN o"),
        ("SELECT u.id FROM users u JOIN o USING (a, b)", "SELECT u.id FROM users AS u JOIN o USING (a, b)"),
        ("(SELECT id FROM users)", "SELECT id FROM users"),
        ("WITH a AS (SELECT 1) (SELECT id FROM users)", "WITH a AS (SELECT 1) SELECT id FROM users"),
        (
            "SELECT d.user_id FROM ((SELECT user_id FROM o)) d",
            "SELECT d.user_id FROM (SELECT user_id FROM o) AS d",
        ),
        (
            "SELECT id FROM users EXCEPT SELECT user_id FROM o ORDER BY id LIMIT 3",
            "SELECT id FROM users EXCEPT SELECT user_id FROM o ORDER BY id LIMIT 3",
        ),
    ],
)
def test_a_query_is_written_with_all_of_its_clauses(sql: str, written: str) -> None:
    assert query(sql).sqlite == written


@pytest.mark.parametrize(
    ("sql", "what"),
    [
        ("SELECT id, SUM(a) OVER w AS s FROM users WINDOW w AS (ORDER BY b)", "WINDOW"),
        ("SELECT id FROM users WINDOW w AS (ORDER BY b)", "WINDOW"),
        ("SELECT id, SUM(a) OVER w AS s FROM users", "WINDOW"),
        ("SELECT id, SUM(a) OVER (ORDER BY c RANGE UNBOUNDED PRECEDING) AS s FROM users", "A window with RANGE"),
        ("SELECT id, COUNT(*) OVER () > '5' AS many FROM users", "Comparing a number with a string"),
        (
            "SELECT user_id, DATE(MAX(at)) AS d FROM o GROUP BY user_id HAVING d > 'x'",
            "Comparing a point in time with another text",
        ),
        ("SELECT id FROM users HAVING id > 3", "HAVING without GROUP BY"),
        ("SELECT id FROM users GROUP BY id WITH ROLLUP", "WITH ROLLUP"),
        ("SELECT u.id FROM o RIGHT JOIN users u ON u.id = o.x", "RIGHT JOIN"),
        ("SELECT u.id FROM (users u JOIN o ON u.id = o.x)", "A join in parentheses"),
        ("SELECT u.id FROM users u JOIN (o JOIN p ON p.x = o.x) ON u.id = o.x", "A join in parentheses"),
        (
            "SELECT id FROM users UNION SELECT user_id FROM o EXCEPT SELECT user_id FROM p",
            "UNION mixed with EXCEPT or INTERSECT",
        ),
        (
            "SELECT id FROM users UNION WITH a AS (SELECT 1) SELECT user_id FROM o",
            "A query in parentheses inside UNION",
        ),
        ("(SELECT id FROM users) UNION SELECT user_id FROM o", "A query in parentheses inside UNION"),
        ("SELECT id FROM users UNION (SELECT user_id FROM o)", "A query in parentheses inside UNION"),
        (
            "WITH users AS (SELECT u.id FROM users u JOIN o ON o.x = u.id) SELECT id FROM users",
            "WITH under the name of the table that it reads",
        ),
        ("WITH users AS (SELECT id FROM users) SELECT id FROM users", "WITH under the name of the table that it reads"),
    ],
)
def test_a_query_that_the_embedded_database_reads_otherwise_needs_tidb(sql: str, what: str) -> None:
    read = query(sql)

    assert (read.sqlite, read.needs_tidb) == (None, f"{what} needs TiDB")


OF_ONE = """
ABS CEIL CEILING FLOOR ISNULL LOWER LCASE UPPER UCASE LENGTH OCTET_LENGTH CHAR_LENGTH CHARACTER_LENGTH TRIM LTRIM RTRIM
DATE TIMESTAMP LAST_DAY FROM_UNIXTIME DAYOFMONTH YEAR QUARTER MONTH DAY HOUR MINUTE SECOND DAYOFWEEK WEEKDAY DAYOFYEAR
MIN MAX COUNT SUM AVG
"""
ARGUMENTS = {
    **dict.fromkeys(OF_ONE.split(), (1, 1)),
    **dict.fromkeys(("MOD", "IFNULL", "NULLIF", "LEFT", "RIGHT", "INSTR", "LOCATE", "DATEDIFF"), (2, 2)),
    **dict.fromkeys(("IF", "MID", "SUBSTRING_INDEX", "REPLACE"), (3, 3)),
    **dict.fromkeys(("SUBSTRING", "SUBSTR"), (2, 3)),
    **dict.fromkeys(("COALESCE", "GREATEST", "LEAST", "CONCAT_WS"), (2, None)),
    "CONCAT": (1, None),
    "ROUND": (1, 2),
}
OVER_ROWS = {
    **dict.fromkeys(("FIRST_VALUE", "LAST_VALUE", "NTILE"), (1, 1)),
    **dict.fromkeys(("LAG", "LEAD"), (1, 3)),
    **dict.fromkeys(("ROW_NUMBER", "RANK", "DENSE_RANK", "PERCENT_RANK", "CUME_DIST"), (0, 0)),
}


@pytest.mark.parametrize(
    ("name", "least", "most", "over"),
    [
        *(pytest.param(name, *bounds, "", id=name) for name, bounds in ARGUMENTS.items()),
        *(pytest.param(name, *bounds, " OVER (ORDER BY b)", id=name) for name, bounds in OVER_ROWS.items()),
    ],
)
def test_a_function_has_as_many_arguments_as_in_mysql(name: str, least: int, most: int | None, over: str) -> None:
    def asked(number: int) -> Query:
        return query(f"SELECT id, {name}({', '.join('a' * number)}){over} AS x FROM users")

    assert asked(least).sqlite is not None
    assert asked(30 if most is None else most).sqlite is not None
    wrong = [number for number in (least - 1, None if most is None else most + 1) if number is not None and number >= 0]
    assert {asked(number).needs_tidb for number in wrong} <= {f"{name}() needs TiDB"}
