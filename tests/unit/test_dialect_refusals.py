"""SQL that is refused, each by the name of what is wrong with it."""

import pytest

from skene_dagster.errors import Place, QueryRejected
from skene_dagster.loops.dialect import read_expression, read_query
from skene_dagster.settings import Users

PLACE = Place("loops/retention.yaml", 7, "step 1, condition.query")


def refusal(sql: str) -> QueryRejected:
    with pytest.raises(QueryRejected) as caught:
        read_query(sql, users=Users(), place=PLACE)
    return caught.value


WHERE = "SELECT id FROM users WHERE "

STATEMENTS = [
    ("", "The query is empty."),
    ("-- nothing but a comment", "The query is empty."),
    (";", "The query is empty."),
    ("SELECT id FROM users; DELETE FROM users", "There is a second statement after the semicolon: DELETE …"),
    ("INSERT INTO users (id) VALUES (1)", "INSERT writes."),
    ("UPDATE users SET active = 1", "UPDATE writes."),
    ("DELETE FROM users", "DELETE writes."),
    ("REPLACE INTO users VALUES (1)", "REPLACE writes."),
    ("TRUNCATE TABLE users", "TRUNCATE writes."),
    ("LOAD DATA INFILE 'x' INTO TABLE users", "LOAD writes."),
    ("DROP TABLE users", "DROP changes tables."),
    ("CREATE TABLE x AS SELECT 1", "CREATE changes tables."),
    ("ALTER TABLE users ADD x INT", "ALTER changes tables."),
    ("SET @x = 1", "SET changes the session."),
    ("CALL p()", "CALL runs something."),
    ("BEGIN", "BEGIN is about transactions."),
    ("EXPLAIN SELECT id FROM users", "EXPLAIN returns no users."),
    ("SHOW TABLES", "SHOW returns no users."),
    ("VALUES ROW(1)", "VALUES returns no users."),
    ("hello", "The query begins with hello."),
    ("(SELECT id FROM users) > 5", "This is not one SELECT."),
    ("(hello)", "The query begins with hello."),
    ("((", "The query begins with (."),
    ("SELECT id FROM users;; DELETE FROM users", "There is a second statement after the semicolon: ; …"),
    ("WITH x AS (SELECT 1) DELETE FROM users", "DELETE writes."),
    ("WITH x AS (DELETE FROM users) SELECT id FROM x", "DELETE writes."),
    ("SELECT id INTO @x FROM users", "INTO cannot be used."),
    ("SELECT id FROM users INTO OUTFILE '/tmp/x'", "INTO cannot be used."),
    ("SELECT id FROM users FOR UPDATE", "FOR UPDATE cannot be used."),
    ("SELECT id FROM users FOR UPDATE SKIP LOCKED", "FOR UPDATE cannot be used."),
    ("SELECT id FROM users FOR SHARE", "FOR SHARE cannot be used."),
    ("SELECT id FROM users LOCK IN SHARE MODE", "LOCK cannot be used."),
]

