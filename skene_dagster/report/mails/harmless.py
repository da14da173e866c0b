"""An email's HTML, so that it loads nothing, runs nothing and leads nowhere; it looks as it did."""

import re
from html.parser import HTMLParser

from markupsafe import escape

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""A browser that obeys it loads nothing, whatever was overlooked here."""

_HEAD = (
    f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    # Links lead nowhere any more, and look like links still.
    "<style>a{color:#00e;text-decoration:underline}</style>"
)

_DROPPED = frozenset({"link", "base", "script", "iframe", "frame", "object", "embed", "form", "input", "button"})
"""Elements of which the tags are left out, and of scripts what is in them."""

_LOADING = frozenset(
    {"href", "src", "srcset", "background", "poster", "action", "formaction", "data", "ping", "xlink:href"}
)

_URL = re.compile(r"url\(\s*(?!['\"]?data:)[^)]*\)", re.IGNORECASE)
_IMPORT = re.compile(r"@import[^;]*;?", re.IGNORECASE)


def harmless(html: str) -> str:
    """Take out of an email what a browser would load, run or follow, and what only Outlook reads."""
    reading = _Reading()
    reading.feed(html)
    reading.close()
    return "".join(reading.written)


class _Reading(HTMLParser):
    """Writes down again what it reads, tag by tag."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.written: list[str] = []
        self._is_script = False

    def handle_decl(self, decl: str) -> None:
        self.written.append(f"<!{decl}>")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._is_script = tag == "script"
        if tag in _DROPPED or (tag == "meta" and any(name == "http-equiv" for name, _ in attrs)):
            return
        kept = "".join(_attribute(name, value) for name, value in attrs if not _is_dropped(name, value))
        self.written.append(f"<{tag}{kept}>")
        if tag == "head":
            self.written.append(_HEAD)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        self._is_script = False
        if tag not in _DROPPED:
            self.written.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if not self._is_script:
            is_style = self.cdata_elem == "style"
            self.written.append(_IMPORT.sub("", _URL.sub("none", data)) if is_style else data)

    def handle_entityref(self, name: str) -> None:
        self.written.append(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self.written.append(f"&#{name};")


def _is_dropped(name: str, value: str | None) -> bool:
    if name == "src" and value is not None and value.startswith("data:image/"):
        return False
    return name in _LOADING or name.startswith("on")


def _attribute(name: str, value: str | None) -> str:
    if value is None:
        return f" {name}"
    if name == "style":
        value = _URL.sub("none", value)
    return f' {name}="{escape(value)}"'
