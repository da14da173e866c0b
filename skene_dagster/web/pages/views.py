"""What the pages are told, and the answers that they become."""

import hashlib
from collections.abc import Mapping, Sequence
from email.utils import parseaddr
from functools import lru_cache

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from skene_dagster import locales
from skene_dagster.consent.tokens import Token
from skene_dagster.settings import Settings, Topic
from skene_dagster.web.pages.forms import Act
from skene_dagster.web.pages.library import Library, Name, Page, Values, new_nonce, open_library, words_of
from skene_dagster.web.pages.standing import Standing, agreed_elsewhere, unknown

_HEADERS = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-robots-tag": "noindex, nofollow",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}

_POLICY = (
    "default-src 'none'; style-src 'nonce-{nonce}'; img-src 'self' data:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)

RETRY_AFTER = "60"
"""Seconds."""


class Views:
    """The pages of one project."""

    def __init__(self, library: Library, settings: Settings) -> None:
        self._library = library
        self._topics = settings.topics
        self._brand = brand_of(settings.sender.from_)
        self._brands = {topic: brand_of(settings.sender_of(topic).from_) for topic in settings.topics}
        self._digest = lru_cache(maxsize=1024)(self._digest_of)

    @staticmethod
    def of(settings: Settings) -> "Views":
        """Read the pages of a project.

        Raises:
            TemplateError: one is wrong.
        """
        tried = samples(settings.topics, brand_of(settings.sender.from_))
        return Views(open_library(settings.templates, settings.root, tried), settings)

    def preferences(
        self, request: Request, token: Token, standing: Standing, done: Act | None = None, status: int = 200
    ) -> Response:
        """Show what can be chosen, and what holds now."""
        page = self._choose("preferences", request, token.locale)
        digest = self._digest(page, token.topic)
        values = _values(token.topic, self._topics, self._brand_of(token.topic), standing, done or "", digest)
        return _answer(page, values, status)

    def digest(self, request: Request, token: Token) -> str:
        """Return the SHA-256 of what the page says to somebody of whom nothing is known, in hex digits."""
        return self._digest(self._choose("preferences", request, token.locale), token.topic)

    def unknown(self, request: Request) -> Response:
        """Say that a link does not work: the same to everybody, whatever is wrong with it."""
        return _answer(self._choose("unknown", request), {"brand": self._brand}, 404)

    def later(self, request: Request, token: Token) -> Response:
        """Say that nothing could be kept."""
        page = self._choose("later", request, token.locale)
        answer = _answer(page, {"brand": self._brand_of(token.topic)}, 503)
        answer.headers["retry-after"] = RETRY_AFTER
        return answer

    def _brand_of(self, topic: str) -> str:
        return self._brands.get(topic, self._brand)

    def _choose(self, name: Name, request: Request, locale: str = "") -> Page:
        asked = locales.asked_for(request.headers.get("accept-language", ""))
        of_the_email = locales.tag_of(locale)
        return self._library.choose(name, [of_the_email, *asked] if of_the_email else asked)

    def _digest_of(self, page: Page, topic: str) -> str:
        values = _values(topic, self._topics, self._brand_of(topic), _nothing_known(self._topics), "", "")
        return hashlib.sha256(words_of(page.render(values, "")).encode()).hexdigest()


def _nothing_known(topics: Mapping[str, Topic]) -> Standing:
    return Standing(is_known=False, marketing=True, on=frozenset(), open=agreed_elsewhere(topics))


def brand_of(sender: str) -> str:
    """Return what recipients know the sender as: the name, or the domain of a bare address; empty if there is none."""
    name, address = parseaddr(sender)
    return name or address.rpartition("@")[2]


def samples(topics: Mapping[str, Topic], brand: str) -> Mapping[Name, Sequence[Values]]:
    """Make the values to try each page with: everything that it may have to say."""
    acts: tuple[Act | None, ...] = (None, "no_marketing", "no_topic", "yes_marketing", "yes_topic", "save")
    every = []
    for topic in (next(iter(topics)), "gone"):
        on = unknown(Token("", "", topic, "marketing", "", "", ""), topics).on
        for standing in (
            _nothing_known(topics),
            Standing(is_known=True, marketing=True, on=on),
            Standing(is_known=True, marketing=True, on=frozenset(), open=agreed_elsewhere(topics)),
            Standing(is_known=True, marketing=False, on=on),
        ):
            every += [_values(topic, topics, brand, standing, act or "", "0" * 64) for act in acts]
    plain = [{"brand": brand}]
    return {"preferences": every, "unknown": plain, "later": plain}


def _values(topic: str, topics: Mapping[str, Topic], brand: str, standing: Standing, done: str, digest: str) -> Values:
    of_the_email = topics.get(topic)
    listed = [
        {
            "name": name,
            "title": one.title,
            "text": one.text,
            "on": standing.marketing and name in standing.on,
            "open": standing.marketing and name in standing.open,
        }
        for name, one in topics.items()
    ]
    return {
        "brand": brand,
        "topic": {"title": of_the_email.title, "text": of_the_email.text} if of_the_email else {},
        "topics": listed,
        "known": standing.is_known,
        "marketing": standing.marketing,
        "gets": [one["title"] for one in listed if one["on"]],
        "may_get": [one["title"] for one in listed if one["open"]],
        "topic_on": topic in standing.on or not standing.is_known,
        "done": done,
        "digest": digest,
    }


def _answer(page: Page, values: Values, status: int) -> Response:
    nonce = new_nonce()
    headers = {**_HEADERS, "content-security-policy": _POLICY.format(nonce=nonce), "content-language": page.tag}
    return HTMLResponse(page.render(values, nonce), status, headers)
