"""Which columns a condition reads as moments, from which tables they come, and what to write if they are numbers."""

import pytest

from skene_dagster.errors import Place
from skene_dagster.loops.dialect import read_query, remedies_of
from skene_dagster.loops.plan import Query
from skene_dagster.settings import Users

WHERE = "SELECT id FROM users WHERE "


def query(sql: str) -> Query:
    return read_query(sql, users=Users(), place=Place("loops/x.yaml", 7))


def read(sql: str) -> list[str]:
    """Each column with the tables that may have it, how it stands there, and beside which it is read so."""
    return [
        " ".join(
            [
                f"{'|'.join(one.tables)}.{one.column}",
                *(["item"] if one.is_item else []),
                *(["compared"] if one.is_compared else []),
                *(f"beside {'|'.join(tables)}.{name}" for tables, name in one.beside),
                *([one.read_as] if one.read_as != "moment" else []),
            ]
        )
        for one in query(sql).moments
    ]


@pytest.mark.parametrize(
    ("condition", "columns"),
    [
        pytest.param("seen_at < NOW()", ["users.seen_at compared"], id="before a moment"),
        pytest.param("NOW() >= seen_at", ["users.seen_at compared"], id="the other way around"),
        pytest.param("seen_at = CURDATE()", ["users.seen_at compared"], id="at a moment"),
        pytest.param("seen_at < 5", [], id="before a number"),
        pytest.param("seen_at = made_at", [], id="equal to another column, of whatever kind"),
        pytest.param(
            "seen_at < made_at",
            ["users.seen_at compared beside users.made_at", "users.made_at compared beside users.seen_at"],
            id="before another column, which may be a moment",
        ),
        pytest.param(
            "seen_at < made_at AND seen_at < NOW()",
            [
                "users.seen_at compared",
                "users.seen_at compared beside users.made_at",
                "users.made_at compared beside users.seen_at",
            ],
            id="what is certain comes first",
        ),
        pytest.param(
            "seen_at < COALESCE(name, 'x')", ["users.name beside users.seen_at"], id="a text is no moment for a column"
        ),
        pytest.param(
            "COALESCE(name, 'x') > seen_at", ["users.name beside users.seen_at"], id="a text before the column"
        ),
        pytest.param(
            "seen_at BETWEEN '2026-01-01' AND made_at",
            ["users.seen_at compared", "users.made_at compared"],
            id="between a date and a column",
        ),
        pytest.param(
            "seen_at IN (NOW(), made_at)", ["users.seen_at compared", "users.made_at compared"], id="one of several"
        ),
        pytest.param("seen_at IN (SELECT at FROM events)", [], id="one of a subquery's"),
        pytest.param("seen_at IN ('never', NOW())", [], id="beside a word"),
        pytest.param("DATEDIFF(seen_at, made_at) > 7", ["users.seen_at", "users.made_at"], id="DATEDIFF"),
        pytest.param(
            "TIMESTAMPDIFF(DAY, seen_at, made_at) > 7", ["users.seen_at", "users.made_at"], id="TIMESTAMPDIFF"
        ),
        pytest.param("TIMESTAMPADD(DAY, n, seen_at) > NOW()", ["users.seen_at"], id="TIMESTAMPADD"),
        pytest.param("DATE_FORMAT(seen_at, form) = 'x'", ["users.seen_at"], id="a function of its first argument"),
        pytest.param("LOWER(name) = 'x'", [], id="another function"),
        pytest.param("DATEDIFF(seen_at) > 7", ["users.seen_at"], id="DATEDIFF that lacks an argument"),
        pytest.param("CONCAT('x', seen_at) = NOW()", ["users.seen_at text"], id="a word within a text"),
        pytest.param("EXTRACT(YEAR FROM seen_at) = 2026", ["users.seen_at"], id="EXTRACT"),
        pytest.param(
            "CAST(seen_at AS DATE) = made_at", ["users.made_at compared", "users.seen_at"], id="CAST to a date"
        ),
        pytest.param("CAST(seen_at AS CHAR) = 'x'", [], id="CAST to a text"),
        pytest.param("seen_at + INTERVAL n DAY > 5", ["users.seen_at"], id="moved by an INTERVAL"),
        pytest.param("7 + seen_at > 5", [], id="a sum"),
        pytest.param("ms / 1000 < NOW()", ["users.ms number"], id="in a number that is computed"),
        pytest.param(
            "ms / 1000 < made_at", ["users.ms beside users.made_at number"], id="in a number, beside a column"
        ),
        pytest.param("-ms < NOW()", ["users.ms number"], id="in a number with a sign"),
        pytest.param("a + b < NOW()", ["users.a number", "users.b number"], id="in a sum of two"),
        pytest.param("a / 100 < NOW()", ["users.a number"], id="in a hundredth"),
        pytest.param("y * 100 + m < NOW()", [], id="in a number of a year and a month"),
        pytest.param("y * 10000 + d < NOW()", [], id="in a number of a year and a day"),
        pytest.param("EXTRACT(YEAR FROM a) + b < NOW()", ["users.a"], id="in a number of EXTRACT"),
        pytest.param("TO_DAYS(a) + b < NOW()", ["users.a"], id="in a number of days"),
        pytest.param("-5 < NOW() AND TRUE < NOW()", [], id="in values alone"),
        pytest.param("YEAR(seen_at) * 100 < NOW()", ["users.seen_at"], id="no number of seconds"),
        pytest.param("LPAD(name, 3, 'x') < NOW()", ["users.name text"], id="in a text that is computed"),
        pytest.param("LPAD(name, 3, 'x') < '2026-01-01'", [], id="two texts"),
        pytest.param(
            "LPAD(name, 3, 'x') BETWEEN '2026-01-01' AND NOW()", ["users.name text"], id="a text and a moment"
        ),
        pytest.param("CONCAT(day, time) < NOW()", ["users.day text"], id="a text of several columns"),
        pytest.param("seen_at < UNIX_TIMESTAMP()", ["users.seen_at compared against seconds"], id="before seconds"),
        pytest.param("UNIX_TIMESTAMP() > seen_at", ["users.seen_at compared against seconds"], id="seconds before it"),
        pytest.param(
            "seen_at IS NULL OR seen_at < NOW()",
            ["users.seen_at compared", "users.seen_at compared"],
            id="what is asked whether it is NULL is one that is compared",
        ),
        pytest.param("made_at IS NULL OR seen_at < NOW()", ["users.seen_at compared"], id="another that is NULL"),
        pytest.param("seen_at IS TRUE OR seen_at < NOW()", ["users.seen_at compared"], id="true is not NULL"),
        pytest.param(
            "ms IS NULL OR ms / 1000 < NOW()", ["users.ms number"], id="a number that is NULL counts as what it is"
        ),
        pytest.param(
            "seen_at IS NULL OR seen_at < made_at",
            ["users.seen_at compared beside users.made_at", "users.made_at compared beside users.seen_at"],
            id="of what may be no moment NULL is NULL",
        ),
    ],
)
def test_a_column_is_read_as_a_moment_by_what_it_is_compared_with_or_handed_to(
    condition: str, columns: list[str]
) -> None:
    assert read(WHERE + condition) == columns


