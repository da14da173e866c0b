"""A CSV file, record by record, in as little memory as one takes; what cannot be read is told with its line."""

import csv
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from skene_dagster.errors import ImportRefused, Place

LONGEST = 1024 * 1024
"""Characters of a line that are read; a field may have 131,072, as Python's csv has it."""

_DELIMITERS = ",;\t|"
_SAMPLE = 64 * 1024


@dataclass(frozen=True)
class Record:
    """A row of the file."""

    line: int
    cells: list[str]
    is_long: bool = False
    """Whether it goes over several lines."""


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
    """Read the rows of a file from its beginning, blank ones left out."""
    delimiter = _delimiter(text)
    lines = _Lines(text)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        begins = lines.number + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as bad:
            yield Bad(begins, f"{_in_words(bad)}.")
            continue
        # What Excel writes for itself.
        if any(map(str.strip, cells)) and not (begins == 1 and len(cells) <= 2 and cells[0].startswith("sep=")):
            yield Record(begins, cells, is_long=lines.number > begins)


def _delimiter(text: TextIO) -> str:
    """Return what the first line is separated by."""
    first = text.readline(_SAMPLE)
    text.seek(0)
    if first.startswith("sep="):
        return first[4:5]
    counts = {delimiter: first.count(delimiter) for delimiter in _DELIMITERS}
    return max(counts, key=lambda delimiter: counts[delimiter])


class _Lines:
    """The lines of a file; the reader goes on after one that is too long."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self.number = 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._text.readline(LONGEST)
        if not line:
            raise StopIteration
        self.number += 1
        if len(line) < LONGEST or line.endswith(("\n", "\r")):
            return line
        while line and not line.endswith(("\n", "\r")):
            line = self._text.readline(LONGEST)
        raise csv.Error(f"The line has more than {LONGEST:,} characters")


def _in_words(bad: csv.Error) -> str:
    words = str(bad)
    if "field limit" in words or "end of data" in words:
        return "A quotation mark is never closed"
    return words[:1].upper() + words[1:]
