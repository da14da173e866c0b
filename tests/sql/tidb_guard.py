"""What TiDB accepts and silently ignores, or does otherwise than MariaDB: none of it may be emitted.

MariaDB stands in for TiDB in the tests, and TiDB's grammar alone lets most of this pass; so each rule here is a thing
that would be green in every test and wrong in production.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

import sqlglot
from sqlglot import expressions as exp

_TEXT = re.compile(
    r"""
      (?P<literal> '(?:[^'\\]|\\.|'')*' | "(?:[^"\\]|\\.|"")*" )
    | (?P<name> `(?:[^`]|``)*` )
    | (?P<executed> /\*(?:!\d*|T!(?:\[[\w,]*\])?)(?P<body>.*?)\*/ )
    | (?P<hint> /\*\+.*?\*/ )
    | (?P<comment> /\*.*?\*/ | --[ \t][^\n]* | \#[^\n]* )
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True)
class Rule:
    """One thing that must not reach a server."""

    name: str
    because: str
    breaks: Callable[[str], bool]
    """Whether a statement breaks the rule; it gets the text without literals, comments and quoted names."""


def broken_rules(sql: str) -> list[Rule]:
    """Name the rules that a statement breaks, in the order of `RULES`."""
    bare = without_literals(as_prepared(sql))
    return [rule for rule in RULES if rule.breaks(bare)]


def without_literals(sql: str) -> str:
    """Return the statement with nothing left in it that could be mistaken for SQL.

    Literals become `''`, a quoted name loses its quotes and gains an underscore (so that it is no keyword), comments
    go; hints and comments that a server executes stay.
    """

    def replacement(found: re.Match[str]) -> str:
        if found["literal"]:
            return "''"
        if found["name"]:
            return re.sub(r"\W", "_", found["name"][1:-1]) + "_"
        if found["executed"]:
            return f" {found['body']} "
        return found["hint"] or " "

    return _TEXT.sub(replacement, sql)


def as_prepared(sql: str) -> str:
    """Return the text that a server would be given to prepare: the driver's placeholders become `?`."""
    return re.sub(r"%(\(\w+\)s|s|%)", lambda found: "%" if found[1] == "%" else "?", sql)


def _says(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern, re.IGNORECASE | re.DOTALL)
    return lambda sql: compiled.search(sql) is not None


_CREATES_TABLE = re.compile(r"^\s*CREATE\s+(?:\w+\s+)*?TABLE\b", re.IGNORECASE)
_WRITES = re.compile(r"^\s*(?:INSERT|REPLACE|UPDATE|DELETE)\b", re.IGNORECASE)


def _creates_table_from_select(sql: str) -> bool:
    return _CREATES_TABLE.match(sql) is not None and re.search(r"\bSELECT\b", sql, re.IGNORECASE) is not None


def _creates_table_without_collation(sql: str) -> bool:
    if _CREATES_TABLE.match(sql) is None or re.search(r"\bTABLE\b.*?\bLIKE\b", sql, re.IGNORECASE | re.DOTALL):
        return False
    return re.search(r"\bCOLLATE\s*=?\s*utf8mb4_bin\b", _table_options(sql), re.IGNORECASE) is None


def _asks_for_what_an_engine_does(sql: str) -> bool:
    # InnoDB has to be named for MySQL and MariaDB, and to TiDB it means nothing.
    asked = r"\bENGINE\s*=?\s*(?!InnoDB\b)\w+|\b(?:ROW_FORMAT|KEY_BLOCK_SIZE|PACK_KEYS)\b"
    return re.search(asked, _table_options(sql), re.IGNORECASE) is not None


def _table_options(sql: str) -> str:
    if _CREATES_TABLE.match(sql):
        return sql[sql.rfind(")") + 1 :]
    return sql if re.match(r"^\s*ALTER\s+TABLE\b", sql, re.IGNORECASE) else ""


def _names_a_new_row(sql: str) -> bool:
    inserts_values = re.match(r"^\s*INSERT\b(?:(?!\bSELECT\b).)*\bON\s+DUPLICATE\b", sql, re.IGNORECASE | re.DOTALL)
    return inserts_values is not None and re.search(r"\)\s+AS\s+\w+", inserts_values[0], re.IGNORECASE) is not None


def _joins_and_limits_an_update(sql: str) -> bool:
    if re.match(r"^\s*UPDATE\b", sql, re.IGNORECASE) is None:
        return False
    target, _, rest = _outermost(sql).partition(" SET ")
    return re.search(r"\bJOIN\b|,", target) is not None and re.search(r"\bLIMIT\b", rest) is not None


def _outermost(sql: str) -> str:
    """Return the statement in capitals, on one line, without what stands in parentheses."""
    inner, sql = "", re.sub(r"\s+", " ", sql).upper()
    while inner != sql:
        inner, sql = sql, re.sub(r"\([^()]*\)", "", sql)
    return sql


def _waits_for_a_named_lock_in_no_time(sql: str) -> bool:
    waits = re.findall(r"\bGET_LOCK\s*\([^,()]*,\s*([^()]*)\)", sql, re.IGNORECASE)
    return any(not re.fullmatch(r"[1-9]\d{0,3}", wait.strip()) for wait in waits)


def _reads_what_it_sets(sql: str) -> bool:
    if re.match(r"^\s*UPDATE\b", sql, re.IGNORECASE) is None:
        return False
    plain = re.sub(r"^\s*UPDATE\s+(?:LOW_PRIORITY\s+)?(?:IGNORE\s+)?", "UPDATE ", sql, flags=re.IGNORECASE)
    statement = sqlglot.parse_one(plain, read="mysql")
    assigned: set[str] = set()
    for assignment in statement.args["expressions"]:
        if assigned & {_column(column) for column in assignment.expression.find_all(exp.Column)}:
            return True
        assigned.add(_column(assignment.this))
    return False


def _column(expression: exp.Expression) -> str:
    return expression.name.lower().rstrip("_")


def _reads_a_page_in_no_order(sql: str) -> bool:
    if re.search(r"\bLIMIT\b", sql, re.IGNORECASE) is None or _WRITES.match(sql):
        return False
    statement = sqlglot.parse_one(re.sub(r"/\*\+.*?\*/", "", sql), read="mysql")
    limited = [one for one in statement.find_all(exp.Query) if one.args.get("limit") and not one.args.get("order")]
    return any(
        one.args["limit"].expression.sql() not in {"0", "1"}
        # Rows that are all alike, such as those that are only counted, have no order.
        and not all(isinstance(column.unalias(), exp.Literal) for column in one.selects)
        for one in limited
    )


def _writes_from_the_past(sql: str) -> bool:
    return _WRITES.match(sql) is not None and re.search(r"\bAS\s+OF\s+TIMESTAMP\b", sql, re.IGNORECASE) is not None


def _limits_the_time_of_a_write(sql: str) -> bool:
    return _WRITES.match(sql) is not None and re.search(r"\bMAX_EXECUTION_TIME\b", sql, re.IGNORECASE) is not None


# TiDB, 2026-11: every reason below was seen on release 8.5 or stands in its documentation.
RULES = (
    Rule("skip_locked", "TiDB accepts SKIP LOCKED, locks nothing and skips nothing", _says(r"\bSKIP\s+LOCKED\b")),
    Rule(
        "shared_lock",
        "TiDB refuses a shared lock (1235), or takes none where it is told to be silent",
        _says(r"\bFOR\s+SHARE\b|\bLOCK\s+IN\s+SHARE\s+MODE\b"),
    ),
    Rule("check_constraint", "TiDB creates it with a warning and accepts every row", _says(r"\bCHECK\s*\(")),
    Rule("returning", "TiDB has no RETURNING", _says(r"\bRETURNING\b")),
    Rule("new_row_alias", "TiDB has no alias for the row of an INSERT: write VALUES(column)", _names_a_new_row),
    Rule("create_table_as_select", "TiDB has not implemented it (1105)", _creates_table_from_select),
    Rule(
        "ignore",
        "IGNORE turns truncation and other errors into warnings",
        _says(r"^\s*(?:INSERT|UPDATE|DELETE|REPLACE)\s+(?:\w+\s+)?IGNORE\b"),
    ),
    Rule("select_into", "TiDB has no SELECT … INTO @variable", _says(r"\bINTO\s+(?:@|OUTFILE\b|DUMPFILE\b)")),
    Rule("json_table", "TiDB has no JSON_TABLE", _says(r"\bJSON_TABLE\s*\(")),
    Rule("lateral", "TiDB parses LATERAL at best", _says(r"\bLATERAL\b")),
    Rule("lock_tables", "TiDB's LOCK TABLES does nothing by default", _says(r"^\s*(?:UN)?LOCK\s+TABLES?\b")),
    Rule(
        "self_reading_set",
        "UPDATE t SET a = …, b = a: b becomes the old a in TiDB and the new one in MariaDB",
        _reads_what_it_sets,
    ),
    Rule(
        "no_collation",
        "the default collation compares case in TiDB and ignores it in MySQL: end a table with COLLATE utf8mb4_bin",
        _creates_table_without_collation,
    ),
    Rule(
        "update_join_limit",
        "MySQL refuses LIMIT in an UPDATE of several tables (1221), TiDB accepts it: choose the keys first",
        _joins_and_limits_an_update,
    ),
    Rule(
        "convert_tz",
        "CONVERT_TZ gives NULL where the server's zone tables are empty: all zones but its own belong in Python",
        _says(r"\bCONVERT_TZ\s*\((?!UTC_TIMESTAMP\(\), '', @@global\.time_zone\))"),
    ),
    Rule(
        "get_lock_without_waiting",
        "TiDB's GET_LOCK reads a time of 0 as 1 s and -1 as an hour: write 1 to 3600 as a number",
        _waits_for_a_named_lock_in_no_time,
    ),
    Rule(
        "calc_found_rows",
        "SQL_CALC_FOUND_ROWS counts the LIMITed rows in TiDB",
        _says(r"\bSQL_CALC_FOUND_ROWS\b"),
    ),
    Rule(
        "storage_options",
        "TiDB ignores what asks MySQL for another storage engine, or something of its engine",
        _asks_for_what_an_engine_does,
    ),
    Rule(
        "isolation_level",
        "TiDB has neither level (8048)",
        _says(r"\bISOLATION\s+LEVEL\s+(?:SERIALIZABLE|READ\s+UNCOMMITTED)\b"),
    ),
    Rule(
        "read_only_transaction",
        "TiDB refuses it (1235), or does not keep to it",
        _says(r"\bTRANSACTION\s+(?:.*\s)?READ\s+ONLY\b(?!\s+AS\s+OF)"),
    ),
    Rule(
        "auto_increment",
        "TiDB hands out blocks of numbers per server: later rows may get smaller ones",
        _says(r"\bAUTO_INCREMENT\b|\bLAST_INSERT_ID\s*\("),
    ),
    Rule(
        "foreign_key",
        "a write to the child locks the parent's row exclusively in TiDB",
        _says(r"\bFOREIGN\s+KEY\b|\bREFERENCES\s"),
    ),
    Rule(
        "descending_index",
        "TiDB parses DESC in an index and ignores it",
        _says(r"\b(?:KEY|INDEX)\b[^()]*\([^()]*\bDESC\b"),
    ),
    Rule(
        "page_without_order",
        "the rows of a LIMIT come in any order: a page of them skips or repeats some",
        _reads_a_page_in_no_order,
    ),
    Rule(
        "stale_write",
        "what AS OF TIMESTAMP does inside a writing statement is not established",
        _writes_from_the_past,
    ),
    Rule(
        "time_limit_on_a_write",
        "MAX_EXECUTION_TIME stops a SELECT only; a write runs on to its end",
        _limits_the_time_of_a_write,
    ),
)
