"""The closed lists: which words of SQL are known, which are refused and why.

Whatever is in no list is refused by name. The reserved words and functions are those of TiDB 8.5
(`information_schema.keywords`, `SHOW BUILTINS`, 2026-11), without what writes, waits, locks, or gives another answer
when it is asked again.
"""


def words(text: str) -> frozenset[str]:
    """Make a list of words."""
    return frozenset(text.split())


GRAMMAR = words("""
    ALL AND AS ASC BETWEEN BINARY BOTH BY CASE CHAR COLLATE CONVERT CROSS DECIMAL DESC DISTINCT DIV DOUBLE ELSE EXCEPT
    EXISTS FALSE FLOAT FORCE FROM GROUP HAVING IF IGNORE IN INDEX INNER INTERSECT INTERVAL IS JOIN KEY LEADING LEFT
    LIKE LIMIT MOD NATURAL NOT NULL OF ON OR ORDER OUTER OVER PARTITION PRIMARY RANGE RECURSIVE REGEXP RIGHT RLIKE ROW
    ROWS SELECT THEN TRAILING TRUE UNION UNSIGNED USE USING WHEN WHERE WINDOW WITH XOR
    SECOND_MICROSECOND MINUTE_MICROSECOND MINUTE_SECOND HOUR_MICROSECOND HOUR_SECOND HOUR_MINUTE DAY_MICROSECOND
    DAY_SECOND DAY_MINUTE DAY_HOUR YEAR_MONTH
    """)
"""Reserved words that a SELECT may use."""

CONTEXT = words("""
    ANY CURRENT DATE DATETIME END ESCAPE FOLLOWING JSON MEMBER OFFSET PRECEDING ROLLUP SEPARATOR SIGNED SOME TIME
    TIMESTAMP UNBOUNDED UNKNOWN YEAR
    """)
"""Words that mean something in some places and may be names elsewhere."""

BEFORE_PARENTHESIS = words("""
    ALL AND ANY AS BETWEEN BY CASE COLLATE DISTINCT DIV ELSE EXCEPT EXISTS FROM HAVING IN INTERSECT INTERVAL IS JOIN
    KEY LIKE LIMIT NOT OF ON OR OVER REGEXP RLIKE SELECT SOME THEN UNION USING WHEN WHERE XOR INDEX BINARY OFFSET
    """)
"""Words that are followed by a parenthesis and are no functions."""

TYPES = words("BINARY CHAR DATE DATETIME DECIMAL DOUBLE FLOAT JSON SIGNED TIME UNSIGNED YEAR")
"""What CAST may cast to."""

RESERVED = GRAMMAR | words("""
    ADD ALTER ANALYZE ARRAY BIGINT BLOB CALL CASCADE CHANGE CHARACTER CHECK COLUMN CONSTRAINT CONTINUE CREATE CUME_DIST
    CURRENT_DATE CURRENT_ROLE CURRENT_TIME CURRENT_TIMESTAMP CURRENT_USER CURSOR DATABASE DATABASES DEFAULT DELAYED
    DELETE DENSE_RANK DESCRIBE DISTINCTROW DROP DUAL ELSEIF ENCLOSED ESCAPED EXIT EXPLAIN FETCH FIRST_VALUE FLOAT4
    FLOAT8 FOR FOREIGN FULLTEXT GENERATED GRANT GROUPS HIGH_PRIORITY ILIKE INFILE INOUT INSERT INT INT1 INT2 INT3 INT4
    INT8 INTEGER INTO ITERATE KEYS KILL LAG LAST_VALUE LATERAL LEAD LEAVE LINEAR LINES LOAD LOCALTIME LOCALTIMESTAMP
    LOCK LONG LONGBLOB LONGTEXT LOW_PRIORITY MATCH MAXVALUE MEDIUMBLOB MEDIUMINT MEDIUMTEXT MIDDLEINT
    NO_WRITE_TO_BINLOG NTH_VALUE NTILE NUMERIC OPTIMIZE OPTION OPTIONALLY OUT OUTFILE PERCENT_RANK PRECISION
    PROCEDURE RANK READ REAL REFERENCES RELEASE RENAME REPEAT REPLACE REQUIRE RESTRICT RETURNING REVOKE ROW_NUMBER SET
    SHOW SMALLINT SPATIAL SQL SQLEXCEPTION SQLSTATE SQLWARNING SQL_BIG_RESULT SQL_CALC_FOUND_ROWS SQL_SMALL_RESULT SSL
    STARTING STORED STRAIGHT_JOIN TABLE TABLESAMPLE TERMINATED TIDB_CURRENT_TSO TINYBLOB TINYINT TINYTEXT TO TRIGGER
    UNIQUE UNLOCK UNTIL UPDATE USAGE UTC_DATE UTC_TIME UTC_TIMESTAMP VALUES VARBINARY VARCHAR VARCHARACTER VARYING
    VIRTUAL WHILE WRITE ZEROFILL
    """)
