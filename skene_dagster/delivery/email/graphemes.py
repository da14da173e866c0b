"""Texts cut between letters as people see them: never inside an emoji, nor between a letter and its accents."""

import regex

_GRAPHEME = regex.compile(r"\X")


def cut(text: str, most: int) -> str:
    """Return the beginning of a text: at most so many code points, and only whole graphemes.

    A first grapheme that is longer itself (a letter under hundreds of accents) is cut as any text: else nothing of it
    would be shown.
    """
    if len(text) <= most:
        return text
    end = 0
    for found in _GRAPHEME.finditer(text):
        if found.end() > most:
            break
        end = found.end()
    return text[: end or most]
