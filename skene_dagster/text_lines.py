"""Which line of its file each part of a text stands on: its format may join, fold or trim what was written."""

import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from operator import itemgetter


@dataclass(frozen=True)
class TextLines:
    """Where in a text the lines of its file begin."""

    starts: tuple[tuple[int, int], ...]
    """An offset in the text, and the line of the file that begins there; ascending, the first offset is 0."""
    keep: str = ""
    """What its author can do to have the lines kept."""
    known: bool = True
    """False for a text that the file computes: its lines are unknown."""

    @staticmethod
    def as_written(text: str, line: int) -> "TextLines":
        """Each line of the text is a line of the file."""
        return TextLines.of((line + number, part) for number, part in enumerate(re.split(r"(?<=\n)", text)))

    @staticmethod
    def computed(line: int, keep: str) -> "TextLines":
        """The lines are unknown; the text belongs to this one."""
        return TextLines(((0, line),), keep, known=False)

    @staticmethod
    def of(pieces: Iterable[tuple[int, str]], keep: str = "") -> "TextLines":
        """Join pieces, each of which is on one line."""
        starts: list[tuple[int, int]] = []
        offset = 0
        for line, piece in pieces:
            if piece or not starts:
                starts.append((offset, line))
            offset += len(piece)
        return TextLines(tuple(starts), keep)

    @staticmethod
    def between_blanks(text: str, parts: Iterable[tuple[int, str]], keep: str = "") -> "TextLines | None":
        """Find the parts of a text, each of which is on one line; None unless they cover everything but white space."""
        starts: list[tuple[int, int]] = []
        end = 0
        for line, part in ((line, part.strip()) for line, part in parts):
            found = text.find(part, end)
            if found < 0 or text[end:found].strip():
                return None
            if part:
                starts.append((found if starts else 0, line))
                end = found + len(part)
        return TextLines(tuple(starts), keep) if starts and not text[end:].strip() else None

    def at(self, offset: int) -> int:
        """Say on which line the character at an offset stands."""
        return self.starts[bisect_right(self.starts, offset, key=_OFFSET) - 1][1]

    def cut(self, start: int, end: int) -> int | None:
        """Find the first place between two offsets where another line begins."""
        after = bisect_right(self.starts, start, key=_OFFSET)
        return self.starts[after][0] if after < len(self.starts) and self.starts[after][0] < end else None


_OFFSET = itemgetter(0)