"""Words that TiDB or MariaDB keep for themselves; as names they are written in backticks."""

STATEMENTS = {
    **dict.fromkeys(
        ("INSERT", "UPDATE", "DELETE", "REPLACE", "TRUNCATE", "LOAD", "MERGE", "IMPORT", "BATCH"), "writes"
    ),
    **dict.fromkeys(("CREATE", "ALTER", "DROP", "RENAME"), "changes tables"),
    **dict.fromkeys(("GRANT", "REVOKE"), "changes rights"),
    **dict.fromkeys(("LOCK", "UNLOCK", "KILL", "FLUSH"), "affects others"),
    **dict.fromkeys(("SET", "USE", "PREPARE", "EXECUTE"), "changes the session"),
    **dict.fromkeys(("BEGIN", "START", "COMMIT", "ROLLBACK", "SAVEPOINT"), "is about transactions"),
    **dict.fromkeys(("CALL", "DO"), "runs something"),
    **dict.fromkeys(("SHOW", "DESCRIBE", "DESC", "EXPLAIN", "ANALYZE", "ADMIN", "VALUES"), "returns no users"),
    "TABLE": "is not a SELECT",
}
"""Statements other than SELECT, and what they do."""

_LOCKING = "It locks rows (or only seems to: TiDB accepts SKIP LOCKED and locks nothing). Remove it."
_LIKE = "Write LOWER(x) LIKE LOWER(y)."
REFUSED_WORDS = {
    "FOR": f"FOR UPDATE and FOR SHARE cannot be used here. {_LOCKING}",
    "LOCK": _LOCKING,
    "INTO": "A condition only reads; its rows go into the segment by themselves.",
    "OUTFILE": "A condition only reads.",
    "PROCEDURE": "TiDB does not know it. Remove it.",
    "LATERAL": "TiDB does not know it. Write a join with a derived table.",
    "TABLESAMPLE": "It returns different users each time. Write a condition on the key, such as MOD(id, 10) = 0.",
    "MATCH": "TiDB does not know full-text search everywhere. Write LIKE.",
    "FULLTEXT": "TiDB does not know full-text search everywhere. Write LIKE.",
    "ILIKE": f"It is PostgreSQL's. {_LIKE}",
    "FETCH": "Write LIMIT.",
    "DUAL": "Select from the users.",
    "VALUES": "Select from a table.",
    "DEFAULT": "Write the value.",
    "RETURNING": "A condition only reads.",
    "DISTINCTROW": "Write DISTINCT.",
    "SQL_NO_CACHE": "Remove it.",
    "SQL_CACHE": "Remove it.",
    "CHARACTER": "Write CAST(x AS CHAR), or CONVERT(x USING utf8mb4).",
    "HIGH_PRIORITY": "Remove it.",
    "SQL_CALC_FOUND_ROWS": "Remove it.",
    "SQL_SMALL_RESULT": "Remove it.",
    "SQL_BIG_RESULT": "Remove it.",
    "SQL_BUFFER_RESULT": "Remove it.",
    "CURRENT_USER": "It says who is connected, not who uses the product.",
    "CURRENT_ROLE": "It says who is connected, not who uses the product.",
    "TIDB_CURRENT_TSO": "Write NOW(), which is the run's time.",
}
"""Words that no condition uses, and what to do."""