VALUES = [
    (f"{WHERE} id = @x", "@x cannot be used."),
    ("SELECT id, @n := @n + 1 AS n FROM users", "@n cannot be used."),
    (f"{WHERE} @@version > 1", "@@version cannot be used."),
    (f"{WHERE} id = ?", "? cannot be used."),
    (f"{WHERE} id = :id", ":id cannot be used."),
    (f"{WHERE} id = %s", "%s cannot be used."),
    (f"{WHERE} id = %(id)s", "%( cannot be used."),
    (f"{WHERE} id IN (%s)", "%s cannot be used."),
    (f"{WHERE} a = :", ": cannot be used."),
    (f"{WHERE} a = N'x'", "N'x': a string cannot have a character set here."),
    (f"{WHERE} id = $2", "$2 cannot be used."),
    (f"{WHERE} id = {{{{user.id}}}}", "{ cannot be used."),
    (f"{WHERE} name = 'it", "A string begins with ' and does not end."),
    (f"{WHERE} name = `x", "A name begins with ` and does not end."),
    ("SELECT id /* FROM users", "A comment begins with /* and does not end."),
    (f"{WHERE} name = ‘Ann’", "'‘' (left single quotation mark) is not SQL."),  # noqa: RUF001 - that is the point
    (f"{WHERE}\u00a0id = 1", "'\\xa0' (no-break space) is not SQL."),
    (f"{WHERE} a = '\U000e0001'", "'\\U000e0001' (language tag) cannot be seen in a string."),
    (
        "SELECT id FROM us\u0435rs",
        "`us\u0435rs` has the letter '\u0435' (cyrillic small letter ie) among others that look alike.",
    ),
    (f"{WHERE} a = 5--3", "-- cannot be used."),
    (f"{WHERE} 1a = 2", "1a is neither a number nor a name."),
    (f"{WHERE} a = {'9' * 66}", f"{'9' * 20}… has 66 digits; a number has 65 at most."),
    (f"{WHERE} a = 1e309", "1e309 is outside the range of numbers."),
    (f"{WHERE} a = 1e-309", "1e-309 is outside the range of numbers."),
    (f"{WHERE} a = 1e1000", "1e1000 is outside the range of numbers."),
    (f"{WHERE} a = 1e{'9' * 5000}", f"1e{'9' * 38} is outside the range of numbers."),
    (f"{WHERE} a = 1{'0' * 60}e1000", f"1{'0' * 39} is outside the range of numbers."),
    (f"{WHERE} a #> 'b'", "#> is an operator in PostgreSQL; in MySQL it begins a comment."),
    (f"{WHERE} a #- 'b'", "#- is an operator in PostgreSQL; in MySQL it begins a comment."),
    (f"{WHERE} a = 'x' 'y'", "Two strings are next to each other."),
    ("SELECT id, n 'x' FROM users", "A name is written as a string."),
    (f"{WHERE} a = _utf8'x'", "_utf8'x': a string cannot have a character set here."),
    (f"{WHERE} \"plan\" = 'pro'", "'plan' and 'pro' are two strings; comparing them selects everybody or nobody."),
    ("SELECT id AS 'user_id' FROM users", "A name is written as a string."),
    (f"{WHERE} (a = 1", "A parenthesis is opened and not closed."),
    (f"{WHERE} a = 1)", "A parenthesis is closed that was never opened."),
    ("SELECT FROM users", "The SELECT names no columns."),
    ("SELECT $1 AS user_id", "A query with $1 reads no table."),
    ("SELECT id FROM users WHEREVER a = 1", "The SQL cannot be read near 'a'."),
    (f"{WHERE} a = 1 AND AND b", "The SQL cannot be read near 'AND'."),
    (f"{WHERE} INTERVAL -", "The SQL cannot be read."),
]

FUNCTIONS = [
    (f"{WHERE} SLEEP(1) = 0", "SLEEP() cannot be used."),
    (f"{WHERE} BENCHMARK(1, 1) = 0", "BENCHMARK() cannot be used."),
    (f"{WHERE} GET_LOCK('x', 1)", "GET_LOCK() cannot be used."),
    (f"{WHERE} RELEASE_LOCK('x')", "RELEASE_LOCK() cannot be used."),
    (f"{WHERE} LOAD_FILE('/x') = 'a'", "LOAD_FILE() cannot be used."),
    (f"{WHERE} id = LAST_INSERT_ID()", "LAST_INSERT_ID() cannot be used."),
    (f"{WHERE} NEXTVAL(s) = 1", "NEXTVAL() cannot be used."),
    ("SELECT id, NEXT VALUE FOR s AS n FROM users", "FOR cannot be used."),
    (f"{WHERE} RAND() < 0.1", "RAND() cannot be used."),
    ("SELECT id, UUID() AS u FROM users", "UUID() cannot be used."),
    (f"{WHERE} id = CONNECTION_ID()", "CONNECTION_ID() cannot be used."),
    (f"{WHERE} FOUND_ROWS() = 1", "FOUND_ROWS() cannot be used."),
    (f"{WHERE} ROW_COUNT() = 1", "ROW_COUNT() cannot be used."),
    (f"{WHERE} email = CURRENT_USER", "CURRENT_USER cannot be used."),
    (f"{WHERE} email = USER()", "USER() cannot be used."),
    (f"{WHERE} a < SYSDATE()", "SYSDATE() cannot be used."),
    (f"{WHERE} a < TIDB_CURRENT_TSO()", "TIDB_CURRENT_TSO() cannot be used."),
    (f"{WHERE} a < NOW(1, 2)", "NOW() accepts only a number of digits."),
    (f"{WHERE} a < NOW(a)", "NOW() accepts only a number of digits."),
    (f"{WHERE} a < NOW('6')", "NOW() accepts only a number of digits."),
    (f"{WHERE} a < NOW(6", "NOW() accepts only a number of digits."),
    (f"{WHERE} a < NOW(", "NOW() accepts only a number of digits."),
    (f"{WHERE} a < UNIX_TIMESTAMP(", "A parenthesis is opened and not closed."),
    (f"{WHERE} CONCATT(a) = 1", "CONCATT() is not a supported function."),
    (f"{WHERE} app.f(id) = 1", ".f() is a stored function."),
    (f"{WHERE} `now`() = 1", "`now`() is a stored function."),
    (f"{WHERE} `app`.`f`(1) = 1", "`f`() is a stored function."),
    (f"{WHERE} CONVERT(a, INTEGER) = 1", "Nothing can be cast to INTEGER."),
    (f"{WHERE} DATE_TRUNC('day', a) = 1", "DATE_TRUNC() cannot be used."),
]

