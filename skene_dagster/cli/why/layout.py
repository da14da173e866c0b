"""Columns for a terminal: texts are cut and wrapped by the cells that they take, and nothing in them steers it."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from rich.cells import cell_len, chop_cells

from skene_dagster.cli.screen import printable

SEPARATOR = " · "
_THIS_YEAR = timedelta(days=300)
"""How far away a moment may be for its year to go without saying."""


def clean(text: str) -> str:
    """Return a text on one line, without what controls a terminal."""
    return " ".join(printable(text).split())


def short(text: str, width: int) -> str:
    """Return a text on one line, cut to so many cells."""
    text = clean(text)
    if cell_len(text) <= width:
        return text
    return chop_cells(text, width - 1)[0].rstrip() + "…"


def wrapped(text: str, width: int) -> list[str]:
    """Break a text into lines of so many cells; a word that is longer is broken, too."""
    lines = [""]
    for word in clean(text).split(" "):
        for n, piece in enumerate(chop_cells(word, width) or [""]):
            joined = f"{lines[-1]} {piece}" if lines[-1] else piece
            if n or cell_len(joined) > width:
                lines.append(piece)
            else:
                lines[-1] = joined
    return lines if lines[0] or len(lines) == 1 else lines[1:]


def padded(text: str, width: int) -> str:
    """Fill a text up with spaces to so many cells."""
    return text + " " * max(width - cell_len(text), 0)


def columns(cells: Sequence[tuple[str, int]], width: int, indent: int = 2) -> Iterator[str]:
    """Write texts side by side, each wrapped within its column; the last one has what is left of the width.

    A text with a word that is longer than its column, such as a name, has its lines for itself: what is right of it
    begins below.

    Args:
        cells: texts, each with the width of its column; paragraphs of a text are separated by newlines.
    """
    for n, (text, size) in enumerate(cells[:-1]):
        if max(map(cell_len, clean(text).split(" "))) > size:
            yield from columns([*cells[:n], (text, 0)], width, indent)
            yield from columns([*(("", one) for _, one in cells[: n + 1]), *cells[n + 1 :]], width, indent)
            return
    taken = indent + sum(size + 2 for _, size in cells[:-1])
    sizes = [size for _, size in cells[:-1]] + [max(width - taken, 16)]
    lines = [
        [line for paragraph in text.split("\n") for line in wrapped(paragraph, size)]
        for (text, _), size in zip(cells, sizes, strict=True)
    ]
    for n in range(max(map(len, lines))):
        row = [padded(line[n] if n < len(line) else "", size) for line, size in zip(lines, sizes, strict=True)]
        yield (" " * indent + "  ".join(row)).rstrip()


def moment(at: datetime, now: datetime) -> str:
    """Write a moment in at most twelve characters; the time of day is left out where the year has to be named."""
    return f"{at.day} {at:%b %H:%M}" if abs(at - now) < _THIS_YEAR else f"{at.day} {at:%b %Y}"


def day(at: datetime, now: datetime) -> str:
    """Write the day of a moment."""
    return f"{at.day} {at:%b}" if abs(at - now) < _THIS_YEAR else f"{at.day} {at:%b %Y}"
