"""How results are shown: small tables, with the aim in the title."""

import math
from collections.abc import Iterable, Sequence
from statistics import median

from rich.console import Console
from rich.table import Table


def show(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table; the first column is text, the others are numbers."""
    table = Table()
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    # Piped into a file, a table must not be cut off where a terminal would end.
    console = Console(width=None if Console().is_terminal else 140)
    console.print(f"\n{title}", soft_wrap=True, highlight=False)
    console.print(table)


def seconds(values: Sequence[float]) -> str:
    """Show the median of some durations."""
    middle = median(values)
    return (
        f"{middle:.2f} s" if middle >= 1 else f"{1000 * middle:.0f} ms" if middle >= 0.01 else f"{1000 * middle:.1f} ms"
    )


Grown = tuple[int, Sequence[float], Sequence[float]]
"""A number of rows, and what ours and the bare statement took."""


def growth(before: Grown | None, now: Grown) -> str:
    """Show how durations grow with the number of rows, ours (and the bare one); 1 is in proportion, empty the first."""
    if before is None:
        return ""
    rows = math.log(now[0] / before[0])
    (_, ours_before, bare_before), (_, ours_now, bare_now) = before, now
    ours = math.log(median(ours_now) / median(ours_before)) / rows
    bare = math.log(median(bare_now) / median(bare_before)) / rows
    return f"{ours:.2f} ({bare:.2f})"


def ratio(values: Sequence[float], to: Sequence[float]) -> str:
    """Show the median of the rounds' ratios: what disturbs a round disturbs both of its parts."""
    return f"{median(a / b for a, b in zip(values, to, strict=True)):.2f}"
