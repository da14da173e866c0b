"""A CSV file, record by record, in as little memory as one takes; what cannot be read is told with its line."""

import csv
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from skene_dagster.errors import ImportRefused, Place

LONGEST = 1024 * 1024
"""Characters of a line that are read; a field may have 131,072, as Python's csv has it."""

_DELIMITERS = ",;\t|"
_SAMPLE = 64 * 1024
_OPEN = "A quotation mark is never closed, or a field has more than 131,072 characters"


@dataclass(frozen=True)
class Record:
    """A row of the file."""

    line: int
    cells: list[str]


@dataclass(frozen=True)
class Bad:
    """A row that cannot be used."""

    line: int
    why: str


def open_text(file: Path) -> TextIO:
    """Open a file as text: UTF-16 if it is marked as such, else UTF-8, of which what is none stays as surrogates.

    Raises:
        ImportRefused: it is no file, or no text.
    """
    place = Place(file.name)
    if not file.is_file():
        raise ImportRefused("This is not a file.", advice="Save what is to be imported as one.", place=place)
    try:
        with file.open("rb") as opened:
            sample = opened.read(_SAMPLE)
        if sample.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
            return file.open(encoding="utf-16", errors="replace", newline="")
        if b"\0" in sample:
            raise ImportRefused("This is no text.", advice="Export it as CSV, in UTF-8.", place=place)
        return file.open(encoding="utf-8-sig", errors="surrogateescape", newline="")
    except OSError as bad:
        raise ImportRefused(f"The file cannot be read: {bad.strerror}.", place=place) from None


def records(text: TextIO) -> Iterator[Record | Bad]:
    """Read the rows of a file from its beginning, blank ones left out.

    A row goes over several lines where a quotation mark is open. If that gives no row like the first one, the mark is
    taken to be a mistake of its line, and the next lines are read by themselves.
    """
    delimiter = _delimiter(text)
    lines = _Lines(text)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    width = 0
    while True:
        begins = lines.begin()
        wrong = ""
        cells: list[str] = []
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as bad:
            wrong = _in_words(bad)
        if width and len(cells) != width and lines.number > begins:
            wrong = wrong or _OPEN
        if wrong:
            lines.go_on_after_the_first()
            yield Bad(begins, f"{wrong}.")
        # What Excel writes for itself.
        elif any(map(str.strip, cells)) and not (begins == 1 and len(cells) <= 2 and cells[0].startswith("sep=")):
            width = width or len(cells)
            yield Record(begins, cells)


def _delimiter(text: TextIO) -> str:
    """Return what the first line is separated by."""
    first = text.readline(_SAMPLE)
    text.seek(0)
    if first.startswith("sep="):
        return first[4:5]
    counts = {delimiter: first.count(delimiter) for delimiter in _DELIMITERS}
    return max(counts, key=lambda delimiter: counts[delimiter])


class _Lines:
    """The lines of a file, for a reader that may have to go back to one."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self._again: deque[str] = deque()
        self._of_record: list[str] = []
        self.number = 0
        """Of the line that was read last."""

    def begin(self) -> int:
        """Begin a record; return the number of its first line."""
        self._of_record.clear()
        return self.number + 1

    def go_on_after_the_first(self) -> None:
        """Read the lines of this record again, but for the first."""
        again = self._of_record[1:]
        self._again.extendleft(reversed(again))
        self.number -= len(again)

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else self._text.readline(LONGEST)
        if not line:
            raise StopIteration
        self.number += 1
        self._of_record.append(line)
        if len(line) < LONGEST or line.endswith(("\n", "\r")):
            return line
        while line and not line.endswith(("\n", "\r")):
            line = self._text.readline(LONGEST)
        raise csv.Error(f"The line has more than {LONGEST:,} characters")


def _in_words(bad: csv.Error) -> str:
    words = str(bad)
    if "field limit" in words or "end of data" in words:
        return _OPEN
    return words[:1].upper() + words[1:]
