"""UTM parameters on links to the product's own pages, in the HTML and in the text of an email.

A link keeps what it has: its query, its fragment, its own UTM parameters, and each byte of its spelling. What is added
is ASCII that HTML need not escape, but for `&`.
"""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import parse_qsl, quote, urlsplit

from skene_dagster.loops.plan import LinkTags
from skene_dagster.settings.utm import ascii_host

_VALUE = r"""(?:[^>"']|"[^"]*"|'[^']*')*?"""
# Also in what only Outlook reads: in comments, and of its own tags.
_ANCHOR = re.compile(rf"""<(?:a|area|v:[a-z]+)\s{_VALUE}(?<=[\s"'])href\s*=\s*(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)
_IN_TEXT = re.compile(r"""https?://[^\s<>"'`{|}\\^]+""", re.IGNORECASE)
_AFTER_A_LINK = ".,;:!?…"
_PAIRS = {")": "(", "]": "["}
# Not that of a character reference: &#38;
_FRAGMENT = re.compile(r"(?<!&)#")


@dataclass(frozen=True)
class Tagging:
    """Writes the parameters of one email."""

    tags: LinkTags
    spared: Sequence[str]
    """What the links begin with that stay as they are: those by which the recipient says no."""

    def html(self, text: str) -> str:
        """Tag the links of an HTML document."""
        return _ANCHOR.sub(self._anchor, text)

    def text(self, text: str) -> str:
        """Tag the links of a plain text."""
        return _IN_TEXT.sub(lambda found: self._bare(found[0]), text)

    def _anchor(self, found: "re.Match[str]") -> str:
        group = 1 if found[1] is not None else 2
        raw, (start, end) = found[group], found.span(group)
        start, end = start - found.start(), end - found.start()
        tagged = self._tagged(raw, html.unescape(raw), "&amp;")
        return f"{found[0][:start]}{tagged}{found[0][end:]}"

    def _bare(self, found: str) -> str:
        link = found.rstrip(_AFTER_A_LINK)
        # What opens before a link closes behind it: (see https://example.com/a).
        while link and link[-1] in _PAIRS and link.count(link[-1]) > link.count(_PAIRS[link[-1]]):
            link = link[:-1].rstrip(_AFTER_A_LINK)
        return self._tagged(link, link, "&") + found[len(link) :]

    def _tagged(self, raw: str, link: str, ampersand: str) -> str:
        missing = _missing(link.strip(), self.tags)
        if not missing or link.strip().startswith(tuple(self.spared)):
            return raw
        added = ampersand.join(f"{name}={quote(value, safe='')}" for name, value in missing)
        cut = _FRAGMENT.search(raw)
        before, after = (raw[: cut.start()], raw[cut.start() :]) if cut else (raw.rstrip(), "")
        if "?" not in before:
            return f"{before}?{added}{after}"
        joint = "" if before.endswith(("?", "&", "&amp;")) else ampersand
        return f"{before}{joint}{added}{after}"


@lru_cache(maxsize=4096)
def _missing(link: str, tags: LinkTags) -> tuple[tuple[str, str], ...]:
    """List the parameters that a link does not have; none if it does not lead to the product."""
    # A browser reads \\ as /, so the host may be another one than it seems.
    if not link.lower().startswith(("https://", "http://")) or "\\" in link:
        return ()
    try:
        parts = urlsplit(link)
        host = ascii_host((parts.hostname or "").rstrip("."))
    except ValueError:
        return ()
    if not any(host == own or host.endswith(f".{own}") for own in tags.hosts):
        return ()
    there = {name.lower() for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    return tuple((name, value) for name, value in tags.parameters if name not in there)
