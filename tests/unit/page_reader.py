"""Reads a page as a browser's accessibility tree would: what it lacks for people who cannot see it, or use a mouse."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import pairwise

VOID = {"input", "meta", "br", "link", "img", "hr"}
NAMES = ("aria-describedby", "aria-labelledby")
HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")


@dataclass
class Element:
    tag: str
    attributes: dict[str, str]
    parent: "Element | None" = None
    children: list["Element"] = field(default_factory=list)
    words: str = ""
    """Of a text, which is an element without a tag."""

    def every(self) -> Iterator["Element"]:
        yield self
        for child in self.children:
            yield from child.every()

    @property
    def text(self) -> str:
        return " ".join("".join(one.words for one in self.every()).split())


class Reader(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.root = Element("", {})
        self._at = self.root
        self.feed(html)
        self.close()
        assert self._at is self.root, f"<{self._at.tag}> is not closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"<{tag}> has an attribute twice"
        one = Element(tag, {name: value or "" for name, value in attrs}, self._at)
        self._at.children.append(one)
        if tag not in VOID:
            self._at = one

    def handle_endtag(self, tag: str) -> None:
        assert self._at.tag == tag, f"</{tag}> closes <{self._at.tag}>"
        assert self._at.parent is not None
        self._at = self._at.parent

    def handle_data(self, data: str) -> None:
        self._at.children.append(Element("", {}, self._at, words=data))

    def all(self, *tags: str) -> list[Element]:
        return [one for one in self.root.every() if one.tag in tags]


def lacks(html: str) -> list[str]:
    """List what is wrong with a page, in the words of axe-core's rules."""
    page = Reader(html)
    return [name for name, rule in RULES.items() if rule(page)]


def _headings_skip(page: Reader) -> bool:
    return any(after > before + 1 for before, after in pairwise(_levels(page)))


def _levels(page: Reader) -> list[int]:
    return [HEADINGS.index(one.tag) + 1 for one in page.all(*HEADINGS)]


def _has_no_language(page: Reader) -> bool:
    (document,) = page.all("html")
    return not document.attributes.get("lang") or document.attributes.get("dir") not in ("ltr", "rtl")


def _ids(page: Reader) -> list[str]:
    return [one.attributes["id"] for one in page.root.every() if "id" in one.attributes]


def _names_what_is_not_there(page: Reader) -> bool:
    named = [one.attributes.get(name, "") for one in page.root.every() for name in NAMES]
    return any(one not in _ids(page) for names in named for one in names.split())


def _has_no_label(page: Reader) -> bool:
    labelled = {one.attributes["for"] for one in page.all("label") if one.text}
    shown = [one for one in page.all("input") if one.attributes["type"] != "hidden"]
    return any(one.attributes.get("id") not in labelled for one in shown)


def _needs_what_the_policy_forbids(page: Reader) -> bool:
    names = [name for one in page.root.every() for name in one.attributes]
    loads = page.all("script", "iframe", "object", "embed", "base", "link", "img")
    return bool(loads) or any(name.startswith("on") or name == "style" for name in names)


def _cannot_be_enlarged(page: Reader) -> bool:
    (viewport,) = (one for one in page.all("meta") if one.attributes.get("name") == "viewport")
    return viewport.attributes["content"] != "width=device-width, initial-scale=1"


RULES: dict[str, Callable[[Reader], bool]] = {
    "html-has-lang": _has_no_language,
    "document-title": lambda page: not "".join(one.text for one in page.all("title")),
    "landmark-one-main": lambda page: len(page.all("main")) != 1,
    "region": lambda page: any(not _is_is_inside(one, "main") for one in page.all("h1", "p", "form", "section")),
    "page-has-heading-one": lambda page: _levels(page).count(1) != 1 or _levels(page)[0] != 1,
    "heading-order": _headings_skip,
    "empty-heading": lambda page: any(not one.text for one in page.all(*HEADINGS)),
    "duplicate-id": lambda page: len({*_ids(page)}) != len(_ids(page)),
    "aria-valid-attr-value": _names_what_is_not_there,
    "tabindex": lambda page: any(one.attributes.get("tabindex", "0") not in ("0", "-1") for one in page.root.every()),
    "label": _has_no_label,
    "button-name": lambda page: any(not one.text for one in page.all("button")),
    "fieldset": lambda page: any(not _first(one, "legend") for one in page.all("fieldset")),
    "meta-viewport": _cannot_be_enlarged,
    # Ours: what Content-Security-Policy stops, and forms that go elsewhere.
    "csp": _needs_what_the_policy_forbids,
    "form": lambda page: any(one.attributes != {"method": "post"} for one in page.all("form")),
}


def _first(one: Element, tag: str) -> str:
    """Return the text of an element's first one, if it has this tag."""
    first = next((child for child in one.children if child.tag), None)
    return first.text if first is not None and first.tag == tag else ""


def _is_is_inside(one: Element, tag: str) -> bool:
    while one.parent is not None:
        one = one.parent
        if one.tag == tag:
            return True
    return False


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours (WCAG 2.2, 1.4.3)."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
