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
    **dict.fromkeys(("SHOW", "DESCRIBE", "DESC", "EXPLAIN", "ANALYZE", "ADMIN", "TABLE", "VALUES"), "returns no users"),
}
"""Statements other than SELECT, and what they do."""

_LOCKING = "It locks rows (or only seems to: TiDB accepts SKIP LOCKED and locks nothing). Take it out."
_LIKE = "Write LOWER(x) LIKE LOWER(y)."
REFUSED_WORDS = {
    "FOR": f"FOR UPDATE and FOR SHARE have no place here. {_LOCKING}",
    "LOCK": _LOCKING,
    "INTO": "A condition only reads; its rows go into the segment by themselves.",
    "OUTFILE": "A condition only reads.",
    "PROCEDURE": "TiDB does not know it. Take it out.",
    "LATERAL": "TiDB does not know it. Write a join with a derived table.",
    "TABLESAMPLE": "It returns other users each time. Write a condition on the key, such as MOD(id, 10) = 0.",
    "MATCH": "TiDB does not know full-text search everywhere. Write LIKE.",
    "FULLTEXT": "TiDB does not know full-text search everywhere. Write LIKE.",
    "ILIKE": f"It is PostgreSQL's. {_LIKE}",
    "FETCH": "Write LIMIT.",
    "DUAL": "Select from the users.",
    "VALUES": "Select from a table.",
    "DEFAULT": "Write the value.",
    "RETURNING": "A condition only reads.",
    "STRAIGHT_JOIN": "Write JOIN.",
    "DISTINCTROW": "Write DISTINCT.",
    "HIGH_PRIORITY": "Take it out.",
    "SQL_CALC_FOUND_ROWS": "Take it out.",
    "SQL_SMALL_RESULT": "Take it out.",
    "SQL_BIG_RESULT": "Take it out.",
    "CURRENT_TIME": "Write TIME(NOW()).",
    "UTC_TIME": "Write TIME(NOW()).",
    "CURRENT_USER": "It says who is connected, not who uses the product.",
    "CURRENT_ROLE": "It says who is connected, not who uses the product.",
    "TIDB_CURRENT_TSO": "Write NOW(), which is the run's time.",
}
"""Words that no condition uses, and what to do."""

_CONNECTION = "It depends on the connection, not on the users."
_RANDOM = "It gives another value each time. For a share of the users write a condition on the key: MOD(id, 10) = 0."
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
    "CURTIME": "Write TIME(NOW()).",
    "CURRENT_TIME": "Write TIME(NOW()).",
    "UTC_TIME": "Write TIME(NOW()).",
    "JSON_TABLE": "TiDB does not know it. Write JSON_EXTRACT() or MEMBER OF.",
    "PARTITION": "Write a condition on the column that the table is partitioned by.",
    "ROW": "Write the parentheses without ROW.",
    "DATE_TRUNC": "It is PostgreSQL's. Write DATE(x), or DATE_FORMAT(x, '%Y-%m-01') for the month.",
    "TO_CHAR": "It is PostgreSQL's. Write DATE_FORMAT().",
    "AGE": "It is PostgreSQL's. Write DATEDIFF() or TIMESTAMPDIFF().",
    "DATE_PART": "It is PostgreSQL's. Write EXTRACT(DAY FROM x).",
    "STRING_AGG": "It is PostgreSQL's. Write GROUP_CONCAT(x ORDER BY y SEPARATOR ',').",
    "FILTER": "It is PostgreSQL's. Write SUM(condition) or COUNT(IF(condition, 1, NULL)).",
}
"""Functions that no condition uses, and why not or what to do."""

NOW = frozenset(("NOW", "CURRENT_TIMESTAMP", "LOCALTIME", "LOCALTIMESTAMP", "UTC_TIMESTAMP"))
TODAY = frozenset(("CURDATE", "CURRENT_DATE"))
UTC_TODAY = frozenset(("UTC_DATE",))
NEED_PARENTHESES = frozenset(("NOW", "CURDATE"))
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
    UCASE UNHEX UPPER
    ADDDATE ADDTIME CONVERT_TZ DATE DATEDIFF DATE_ADD DATE_FORMAT DATE_SUB DAY DAYNAME DAYOFMONTH DAYOFWEEK DAYOFYEAR
    EXTRACT FROM_DAYS FROM_UNIXTIME HOUR LAST_DAY MAKEDATE MAKETIME MICROSECOND MINUTE MONTH MONTHNAME PERIOD_ADD
    PERIOD_DIFF QUARTER SECOND SEC_TO_TIME STR_TO_DATE SUBDATE SUBTIME TIME TIMEDIFF TIMESTAMP TIMESTAMPADD
    TIMESTAMPDIFF TIME_FORMAT TIME_TO_SEC TO_DAYS TO_SECONDS UNIX_TIMESTAMP WEEK WEEKDAY WEEKOFYEAR YEAR YEARWEEK
    CAST COALESCE CONVERT GREATEST IF IFNULL ISNULL LEAST NULLIF
    JSON_ARRAY JSON_CONTAINS JSON_CONTAINS_PATH JSON_DEPTH JSON_EXTRACT JSON_KEYS JSON_LENGTH JSON_MERGE_PATCH
    JSON_MERGE_PRESERVE JSON_OBJECT JSON_OVERLAPS JSON_QUOTE JSON_REMOVE JSON_REPLACE JSON_SEARCH JSON_SET JSON_TYPE
    JSON_UNQUOTE JSON_VALID
    INET6_ATON INET6_NTOA INET_ATON INET_NTOA IS_IPV4 IS_IPV6 MD5 SHA SHA1 SHA2
    """)
FUNCTIONS = AGGREGATES | SCALARS
"""The functions that are passed on to the database."""

OWN_GRAMMAR = frozenset(("CAST", "CONVERT", "EXTRACT", "GROUP_CONCAT"))
"""Functions whose arguments are not a plain list."""

REFUSED_OPERATORS = {
    "?": "Placeholders (?) have nothing to stand for. Write the value.",
    ":": "Placeholders (:name) have nothing to stand for. Write the value.",
    ":=": "Assignments (:=) have no place in a condition.",
    "@": "User variables (@name) belong to a session, not to a condition. Write the value.",
    "@@": "System variables (@@name) belong to the server, not to a condition. Write the value.",
    "::": "PostgreSQL's :: is not read. Write CAST(x AS DATE).",
    "||": "|| means OR in MySQL and joins texts in PostgreSQL. Write OR, or CONCAT(a, b).",
    "--": "-- begins a comment only with a space after it. Add the space.",
    "==": "== compares nothing in SQL. Write =.",
    **dict.fromkeys("{}", "Braces have no place in SQL; nothing is filled in here. Write the value."),
    **dict.fromkeys("[]", "Brackets have no place in MySQL. Names are written in backticks."),
}
