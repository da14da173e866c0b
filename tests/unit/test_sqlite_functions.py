"""The functions of the embedded database mean what they mean in MySQL."""

import sqlite3
from collections.abc import Iterator

import pytest

from skene_dagster.store import sqlite_functions


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:")
    sqlite_functions.install(connection)
    yield connection
    connection.close()


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("skene_shift('2026-01-31 10:00:00.000000', 1, 'MONTH')", "2026-02-28 10:00:00.000000"),
        ("skene_shift('2024-01-31', 1, 'MONTH')", "2024-02-29"),
        ("skene_shift('2024-02-29', 1, 'YEAR')", "2025-02-28"),
        ("skene_shift('2026-03-31', -1, 'QUARTER')", "2025-12-31"),
        ("skene_shift('2026-01-15', -13, 'MONTH')", "2024-12-15"),
        ("skene_shift('2026-01-01', 1, 'DAY')", "2026-01-02"),
        ("skene_shift('2026-01-01', 1, 'HOUR')", "2026-01-01 01:00:00.000000"),
        ("skene_shift('2026-01-01 00:00', 1, 'DAY')", "2026-01-02 00:00:00.000000"),
        ("skene_shift('2026-01-01', 1.5, 'SECOND')", "2026-01-01 00:00:01.500000"),
        ("skene_shift('2026-01-01', 1.5, 'DAY')", "2026-01-03"),
        ("skene_shift('2026-01-01', '2', 'WEEK')", "2026-01-15"),
        ("skene_shift('9999-12-31', 1, 'DAY')", None),
        ("skene_shift('2026-01-01', 99999999999, 'MONTH')", None),
        ("skene_shift('2026-01-01', NULL, 'DAY')", None),
        ("skene_shift('never', 1, 'DAY')", None),
        ("skene_shift('2026-02-30', 1, 'DAY')", None),
        ("skene_moment('2026-01-01')", "2026-01-01 00:00:00.000000"),
        ("skene_moment('2026-01-01T08:09:10.5')", "2026-01-01 08:09:10.500000"),
        ("skene_moment('2026-1-1 8:9')", "2026-01-01 08:09:00.000000"),
        ("skene_moment('2026-11-16T09:00:00Z')", "2026-11-16 09:00:00.000000"),
        ("skene_moment('2026-11-16 11:00:00.25+02:00')", "2026-11-16 09:00:00.250000"),
        ("skene_moment('2026-11-16 03:30-0530')", "2026-11-16 09:00:00.000000"),
        ("skene_moment('2026-11-16 09:00:00+00')", "2026-11-16 09:00:00.000000"),
        ("skene_moment('2026-11-16 09:00:00 UTC')", "2026-11-16 09:00:00.000000"),
        ("skene_moment('2026-11-16+02:00')", None),
        ("skene_moment('2026-11-16 09:00:00+15:00')", None),
        ("skene_moment('2026-11-16 09:00:00.000+05')", "2026-11-16 04:00:00.000000"),
        ("skene_moment('2026-W47-1 09:00:00')", None),
        ("skene_moment('2026-02-30 09:00:00')", None),
        ("skene_moment('0000-00-00 00:00:00.000000')", None),
        ("skene_moment('0000-00-00')", None),
        ("skene_moment('0001-01-01T00:00:00Z')", None),
        ("skene_moment('9999-12-31 23:59:59-01:00')", None),
        ("skene_moment('never')", None),
        ("skene_moment('')", None),
        ("skene_moment(7)", None),
        ("skene_any_moment('2026-01-01', 'never')", 1),
        ("skene_any_moment('b', 'a')", 0),
        ("skene_from_unixtime(1763280000.25)", "2025-11-16 08:00:00.250000"),
        ("skene_from_unixtime(0)", "1970-01-01 00:00:00.000000"),
        ("skene_from_unixtime(-1)", None),
        ("skene_from_unixtime(1e300)", None),
        ("skene_date('2026-11-16T23:30:00-02:00')", "2026-11-17"),
        ("skene_moment(NULL)", None),
        ("skene_timestampdiff('MONTH', '2026-01-31', '2026-02-28')", 0),
        ("skene_timestampdiff('MONTH', '2026-03-01', '2026-01-31')", -1),
        ("skene_timestampdiff('YEAR', '2000-02-29', '2026-02-28')", 25),
        ("skene_timestampdiff('DAY', '2026-01-02 00:00', '2026-01-01 01:00')", 0),
        ("skene_timestampdiff('SECOND', '2026-01-01', '2026-01-01 00:01')", 60),
        ("skene_datediff('2026-01-02 00:00', '2026-01-01 23:59')", 1),
        ("skene_last_day('2024-02-10')", "2024-02-29"),
        ("skene_unix_timestamp('1970-01-02')", 86400),
        (
            "skene_date_format('2026-11-03 13:04:05', '%Y-%m-%d %k:%i %p %D %W %b %j %%')",
            "2026-11-03 13:04 PM 3rd Tuesday Nov 307 %",
        ),
        ("skene_part('2026-11-22', 'DAYOFWEEK')", 1),
        ("skene_part('2026-11-22', 'WEEKDAY')", 6),
        ("skene_concat('a', NULL)", None),
        ("skene_concat_ws('-', 'a', NULL, 'b')", "a-b"),
        ("skene_concat_ws(NULL, 'a')", None),
        ("skene_upper('zoë straße')", "ZOË STRAßE"),
        ("skene_substring('abcdef', 2, 3)", "bcd"),
        ("skene_substring('abcdef', -2)", "ef"),
        ("skene_substring('abcdef', 0)", ""),
        ("skene_substring('abcdef', -9)", ""),
        ("skene_substring('abcdef', 2, -1)", ""),
        ("skene_right('abc', 9)", "abc"),
        ("skene_substring_index('a.b.c', '.', 2)", "a.b"),
        ("skene_substring_index('a.b.c', '.', -2)", "b.c"),
        ("skene_substring_index('a.b.c', '.', 9)", "a.b.c"),
        ("skene_div(-7, 2)", -3),
        ("skene_div(1, 0)", None),
        ("skene_div(9223372036854775807, 1)", 9223372036854775807),
        ("skene_mod(-7, 2)", -1),
        ("skene_mod(5.5, 2)", 1.5),
        ("skene_round(2.5)", 3),
        ("skene_round(-2.5)", -3),
        ("skene_round(1.005, 2)", 1.01),
        ("skene_floor(-1.5)", -2),
        ("skene_ceil(1.2)", 2),
        ("skene_signed('12abc')", 12),
        ("skene_signed('abc')", 0),
        ("skene_signed(1.5)", 2),
    ],
)
def test_a_function_means_what_it_means_in_mysql(
    connection: sqlite3.Connection, expression: str, value: object
) -> None:
    assert connection.execute(f"SELECT {expression}").fetchone() == (value,)


def test_the_functions_are_deterministic_so_that_constants_are_computed_once(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE t (a TEXT, b TEXT GENERATED ALWAYS AS (skene_moment(a)) STORED)")

    connection.execute("INSERT INTO t (a) VALUES ('2026-01-01')")

    assert connection.execute("SELECT b FROM t").fetchone() == ("2026-01-01 00:00:00.000000",)
