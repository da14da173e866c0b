"""Which faults can be put into a source, and that each leaves a program that is a different table."""

import pytest
from faults import changes, faults


def changed(source: str) -> set[str]:
    """All that a source may become."""
    return {fault.into(source) for fault in faults(source) if changes(source, fault)}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param("a <= b", {"a < b"}, id="a boundary"),
        pytest.param("a is not b", {"a is b"}, id="an identity"),
        pytest.param("a < b > c", {"a <= b > c", "a < b >= c"}, id="each of two boundaries"),
        pytest.param("a and b or c", {"(b) or c", "(a) or c", "(a and b)", "(c)"}, id="each term of a condition"),
        pytest.param("x.where(a, b)", {"x.where(a)", "x.where(b)"}, id="each term of a WHERE"),
        pytest.param("x.where(a)", {"x"}, id="a WHERE"),
        pytest.param("and_(a, b)", {"and_(a)", "and_(b)"}, id="each term of a conjunction"),
        pytest.param("x.order_by(a).limit(2)", {"x.limit(2)", "x.order_by(a)"}, id="an order and a limit"),
        pytest.param("max(a, b)", {"min(a, b)"}, id="the greater"),
        pytest.param("not a", {"(a)"}, id="not"),
        pytest.param("f(True)", {"f(False)"}, id="a flag"),
        pytest.param("a + b", {"a - b"}, id="a sign"),
        pytest.param("[a for a in b if c]", {"[a for a in b if True]"}, id="a filter"),
        pytest.param("a if b else c", {"a if not (b) else c"}, id="a choice"),
        pytest.param("x.y = z", {"pass"}, id="an assignment that is seen elsewhere"),
    ],
)
def test_each_fault_is_one_small_change(source: str, expected: set[str]) -> None:
    assert expected <= changed(source)


def test_a_return_that_ends_a_function_stays_and_one_that_leaves_it_early_may_go() -> None:
    source = "def f(a):\n    if a:\n        return\n    return g(a)\n"

    assert source.replace("        return\n", "        pass\n") in changed(source)
    assert source.replace("return g(a)", "g(a)") not in changed(source)


@pytest.mark.parametrize(
    "source",
    [
        pytest.param('"""A text of 3 words."""', id="a docstring"),
        pytest.param("assert a < 1", id="an assertion"),
        pytest.param("x: Literal[1] = y", id="an annotation"),
        pytest.param('y = f"{a < 1}"', id="a text"),
        pytest.param("x = y", id="an assignment of a name"),
    ],
)
def test_what_does_nothing_has_no_faults(source: str) -> None:
    assert changed(source) == set()


def test_a_constant_becomes_its_neighbours() -> None:
    assert changed("f(1)") - {"pass"} == {"f(2)", "f(0)"}


def test_letters_of_any_width_move_nothing() -> None:
    assert "'ü', a <= b  # ä <" in changed("'ü', a < b  # ä <")
