"""What the author wrote, and what each database receives: the pairs are in tests/dialect/*.sql."""

import re
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine, text
from sqlalchemy.dialects import mysql, sqlite

from skene_dagster.errors import Place, QueryRejected
from skene_dagster.loops.dialect import read_expression, read_query
from skene_dagster.loops.dialect.rewriting import rewrite
from skene_dagster.loops.dialect.scanner import Refusal, scan
from skene_dagster.loops.dialect.structure import judge
from skene_dagster.loops.plan import Query
from skene_dagster.settings import Users
from skene_dagster.store.sqlite import functions

PAIRS = Path(__file__).parent.parent / "dialect"
FILES = ("intervals", "clocks", "texts", "expressions", "queries")


def query(sql: str, users: Users = Users()) -> Query:  # noqa: B008 - frozen
    return read_query(sql, users=users, place=Place("loops/retention.yaml", 7, "step 1, condition.query"))


def refused(sql: str) -> QueryRejected | None:
    try:
        query(sql)
    except QueryRejected as refusal:
        return refusal
    return None


def pairs() -> list[object]:
    found: list[object] = []
    for name in FILES:
        _, *blocks = (PAIRS / f"{name}.sql").read_text(encoding="utf-8").split("\n--- ")
        parts = [block.partition("\n") for block in blocks]
        for (title, _, author), (_, _, server), (head, _, body) in zip(*[iter(parts)] * 3, strict=True):
            embedded = body.rstrip("\n") or head.removeprefix("sqlite: ")
            found.append(pytest.param(author, server, embedded.rstrip("\n"), id=f"{name}: {title}"))
    return found


@pytest.mark.parametrize(("author", "server", "embedded"), pairs())
def test_what_the_author_wrote_reaches_each_database(author: str, server: str, embedded: str) -> None:
    read = query(author, Users(table="app_users") if "app_users" in author else Users())

    assert read.author == author
    assert read.mysql == server
    assert (read.sqlite or read.needs_tidb) == embedded


@pytest.mark.parametrize(
    ("sql", "binds"),
    [
        pytest.param("SELECT id FROM users", (), id="none"),
        pytest.param("SELECT id FROM users WHERE a < NOW()", ("as_of",), id="now"),
        pytest.param("SELECT id FROM users WHERE a < CURDATE() OR a < NOW()", ("as_of", "as_of_date"), id="today"),
        pytest.param("SELECT id FROM users WHERE a < UTC_DATE()", ("as_of",), id="today in UTC"),
        pytest.param("SELECT user_id FROM actions WHERE user_id = $1", (), id="the triggering row"),
        pytest.param("SELECT id FROM users WHERE a = ':as_of $1 NOW()'", (), id="inside a string"),
    ],
)
def test_the_binds_are_those_that_both_texts_use(sql: str, binds: tuple[str, ...]) -> None:
    read = query(sql)

    assert read.binds == binds
    assert read.sqlite is not None
    for written in (read.mysql, read.sqlite):
        assert tuple(sorted(text(written).compile().params)) == binds


# Backslashes, quotes, colons, percent signs and what else has a meaning to somebody on the way.
SEEN = st.characters(codec="utf-8", exclude_categories=("Cc", "Cf", "Zl", "Zp", "Zs"))
NASTY = st.text(alphabet=st.sampled_from(list("\\'\"%_:?$@;-#/*{}abs1 \n\t\r\b\0\x1aé€😀")) | SEEN)


def mysql_literal(value: str, quote: str) -> str:
    escapes = {"\\": "\\\\", quote: f"\\{quote}", "\n": "\\n", "\0": "\\0", "\x1a": "\\Z", "\b": "\\b"}
    return quote + "".join(escapes.get(letter, letter) for letter in value) + quote


@given(value=NASTY, quote=st.sampled_from("'\""))
def test_every_string_means_the_same_on_sqlite(value: str, quote: str) -> None:
    read = query(f"SELECT user_id, {mysql_literal(value, quote)} AS v FROM (SELECT 1 AS user_id) AS t")

    if "\0" in value:
        assert read.needs_tidb == r"A string with \0 needs TiDB"
        return
    assert read.sqlite is not None
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        assert connection.execute(text(read.sqlite)).scalars(1).one() == value
    engine.dispose()


@given(value=NASTY, quote=st.sampled_from("'\""))
def test_every_string_reaches_a_server_to_the_letter(value: str, quote: str) -> None:
    sql = f"SELECT user_id, {mysql_literal(value, quote)} AS v FROM t"

    compiled = text(query(sql).mysql).compile(dialect=mysql.dialect())

    assert compiled.params == {}
    # The driver takes one of two percent signs away; it does not look at quotes.
    assert str(compiled).replace("%%", "%") == sql


FRAGMENTS = """
SELECT FROM WHERE id users ( ) , . * = 'x' 1 NOW() INTERVAL DAY - AND OR NOT IN GROUP BY ORDER LIMIT UNION JOIN ON AS
WITH CASE WHEN THEN END COUNT( CAST( IF( `n` $1 -> LIKE IS NULL EXISTS OVER PARTITION BETWEEN DISTINCT '7days' HAVING
USING DATE EXTRACT( TRIM( ; -- /* */ ` ' "
"""


@given(words=st.lists(st.sampled_from(FRAGMENTS.split()), max_size=25))
def test_whatever_is_written_it_is_read_or_refused_in_words(words: list[str]) -> None:
    for sql in (" ".join(words), f"SELECT id FROM users WHERE {' '.join(words)}"):
        refusal = refused(sql)

        assert refusal is None or (refusal.message.endswith((".", "…", "?")) and refusal.place is not None)


