"""What mrml would drop, mend or misread without a word: judged on the file, and once more on what mrml made of it."""

import difflib
import re
from collections.abc import Iterable
from html.parser import HTMLParser

from skene_dagster.delivery.templates.mjml_names import (
    ATTRIBUTES,
    LINK_ATTRIBUTES,
    TAGS,
    VALUE_ATTRIBUTES,
    VOID_TAGS,
)
from skene_dagster.delivery.templates.mjml_source import TOKEN, Fault, Protected

_SAFE_START = re.compile(r"(https?://|mailto:|tel:)", re.IGNORECASE)


class Values(HTMLParser):
    """Finds values in places where they could do more than be read."""

    def __init__(self, protected: Protected) -> None:
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
        return [int(found[1]) for found in TOKEN.finditer(text)]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if TOKEN.search(tag):
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
        if TOKEN.match(value):
            self.links.add(numbers[0])
        elif not _SAFE_START.match(value):
            advice = "Begin the address with https://, mailto: or with a value."
            self.refuse(numbers[0], f"here in {name!r}", advice)


class Lint(Values):
    """Finds, beside that, what mrml would drop or mend without a word: unknown names, tags left open."""

    def __init__(self, protected: Protected) -> None:
        super().__init__(protected)
        self._open: list[tuple[str, int | None]] = []
        self._has_root = False

    @property
    def line(self) -> int:
        return self.protected.author_line(self.getpos()[0])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID_TAGS and not TOKEN.search(tag):
            self._open.append((tag, self.line))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        super().handle_starttag(tag, attrs)
        self._has_root = self._has_root or tag == "mjml"
        if tag == "mj-include":
            self.fault("<mj-include> is not allowed.", "A template is one file of MJML and one of text.")
        elif tag.startswith("mj") and tag not in TAGS:
            self.fault(f"<{tag}> is not a tag of MJML.", _nearest(tag, TAGS, "<{}>"))
        elif tag.startswith("mj-"):
            for name in {name for name, _ in attrs if not TOKEN.search(name)} - ATTRIBUTES:
                self.fault(f"{name!r} is not an attribute of MJML.", _nearest(name, ATTRIBUTES, "{}"))

    def handle_endtag(self, tag: str) -> None:
        if self._open and self._open[-1][0] == tag:
            self._open.pop()
        elif tag not in VOID_TAGS and not TOKEN.search(tag):
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
