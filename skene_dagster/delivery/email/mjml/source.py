"""An MJML file with its Jinja taken out: the rest is read by parsers that know nothing of Jinja."""

import re
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from skene_dagster.codes import Code
from skene_dagster.delivery.email.templates.sandbox import HTML

TOKEN = re.compile(r"jinja(\d+)ajnij")


@dataclass(frozen=True)
class Fault:
    """What is wrong with a template, in which of its lines, and what to do."""

    line: int | None
    message: str
    advice: str = ""
    code: Code = Code.TEMPLATE


class Protected:
    """The source with each Jinja construct replaced by a word that means nothing to MJML."""

    def __init__(self, source: str) -> None:
        self.constructs: list[str] = []
        self.lines_of: list[int] = []
        self._lines = [1]
        parts: list[str] = []
        open_line, opened = 0, ""
        for line, kind, value in HTML.lex(source):
            if opened or kind.endswith("_begin"):
                open_line = open_line if opened else line
                opened += value
                if kind.endswith("_end"):
                    if kind != "comment_end":
                        parts.append(f"jinja{len(self.constructs)}ajnij")
                        self.constructs.append(opened)
                        self.lines_of.append(open_line)
                    opened = ""
            else:
                parts.append(value)
                self._lines.extend(range(line + 1, line + value.count("\n") + 1))
        self.text = "".join(parts)

    def author_line(self, line: int) -> int:
        """Find the author's line of a line of `text`."""
        return self._lines[min(line, len(self._lines)) - 1]

    def is_value(self, number: int) -> bool:
        return self.constructs[number].startswith("{{")

    def statements_in(self, text: str) -> list[int]:
        """List the statements of Jinja that stand in a text, in its order."""
        numbers = (int(found[1]) for found in TOKEN.finditer(text))
        return [number for number in numbers if not self.is_value(number)]

    def shown(self, number: int) -> str:
        return " ".join(self.constructs[number].split())

    def restore(self, text: str, links: AbstractSet[int] = frozenset()) -> str:
        return TOKEN.sub(lambda found: self._restored(int(found[1]), links), text)

    def _restored(self, number: int, links: AbstractSet[int]) -> str:
        construct = self.constructs[number]
        if number not in links:
            return construct
        parts = re.fullmatch(r"(\{\{[-+]?)(.*?)([-+]?\}\}\s*)", construct, re.DOTALL)
        assert parts is not None  # only `{{ … }}` is a link
        return f"{parts[1]} ({parts[2]})|url {parts[3]}"
