"""On which line of its file a part of a text stands."""

import pytest

from skene_dagster.text_lines import TextLines

LINES = TextLines(((0, 5), (10, 6), (20, 9)))


@pytest.mark.parametrize(("offset", "line"), [(0, 5), (9, 5), (10, 6), (19, 6), (20, 9), (99, 9)])
def test_a_character_stands_on_the_last_line_that_begins_at_or_before_it(offset: int, line: int) -> None:
    assert LINES.at(offset) == line


@pytest.mark.parametrize(
    ("start", "end", "cut"),
    [
        pytest.param(0, 10, None, id="a whole line"),
        pytest.param(0, 11, 10, id="a line and a letter of the next"),
        pytest.param(0, 99, 10, id="the first of two"),
        pytest.param(9, 11, 10, id="around a line's end"),
        pytest.param(9, 10, None, id="up to a line's end"),
        pytest.param(10, 20, None, id="from where a line begins"),
        pytest.param(11, 21, 20, id="the second"),
        pytest.param(20, 99, None, id="the last line"),
    ],
)
def test_a_part_is_cut_where_another_line_begins_within_it(start: int, end: int, cut: int | None) -> None:
    assert LINES.cut(start, end) == cut


def test_each_line_of_a_text_that_is_written_so_is_a_line_of_the_file() -> None:
    assert TextLines.as_written("ab\n\nc\n", 7) == TextLines(((0, 7), (3, 8), (4, 9)))
    assert TextLines.as_written("", 7) == TextLines(((0, 7),))


def test_pieces_are_joined_and_what_is_empty_has_no_line_but_the_first() -> None:
    assert TextLines.of([(3, "ab"), (4, ""), (5, "c")], "keep") == TextLines(((0, 3), (2, 5)), "keep")
    assert TextLines.of([(3, ""), (4, "ab")]) == TextLines(((0, 3), (0, 4)))


def test_nobody_can_tell_the_lines_of_a_text_that_is_computed() -> None:
    assert TextLines.computed(7, "keep") == TextLines(((0, 7),), "keep", known=False)
    assert LINES.known


@pytest.mark.parametrize(
    ("text", "parts", "starts"),
    [
        pytest.param("ab cd", ["ab", "cd"], ((0, 1), (3, 2)), id="two"),
        pytest.param("  ab  cd  ", [" ab ", "cd"], ((0, 1), (6, 2)), id="with blanks around them"),
        pytest.param("ab ab", ["ab", "ab"], ((0, 1), (3, 2)), id="the same twice"),
        pytest.param("ab cd", ["ab", "", "cd"], ((0, 1), (3, 3)), id="an empty one between"),
        pytest.param("abcd", ["ab", "cd"], ((0, 1), (2, 2)), id="side by side"),
        pytest.param("ab x cd", ["ab", "cd"], None, id="a letter between them"),
        pytest.param("x ab", ["ab"], None, id="a letter before them"),
        pytest.param("ab x", ["ab"], None, id="a letter behind them"),
        pytest.param("ab cd", ["cd", "ab"], None, id="in another order"),
        pytest.param("ab", ["ab", "cd"], None, id="one that is not there"),
        pytest.param("ab", ["ab", "cdef"], None, id="one that is longer than all"),
        pytest.param("  ", [""], None, id="nothing"),
    ],
)
def test_parts_are_found_in_a_text_that_holds_nothing_but_them_and_blanks(
    text: str, parts: list[str], starts: tuple[tuple[int, int], ...] | None
) -> None:
    found = TextLines.between_blanks(text, enumerate(parts, 1), "keep")

    assert found == (None if starts is None else TextLines(starts, "keep"))
