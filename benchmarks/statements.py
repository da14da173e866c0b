"""How long each statement takes that an engine executes."""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event

from benchmarks.shown import seconds, show

LETTERS = 60
"""Of a statement, so many tell it apart from others."""


@contextmanager
def timed(engine: Engine) -> Iterator[Mapping[str, list[float]]]:
    """Yield the seconds of each execution by the statement's beginning; it grows while statements are executed."""
    spent: dict[str, list[float]] = {}

    def begin(*arguments: Any) -> None:
        arguments[4].started = time.perf_counter()

    def end(*arguments: Any) -> None:
        # A staging table has another name each time.
        words = re.sub(r"_[0-9a-f]{12}_\d+", "", " ".join(arguments[2].split()))
        spent.setdefault(words[:LETTERS], []).append(time.perf_counter() - arguments[4].started)

    event.listen(engine, "before_cursor_execute", begin)
    event.listen(engine, "after_cursor_execute", end)
    try:
        yield spent
    finally:
        event.remove(engine, "before_cursor_execute", begin)
        event.remove(engine, "after_cursor_execute", end)


def longest(spent: Mapping[str, list[float]], most: int) -> list[tuple[str, int, float]]:
    """List the statements that took longest together: beginning, times, seconds."""
    found = sorted(((words, len(each), sum(each)) for words, each in spent.items()), key=lambda item: -item[2])
    return found[:most]


def show_longest(engine: Engine, title: str, work: Callable[[], float]) -> None:
    """Show how long each statement takes of some work, which returns its seconds; the longest first."""
    with timed(engine) as spent:
        total = work()
    show(
        f"{title}: {total:.2f} s, in statements {sum(map(sum, spent.values())):.2f} s",
        ["statement", "times", "together"],
        [[sql, str(times), seconds([together])] for sql, times, together in longest(spent, 10)],
    )
