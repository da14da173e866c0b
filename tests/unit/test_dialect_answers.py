"""What is refused is refused in its author's words, with a cure that works; and nothing is too large to be answered."""

import re
from pathlib import Path

import pytest

from skene_dagster.errors import Place, QueryRejected
from skene_dagster.loops.dialect import read_expression, read_query
from skene_dagster.loops.dialect.answers.indexes import readings
from skene_dagster.loops.dialect.answers.nulls import forgotten
from skene_dagster.loops.dialect.answers.repeats import repeated
from skene_dagster.loops.dialect.vocabulary import EQUIVALENTS, REFUSED_FUNCTIONS
from skene_dagster.settings import Users

ODD = (Path(__file__).parent.parent / "dialect" / "refused.txt").read_text(encoding="utf-8").split("\n\n", 1)[1]
OURS = {"SQL", "SELECT", "LIMIT", "ORDER", "BY", "AS", "OF", "TIMESTAMP"}
"""Words in capitals that our own sentences have."""
WHERE = "SELECT id FROM users WHERE "


def whole(line: str) -> str:
    begins = ("SELECT", "WITH", "UNION")
    return line if line.startswith(begins) else WHERE + line


def refusal(sql: str) -> QueryRejected | None:
    try:
        query = read_query(sql, users=Users(), place=Place("loops/retention.yaml", 7))
    except QueryRejected as refused:
        return refused
    # What reads it later must not fall over it, either.
    forgotten(query)
    readings(query)
    repeated(query, Users())
    return None


@pytest.mark.parametrize("line", ODD.splitlines())
def test_a_refusal_has_no_word_that_its_author_did_not_write(line: str) -> None:
    refused = refusal(whole(line))

    if refused is not None:
        capitals = set(re.findall(r"\b[A-Z][A-Z_]+\b", refused.message))
        assert capitals - OURS - set(re.findall(r"\w+", line.upper())) == set()
        assert refused.advice != ""
        assert refused.place is not None
        assert refused.place.line == 7


@pytest.mark.parametrize(
    ("sql", "line"),
    [
        pytest.param("SELECT id\nFROM users\nQUALIFY id = 1", 9, id="a clause"),
        pytest.param("SELECT id\nFROM users\nWHERE a = 1\n AND b SIMILAR TO 'x'", 10, id="an operator"),
        pytest.param("SELECT id\nFROM users u\nFULL JOIN orders o\nON o.user_id = u.id", 9, id="a join"),
        pytest.param("SELECT id\nFROM users\nWHERE id IN (\nSELECT user_id FROM orders\nLIMIT 3)", 10, id="a LIMIT"),
        pytest.param("SELECT id FROM users\nWHERE 'plan' = 'pro'", 8, id="two strings"),
        pytest.param("SELECT id\nFROM users\nWHERE EXISTS (SELECT 1 FROM mysql.user)", 9, id="a table"),
    ],
)
def test_a_refusal_is_at_the_line_of_what_is_refused(sql: str, line: int) -> None:
    refused = refusal(sql)

    assert refused is not None
    assert refused.place == Place("loops/retention.yaml", line)


CURES = [
    (name, cure)
    for name, advice in EQUIVALENTS.items()
    for cure in re.split(r", or |, which .*|(?: of a| for the) \w+(?:, )?", advice.split("Write ")[1].removesuffix("."))
    if cure
]


@pytest.mark.parametrize(("name", "cure"), CURES)
def test_what_is_advised_for_a_function_of_another_database_can_be_read(name: str, cure: str) -> None:
    assert refusal(f"{WHERE} {name}(x) = 1") is not None
    assert refusal(f"SELECT id, {cure} AS x FROM users") is None


def test_no_function_is_suggested_for_its_spelling() -> None:
    for name in ("DATE_AD", "MINN", "LOW", "STDDEVV", "CONCATT"):
        refused = refusal(f"{WHERE} {name}(x) = 1")

        assert refused is not None
        assert refused.advice == "Use MySQL's built-in ones."


def test_a_function_that_is_refused_is_known_nowhere_else() -> None:
    for name in REFUSED_FUNCTIONS:
        assert refusal(f"{WHERE} {name}(x) = 1") is not None


BIG = [
    pytest.param("id = 1e9999999999999999999", "is outside the range of numbers", id="an exponent"),
    pytest.param("id = 1e-9999999999999999999", "is outside the range of numbers", id="a tiny number"),
    pytest.param("id = 1e309", "is outside the range of numbers", id="an exponent that is one too large"),
    pytest.param("id = 1e308 OR id = 1e-308", None, id="exponents that a number can just have"),
    pytest.param("id = 1e-309", "is outside the range of numbers", id="one that is one too small"),
    pytest.param(f"id = {'9' * 40_000}", "a number has 65 at most", id="digits"),
    pytest.param(" AND ".join(f"a{n} = {n}" for n in range(1_200)), None, id="1,200 comparisons and AND"),
    pytest.param(" OR ".join(f"a{n} = {n}" for n in range(1_200)), None, id="1,200 comparisons and OR"),
    pytest.param(f"{'(' * 10_000}a{')' * 10_000}", "has more than 12,000 words", id="parentheses"),
    pytest.param("(" * 40_000, "has more than 12,000 words", id="parentheses that are not closed"),
    pytest.param(f"{'NOT ' * 10_000}a", "nested too deeply", id="NOT"),
    pytest.param(f"a = {'- ' * 10_000}1", "nested too deeply", id="signs"),
    pytest.param(f"a IN ({'1, ' * 100_000} 1)", "has more than 50,000 characters", id="a list of 100,000"),
    pytest.param(f"a IN ({'1,' * 10_000} 1)", "has more than 12,000 words", id="a list of 10,000"),
    pytest.param(f"a IN ({'1,' * 5_000} 1)", None, id="a list of 5,000", marks=pytest.mark.long),
    pytest.param(f"a = '{'x' * 5_000_000}'", "has more than 50,000 characters", id="5 MB"),
    pytest.param(f"a = '{chr(39) * 2 * 20_000}", "does not end", id="quotes that are not closed"),
    pytest.param("a = " + " + ".join("b" * 5_000), "nested too deeply", id="a sum of 5,000"),
    pytest.param("a" + "->'$.b'" * 2_500, None, id="2,500 arrows"),
]


@pytest.mark.parametrize(("sql", "said"), BIG)
def test_sql_of_any_size_is_read_or_refused_in_words(sql: str, said: str | None) -> None:
    refused = refusal(WHERE + sql)

    assert refused is None if said is None else refused is not None and said in refused.message


def test_the_sql_of_a_feature_has_the_same_bounds() -> None:
    with pytest.raises(QueryRejected, match="12,000 words"):
        read_expression(f"a IN ({'1,' * 10_000} 1)", place=Place("skene.yaml", 3))


def test_more_tables_than_a_server_joins_are_refused() -> None:
    sql = "SELECT u.id FROM users u" + "".join(f" JOIN o o{n} ON o{n}.user_id = u.id" for n in range(100))

    refused = refusal(sql)

    assert refused is not None
    assert refused.message == "The query joins more than 61 tables."
