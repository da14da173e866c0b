"""What mrml would silently drop, repair or misread: checked on the file, and once more on mrml's output."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser

from skene_dagster.codes import Code
from skene_dagster.delivery.email.mjml.names import (
    ATTRIBUTES,
    CHILDREN,
    HTML_TAGS,
    LINK_ATTRIBUTES,
    NOT_RENDERED,
    NOT_RENDERED_ATTRIBUTES,
    TAGS,
    VALUE_ATTRIBUTES,
    VOID_TAGS,
)
from skene_dagster.delivery.email.mjml.source import TOKEN, Fault, Protected
from skene_dagster.documents import nearest, shown
from skene_dagster.settings.addresses import runs_script

# mrml 0.2, 2026-11: a file that nests some thousands of tags ends the process.
_MOST_ADVISED = 20
_MOST_IMAGES = 100
_DEEPEST = 100
_LEADS_SOMEWHERE = re.compile(r"\s*(?:https?://|mailto:|tel:|sms:|cid:|data:|#)", re.IGNORECASE)
_SAFE_START = re.compile(r"(https?://|mailto:|tel:)", re.IGNORECASE)


class TooDeep(Exception):
    """Tags are nested so deeply that nothing further is read."""

    def __init__(self, fault: Fault) -> None:
        super().__init__()
        self.fault = fault


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
        self.faults.append(Fault(self.line, message, advice, code=Code.MJML))

    def refuse(self, number: int, where: str, advice: str = "") -> None:
        self.fault(f"{self.protected.shown(number)} cannot be used {where}.", advice)

    def inside(self, text: str) -> list[int]:
        return [int(found[1]) for found in TOKEN.finditer(text)]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if TOKEN.search(tag):
            self.fault("Jinja cannot be used in the name of a tag.")
        for name, value in attrs:
            self._attribute(name, value or "")

    def handle_data(self, data: str) -> None:
        # Inside of these the parser takes everything for data; elsewhere text is where values belong.
        if self.cdata_elem in {"style", "script"}:
            for number in self.inside(data):
                self.refuse(number, f"in <{self.cdata_elem}>")

    def handle_comment(self, data: str) -> None:
        numbers = self.inside(data)
        if numbers and data.lstrip().startswith("["):
            where = "in a conditional comment, where no link can be checked"
            self.refuse(numbers[0], where, "For a button write <mj-button>, which Outlook shows, too.")
            return
        for number in numbers:
            self.refuse(number, "in an HTML comment", "Comment with {# … #} instead.")

    def _attribute(self, name: str, value: str) -> None:
        for number in self.inside(name):
            self.refuse(number, "inside a tag", "Write it inside an attribute's value.")
        if name == "href" and runs_script(value):
            self.fault(f"{shown(value)} is not a link that an email may have.", "Write an address with https://.")
            return
        numbers = self.inside(value)
        if not numbers:
            if name in LINK_ATTRIBUTES and value.strip() and not _LEADS_SOMEWHERE.match(value):
                self.fault(f"{shown(value)} leads nowhere from an email.", "Begin the address with https://.")
            return
        if name not in VALUE_ATTRIBUTES | LINK_ATTRIBUTES:
            advice = "Values are allowed in text, alt, title, href and src."
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


@dataclass(frozen=True)
class _Open:
    """A tag that is not closed yet."""

    tag: str
    line: int
    misplaced: list[Fault] = field(default_factory=list)
    """What cannot be used in it; nothing of it is said where the fault is that it was never closed."""


@dataclass(frozen=True)
class Root:
    """The tag <mjml>."""

    attributes: Mapping[str, str | None]
    line: int
    end: int
    """Where in the text its name ends."""


class Lint(Values):
    """Finds, beside that, unknown names, tags in the wrong place, and tags left open."""

    def __init__(self, protected: Protected) -> None:
        super().__init__(protected)
        self._open: list[_Open] = []
        self.root: Root | None = None
        self._images = 0

    @property
    def line(self) -> int:
        return self.protected.author_line(self.getpos()[0])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID_TAGS and not TOKEN.search(tag):
            self._open.append(_Open(tag, self.line))
            if len(self._open) > _DEEPEST:
                raise TooDeep(
                    Fault(self.line, f"<{tag}> is nested too deeply.", f"Nest at most {_DEEPEST} tags.", code=Code.MJML)
                )

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        super().handle_starttag(tag, attrs)
        if tag == "mjml" and self.root is None:
            row, column = self.getpos()
            before = sum(len(line) + 1 for line in self.protected.text.split("\n")[: row - 1])
            self.root = Root(dict(attrs), self.line, before + column + len("<mjml"))
        self._images += tag == "mj-carousel-image"
        if tag == "mj-carousel-image" and self._images == _MOST_IMAGES + 1:
            # mrml 0.2, 2026-11: writes a rule for each two of them.
            self.fault(f"There are more than {_MOST_IMAGES} images in carousels.", "Show fewer.")
        if any(one.tag in NOT_RENDERED for one in self._open):
            return
        if tag == "mj-include":
            self.fault("<mj-include> is not allowed.", "A template is one file of MJML and one of text.")
        elif tag in NOT_RENDERED:
            self.fault(f"<{tag}> is MJML, but not rendered here.", NOT_RENDERED[tag])
        elif tag.startswith("mj") and tag not in TAGS:
            self.fault(f"<{tag}> is not a tag of MJML.", self._nearest(tag, TAGS, "<{}>"))
        elif not TOKEN.search(tag):
            self._place(tag)
        if tag.startswith("mj-") and tag in TAGS:
            self._names_of_attributes(name for name, _ in attrs if not TOKEN.search(name))

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID_TAGS or TOKEN.search(tag):
            return
        if tag not in (one.tag for one in self._open):
            self.fault(f"</{tag}> closes nothing.", "Remove it.")
            return
        while (last := self._open.pop()).tag != tag:
            self._never_closed(last, f" before </{tag}> of line {self.line}")
        self.faults += last.misplaced

    def handle_data(self, data: str) -> None:
        super().handle_data(data)
        if (parent := self._inside) and parent.tag == "mj-style":
            for number in self.inside(data):
                self.refuse(number, "in <mj-style>")
        elif "<" in data and self.cdata_elem is None:
            self.fault("'<' begins no tag here.", "Write &lt; for the character.")
        elif parent and parent.tag not in HTML_TAGS:
            self._text(data, parent)

    def handle_entityref(self, name: str) -> None:
        self.handle_data(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self.handle_data(f"&#{name};")

    def finish(self) -> None:
        for one in self._open:
            self._never_closed(one)
        if self.root is None:
            self.faults.append(Fault(1, "The file has no <mjml>.", code=Code.MJML))
        self.faults.sort(key=lambda fault: fault.line or 0)

    @property
    def _inside(self) -> _Open | None:
        """The tag of MJML that stands nearest around this place, if it is one that mrml knows."""
        nearest = next((one for one in reversed(self._open) if one.tag.startswith("mj")), None)
        return nearest if nearest and nearest.tag in TAGS else None

    def _never_closed(self, one: _Open, where: str = "") -> None:
        self.faults.append(
            Fault(one.line, f"<{one.tag}> is never closed.", f"Add </{one.tag}>{where}.", code=Code.MJML)
        )

    def _place(self, tag: str) -> None:
        """Check a known tag against the tag around it."""
        parent = self._inside
        if parent is None or (parent.tag in HTML_TAGS and tag not in TAGS) or tag in CHILDREN.get(parent.tag, ()):
            return
        # The attributes of any tag may stand in the last two.
        homes = [home for home in CHILDREN if tag in CHILDREN[home]]
        homes = homes[:-2] or homes[:1]
        home = " or ".join(f"<{name}>" for name in homes[:2]) if tag in TAGS else "<mj-text> or <mj-raw>"
        message = f"<{tag}> cannot be used in <{parent.tag}>."
        parent.misplaced.append(Fault(self.line, message, f"It belongs in {home}." if home else "", code=Code.MJML))

    def _text(self, data: str, parent: _Open) -> None:
        """Check text where only tags are allowed; Jinja statements may be between tags."""
        said = TOKEN.sub(lambda found: found[0] if self.protected.is_value(int(found[1])) else "", data)
        if not said.strip():
            return
        if value := TOKEN.search(said):
            what, line = self.protected.shown(int(value[1])), self.protected.lines_of[int(value[1])]
        else:
            lines_before = data[: len(data) - len(data.lstrip())].count("\n")
            what, line = "Text", self.protected.author_line(self.getpos()[0] + lines_before)
        advice = "Text and values belong in <mj-text> or <mj-raw>."
        parent.misplaced.append(Fault(line, f"{what} cannot be used in <{parent.tag}>.", advice, code=Code.MJML))

    def _names_of_attributes(self, names: Iterable[str]) -> None:
        for name in sorted(set(names) - ATTRIBUTES):
            if name in NOT_RENDERED_ATTRIBUTES:
                self.fault(f"{name!r} is MJML, but not rendered here.", NOT_RENDERED_ATTRIBUTES[name])
            else:
                self.fault(f"{name!r} is not an attribute of MJML.", self._nearest(name, ATTRIBUTES, "{}"))

    def _nearest(self, name: str, known: Iterable[str], form: str) -> str:
        """Suggest the name that was probably meant; for the first faults only, because comparing takes long."""
        return _nearest(name, known, form) if len(self.faults) < _MOST_ADVISED else ""


def _nearest(name: str, known: Iterable[str], form: str) -> str:
    near = nearest(name, sorted(known))
    return f"Did you mean {form.format(near[0])}?" if near else ""
