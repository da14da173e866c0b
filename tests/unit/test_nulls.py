"""Which columns a condition wants to be before a moment, without a word on those that are NULL."""

import pytest

from skene_dagster.errors import Place
from skene_dagster.loops.dialect import read_query
from skene_dagster.loops.dialect.nulls import forgotten
from skene_dagster.settings import Users


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
    ],
)
def test_a_column_that_may_be_null_is_spoken_of_where_every_row_must_be_before_a_moment(
    where: str, columns: list[str]
) -> None:
    query = read_query(f"SELECT id FROM users WHERE {where}", users=Users(), place=Place("loops/retention.yaml", 7))

    assert [one.column for one in forgotten(query)] == columns
