"""What people read of an HTML part, and where its links lead.

Python's own parser takes minutes for some hostile 300 KB, and raises at others (3.11, 2026-11): this one reads each
letter once. It need not know what a browser makes of mistakes: what it cannot read is not shown.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape

_NAME = re.compile(r"/?[A-Za-z][A-Za-z0-9:-]*")
_ATTRIBUTE = re.compile(r"([A-Za-z][A-Za-z0-9:-]*)\s*=\s*(\"[^\"]*\"|'[^']*'|[^\s\"'>]+)")
_ENDS = re.compile(r"[>\"']")
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)

_VOID = frozenset({"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"})
_UNSEEN = frozenset({"script", "style", "template", "title"})
_WITHIN_WORDS = frozenset({"a", "abbr", "b", "em", "font", "i", "small", "span", "strong", "u"})


@dataclass(frozen=True)
class Link:
    """A link in a body, and the words that lead to it."""

    url: str
    words: str


@dataclass
class Shown:
    """What an HTML part shows; what its own style hides is left out."""

    said: list[str] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    _url: str | None = None
    _words: list[str] = field(default_factory=list)
    _hidden_in: str = ""
    """The tag of what is hidden, and how many of its name are open in it."""
    _depth: int = 0

    @property
    def text(self) -> str:
        """What it says, with single spaces."""
        return _plain(self.said)

    def words(self, text: str) -> None:
        """Read what stands between two tags."""
        if not self._hidden_in:
            self.said.append(text)
            self._words.append(text)

    def begin(self, tag: str, attributes: str) -> None:
        """Read the beginning of an element."""
        if self._hidden_in:
            self._depth += tag == self._hidden_in
            return
        given = {name.lower(): unescape(value.strip("\"'")) for name, value in _ATTRIBUTE.findall(attributes)}
        if tag not in _VOID and (tag in _UNSEEN or _HIDDEN.search(given.get("style", ""))):
            self._hidden_in, self._depth = tag, 1
            return
        if tag == "a":
            self._url, self._words = given.get("href"), []
        self._part(tag)

    def end(self, tag: str) -> None:
        """Read the end of one."""
        if self._hidden_in:
            self._depth -= tag == self._hidden_in
            self._hidden_in = self._hidden_in if self._depth else ""
            return
        if tag == "a" and self._url is not None:
            self.links.append(Link(self._url.strip(), _plain(self._words)))
            self._url = None
        self._part(tag)

    def _part(self, tag: str) -> None:
        # What stands in two cells or lines is two words.
        if tag not in _WITHIN_WORDS:
            self.said.append(" ")


def shown(html: str) -> Shown:
    """Read an HTML part."""
    found = Shown()
    for markup, text in _pieces(html):
        name = _NAME.match(markup)
        if name is not None and name[0].startswith("/"):
            found.end(name[0][1:].lower())
        elif name is not None:
            found.begin(name[0].lower(), markup[name.end() :])
        found.words(unescape(text))
    return found


def _pieces(html: str) -> Iterator[tuple[str, str]]:
    """Cut HTML into what stands within each pair of angle brackets, and the text behind it."""
    start = html.find("<")
    yield "", html if start < 0 else html[:start]
    while start >= 0:
        end = _end(html, start)
        if end < 0:
            return
        following = html.find("<", max(end, start + 1))
        yield html[start + 1 : end - 1], html[end:following] if following >= 0 else html[end:]
        start = following


def _end(html: str, start: int) -> int:
    """Find the place behind a tag or a comment; -1 if it does not end, and so nothing comes after it."""
    if html.startswith("<!--", start):
        end = html.find("-->", start + 4)
        return end if end < 0 else end + 3
    if not _NAME.match(html, start + 1) and not html.startswith(("<!", "<?"), start):
        # `a < b` is a text.
        return start
    place = start + 1
    while (found := _ENDS.search(html, place)) is not None:
        if found[0] == ">":
            return found.end()
        # A > within quotation marks ends nothing.
        place = html.find(found[0], found.end()) + 1
        if not place:
            return -1
    return -1


def _plain(said: list[str]) -> str:
    return " ".join("".join(said).split())
