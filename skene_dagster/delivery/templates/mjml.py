"""MJML to HTML, once: Jinja is taken out, mrml compiles what is left, Jinja is put back.

So an expression may contain `<`, `&` and quotes, and no value of a user's ever meets an XML parser.
"""

import difflib
import html
import re
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import lru_cache
from html.parser import HTMLParser

import mrml

from skene_dagster.delivery.templates.mjml_names import (
    ATTRIBUTES,
    LINK_ATTRIBUTES,
    TAGS,
    VALUE_ATTRIBUTES,
    VOID_TAGS,
)
from skene_dagster.delivery.templates.sandbox import HTML

_TOKEN = re.compile(r"jinja(\d+)ajnij")
# mrml 0.2, 2026-11: a file that nests some thousands of tags ends the process.
_DEEPEST = 100
_SAFE_START = re.compile(r"(https?://|mailto:|tel:)", re.IGNORECASE)


@dataclass(frozen=True)
class Fault:
    """What is wrong with a template, in which of its lines, and what to do."""

    line: int | None
    message: str
    advice: str = ""


@dataclass(frozen=True)
class Compiled:
    """Jinja sources of one email."""

    html: str
    subject: str


class Faulty(Exception):
    """The file cannot be compiled; `faults` says why."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        super().__init__()
        self.faults = tuple(faults)


@lru_cache(maxsize=128)
def compile_mjml(source: str) -> Compiled:
    """Compile an MJML file with Jinja in it; a value in `href` or `src` is checked to be an address when it is printed.

    Raises:
        Faulty: with every fault that was found. Jinja's own syntax is taken as correct.
    """
    if word := _TOKEN.search(source):
        line = source[: word.start()].count("\n") + 1
        raise Faulty([Fault(line, f"The word {word[0]} cannot be used.", "Write it otherwise.")])
    protected = _Protected(source)
    lint = _Lint(protected)
    lint.feed(protected.text)
    lint.close()
    lint.finish()
    if lint.faults:
        raise Faulty(lint.faults)
    try:
        output = mrml.to_html(protected.text)
    except OSError as bad:
        raise Faulty([_refused_by_mrml(str(bad), protected)]) from None
    subject = " ".join(html.unescape(output.title or "").split())
    # Once more, on what mrml made of it: two parsers need not agree on where a tag ends.
    made = _Values(protected)
    made.feed(output.content)
    made.close()
    if made.faults:
        raise Faulty(made.faults)
    lost = [n for n in range(len(protected.constructs)) if f"jinja{n}ajnij" not in output.content]
    if lost:
        raise Faulty(
            Fault(protected.lines_of[n], f"{protected.shown(n)} stands where MJML prints nothing.") for n in lost
        )
    return Compiled(html=protected.restore(output.content, made.links), subject=protected.restore(subject))


def _refused_by_mrml(text: str, protected: "_Protected") -> Fault:
    found = re.search(r"position (\d+):(\d+)", text)
    if found is None:
        return Fault(None, f"This is no MJML: {text.replace(' in root template', '')}.")
    before, here = (protected.text.encode()[: int(end)].decode(errors="ignore") for end in found.groups())
    line = protected.author_line(before.count("\n") + 1)
    here = here[len(before) :].strip()
    shown = _TOKEN.sub(lambda token: protected.shown(int(token[1])), here)
    return Fault(line, f"{shown} cannot stand here.", "Text and values belong into <mj-text> or <mj-raw>.")


class _Protected:
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

    def shown(self, number: int) -> str:
        return " ".join(self.constructs[number].split())

    def restore(self, text: str, links: AbstractSet[int] = frozenset()) -> str:
        return _TOKEN.sub(lambda found: self._restored(int(found[1]), links), text)

    def _restored(self, number: int, links: AbstractSet[int]) -> str:
        construct = self.constructs[number]
        if number not in links:
            return construct
        parts = re.fullmatch(r"(\{\{[-+]?)(.*?)([-+]?\}\}\s*)", construct, re.DOTALL)
        assert parts is not None  # only `{{ … }}` is a link
        return f"{parts[1]} ({parts[2]})|url {parts[3]}"


class _Values(HTMLParser):
    """Finds values in places where they could do more than be read."""

    def __init__(self, protected: _Protected) -> None:
        super().__init__(convert_charrefs=False)
        self.protected = protected
        self.faults: list[Fault] = []
        self.links: set[int] = set()

    @property
    def line(self) -> int | None:
        return None

    def fault(self, message: str, advice: str = "") -> None:
        self.faults.append(Fault(self.line, message, advice))

    def refuse(self, number: int, where: str, advice: str = "") -> None:
        self.fault(f"{self.protected.shown(number)} cannot stand {where}.", advice)

    def inside(self, text: str) -> list[int]:
        return [int(found[1]) for found in _TOKEN.finditer(text)]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if _TOKEN.search(tag):
            self.fault("Jinja cannot stand in the name of a tag.")
        for name, value in attrs:
            self._attribute(name, value or "")

    def handle_data(self, data: str) -> None:
        # Inside of these the parser takes everything for data; elsewhere text is where values belong.
        if self.cdata_elem in {"style", "script"}:
            for number in self.inside(data):
                self.refuse(number, f"in <{self.cdata_elem}>")

    def handle_comment(self, data: str) -> None:
        for number in self.inside(data):
            self.refuse(number, "in an HTML comment", "Comment with {# … #} instead.")

    def _attribute(self, name: str, value: str) -> None:
        for number in self.inside(name):
            self.refuse(number, "inside a tag", "Write it inside an attribute's value.")
        numbers = self.inside(value)
        if not numbers:
            return
        if name not in VALUE_ATTRIBUTES | LINK_ATTRIBUTES:
            advice = "Values may stand in text, alt, title, href and src."
            self.refuse(numbers[0], f"in the attribute {name!r}", advice)
        elif '"' in value:
            # mrml 0.2, 2026-11: writes the quote as \", which ends the attribute.
            self.refuse(numbers[0], f"beside a quote in {name!r}", "Leave the quote out.")
        elif name in LINK_ATTRIBUTES:
            self._link(name, value, numbers)

    def _link(self, name: str, value: str, numbers: list[int]) -> None:
        for number in numbers:
            if not self.protected.is_value(number):
                self.refuse(number, f"in {name!r}", "Decide outside of the tag.")
        if _TOKEN.match(value):
            self.links.add(numbers[0])
        elif not _SAFE_START.match(value):
            advice = "Begin the address with https://, mailto: or with a value."
            self.refuse(numbers[0], f"here in {name!r}", advice)


class _Lint(_Values):
    """Finds, beside that, what mrml would drop or mend without a word: unknown names, tags left open."""

    def __init__(self, protected: _Protected) -> None:
        super().__init__(protected)
        self._open: list[tuple[str, int | None]] = []
        self._has_root = False

    @property
    def line(self) -> int:
        return self.protected.author_line(self.getpos()[0])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID_TAGS and not _TOKEN.search(tag):
            self._open.append((tag, self.line))
            if len(self._open) == _DEEPEST:
                self.fault(f"<{tag}> is nested too deeply.", f"Nest at most {_DEEPEST} tags.")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        super().handle_starttag(tag, attrs)
        self._has_root = self._has_root or tag == "mjml"
        if tag == "mj-include":
            self.fault("<mj-include> is not allowed.", "A template is one file of MJML and one of text.")
        elif tag.startswith("mj") and tag not in TAGS:
            self.fault(f"<{tag}> is not a tag of MJML.", _nearest(tag, TAGS, "<{}>"))
        elif tag.startswith("mj-"):
            for name in {name for name, _ in attrs if not _TOKEN.search(name)} - ATTRIBUTES:
                self.fault(f"{name!r} is not an attribute of MJML.", _nearest(name, ATTRIBUTES, "{}"))

    def handle_endtag(self, tag: str) -> None:
        if self._open and self._open[-1][0] == tag:
            self._open.pop()
        elif tag not in VOID_TAGS and not _TOKEN.search(tag):
            where = f" <{self._open[-1][0]}> of line {self._open[-1][1]} is open." if self._open else ""
            self.fault(f"</{tag}> closes nothing.{where}")

    def handle_data(self, data: str) -> None:
        super().handle_data(data)
        if self._open and self._open[-1][0] == "mj-style":
            for number in self.inside(data):
                self.refuse(number, "in <mj-style>")
        elif "<" in data and self.cdata_elem is None:
            self.fault("'<' begins no tag here.", "Write &lt; for the character.")

    def finish(self) -> None:
        for tag, line in self._open:
            self.faults.append(Fault(line, f"<{tag}> is never closed.", f"Add </{tag}>."))
        if not self._has_root:
            self.faults.append(Fault(1, "The file has no <mjml>."))


def _nearest(name: str, known: Iterable[str], form: str) -> str:
    near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.6)
    return f"Did you mean {form.format(near[0])}?" if near else ""