@pytest.mark.parametrize(
    ("sql", "columns"),
    [
        pytest.param(f"{WHERE}CASE WHEN a THEN b ELSE c END < NOW()", ["users.b", "users.c"], id="CASE"),
        pytest.param(f"{WHERE}CASE WHEN a THEN b END < NOW()", ["users.b"], id="CASE without ELSE"),
        pytest.param(f"{WHERE}IF(a, b, c) < NOW()", ["users.b", "users.c"], id="IF"),
        pytest.param(f"{WHERE}COALESCE(a, (b)) < NOW()", ["users.a", "users.b"], id="COALESCE"),
        pytest.param(f"{WHERE}NULLIF(a, b) < NOW()", ["users.a"], id="NULLIF"),
        pytest.param(f"{WHERE}NULLIF(a, '0000-00-00') < NOW()", [], id="NULLIF of a word, where a server would stop"),
        pytest.param(
            f"{WHERE}ABS(a) > 5 AND (SELECT MAX(at) FROM events) < NOW()", ["events|users.at"], id="a subquery"
        ),
        pytest.param(
            "SELECT id FROM users WHERE EXISTS (SELECT 1 FROM events WHERE at < NOW())",
            ["events|users.at compared"],
            id="a column that does not say whose it is, nearest first",
        ),
        pytest.param(
            "SELECT id FROM users u WHERE EXISTS (SELECT 1 FROM events e WHERE U.seen_at < NOW())",
            ["users.seen_at compared"],
            id="a column of the SELECT around",
        ),
        pytest.param(
            "SELECT id FROM users x WHERE EXISTS (SELECT 1 FROM events x WHERE x.at < NOW())",
            ["events.at compared"],
            id="one name for two tables",
        ),
        pytest.param(
            "SELECT q.id FROM (SELECT id, seen_at AS s FROM users) q WHERE q.s < NOW()",
            ["users.seen_at"],
            id="an alias",
        ),
        pytest.param(
            "SELECT q.id FROM (SELECT id, seen_at FROM users) q WHERE q.SEEN_AT < NOW()",
            ["users.seen_at item"],
            id="an item under its own name",
        ),
        pytest.param(
            "SELECT q.id FROM (SELECT id, seen_at AS s FROM users UNION SELECT user_id, at FROM events) q "
            "WHERE q.s < NOW()",
            ["users.seen_at", "events.at item"],
            id="each part of a UNION, by its place",
        ),
        pytest.param(
            "SELECT q.id FROM (SELECT id, a AS s FROM users UNION SELECT id, b FROM users "
            "UNION SELECT id, c FROM users) q WHERE q.s < NOW()",
            ["users.a", "users.b item", "users.c item"],
            id="each of three parts",
        ),
        pytest.param(
            "WITH q (k, t) AS (SELECT id, seen_at FROM users) SELECT k AS user_id FROM q WHERE T < NOW()",
            ["users.seen_at item"],
            id="a list of names",
        ),
        pytest.param(
            "WITH q (k, t) AS (SELECT id, seen_at FROM users) SELECT k AS user_id FROM q WHERE seen_at < NOW()",
            [],
            id="a name that the list hides",
        ),
        pytest.param(
            "SELECT q.id FROM (SELECT * FROM users) q WHERE q.seen_at < NOW()",
            ["users.seen_at compared"],
            id="behind a star",
        ),
        pytest.param(
            "SELECT q.id FROM (SELECT u.* FROM (SELECT * FROM users) u) q WHERE q.seen_at < NOW()",
            ["users.seen_at compared"],
            id="behind two stars",
        ),
        pytest.param("SELECT q.id FROM (SELECT id FROM users) q WHERE q.seen_at < NOW()", [], id="behind no star"),
        pytest.param(
            "SELECT user_id, MAX(at) AS at FROM events GROUP BY user_id HAVING at < NOW()",
            ["events.at"],
            id="in HAVING an alias goes before the column",
        ),
        pytest.param(
            "SELECT user_id, MAX(b) AS at FROM events GROUP BY user_id, at HAVING at < NOW()",
            ["events.at compared"],
            id="unless that is grouped by",
        ),
        pytest.param(
            "SELECT user_id, MAX(b) AS at FROM events GROUP BY user_id, at ORDER BY at < NOW(), user_id LIMIT 3",
            ["events.b"],
            id="in ORDER BY, even then",
        ),
        pytest.param(
            "SELECT user_id, COUNT(*) AS at FROM events GROUP BY user_id HAVING MAX(at) < NOW()",
            ["events.at"],
            id="within an aggregate the name is the column's",
        ),
        pytest.param(
            "SELECT user_id, MAX(b) AS at FROM events e GROUP BY user_id HAVING MIN(e.at) < NOW() AND e.c < NOW()",
            ["events.at", "events.c compared"],
            id="a name with its table is the column's",
        ),
        pytest.param(
            "SELECT user_id, b AS at FROM events WHERE at < NOW()", ["events.at compared"], id="WHERE knows no alias"
        ),
        pytest.param(
            "SELECT q.id FROM (SELECT id, LAG(a, b) OVER (ORDER BY c) AS s FROM users) q WHERE q.s < NOW()",
            ["users.a"],
            id="a window",
        ),
    ],
)
def test_a_value_is_followed_to_the_columns_that_it_is_one_of(sql: str, columns: list[str]) -> None:
    assert sorted(read(sql)) == sorted(columns)


