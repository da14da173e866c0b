"""No regular expression of the package takes much longer than its text is long, on texts that are made to hurt."""

import gc
import importlib
import pkgutil
import re
import time
from collections.abc import Iterator

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


def growth(pattern: re.Pattern[str], piece: str) -> float:
    """How many times as long a text takes that is eight times as long; 0 where that cannot be told."""
    for end in ("", "\0"):
        # An exponential pattern does not come to the end of the short text.
        if seconds(pattern, piece * (TINY // len(piece)) + end) > NOTHING:
            return float("inf")
        long = piece * (LONG // len(piece)) + end
        if seconds(pattern, long) < NOTHING:
            continue
        short = piece * (SHORT // len(piece)) + end
        grown = min(seconds(pattern, long) for _ in range(3)) / min(seconds(pattern, short) for _ in range(3))
        if grown > MOST_GROWTH:
            return grown
    return 0.0


def test_there_are_patterns() -> None:
    assert len(PATTERNS) > 30


@pytest.mark.parametrize("name", PATTERNS)
def test_a_pattern_takes_no_longer_than_its_text(name: str) -> None:
    gc.collect()

    slow = {piece: grown for piece in PIECES if (grown := growth(PATTERNS[name], piece))}

    assert not slow


def test_the_test_notices_a_pattern_that_does() -> None:
    assert growth(re.compile(r"a*a*b"), "a") > MOST_GROWTH
    assert growth(re.compile(r"(?:a|a)*b"), "a") == float("inf")