EQUIVALENTS = {
    "AGE": "It is PostgreSQL's. Write DATEDIFF(a, b), or TIMESTAMPDIFF(MONTH, b, a).",
    "APPROX_COUNT_DISTINCT": "It is an estimate. Write COUNT(DISTINCT x).",
    "ARRAY_AGG": "It is PostgreSQL's. Write JSON_ARRAYAGG(x).",
    "BOOL_AND": "It is PostgreSQL's. Write MIN(x).",
    "BOOL_OR": "It is PostgreSQL's. Write MAX(x).",
    "BTRIM": "It is PostgreSQL's. Write TRIM(x).",
    "CHARINDEX": "It is SQL Server's. Write LOCATE('a', x).",
    "COUNT_IF": "Write SUM(x > 1).",
    "COUNTIF": "Write SUM(x > 1).",
    "DATEADD": "It is SQL Server's. Write x + INTERVAL 7 DAY.",
    "DATEPART": "It is SQL Server's. Write EXTRACT(DAY FROM x).",
    "DATETIME": "It is SQLite's. Write NOW() - INTERVAL 7 DAY.",
    "DATE_DIFF": "Write DATEDIFF(a, b), or TIMESTAMPDIFF(HOUR, b, a).",
    "DATE_PART": "It is PostgreSQL's. Write EXTRACT(DAY FROM x).",
    "DATE_TRUNC": "It is PostgreSQL's. Write DATE(x), or DATE_FORMAT(x, '%Y-%m-01') for the month.",
    "DECODE": "Write CASE a WHEN 1 THEN 'one' ELSE 'other' END.",
    "FILTER": "It is PostgreSQL's. Write SUM(x > 1), or COUNT(IF(x > 1, 1, NULL)).",
    "GETDATE": "It is SQL Server's. Write NOW(), which is the run's time.",
    "GETUTCDATE": "It is SQL Server's. Write NOW(), which is the run's time.",
    "IIF": "It is SQL Server's. Write IF(x > 1, 'a', 'b').",
    "INITCAP": "MySQL has none. Write CONCAT(UPPER(LEFT(x, 1)), LOWER(SUBSTRING(x, 2))).",
    "JSONB_EXTRACT_PATH_TEXT": "It is PostgreSQL's. Write x->>'$.a'.",
    "JSON_VALUE": "TiDB does not know it. Write JSON_UNQUOTE(JSON_EXTRACT(x, '$.a')).",
    "JULIANDAY": "It is SQLite's. Write DATEDIFF(a, b).",
    "LEN": "It is SQL Server's. Write CHAR_LENGTH(x).",
    "LISTAGG": "It is Oracle's. Write GROUP_CONCAT(x ORDER BY y SEPARATOR ',').",
    "NVL": "It is Oracle's. Write IFNULL(x, 0).",
    "NVL2": "It is Oracle's. Write IF(x IS NULL, 'b', 'a').",
    "REGEXP_MATCH": "It is PostgreSQL's. Write REGEXP_LIKE(x, 'a').",
    "REGEXP_MATCHES": "It is PostgreSQL's. Write REGEXP_LIKE(x, 'a').",
    "SAFE_CAST": "Write CAST(x AS SIGNED).",
    "SOUNDEX": "TiDB does not know it. Write LOWER(x) LIKE 'ann%'.",
    "SPLIT_PART": "It is PostgreSQL's. Write SUBSTRING_INDEX(SUBSTRING_INDEX(x, ',', 2), ',', -1).",
    "STARTS_WITH": "Write x LIKE 'a%'.",
    "STRFTIME": "It is SQLite's. Write DATE_FORMAT(x, '%Y-%m-%d').",
    "STRING_AGG": "It is PostgreSQL's. Write GROUP_CONCAT(x ORDER BY y SEPARATOR ',').",
    "STRPOS": "It is PostgreSQL's. Write LOCATE('a', x).",
    "TO_CHAR": "It is PostgreSQL's. Write DATE_FORMAT(x, '%Y-%m-%d').",
    "TO_DATE": "It is PostgreSQL's. Write STR_TO_DATE(x, '%Y-%m-%d').",
    "TO_NUMBER": "It is Oracle's. Write CAST(x AS SIGNED).",
    "TO_TIMESTAMP": "It is PostgreSQL's. Write FROM_UNIXTIME(x), or STR_TO_DATE(x, '%Y-%m-%d').",
    "TRUNC": "Write TRUNCATE(x, 0) of a number, DATE(x) of a moment.",
    "TRY_CAST": "It is SQL Server's. Write CAST(x AS SIGNED).",
}
"""Functions of other databases, and what MySQL has for them."""

