"""SQL that is hard to read; what it may say is the dialect's business, that the file survives it is everybody's."""

from collections.abc import Iterator

from bad_loops import QUERY, TYPESCRIPT, YAML
from hostile import Hostile, named
from small_project import SETTINGS

FROM = "SELECT id FROM users WHERE "
QUERIES = {
    "a number beyond all": FROM + "id = 1e9999999999999999999",
    "a number of 40,000 digits": FROM + "id = " + "9" * 40_000,
    "a decimal of 40,000 digits": FROM + "id = 0." + "9" * 40_000,
    "hexadecimal of 40,000 digits": FROM + "id = 0x" + "f" * 40_000,
    "1,200 comparisons joined by AND": FROM + " AND ".join(f"id <> {n}" for n in range(1_200)),
    "1,200 comparisons joined by OR": FROM + " OR ".join(f"id = {n}" for n in range(1_200)),
    "3,000 comparisons joined by XOR": FROM + " XOR ".join(["id"] * 3_000),
    "5,000 sums": FROM + "id = 1" + " + 1" * 5_000,
    "5,000 parentheses": FROM + "(" * 5_000 + "id = 1" + ")" * 5_000,
    "5,000 open parentheses": FROM + "(" * 5_000,
    "5,000 signs": FROM + "id = " + "- " * 5_000 + "1",
    "5,000 NOT": FROM + "NOT " * 5_000 + "id = 1",
    "5,000 tildes": FROM + "id = " + "~" * 5_000 + "1",
    "1,000 functions": FROM + "ABS(" * 1_000 + "id" + ")" * 1_000 + " = 1",
    "500 CASE": FROM + "CASE WHEN id = 1 THEN " * 500 + "1" + " END" * 500 + " = 1",
    "500 subqueries": FROM + "id IN (SELECT id FROM users WHERE " * 500 + "1 = 1" + ")" * 500,
    "500 derived tables": "SELECT id FROM (" * 500 + "SELECT id FROM users" + ") AS t" * 500,
    "500 UNION": " UNION ALL ".join(["SELECT id FROM users"] * 500),
    "200 joins": "SELECT u.id FROM users AS u" + "".join(f" JOIN users AS u{n} ON u.id = u{n}.id" for n in range(200)),
    "200 common tables": "WITH "
    + ", ".join(f"t{n} AS (SELECT id FROM {f't{n - 1}' if n else 'users'})" for n in range(200))
    + " SELECT id FROM t199",
    "a list of 10,000": FROM + "id IN (" + ",".join(str(n) for n in range(8_000)) + ")",
    "2,000 columns": "SELECT id" + "".join(f", id AS c{n}" for n in range(2_000)) + " FROM users",
    "a name of 40,000 letters": FROM + "a" * 40_000 + " = 1",
    "a quoted name of 40,000 letters": FROM + "`" + "a" * 40_000 + "` = 1",
    "a text of 40,000 letters": FROM + "name = '" + "a" * 40_000 + "'",
    "a text without an end": FROM + "name = '" + "a" * 20_000,
    "a name without an end": FROM + "`" + "a" * 20_000,
    "a comment without an end": FROM + "id = 1 /*" + "a" * 20_000,
    "comments in comments": FROM + "id = 1 " + "/*" * 10_000,
    "10,000 comments": FROM + "id = 1 " + "/* */" * 8_000,
    "backslashes": FROM + "name = '" + "\\" * 40_001,
    "quotes": FROM + "name = " + "'" * 40_001,
    "a semicolon": FROM + "id = 1; DROP TABLE users",
    "10,000 semicolons": FROM + "id = 1" + ";" * 10_000,
    "NUL": FROM + "id = 1 \0 OR 1 = 1",
    "marks": FROM + "\u202e id = 1 \u2028",
    "no blank is a blank": "SELECT\u00a0id\u3000FROM users",
    "an emoji": FROM + "\U0001f600 = 1",
    "half": "SEL",
    "nothing": " ",
    "more than 50,000 letters": FROM + "id = 1" + " " * 50_001,
    "binds": FROM + "id = " + ":a " * 5_000,
    "dollars": FROM + "id = " + "$" * 5_000,
    "question marks": FROM + "id = " + "?" * 5_000,
    "at signs": FROM + "id = " + "@" * 5_000,
    "percents": FROM + "name LIKE '" + "%" * 20_000 + "'",
    "an interval of many parts": FROM + "created_at > NOW() - INTERVAL '" + "1 day " * 2_000 + "'",
    "an interval beyond all": FROM + "created_at > NOW() - INTERVAL " + "9" * 5_000 + " DAY",
    "sleeping": FROM + "SLEEP(10) = 0",
    "benchmarking": FROM + "BENCHMARK(1000000000, MD5('a')) = 0",
    "into a file": FROM + "id = 1 INTO OUTFILE '/tmp/x'",
    "loading a file": FROM + "LOAD_FILE('/etc/passwd') = ''",
    "a date far away": FROM + "created_at > '999999999-99-99'",
    "a window of 1,000": "SELECT id, " + ", ".join(["ROW_NUMBER() OVER (ORDER BY id)"] * 1_000) + " FROM users",
    "a cast of casts": FROM + "CAST(" * 500 + "id" + " AS CHAR)" * 500 + " = '1'",
    "a path in JSON": FROM + "JSON_EXTRACT(name, '$" + ".a" * 10_000 + "') = 1",
    "arrows": FROM + "name" + "->'$.a'" * 2_000 + " = 1",
    "nested likes": FROM + " OR ".join(["name LIKE '%a%' ESCAPE '\\\\'"] * 800),
    "concatenation": FROM + "name" + " || 'a'" * 3_000 + " = 'x'",
    "collations": FROM + "name" + " COLLATE utf8mb4_bin" * 1_000 + " = 'x'",
    "betweens": FROM + "id BETWEEN " * 1_000 + "1 AND 2",
    "is null is null": FROM + "id" + " IS NULL" * 3_000,
    "exists": FROM + "EXISTS (SELECT 1 FROM users WHERE " * 300 + "1 = 1" + ")" * 300,
    "last_ and parentheses": FROM + "last_activity_at < " + "(a)" * 3_000,
    "last_ and a comparison of many": FROM
    + "last_activity_at < NOW() - INTERVAL 7 DAY"
    + " AND last_activity_at < (1)" * 1_000,
}