CONSTRUCTS = [
    ("(SELECT id FROM users) ORDER BY id", "ORDER BY or LIMIT follows a query in parentheses."),
    ("(SELECT id FROM users) ORDER BY id LIMIT 5", "ORDER BY or LIMIT follows a query in parentheses."),
    ("SELECT u.id FROM users u, LATERAL (SELECT 1 AS x) l", "LATERAL cannot be used."),
    ("SELECT id FROM users, JSON_TABLE(m, '$' COLUMNS (a INT PATH '$.a')) j", "JSON_TABLE() cannot be used."),
    ("SELECT id FROM users PROCEDURE ANALYSE()", "PROCEDURE cannot be used."),
    (f"{WHERE} MATCH (note) AGAINST ('x')", "MATCH cannot be used."),
    ("SELECT id FROM users TABLESAMPLE REGIONS()", "TABLESAMPLE cannot be used."),
    ("SELECT id FROM users AS OF TIMESTAMP '2026-01-01'", "AS OF TIMESTAMP cannot be used."),
    ("SELECT id FROM users PARTITION (p0)", "PARTITION() cannot be used."),
    ("SELECT /*+ SET_VAR(time_zone='+02:00') */ id FROM users", "The hint SET_VAR cannot be used."),
    ("SELECT /*+ INDEX_JION(u) */ id FROM users u", "INDEX_JION is not a hint that TiDB has."),
    ("SELECT /*+ use the index */ id FROM users", "The hint 'use the index' cannot be read."),
    ("SELECT id /*+ HASH_AGG() */ FROM users", "/*+ HASH_AGG() */ is where no server reads it."),
    ("SELECT /*!50000 1 + */ id FROM users", "/*! … */ looks like a comment, but a server runs it."),
    ("SELECT id FROM users /*T![x] y */", "/*T! … */ looks like a comment, but a server runs it."),
    ("SELECT HIGH_PRIORITY id FROM users", "HIGH_PRIORITY cannot be used."),
    ("SELECT SQL_CALC_FOUND_ROWS id FROM users", "SQL_CALC_FOUND_ROWS cannot be used."),
    ("SELECT SQL_NO_CACHE id FROM users", "SQL_NO_CACHE cannot be used."),
    ("SELECT SQL_BUFFER_RESULT id FROM users", "SQL_BUFFER_RESULT cannot be used."),
    ("/*+ HASH_JOIN(u) */ SELECT id FROM users", "The query begins with /*+ HASH_JOIN(u) */."),
    ("SELECT /*+ HASH_JOIN(u; o) */ id FROM users u", "The hint HASH_JOIN(u; o) cannot be read."),
    ("SELECT /*+ HASH_JOIN(u) what */ id FROM users u", "The hint 'what' cannot be read."),
    ("SELECT /*+INDEX_JION(u)*/ id FROM users u", "INDEX_JION is not a hint that TiDB has."),
    ("SELECT id FROM users INTERSECT ALL SELECT id FROM users", "INTERSECT ALL cannot be used."),
    (f"{WHERE} id IN ((SELECT id FROM users) LIMIT 1)", "ORDER BY or LIMIT follows a query in parentheses."),
    (f"{WHERE} MAX(a ORDER BY b) > 1", "ORDER BY is inside a function: a ORDER BY b."),
    (f"{WHERE} 'a' < 'b'", "'a' and 'b' are two strings; comparing them selects everybody or nobody."),
    (f"{WHERE} 'a' <=> 'b'", "'a' and 'b' are two strings; comparing them selects everybody or nobody."),
    ("TABLE users", "TABLE is not a SELECT."),
    ("SELECT u.id FROM users u FULL JOIN orders o ON o.user_id = u.id", "FULL JOIN cannot be used."),
    ("SELECT u.id FROM users u LEFT SEMI JOIN orders o ON o.user_id = u.id", "LEFT SEMI JOIN cannot be used."),
    ("SELECT DISTINCT ON (plan) id FROM users", "DISTINCT ON cannot be used."),
    ("SELECT id FROM users EXCEPT ALL SELECT id FROM users", "EXCEPT ALL cannot be used."),
    ("SELECT id FROM users FETCH FIRST 3 ROWS ONLY", "FETCH cannot be used."),
    ("SELECT id FROM users QUALIFY id = 1", "QUALIFY cannot be used."),
    ("SELECT id FROM a.b.users", "a.b.users is not a table."),
    ("SELECT id FROM LOWER('x')", "LOWER('x') is not a table."),
    (
        f"{WHERE} at > '2026-02-22T09:00:00Z'",
        "'2026-02-22T09:00:00Z' names its offset from UTC, which databases read differently.",
    ),
    ("SELECT id FROM MySQL.user", "MySQL.user is the database server's own table."),
    (
        "SELECT id FROM \u0130nformation_schema.tables",
        "\u0130nformation_schema.tables is the database server's own table.",
    ),
    ("SELECT id FROM users GROUP BY ALL", "ALL cannot be used."),
    ("SELECT * EXCEPT (name) FROM users", "EXCEPT cannot be used."),
    ("SELECT id FROM users ORDER BY id LIMIT 1 BY plan", "`1 BY plan` cannot be used."),
    (f"{WHERE} GROUP_CONCAT(a LIMIT 1) = 1", "`a LIMIT 1` cannot be used."),
    (f"{WHERE} a BETWEEN SYMMETRIC 1 AND 2", "SYMMETRIC cannot be used."),
    ("SELECT id FROM users ORDER BY a NULLS LAST, id LIMIT 3", "NULLS LAST cannot be used."),
    (f"{WHERE} email ILIKE 'a%'", "ILIKE cannot be used."),
    (f"{WHERE} a::date = '2026-01-01'", ":: cannot be used."),
    (f"{WHERE} a || b", "|| cannot be used."),
    (f"{WHERE} a == 1", "== cannot be used."),
    (f"{WHERE} a IS DISTINCT FROM b", "IS DISTINCT FROM cannot be used."),
    (f"{WHERE} a IS NOT DISTINCT FROM b", "IS DISTINCT FROM cannot be used."),
    ("SELECT id FROM users ORDER BY a NULLS FIRST, id LIMIT 3", "NULLS FIRST cannot be used."),
    (f"{WHERE} a SOUNDS LIKE b", "`a SOUNDS LIKE b` cannot be used."),
    (f"{WHERE} CAST(a AS INTEGER) = 1", "Nothing can be cast to INTEGER."),
    (f"{WHERE} (CAST(a AS INTEGER)) = 1", "Nothing can be cast to INTEGER."),
    (f"{WHERE} (CONVERT(a, INTEGER)) = 1", "Nothing can be cast to INTEGER."),
    ("SELECT rank FROM users", "RANK cannot be used."),
    (
        f"{WHERE} a > NOW() - 7",
        "NOW() is added to, or subtracted from, without an INTERVAL; MySQL would compute with a number.",
    ),
    (f"{WHERE} a < DATE_SUB(NOW(), INTERVAL '1 day 2 hours')", "INTERVAL '1 day 2 hours' has several parts."),
    (f"{WHERE} - INTERVAL '1 day 2 hours' + a < NOW()", "INTERVAL '1 day 2 hours' has several parts."),
    (f"{WHERE} {'(' * 26}a{')' * 26}", "Parentheses are nested deeper than 25."),
    (f"{WHERE} INTERVAL 7 DAY + a < NOW()", "An INTERVAL is not added to or subtracted from anything."),
    (f"{WHERE} a > INTERVAL 7 DAY", "An INTERVAL is not added to or subtracted from anything."),
    (f"{WHERE} a * INTERVAL 7 DAY > 1", "An INTERVAL is not added to or subtracted from anything."),
    (f"{WHERE} COALESCE(INTERVAL 7 DAY, a) > 1", "An INTERVAL is not added to or subtracted from anything."),
]

