"""The pages' templates: ours, and the project's in templates/pages/ that take their place, one for each language.

They are read, compiled and tried when the process starts; a page that fails would fail in front of a recipient. They
are rendered in the sandbox of the emails' templates.
"""

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Literal, cast, get_args

from jinja2 import Template, TemplateSyntaxError, UndefinedError
from markupsafe import Markup

from skene_dagster import locales
from skene_dagster.delivery.email.headers import Unrenderable
from skene_dagster.delivery.email.templates.missing import MissingValue
from skene_dagster.delivery.email.templates.sandbox import HTML, compiled
from skene_dagster.errors import Place, TemplateError
from skene_dagster.files import names_in, read_text

Name = Literal["preferences", "unknown", "later"]

_NAMES: tuple[Name, ...] = get_args(Name)

FOLDER = "pages"
"""In the project's folder of templates."""

STYLE = "style.css"

OURS = "en"
"""The language of the pages in the package."""

_FILE = re.compile(r"(?P<name>[a-z]+)(?:\.(?P<tag>[A-Za-z0-9_-]+))?\.html")

Values = Mapping[str, object]


@dataclass(frozen=True)
class Page:
    """A page in one language."""

    template: Template
    tag: str
    """Its language, as an HTML document names it."""
    style: Markup
    file: str

    def render(self, values: Values, nonce: str) -> str:
        """Write the page.

        Raises:
            MissingValue, Unrenderable, Exception: the template is wrong.
        """
        about = {"lang": self.tag, "dir": locales.direction(self.tag), "style": self.style, "nonce": nonce}
        return self.template.render({**values, **about})


@dataclass
class Library:
    """All pages, by name and by language in lower case; an empty language is the one for everybody else."""

    pages: dict[tuple[Name, str], Page] = field(default_factory=dict)

    def choose(self, name: Name, tags: Sequence[str]) -> Page:
        """Return the page in the first of some languages that there is one in."""
        there = {tag: page for (one, tag), page in self.pages.items() if one == name and tag}
        for_all = self.pages[name, ""]
        # Where it is ours, for everybody else, it is in a language that somebody may ask for, too.
        if for_all.file == "":
            there.setdefault(OURS, for_all)
        tag = locales.nearest(tags, there)
        return for_all if tag is None else there[tag]


def open_library(templates: Path, root: Path, samples: Mapping[Name, Sequence[Values]]) -> Library:
    """Read all pages, and try each.

    Args:
        templates: the project's folder of templates.
        root: the project's folder, which no link may leave.
        samples: with which values each page is tried.

    Raises:
        TemplateError: the first that is wrong, with its file and line.
    """
    folder = templates / FOLDER
    ours = files("skene_dagster.web.pages") / "templates"
    there = set(names_in(folder)) if folder.is_dir() else set()

    def read(file: str) -> str:
        return read_text(folder / file, _shown(file), TemplateError, root=root)

    css = read(STYLE) if STYLE in there else (ours / STYLE).read_text(encoding="utf-8")
    if "</" in css:
        raise TemplateError("A style sheet has no '</'.", place=Place(_shown(STYLE)))
    style = Markup(css)  # noqa: S704 - it is the author's, like the templates
    library = Library()
    for name in _NAMES:
        source = (ours / f"{name}.html").read_text(encoding="utf-8")
        library.pages[name, ""] = Page(compiled(HTML, source), OURS, style, "")
    for file in sorted(there):
        if named := _FILE.fullmatch(file):
            page_name, tag = _named(file, named)
            said = locales.spelled(tag) or OURS
            library.pages[page_name, tag] = Page(_compiled(read(file), file), said, style, file)
    for (name, _), page in library.pages.items():
        _try(page, samples[name])
    return library


def words_of(html: str) -> str:
    """Return what a page says, without its markup, as one line."""
    reader = _Words()
    reader.feed(html)
    reader.close()
    return " ".join(" ".join(reader.said).split())


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self._is_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        self._is_style = tag == "style"

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002
        self._is_style = False

    def handle_data(self, data: str) -> None:
        if not self._is_style:
            self.said.append(data)


def new_nonce() -> str:
    """Draw what allows one answer's own style."""
    return secrets.token_urlsafe(18)


def _named(file: str, named: re.Match[str]) -> tuple[Name, str]:
    if named["name"] not in _NAMES:
        advice = f"The pages are: {', '.join(_NAMES)}."
        raise TemplateError(f"There is no page '{named['name']}'.", advice=advice, place=Place(_shown(file)))
    tag = locales.tag_of(named["tag"] or "")
    if named["tag"] and not tag:
        advice = f"Write {named['name']}.pt-BR.html, or {named['name']}.html for all other languages."
        raise TemplateError("The file's name has no language in it.", advice=advice, place=Place(_shown(file)))
    return cast("Name", named["name"]), tag


def _compiled(source: str, file: str) -> Template:
    try:
        return compiled(HTML, source)
    except TemplateSyntaxError as bad:
        raise TemplateError(str(bad.message), place=Place(_shown(file), bad.lineno)) from None


def _try(page: Page, samples: Sequence[Values]) -> None:
    for values in samples:
        try:
            page.render(values, "nonce")
        except (MissingValue, UndefinedError) as missing:
            advice = "docs/consent.md lists what a page knows."
            raise TemplateError(f"It uses {missing}, which is not there.", advice=advice, place=_place(page)) from None
        except Unrenderable as bad:
            raise TemplateError(f"It cannot be rendered: {bad}.", place=_place(page)) from None
        except Exception as bad:  # noqa: BLE001 - a template may raise whatever Python does
            raise TemplateError(f"It cannot be rendered: {str(bad).rstrip('.')}.", place=_place(page)) from None


def _place(page: Page) -> Place:
    return Place(_shown(page.file))


def _shown(file: str) -> str:
    return f"templates/{FOLDER}/{file}"