def _queries() -> Iterator[tuple[str, Hostile]]:
    for name, query in QUERIES.items():
        # As JSON, which all three languages read.
        quoted = '"' + query.replace("\\", "\\\\").replace('"', '\\"').replace("\0", "\\u0000") + '"'
        yield (
            f"SQL: {name}",
            Hostile({"loops/bad.yaml": YAML.replace(f'"{QUERY}"', quoted)}, "loops/bad.yaml:11"),
        )
    for name in ("1,200 comparisons joined by AND", "5,000 parentheses", "a text without an end", "backslashes"):
        quoted = '"' + QUERIES[name].replace("\\", "\\\\") + '"'
        yield (
            f"SQL in TypeScript: {name}",
            Hostile({"loops/bad.ts": TYPESCRIPT.replace(f'"{QUERY}"', quoted)}, "loops/bad.ts:16"),
        )


def _in_the_settings() -> Iterator[tuple[str, Hostile]]:
    for name, query in QUERIES.items():
        if not query.startswith(FROM) or "\0" in query:
            continue
        quoted = "'" + query.removeprefix(FROM).replace("'", "''") + "'"
        feature = f"features:\n  export:\n    title: Export\n    sql: {quoted}\n"
        yield (
            f"SQL of a feature: {name}",
            Hostile({"skene.yaml": SETTINGS + feature}, "skene.yaml:10", hides_all=True),
        )


SQL = named(_queries()) | named(_in_the_settings())
