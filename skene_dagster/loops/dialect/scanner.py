"""Cut the author's SQL into words by MySQL's lexical rules.

The words are what a server will be given; sqlglot only checks them. So their boundaries are found here, by the
rules of the server and not by those of a tolerant parser: what is a comment, where a string ends, what runs.
"""

import re
from dataclasses import dataclass
from typing import Literal

from skene_dagster.loops.dialect.appearance import Refusal, check_comment, check_word, no_sql
from skene_dagster.text_lines import TextLines

__all__ = ["Refusal", "Word", "scan"]

Kind = Literal["word", "quoted", "string", "hex", "number", "operator", "hint"]


@dataclass(frozen=True)
class Word:
    """One lexical unit: as it was written, what stood before it (blanks only), and its line in the file.

    The line of the text's first character is one.
    """

    kind: Kind
    text: str
    line: int
    before: str = ""

    @property
    def upper(self) -> str:
        """The word or operator, for comparing; what stands in quotes keeps them, and is like no word."""
        # Python makes SELECT of a word with a long s (U+017F), which is a name on a server.
        return self.text.upper() if self.text.isascii() else self.text

    @property
    def value(self) -> str:
        """What a string or a quoted name means."""
        inner = self.text[1:-1]
        if self.kind == "quoted":
            return inner.replace("``", "`")
        if self.kind == "string":
            quote = self.text[:1]
            return re.sub(rf"\\(.)|{quote}{quote}", _unescaped, inner, flags=re.DOTALL)
        return self.text


_SPACE = r"[ \t\n\r\f\v]"
_WORD = re.compile(
    rf"""
    (?P<space>{_SPACE}+)
    |(?P<runs>/\*(?:!|[A-Z]!))
    |(?P<hint>/\*\+(?:(?!\*/).)*\*/)
    |(?P<comment>/\*(?:(?!\*/).)*\*/|\#[^\n]*|--(?={_SPACE}|\Z)[^\n]*)
    |(?P<hex>0[xX][0-9a-fA-F]+(?![\w$])|0[bB][01]+(?![\w$])|[xX]'[0-9a-fA-F]*'|[bB]'[01]*')
    |(?P<string>'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*")
    |(?P<quoted>`(?:[^`]|``)+`)
    |(?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?![\w$]))
    |(?P<word>[\w$]+)
    |(?P<unclosed>/\*|['"`])
    |(?P<operator><=>|->>|->|<=|>=|<>|!=|:=|&&|\|\||<<|>>|::|--|@@|==|[-+*/%=<>!&|^~(),.;@:?{{}}\[\]])
    """,
    re.VERBOSE | re.DOTALL,
)

# MySQL: \% and \_ stay as they are, so that LIKE can tell them from its wildcards.
_ESCAPES = {"0": "\0", "b": "\b", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a", "%": r"\%", "_": r"\_"}


def scan(text: str, lines: TextLines | None = None) -> list[Word]:
    """Return the words of the text, without comments and without the semicolons at its end.

    Args:
        lines: where the text's lines are in its author's file; those of the text itself where they are not given.

    Raises:
        Refusal: a string or comment without end, a comment that runs, a character that is no SQL, or a word or comment
            that is not what its author sees.
    """
    lines = lines or TextLines.as_written(text, 1)
    first = lines.at(0)
    words: list[Word] = []
    position, before = 0, ""
    while position < len(text):
        line = lines.at(position) - first + 1
        match = _WORD.match(text, position)
        if match is None:
            raise no_sql(text[position], line)
        kind, written = match.lastgroup, match.group()
        if kind == "runs":
            raise _runs(written, line)
        if kind == "unclosed":
            what = "comment" if written == "/*" else "name" if written == "`" else "string"
            raise Refusal(f"A {what} begins with {written} and does not end.", f"Close the {what}.", line)
        if kind == "space":
            before += written
        elif kind == "comment":
            check_comment(text, match.start(), match.end(), lines, line)
            before += "\n" * written.count("\n") or " "
        else:
            check_word(text, match.start(), match.end(), lines, line)
            # `kind` is one of Kind: the other groups are dealt with above.
            words.append(Word(kind, written, line, before))  # type: ignore[arg-type]
            before = ""
        position = match.end()
    while words and words[-1].upper == ";":
        words.pop()
    return words


def _unescaped(match: re.Match[str]) -> str:
    character = match[1]
    return match[0][0] if character is None else _ESCAPES.get(character, character)


def _runs(written: str, line: int) -> Refusal:
    return Refusal(
        f"{written} … */ looks like a comment, but a server runs it.",
        "Write what it says without it, or take it out.",
        line,
    )