INTERVALS = [
    ("'7 days' DAY", "INTERVAL '7 days' DAY is not a whole number."),
    ("'7'", "INTERVAL '7' cannot be read."),
    ("''", "INTERVAL '' cannot be read."),
    ("'7 fortnights'", "INTERVAL '7 fortnights': 'fortnights' is not a unit."),
    ("'1.5 months'", "INTERVAL '1.5 months' is a fraction of a month."),
    ("'0.1 us'", "INTERVAL '0.1 us' is a fraction of a microsecond."),
    ("'02:30'", "INTERVAL '02:30' cannot be read."),
    ("'P1D'", "INTERVAL 'P1D' cannot be read."),
    ("'7 days ago'", "INTERVAL '7 days ago' cannot be read."),
    ("1.5 DAY", "INTERVAL 1.5 DAY is not a whole number."),
    ("7 DAYS", "INTERVAL … DAYS cannot be used."),
    ("7 M", "m: this part of the SQL is not understood."),
    ("7", "INTERVAL … cannot be used."),
    ("(7) DAY", "INTERVAL (…) cannot be used."),
]

UNSTABLE = "LIMIT without ORDER BY returns different rows each time; users would enter and leave at random."


@pytest.mark.parametrize(("sql", "message"), STATEMENTS, ids=lambda value: value if " " in value else None)
def test_a_condition_is_exactly_one_select_that_only_reads(sql: str, message: str) -> None:
    assert refusal(sql).message == message


