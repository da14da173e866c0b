"""No regular expression of the package takes much longer than its text is long, on texts that are made to hurt."""

import gc
import importlib
import pkgutil
import re
import time
from collections.abc import Iterator
from itertools import product

import pytest

import skene_dagster

# Made of what the patterns repeat, with an end that fits none of them.
PIECES = (
    *(
        "a",
        " ",
        "1",
        "0",
        "_",
        "-",
        ".",
        "%",
        "@",
        ":",
        "/",
        "\\",
        '"',
        "'",
        "<",
        "{",
        "[",
        "(",
        ",",
        ";",
        "$",
        "*",
        "\n",
    ),
    *(
        '\\"',
        "\\\\",
        "a ",
        "a.",
        "1,",
        "1.",
        "%(",
        "{{",
        "{%",
        "((",
        "[]",
        "a@",
        "<a",
        '""',
        "''",
        "/*",
        "--",
        "1 day",
        "\t ",
    ),
    *("jinja1ajnij", "https://a", "mailto:", "\\u{", "\\u00", "0x", "_0", "a_a", "mon", "L", "*/", "position 1:", "%Y"),
)
HEADS = ("", "'", '"', "%(", "0", "a", "https://", "{{", "mon", "a@")
ENDS = ("", "\0")
TINY, SHORT, LONG = 24, 1_000, 8_000
MOST_GROWTH = 24.0
"""Eight times as long a text may take eight times as long, and what a busy machine adds; its square would take 64."""
NOTHING = 0.004
"""Seconds in which nobody can tell how anything grows."""


def patterns() -> Iterator[tuple[str, re.Pattern[str]]]:
    seen: set[str] = set()
    for found in pkgutil.walk_packages(skene_dagster.__path__, "skene_dagster."):
        if found.name.endswith(".env") or ".migrations." in found.name:
            continue
        module = importlib.import_module(found.name)
        for name, value in vars(module).items():
            if isinstance(value, re.Pattern) and isinstance(value.pattern, str) and value.pattern not in seen:
                seen.add(value.pattern)
                yield f"{found.name}.{name}", value


PATTERNS = dict(patterns())


def seconds(pattern: re.Pattern[str], text: str) -> float:
    started = time.process_time()
    pattern.fullmatch(text)
    return time.process_time() - started


def growth(pattern: re.Pattern[str], piece: str, heads: tuple[str, ...] = HEADS) -> float:
    """How many times as long a text takes that is eight times as long; 0 where that cannot be told."""
    for head, end in product(heads, ENDS):

        def text(size: int, head: str = head, end: str = end) -> str:
            return head + piece * (size // len(piece)) + end

        # An exponential pattern does not come to the end of the short text.
        if seconds(pattern, text(TINY)) > NOTHING:
            return float("inf")
        if seconds(pattern, text(LONG)) < NOTHING:
            continue
        long, short = (min(seconds(pattern, text(size)) for _ in range(3)) for size in (LONG, SHORT))
        if long / short > MOST_GROWTH:
            return long / short
    return 0.0


def test_there_are_patterns() -> None:
    assert len(PATTERNS) > 30


@pytest.fixture(autouse=True)
def no_garbage_is_looked_for() -> Iterator[None]:
    """It would be taken for the time of a pattern."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("name", PATTERNS)
def test_a_pattern_takes_no_longer_than_its_text(name: str) -> None:
    slow = {piece: grown for piece in PIECES if (grown := growth(PATTERNS[name], piece))}

    assert not slow


@pytest.mark.parametrize(
    ("pattern", "piece"),
    [
        pytest.param(r"a*a*b", "a", id="by the square"),
        pytest.param(r"(?:a|a)*b", "a", id="by powers of two"),
        pytest.param(r"""(['"])(?:\\.|(?!\1).)*\1""", "\\\\", id="an open quote and backslashes"),
    ],
)
def test_the_test_notices_a_pattern_that_does(pattern: str, piece: str) -> None:
    assert growth(re.compile(pattern), piece)