@pytest.mark.parametrize(
    ("condition", "seconds", "milliseconds"),
    [
        pytest.param(
            "a < NOW()", "a < UNIX_TIMESTAMP(NOW())", "a < UNIX_TIMESTAMP(NOW()) * 1000", id="beside a moment"
        ),
        pytest.param(
            "a / 1000 < NOW()",
            "a / 1000 < UNIX_TIMESTAMP(NOW()) / 1000",
            "a / 1000 < UNIX_TIMESTAMP(NOW())",
            id="thousands",
        ),
        pytest.param(
            "a DIV 1000 < NOW()",
            "a DIV 1000 < UNIX_TIMESTAMP(NOW()) / 1000",
            "a DIV 1000 < UNIX_TIMESTAMP(NOW())",
            id="whole thousands",
        ),
        pytest.param(
            "1000 * a < NOW()",
            "1000 * a < UNIX_TIMESTAMP(NOW()) * 1000",
            "1000 * a < UNIX_TIMESTAMP(NOW()) * 1000000",
            id="a thousand times",
        ),
        pytest.param(
            "a * 60 < NOW()",
            "a * 60 < UNIX_TIMESTAMP(NOW())",
            "a * 60 < UNIX_TIMESTAMP(NOW()) * 1000",
            id="sixty times",
        ),
        pytest.param(
            "a / '1000' < NOW()",
            "a / '1000' < UNIX_TIMESTAMP(NOW())",
            "a / '1000' < UNIX_TIMESTAMP(NOW()) * 1000",
            id="a text",
        ),
        pytest.param(
            "a / 1000 * 1000000 < NOW()",
            "a / 1000 * 1000000 < UNIX_TIMESTAMP(NOW()) * 1000",
            "a / 1000 * 1000000 < UNIX_TIMESTAMP(NOW()) * 1000000",
            id="one factor and another",
        ),
        pytest.param(
            "1000 / a < NOW()",
            "1000 / a < UNIX_TIMESTAMP(NOW())",
            "1000 / a < UNIX_TIMESTAMP(NOW()) * 1000",
            id="a divisor",
        ),
        pytest.param(
            "DATE(a) = DATE('2026-01-01')",
            "DATE(FROM_UNIXTIME(a))",
            "DATE(FROM_UNIXTIME(a / 1000))",
            id="in a function",
        ),
        pytest.param(
            "a + INTERVAL 7 DAY > 5",
            "FROM_UNIXTIME(a) + INTERVAL 7 DAY",
            "FROM_UNIXTIME(a / 1000) + INTERVAL 7 DAY",
            id="moved by an INTERVAL",
        ),
        pytest.param(
            "NOT (a >= NOW())",
            "NOT (a >= UNIX_TIMESTAMP(NOW()))",
            "NOT (a >= UNIX_TIMESTAMP(NOW()) * 1000)",
            id="NOT",
        ),
        pytest.param(
            "a NOT IN (NOW(), CURDATE())",
            "a NOT IN (UNIX_TIMESTAMP(NOW()), UNIX_TIMESTAMP(CURDATE()))",
            "a NOT IN (UNIX_TIMESTAMP(NOW()) * 1000, UNIX_TIMESTAMP(CURDATE()) * 1000)",
            id="NOT IN",
        ),
        pytest.param(
            "a < UNIX_TIMESTAMP()",
            "UNIX_TIMESTAMP(a) < UNIX_TIMESTAMP()",
            "UNIX_TIMESTAMP(a) < UNIX_TIMESTAMP()",
            id="a moment beside seconds",
        ),
    ],
)
def test_what_to_write_of_a_number_is_said_for_seconds_and_for_milliseconds(
    condition: str, seconds: str, milliseconds: str
) -> None:
    (remedy,) = remedies_of(query(WHERE + condition))

    assert (remedy.seconds, remedy.milliseconds) == (seconds, milliseconds)


def test_what_a_derived_table_multiplies_counts_as_well() -> None:
    sql = "SELECT q.id FROM (SELECT id, at * 1000 AS m FROM users) q WHERE q.m / 1000 < NOW()"

    (remedy,) = remedies_of(query(sql))

    assert remedy.seconds == "q.m / 1000 < UNIX_TIMESTAMP(NOW())"


def test_a_column_is_shown_as_it_stands_there_and_on_its_line() -> None:
    sql = query("SELECT u.id\nFROM users u\nWHERE u.a = 1\nAND u.seen_at < NOW()")

    (remedy,), (one,) = remedies_of(sql), sql.moments
    assert (remedy.value, remedy.line) == ("u.seen_at", 3)
    assert sql.mysql[one.start : one.end] == "u.seen_at"