_CONNECTION = "It depends on the connection, not on the users."
_RANDOM = (
    "It gives a different value each time. For a share of the users, write a condition on the key: MOD(id, 10) = 0."
)
_LOCK = "It takes or asks for a lock."
_CLOCK = "Write NOW(), which is the run's time."
REFUSED_FUNCTIONS = {
    "SLEEP": "It waits.",
    "BENCHMARK": "It keeps the server busy.",
    "LOAD_FILE": "It reads the server's files.",
    **dict.fromkeys(("GET_LOCK", "RELEASE_LOCK", "RELEASE_ALL_LOCKS", "IS_FREE_LOCK", "IS_USED_LOCK"), _LOCK),
    **dict.fromkeys(("NEXTVAL", "SETVAL", "LASTVAL"), "It is about sequences, which it changes."),
    **dict.fromkeys(("LAST_INSERT_ID", "FOUND_ROWS", "ROW_COUNT", "CONNECTION_ID"), _CONNECTION),
    **dict.fromkeys(("DATABASE", "SCHEMA", "USER", "SESSION_USER", "SYSTEM_USER", "VERSION"), _CONNECTION),
    **dict.fromkeys(("RAND", "RANDOM_BYTES", "UUID", "UUID_SHORT"), _RANDOM),
    **dict.fromkeys(("SYSDATE", "TIDB_CURRENT_TSO"), _CLOCK),
    "JSON_TABLE": "TiDB does not know it. Write JSON_EXTRACT() or MEMBER OF.",
    "PARTITION": "Write a condition on the column that the table is partitioned by.",
    "DEFAULT": "Write the value.",
    **EQUIVALENTS,
}
"""Functions that no condition uses, and why not or what to do."""

NOW = frozenset(("NOW", "CURRENT_TIMESTAMP", "LOCALTIME", "LOCALTIMESTAMP", "UTC_TIMESTAMP"))
TODAY = frozenset(("CURDATE", "CURRENT_DATE"))
UTC_TODAY = frozenset(("UTC_DATE",))
TIME_OF_DAY = frozenset(("CURTIME", "CURRENT_TIME", "UTC_TIME"))
SECONDS = frozenset(("UNIX_TIMESTAMP",))
"""Without an argument: the seconds since 1970."""
NEED_PARENTHESES = frozenset(("NOW", "CURDATE", "CURTIME", "UNIX_TIMESTAMP"))
"""Clock functions that are names when no parenthesis follows."""

AGGREGATES = words("""
    ANY_VALUE AVG BIT_AND BIT_OR BIT_XOR COUNT GROUPING GROUP_CONCAT JSON_ARRAYAGG JSON_OBJECTAGG MAX MIN STD STDDEV
    STDDEV_POP STDDEV_SAMP SUM VARIANCE VAR_POP VAR_SAMP
    CUME_DIST DENSE_RANK FIRST_VALUE LAG LAST_VALUE LEAD NTH_VALUE NTILE PERCENT_RANK RANK ROW_NUMBER
    """)