@pytest.mark.parametrize(("sql", "message"), VALUES, ids=[message for _, message in VALUES])
def test_what_is_no_sql_or_stands_for_something_else_is_refused(sql: str, message: str) -> None:
    assert refusal(sql).message == message


@pytest.mark.parametrize(("sql", "message"), FUNCTIONS, ids=[message for _, message in FUNCTIONS])
def test_functions_that_act_wait_or_answer_differently_are_refused(sql: str, message: str) -> None:
    assert refusal(sql).message == message


@pytest.mark.parametrize(("sql", "message"), CONSTRUCTS, ids=[sql for sql, _ in CONSTRUCTS])
def test_constructs_that_a_server_lacks_ignores_or_reads_otherwise_are_refused(sql: str, message: str) -> None:
    assert refusal(sql).message == message


@pytest.mark.parametrize(("interval", "message"), INTERVALS, ids=[interval for interval, _ in INTERVALS])
def test_an_interval_that_would_be_misread_is_refused(interval: str, message: str) -> None:
    assert refusal(f"{WHERE} seen_at < NOW() - INTERVAL {interval}").message == message


def test_an_interval_of_several_parts_is_refused_where_it_cannot_be_taken_apart() -> None:
    refused = refusal(f"{WHERE} seen_at < DATE_SUB(NOW(), INTERVAL '1 day 2 hours')")

    assert refused.message == "INTERVAL '1 day 2 hours' has several parts."
    assert refused.advice == "Subtract them one by one: x - INTERVAL 1 DAY - INTERVAL 2 HOUR."