@pytest.mark.parametrize(
    "sql",
    [
        pytest.param("'export' = name", id="a string"),
        pytest.param("x'41' = token", id="a hexadecimal value"),
        pytest.param("100 < size", id="a number"),
        pytest.param("`size` > 100", id="a name in backticks"),
        pytest.param("-size < 100", id="a sign"),
        pytest.param("(size > 100)", id="a parenthesis"),
        pytest.param("exported", id="a name"),
        pytest.param("NOT exported", id="a word of SQL"),
        pytest.param("DATE '2026-01-31' < at", id="a date"),
        pytest.param("LOWER(name) = 'export'", id="a function"),
        pytest.param("CAST(size AS SIGNED) > 100", id="a cast"),
    ],
)
def test_an_expression_may_begin_with_anything(sql: str) -> None:
    assert read_expression(sql, place=Place("skene.yaml", 3)).mysql == sql


WHERE = "SELECT id FROM users WHERE a"


@pytest.mark.parametrize(
    ("written", "left", "lost"),
    [
        pytest.param(f"{WHERE} > 5 OR b > 5", f"{WHERE} > 5 OR b > 6", "5", id="a number"),
        pytest.param(f"{WHERE} > b - INTERVAL '7 days'", f"{WHERE} > b", "7", id="the number of an interval"),
        pytest.param(f"{WHERE} = 'pro'", WHERE, "'pro'", id="a string"),
        pytest.param(f"{WHERE} = x'41'", WHERE, "x'41'", id="a hexadecimal value"),
        pytest.param(f"{WHERE} OR plan", WHERE, "plan", id="a name"),
        pytest.param(f"{WHERE} OR a", WHERE, "a", id="a name that is there twice"),
        pytest.param(f"{WHERE} OR `plan`", WHERE, "plan", id="a name in backticks"),
        pytest.param(f"{WHERE} OR o.plan", WHERE, "o, plan", id="a name with its table"),
    ],
)
def test_what_a_parser_drops_is_not_understood(written: str, left: str, lost: str) -> None:
    parsed = replace(rewrite(scan(written)), judged=rewrite(scan(left)).judged)

    with pytest.raises(Refusal) as refused:
        judge(parsed)

    assert refused.value.message == f"{lost}: this part of the SQL is not understood."


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        pytest.param("SELECT id FROM users", ("users",), id="one"),
        pytest.param(
            "SELECT u.id FROM users u JOIN billing.orders o ON o.user_id = u.id",
            ("billing.orders", "users"),
            id="with schema",
        ),
        pytest.param(
            "WITH users AS (SELECT * FROM users WHERE active) SELECT id FROM users",
            ("users",),
            id="WITH that hides the table it reads",
        ),
        pytest.param(
            "WITH a AS (SELECT user_id FROM events), b AS (SELECT user_id FROM a) SELECT user_id FROM b",
            ("events",),
            id="WITH names are no tables",
        ),
        pytest.param(
            "WITH RECURSIVE n (user_id) AS (SELECT 1 FROM t UNION ALL SELECT 2 FROM n) SELECT user_id FROM n",
            ("t",),
            id="WITH that reads itself",
        ),
        pytest.param(
            "SELECT id FROM users WHERE id IN (SELECT user_id FROM logins) UNION SELECT id FROM users",
            ("logins", "users"),
            id="subqueries and sets",
        ),
        pytest.param(
            "SELECT user_id FROM (WITH a AS (SELECT user_id FROM x) SELECT user_id FROM a) d JOIN a USING (user_id)",
            ("a", "x"),
            id="a WITH name outside of its query is a table",
        ),
        pytest.param(
            "WITH a AS (SELECT user_id FROM b), b AS (SELECT user_id FROM x) SELECT user_id FROM a",
            ("b", "x"),
            id="a WITH name that comes later is a table",
        ),
        pytest.param(
            "WITH RECURSIVE a AS (SELECT user_id FROM b), b AS (SELECT user_id FROM a) SELECT user_id FROM B",
            ("b",),
            id="of WITH RECURSIVE, too",
        ),
    ],
)
def test_the_source_tables_are_known(sql: str, tables: tuple[str, ...]) -> None:
    assert query(sql).tables == tables


def test_the_registered_functions_are_those_that_are_written() -> None:
    folder = Path(functions.__file__).parents[2] / "loops" / "dialect" / "sqlite"
    named = {
        name
        for file in folder.glob("*.py")
        for name in re.findall(r"\bskene_[a-z_]+\b(?=\()", file.read_text(encoding="utf-8"))
    } | {"skene_div", "skene_mod"}

    assert named == set(functions.FUNCTIONS)


def test_the_seed_selects_the_dormant_on_sqlite() -> None:
    connection = sqlite3.connect(":memory:")
    functions.install(connection)
    connection.execute("CREATE TABLE users (id INTEGER PRIMARY KEY, last_activity_at TEXT, re_engagement_sent INTEGER)")
    connection.executemany(
        "INSERT INTO users VALUES (?, ?, ?)",
        [
            (1, "2026-11-16 08:59:59.999999", 0),
            (2, "2026-11-16 09:00:00.000000", 0),
            (3, "2026-11-01 00:00:00.000000", 1),
            (4, None, 0),
        ],
    )
    seed = query(
        "SELECT * FROM users WHERE last_activity_at < NOW() - INTERVAL '7 days' AND re_engagement_sent = false"
    )
    statement = str(text(seed.sqlite or "").compile(dialect=sqlite.dialect()))

    rows = connection.execute(statement, ("2026-11-23 09:00:00.000000",)).fetchall()

    connection.close()
    assert [row[0] for row in rows] == [1]
    assert (seed.key, seed.columns, seed.tables) == ("id", None, ("users",))
