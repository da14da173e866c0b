"""Refuse SQL that is not what its author sees: lines that a file's format joins, and invisible characters."""

import re
import unicodedata

from skene_dagster.codes import Code
from skene_dagster.text_lines import TextLines


class Refusal(Exception):
    """What is wrong with the SQL, what to do, and in which of its lines (if that is known)."""

    def __init__(self, message: str, advice: str = "", line: int | None = None, code: Code = Code.SQL) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.advice = advice
        self.line = line


# MySQL, TiDB, MariaDB, 2026-11: \n alone ends a comment; editors end a line at some of these, and hide the others.
_NO_LINE_BREAK = re.compile("[\0\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_TURNS = re.compile("[\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]")
"""What reorders the letters around it (Trojan Source)."""
_JOINS = frozenset("\u200c\u200d")
"""What Persian letters and emoji are joined with."""
_SCRIPTS = ("LATIN", "GREEK", "CYRILLIC")


def check_comment(text: str, start: int, end: int, lines: TextLines, line: int) -> None:
    """Refuse a comment that contains more than it seems to.

    Args:
        line: where the comment begins, told with the refusal.

    Raises:
        Refusal: such a comment.
    """
    comment = text[start:end].rstrip().rstrip("\0")
    if turned := _TURNS.search(comment):
        raise no_sql(turned[0], line, "a comment")
    if comment.startswith("/*"):
        return
    if comment.startswith(("#>", "#-")):
        advice = "Write JSON_EXTRACT(x, '$.a'). If you mean a comment, put a space after #."
        raise Refusal(f"{comment[:2]} is an operator in PostgreSQL; in MySQL it begins a comment.", advice, line)
    if hidden := _NO_LINE_BREAK.search(comment):
        seen, swallowed = comment[: hidden.start()].strip(), comment[hidden.end() :]
        advice = "Delete the character there, and break the line with Enter."
        name = _name(hidden[0])
        raise Refusal(
            f"The comment {_shown(seen)} does not end at the {name}, so it swallows {_shown(swallowed)}.", advice, line
        )
    if not lines.known:
        advice = f"Write it as /* … */. Or: {lines.keep[:1].lower()}{lines.keep[1:]}"
        raise Refusal(
            f"The SQL is computed, and the comment {_shown(comment)} may hold words of other lines.", advice, line
        )
    cut = lines.cut(start, start + len(comment))
    if cut is not None and (swallowed := text[cut : start + len(comment)]).strip():
        seen = text[start:cut].strip()
        advice = f"{lines.keep} Or write it as /* … */."
        raise Refusal(
            f"The lines are joined, so the comment {_shown(seen)} swallows {_shown(swallowed)}.", advice, line
        )


def check_word(text: str, start: int, end: int, lines: TextLines, line: int) -> None:
    """Refuse a word, number or string that is joined from two, or looks like another.

    Raises:
        Refusal: such a word.
    """
    word = text[start:end]
    cut = lines.cut(start, end)
    if cut is not None and text[cut - 1] != "\n" and not word.startswith("/*"):
        if word[:1] in "'\"`":
            what = f"The lines are joined, so the line break in {_shown(word)} is lost."
            raise Refusal(what, lines.keep, line)
        raise Refusal(
            f"{_shown(word)} is joined from {_shown(text[start:cut])} and {_shown(text[cut:end])}.",
            "Put a space between the two.",
            line,
        )
    if word.isascii() and word.isprintable():
        return
    quoted = word[:1] in "'\""
    for character in word:
        if _is_hidden(character) and (character not in _JOINS or not quoted):
            raise no_sql(character, line, "a string" if quoted else "a name")
    if not quoted:
        scripts = {_script(character) for character in word} & {*_SCRIPTS}
        if len(scripts) > 1:
            odd = next(c for c in word if _script(c) in scripts - {"LATIN"})
            raise Refusal(
                f"{_shown(word)} has the letter {odd!r} ({_name(odd)}) among others that look alike.",
                "Type it again by hand.",
                line,
            )


def no_sql(character: str, line: int, where: str = "") -> Refusal:
    """Refuse a character that is not SQL, or is invisible in a string, name or comment."""
    if not where:
        return Refusal(f"{character!r} ({_name(character)}) is not SQL.", "Type it again by hand.", line)
    advice = "Remove it, or type it again by hand."
    if where == "a string":
        advice += f" If it is meant: CONCAT('…', x'{character.encode().hex().upper()}', '…')."
    return Refusal(f"{character!r} ({_name(character)}) cannot be seen in {where}.", advice, line)


def _is_hidden(character: str) -> bool:
    category = unicodedata.category(character)
    # Tags (U+E0020 …) are parts of flags; the ideographic space is wide enough to be seen.
    is_tag = "\U000e0020" <= character <= "\U000e007f"
    is_blank = category == "Zs" and character not in " \u3000"
    return (category in ("Cf", "Zl", "Zp", "Cc") and character not in "\t\n\r" and not is_tag) or is_blank


def _script(character: str) -> str:
    return unicodedata.name(character, "").partition(" ")[0] if character.isalpha() else ""


def _name(character: str) -> str:
    return unicodedata.name(character, "").lower() or f"U+{ord(character):04X}"


def _shown(text: str) -> str:
    # Nothing that controls a terminal.
    text = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in " ".join(text.split()))
    return f"`{text}`" if len(text) <= 40 else f"`{text[:40]}…`"