@pytest.mark.parametrize(
    "sql",
    [
        pytest.param("SELECT id FROM users LIMIT 10", id="outermost"),
        pytest.param("SELECT id FROM users OFFSET 10", id="an OFFSET alone"),
        pytest.param(f"{WHERE} id IN (SELECT user_id FROM orders LIMIT 10)", id="in a subquery"),
        pytest.param("SELECT id FROM users UNION SELECT id FROM users LIMIT 3", id="of a set"),
    ],
)
def test_a_limit_needs_an_order(sql: str) -> None:
    assert refusal(sql).message == UNSTABLE


@pytest.mark.parametrize(
    ("sql", "line"),
    [
        pytest.param("SELECT id\nFROM users\nWHERE SLEEP(1)", 9, id="of a word"),
        pytest.param("SELECT id\n/* a\ncomment */ FROM users\nWHERE AND 1", 10, id="of what cannot be read"),
        pytest.param("SELECT id, 'a\nb' AS x\nFROM users WHERE AND 1", 9, id="after a string over two lines"),
        pytest.param("SELECT email\nFROM users", 7, id="of the whole query"),
        pytest.param("SELECT id\nFROM users\nWHERE (a\nAND (b", 10, id="of the last parenthesis that is open"),
        pytest.param("SELECT id\nFROM users\nWHERE a)\nAND b)", 9, id="of the first that was never opened"),
        pytest.param("SELECT id\nFROM users;\nDELETE FROM users", 9, id="of a second statement"),
        pytest.param("SELECT id, a AS `a\nb`\nFROM users WHERE AND 1", 9, id="after a name over two lines"),
        pytest.param("INSERT INTO users\nVALUES (1)", 7, id="of the first word"),
        pytest.param("\nINSERT INTO users", 8, id="below an empty line"),
        pytest.param("(\n(", 7, id="of parentheses and nothing else"),
        pytest.param("\n", 7, id="of nothing at all"),
    ],
)
def test_the_line_is_that_of_the_authors_file(sql: str, line: int) -> None:
    assert refusal(sql).place == Place(PLACE.file, line, PLACE.part)


def test_a_refusal_reads_as_where_what_and_what_to_do() -> None:
    assert str(refusal("SELECT email, name FROM users")) == (
        "loops/retention.yaml:7  step 1, condition.query\n"
        "  The query returns no column that names the user; it returns: email, name. "
        "Select the users table's key, for example: SELECT id, email FROM users …"
    )


@pytest.mark.parametrize("sql", [f"{WHERE} {'(' * 30}a{')' * 30}", f"{WHERE} {'NOT ' * 5000}a"], ids=["( … )", "NOT …"])
def test_a_query_that_is_nested_too_deeply_is_refused(sql: str) -> None:
    assert "nested" in refusal(sql).message


def test_a_query_that_is_too_long_is_refused() -> None:
    assert refusal(f"{WHERE} id IN ({'1, ' * 20_000} 1)").message == "The SQL has more than 50,000 characters."


