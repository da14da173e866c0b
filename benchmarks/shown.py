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


def growth(before: tuple[int, Sequence[float]] | None, now: tuple[int, Sequence[float]]) -> str:
    """Show how a duration grows with the number of rows: 1 is in proportion; empty for the first."""
    if before is None:
        return ""
    return f"{math.log(median(now[1]) / median(before[1])) / math.log(now[0] / before[0]):.2f}"


def ratio(values: Sequence[float], to: Sequence[float]) -> str:
    """Show the median of the rounds' ratios: what disturbs a round disturbs both of its parts."""
    return f"{median(a / b for a, b in zip(values, to, strict=True)):.2f}"
