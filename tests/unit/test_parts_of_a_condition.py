"""The parts of a condition: cut at the ANDs of its WHERE, in its author's words, each a condition by itself."""

import pytest

from skene_dagster.errors import Place
from skene_dagster.loops.dialect import Part, parts_of, read_query
from skene_dagster.settings import Users

USERS = Users()


def parts(where: str, behind: str = "") -> tuple[Part, ...]:
    text = f"SELECT id FROM users u WHERE {where}{behind}"
    return parts_of(read_query(text, users=USERS, place=Place("loops/a.yaml", 1)), USERS)


@pytest.mark.parametrize(
    ("where", "cut"),
    [
        pytest.param("plan = 'free'", ["plan = 'free'"], id="one"),
        pytest.param("a = 1 AND b = 2 && c = 3", ["a = 1", "b = 2", "c = 3"], id="three"),
        pytest.param("(a = 1 AND (b = 2)) AND ((c = 3))", ["a = 1", "b = 2", "c = 3"], id="in parentheses"),
        pytest.param("a = 1 OR b = 2 AND c = 3", ["a = 1 OR b = 2 AND c = 3"], id="an OR is one"),
        pytest.param("(a = 1 OR b = 2) AND c = 3", ["a = 1 OR b = 2", "c = 3"], id="an OR among others"),
        pytest.param("a XOR b AND c", ["a XOR b AND c"], id="XOR"),
        pytest.param("x BETWEEN 1 AND 2 AND y = 3", ["x BETWEEN 1 AND 2", "y = 3"], id="BETWEEN"),
        pytest.param(
            "x NOT BETWEEN 1 AND 2 AND y BETWEEN 3 AND 4",
            ["x NOT BETWEEN 1 AND 2", "y BETWEEN 3 AND 4"],
            id="BETWEEN twice",
        ),
        pytest.param(
            "CASE WHEN a = 1 AND b = 2 OR c = 3 THEN 1 ELSE 0 END = 1 AND d = 4",
            ["CASE WHEN a = 1 AND b = 2 OR c = 3 THEN 1 ELSE 0 END = 1", "d = 4"],
            id="CASE",
        ),
        pytest.param("NOT (a = 1 AND b = 2) AND c = 3", ["NOT (a = 1 AND b = 2)", "c = 3"], id="NOT"),
        pytest.param("`and` = 'x AND y' AND `where` = \"OR\"", ["`and` = 'x AND y'", '`where` = "OR"'], id="names"),
        pytest.param("a = 1 -- not this\n AND b = 2 /* AND c */", ["a = 1", "b = 2"], id="comments"),
        pytest.param("u.a = 1\n   AND\n   u.b  =  2", ["u.a = 1", "u.b = 2"], id="lines"),
    ],
)
def test_a_condition_is_cut_where_all_of_it_must_hold(where: str, cut: list[str]) -> None:
    assert [one.author for one in parts(where)] == cut
    assert [one.author for one in parts(where, " ORDER BY u.id")] == cut


def test_a_part_is_a_condition_by_itself_with_the_clock_and_the_names_of_the_whole() -> None:
    late, _ = parts("u.seen < NOW() - INTERVAL '7 days' AND u.plan = 'free'")

    assert late.query is not None
    assert late.query.mysql == "SELECT id FROM users u WHERE u.seen < CAST(:as_of AS DATETIME(6)) - INTERVAL 7 DAY"
    assert late.query.sqlite is not None
    assert "skene_moment(u.seen)" in late.query.sqlite
    assert late.columns == ("seen",)


def test_a_part_names_its_columns_in_the_order_in_which_it_reads_them() -> None:
    (one,) = parts("b > a OR c = b")

    assert one.columns == ("b", "a", "c")


def test_a_part_that_reads_another_table_is_not_asked_alone() -> None:
    own, other = parts("plan = 'free' AND id NOT IN (SELECT user_id FROM invoices)")

    assert own.query is not None
    assert other.query is None


def test_a_query_without_a_where_has_no_parts() -> None:
    query = read_query("SELECT id FROM users", users=USERS, place=Place("loops/a.yaml", 1))

    assert parts_of(query, USERS) == ()


def test_a_query_in_parentheses_is_not_cut() -> None:
    query = read_query("(SELECT id FROM users WHERE a = 1 AND b = 2)", users=USERS, place=Place("loops/a.yaml", 1))

    assert parts_of(query, USERS) == ()