SCALARS = words("""
    ABS ACOS ASIN ATAN ATAN2 BIN BIT_COUNT BIT_LENGTH CEIL CEILING CONV COS COT CRC32 DEGREES EXP FLOOR LN LOG LOG10
    LOG2 MOD OCT PI POW POWER RADIANS ROUND SIGN SIN SQRT TAN TRUNCATE
    ASCII CHAR_LENGTH CHARACTER_LENGTH CONCAT CONCAT_WS ELT FIELD FIND_IN_SET FORMAT FROM_BASE64 HEX INSERT INSTR LCASE
    LEFT LENGTH LOCATE LOWER LPAD LTRIM MID OCTET_LENGTH ORD POSITION QUOTE REGEXP_INSTR REGEXP_LIKE REGEXP_REPLACE
    REGEXP_SUBSTR REPEAT REPLACE REVERSE RIGHT RPAD RTRIM SPACE STRCMP SUBSTR SUBSTRING SUBSTRING_INDEX TO_BASE64 TRIM
    UCASE UNHEX UPPER CHAR BIN_TO_UUID EXPORT_SET FORMAT_BYTES IS_UUID MAKE_SET UUID_TO_BIN
    ADDDATE ADDTIME CONVERT_TZ DATE DATEDIFF DATE_ADD DATE_FORMAT DATE_SUB DAY DAYNAME DAYOFMONTH DAYOFWEEK DAYOFYEAR
    EXTRACT FROM_DAYS FROM_UNIXTIME HOUR LAST_DAY MAKEDATE MAKETIME MICROSECOND MINUTE MONTH MONTHNAME PERIOD_ADD
    PERIOD_DIFF QUARTER SECOND SEC_TO_TIME STR_TO_DATE SUBDATE SUBTIME TIME TIMEDIFF TIMESTAMP TIMESTAMPADD
    TIMESTAMPDIFF TIME_FORMAT TIME_TO_SEC TO_DAYS TO_SECONDS UNIX_TIMESTAMP WEEK WEEKDAY WEEKOFYEAR YEAR YEARWEEK
    CAST COALESCE CONVERT GREATEST IF IFNULL ISNULL LEAST NULLIF
    JSON_ARRAY JSON_CONTAINS JSON_CONTAINS_PATH JSON_DEPTH JSON_EXTRACT JSON_KEYS JSON_LENGTH JSON_MERGE_PATCH
    JSON_MERGE_PRESERVE JSON_OBJECT JSON_OVERLAPS JSON_QUOTE JSON_REMOVE JSON_REPLACE JSON_SEARCH JSON_SET JSON_TYPE
    JSON_UNQUOTE JSON_VALID JSON_ARRAY_APPEND JSON_ARRAY_INSERT JSON_INSERT JSON_MERGE JSON_PRETTY JSON_SCHEMA_VALID
    VEC_COSINE_DISTANCE VEC_DIMS VEC_FROM_TEXT VEC_L1_DISTANCE VEC_L2_DISTANCE VEC_L2_NORM VEC_NEGATIVE_INNER_PRODUCT
    INET6_ATON INET6_NTOA INET_ATON INET_NTOA IS_IPV4 IS_IPV6 MD5 SHA SHA1 SHA2
    """)
FUNCTIONS = AGGREGATES | SCALARS
"""The functions that are passed on to the database."""

OWN_GRAMMAR = frozenset(("CAST", "CONVERT", "EXTRACT", "GROUP_CONCAT"))
"""Functions whose arguments are not a plain list."""

REFUSED_OPERATORS = {
    "?": "Placeholders (?) are not filled in. Write the value.",
    ":": "Placeholders (:name) are not filled in. Write the value.",
    ":=": "Assignments (:=) cannot be used in a condition.",
    "@": "User variables (@name) belong to a session, not to a condition. Write the value.",
    "@@": "System variables (@@name) belong to the server, not to a condition. Write the value.",
    "::": "PostgreSQL's :: is not supported. Write CAST(x AS DATE).",
    "||": "|| means OR in MySQL and joins texts in PostgreSQL. Write OR, or CONCAT(a, b).",
    "--": "-- begins a comment only with a space after it. Add the space.",
    "==": "== compares nothing in SQL. Write =.",
    **dict.fromkeys("{}", "Nothing is filled in here. Write the value; a date as DATE '2026-01-31'."),
    **dict.fromkeys("[]", "MySQL has no brackets. Write names in backticks."),
}
