"""Cut the author's SQL into words by MySQL's lexical rules.

The words are what a server will be given; sqlglot only judges them. So their boundaries are found here, by the
rules of the server and not by those of a tolerant parser: what is a comment, where a string ends, what runs.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

Kind = Literal["word", "quoted", "string", "hex", "number", "operator"]


class Refusal(Exception):
    """What is wrong with the SQL, what to do, and in which of its lines (if that is known)."""

    def __init__(self, message: str, advice: str = "", line: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice
        self.line = line


@dataclass(frozen=True)
class Word:
    """One lexical unit: as it was written, what stood before it (blanks only), and its line, from one."""

    kind: Kind
    text: str
    line: int
    before: str = ""

    @property
    def upper(self) -> str:
        """The unquoted word or operator, for comparing; empty for everything else."""
        return self.text.upper() if self.kind in ("word", "operator") else ""

    @property
    def value(self) -> str:
        """What a string or a quoted name means."""
        inner = self.text[1:-1]
        if self.kind == "quoted":
            return inner.replace("``", "`")
        if self.kind == "string":
            quote = self.text[0]
            return re.sub(rf"\\(.)|{quote}{quote}", _unescaped, inner, flags=re.DOTALL)
        return self.text


_SPACE = r"[ \t\n\r\f\v]"
_WORD = re.compile(
    rf"""
    (?P<space>{_SPACE}+)
    |(?P<runs>/\*(?:[!+]|[A-Z]!))
    |(?P<comment>/\*(?:(?!\*/).)*\*/|\#[^\n]*|--(?={_SPACE}|\Z)[^\n]*)
    |(?P<hex>0[xX][0-9a-fA-F]+(?![\w$])|0[bB][01]+(?![\w$])|[xX]'[0-9a-fA-F]*'|[bB]'[01]*')
    |(?P<string>'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*")
    |(?P<quoted>`(?:[^`]|``)+`)
    |(?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![\w$]))
    |(?P<word>[\w$]+)
    |(?P<unclosed>/\*|['"`])
    |(?P<operator><=>|->>|->|<=|>=|<>|!=|:=|&&|\|\||<<|>>|::|--|@@|==|[-+*/%=<>!&|^~(),.;@:?{{}}\[\]])
    """,
    re.VERBOSE | re.DOTALL,
)

# MySQL: \% and \_ stay as they are, so that LIKE can tell them from its wildcards.
_ESCAPES = {"0": "\0", "b": "\b", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a", "%": r"\%", "_": r"\_"}


def scan(text: str) -> list[Word]:
    """Return the words of the text, without comments and without the semicolons at its end.

    Raises:
        Refusal: a string or comment without end, a comment that runs, a character that is no SQL.
    """
    words: list[Word] = []
    position, line, before = 0, 1, ""
    while position < len(text):
        match = _WORD.match(text, position)
        if match is None:
            raise _no_sql(text[position], line)
        kind, written = match.lastgroup, match.group()
        if kind == "runs":
            raise _runs(written, line)
        if kind == "unclosed":
            what = "comment" if written == "/*" else "name" if written == "`" else "string"
            raise Refusal(f"A {what} begins with {written} and does not end.", f"Close the {what}.", line)
        if kind == "space":
            before += written
        elif kind == "comment":
            before += "\n" * written.count("\n") or " "
        else:
            # `kind` is one of Kind: the other groups are dealt with above.
            words.append(Word(kind, written, line, before))  # type: ignore[arg-type]
            before = ""
        line += written.count("\n")
        position = match.end()
    while words and words[-1].upper == ";":
        words.pop()
    return words


def _unescaped(match: re.Match[str]) -> str:
    character = match[1]
    return match[0][0] if character is None else _ESCAPES.get(character, character)


def _runs(written: str, line: int) -> Refusal:
    if written.endswith("+"):
        return Refusal(
            "Optimizer hints (/*+ … */) are not passed on.",
            "Bind the plan in the database, or take the hint out.",
            line,
        )
    return Refusal(
        f"{written} … */ looks like a comment, but a server runs it.",
        "Write what it says without it, or take it out.",
        line,
    )


def _no_sql(character: str, line: int) -> Refusal:
    name = unicodedata.name(character, f"U+{ord(character):04X}").lower()
    return Refusal(f"{character!r} ({name}) is not SQL.", "Type it again by hand.", line)
