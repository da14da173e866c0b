"""Which columns a condition wants to be before a moment, without a word on those that are NULL."""

import pytest

from skene_dagster.errors import Place
from skene_dagster.loops.dialect import read_query
from skene_dagster.loops.dialect.answers.nulls import Forgotten, forgotten
from skene_dagster.settings import Users


def found(sql: str) -> list[Forgotten]:
    return forgotten(read_query(sql, users=Users(), place=Place("loops/retention.yaml", 7)))


@pytest.mark.parametrize(
    ("where", "columns"),
    [
        pytest.param("seen_at < NOW() - INTERVAL 7 DAY", ["seen_at"], id="before a moment"),
        pytest.param("seen_at <= CURDATE()", ["seen_at"], id="by a day"),
        pytest.param("NOW() - INTERVAL 7 DAY > seen_at", ["seen_at"], id="the other way around"),
        pytest.param("NOW() >= seen_at AND made_at < NOW()", ["seen_at", "made_at"], id="each of two"),
        pytest.param("seen_at < NOW() AND seen_at IS NOT NULL", [], id="with a word on NULL"),
        pytest.param("seen_at > NOW() - INTERVAL 7 DAY", [], id="after a moment"),
        pytest.param("age < 18", [], id="a number"),
        pytest.param("seen_at < made_at", [], id="another column"),
        pytest.param("(seen_at < NOW() OR age = 1)", [], id="one of two alternatives"),
        pytest.param("SEEN_AT < NOW() AND (seen_at IS NOT NULL OR age = 1)", [], id="with a word on NULL, in capitals"),
        pytest.param("seen_at < NOW() AND made_at IS NULL", ["seen_at"], id="with a word on another column"),
        pytest.param("seen_at < NOW() AND seen_at + 1 IS NOT NULL", ["seen_at"], id="with a word on what is computed"),
        pytest.param("seen_at < NOW() AND seen_at < CURDATE()", ["seen_at"], id="twice"),
        pytest.param("DATE(seen_at) < NOW()", [], id="a function of a column"),
        pytest.param("NOW() > DATE(seen_at)", [], id="a function of a column, the other way around"),
        pytest.param("18 > age", [], id="a number, the other way around"),
        pytest.param("NOW() < seen_at", [], id="after a moment, the other way around"),
        pytest.param("id IN (SELECT id FROM users WHERE seen_at < NOW())", [], id="in a subquery"),
    ],
)
def test_a_column_that_may_be_null_is_spoken_of_where_every_row_must_be_before_a_moment(
    where: str, columns: list[str]
) -> None:
    assert [one.column for one in found(f"SELECT id FROM users WHERE {where}")] == columns


@pytest.mark.parametrize(
    "sql",
    [
        pytest.param("SELECT id FROM users", id="no WHERE"),
        pytest.param("SELECT id FROM users WHERE seen_at < NOW() UNION SELECT id FROM users", id="a part of a UNION"),
        pytest.param("SELECT user_id FROM a WHERE user_id = $1 AND n < $1", id="before the row that triggered"),
    ],
)
def test_of_what_need_not_be_before_a_moment_nothing_is_said(sql: str) -> None:
    assert found(sql) == []


@pytest.mark.parametrize(
    ("where", "written", "at"),
    [
        pytest.param("a = 1 AND seen_at < NOW()", "seen_at < NOW()", 37, id="at the end"),
        pytest.param("u.seen_at <= NOW() - INTERVAL 7 DAY;", "u.seen_at <= NOW() - INTERVAL 7 DAY", 27, id="a table"),
        pytest.param("`seen_at`\n  < NOW() AND a", "`seen_at` < NOW()", 27, id="over two lines, before AND"),
        pytest.param("NOW() > seen_at", "seen_at < …", 0, id="the other way around"),
        pytest.param(
            f"seen_at < NOW() - INTERVAL {'9' * 29} DAY",
            f"seen_at < NOW() - INTERVAL {'9' * 29} DAY",
            27,
            id="of sixty",
        ),
        pytest.param(f"seen_at < NOW() - INTERVAL {'9' * 30} DAY", "seen_at < …", 27, id="longer than sixty"),
    ],
)
def test_the_comparison_is_shown_as_it_is_written_if_it_is_short(where: str, written: str, at: int) -> None:
    assert found(f"SELECT id FROM users WHERE {where}".replace("users WHERE u.", "users u WHERE u.")) == [
        Forgotten("seen_at", written, at + 2 * where.startswith("u."))
    ]