@pytest.mark.parametrize(
    ("sql", "advice"),
    [
        pytest.param(
            "SELECT u.id FROM users u FULL JOIN o ON o.x = u.id",
            "TiDB does not know it. Write LEFT JOIN, and RIGHT JOIN in the second SELECT of a UNION.",
            id="FULL JOIN",
        ),
        pytest.param(
            "SELECT u.id FROM users u SEMI JOIN o ON o.x = u.id",
            "TiDB does not know it. Write WHERE EXISTS (SELECT 1 FROM … WHERE …).",
            id="SEMI JOIN",
        ),
        pytest.param(
            "SELECT u.id FROM users u ASOF JOIN o ON o.x = u.id",
            "TiDB does not know it. Write JOIN, LEFT JOIN or RIGHT JOIN.",
            id="another join",
        ),
        pytest.param("SELECT id FROM users ORDER BY a NULLS LAST", "Write ORDER BY x IS NULL, x.", id="NULLS LAST"),
        pytest.param(
            "SELECT id FROM users ORDER BY a NULLS FIRST", "Write ORDER BY x IS NOT NULL, x.", id="NULLS FIRST"
        ),
        pytest.param(
            f"{WHERE} a < DATE_SUB(NOW(), INTERVAL '1 day 2 hours')",
            "Subtract them one by one: x - INTERVAL 1 DAY - INTERVAL 2 HOUR.",
            id="an interval of several parts",
        ),
        pytest.param("TABLE people", "Write SELECT * FROM people.", id="TABLE"),
        pytest.param("TABLE", "A condition is exactly one SELECT, which only reads.", id="TABLE of nothing"),
        pytest.param(
            f"{WHERE} a = 'x\u200b'",
            "Remove it, or type it again by hand. If it is meant: CONCAT('…', x'E2808B', '…').",
            id="what nobody sees in a string",
        ),
        pytest.param(f"{WHERE} `a\u200b` = 1", "Remove it, or type it again by hand.", id="what nobody sees in a name"),
        pytest.param(
            f"{WHERE} a < NOW() - INTERVAL '7 moons'",
            "Use one of: years, months, weeks, days, hours, minutes, seconds, microseconds.",
            id="a unit",
        ),
    ],
)
def test_what_is_refused_has_its_cure(sql: str, advice: str) -> None:
    assert refusal(sql).advice == advice


def test_a_hint_in_sql_about_one_row_is_refused() -> None:
    with pytest.raises(QueryRejected, match=r"HASH_AGG\(\) \*/ is where no server reads it"):
        read_expression("/*+ HASH_AGG() */ name = 'export'", place=PLACE)


def test_as_many_tables_are_joined_as_a_server_joins() -> None:
    joins = [f" JOIN o o{n} ON o{n}.user_id = u.id" for n in range(61)]

    assert refusal(f"SELECT u.id FROM users u{''.join(joins)}").message == "The query joins more than 61 tables."
    assert read_query(f"SELECT u.id FROM users u{''.join(joins[:60])}", users=Users(), place=PLACE).key == "id"


@pytest.mark.parametrize(
    "where",
    [
        pytest.param(f"a = {'9' * 65}", id="sixty-five digits"),
        pytest.param("a = 1e308 OR a = 1e-308 OR a = 1e+000308", id="the largest and the smallest exponent"),
        pytest.param(f"{'(' * 25}a{')' * 25}", id="twenty-five parentheses"),
        pytest.param("a %2 = 1 AND (a)%2 = 0 AND '5'%2 = 1 AND 5%2 = 1", id="what is left of a division"),
        pytest.param("a = .50 AND b = 1.00 AND c = 1e2 AND d = 0 AND e = -0.0", id="numbers in each form"),
        pytest.param("nulls = 1 AND of = 2", id="columns that are called like words"),
        pytest.param("EXISTS (SELECT 1 FROM orders LIMIT 1)", id="a limit where one row is as good as another"),
        pytest.param("skene_s0 = 1", id="a column that is called as our stand-in for a string"),
        pytest.param("name LIKE'a%' AND plan IN('pro')", id="a string right behind a word"),
        pytest.param("start = 1 AND admin = 2 AND batch = 3", id="columns that are called like statements"),
        pytest.param("a = 1 # >", id="a comment that begins with a blank"),
        pytest.param("\u540da = 1", id="letters of scripts that look like no other"),
        pytest.param("\u0438\u043c\u044f_1 = 1", id="a name with a digit"),
        pytest.param("a = '\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f'", id="a flag"),
    ],
)
def test_what_every_server_reads_is_let_pass(where: str) -> None:
    assert read_query(WHERE + where, users=Users(), place=PLACE).key == "id"


@pytest.mark.parametrize(
    ("length", "shown"),
    [pytest.param(40, f"`-- {'x' * 37}`", id="forty"), pytest.param(41, f"`-- {'x' * 37}…`", id="more")],
)
def test_a_long_comment_is_shown_shortened(length: int, shown: str) -> None:
    sql = f"SELECT id -- {'x' * (length - 3)}\rFROM users"

    assert refusal(sql).message.startswith(f"The comment {shown} does not end at the ")
