"""Whether recipients can say no: by one click in their mail program, and by a link that they see; and who asks them."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from skene_dagster.delivery.email.headers import LARGEST_HTML
from skene_dagster.delivery.received.domains import LONGEST_DOMAIN
from skene_dagster.delivery.received.findings import Finding, Label
from skene_dagster.delivery.received.mail import Body, Mail
from skene_dagster.settings import Sender

ONE_CLICK = "List-Unsubscribe=One-Click"

_URI = re.compile(r"<([^<>]*)>")
_WORDS = re.compile(r"unsubscri|opt[- ]?out|preferences|abmelden|abbestell|désabonn|desabonn|cancelar", re.IGNORECASE)


def examine_unsubscribing(mail: Mail, sender: Sender) -> Iterator[Finding]:
    """Say whether the message has what marketing needs; one that its recipient asked for needs none of it."""
    links = mail.all_of("list-unsubscribe")
    if links:
        yield from _one_click(mail, links)
    else:
        yield Finding(
            "notice",
            "It has no List-Unsubscribe. Marketing must have it; an email that its recipient asked for need not.",
        )
    yield from _body(mail, sender, [uri for link in links for uri in _uris(link)], is_marketing=bool(links))
    yield _size(mail)


def _one_click(mail: Mail, links: list[str]) -> Iterator[Finding]:
    posts = mail.all_of("list-unsubscribe-post")
    advice = "Gmail and Yahoo ask for one click (RFC 8058)."
    https = [uri for uri in _uris(links[0]) if _is_https(uri)]
    if len(links) > 1 or len(posts) > 1:
        yield Finding("error", "It has List-Unsubscribe, or List-Unsubscribe-Post, twice.", advice)
    elif not https:
        yield Finding("error", "List-Unsubscribe has no https:// address in angle brackets.", advice)
    elif not posts:
        yield Finding("error", "It has List-Unsubscribe, and no List-Unsubscribe-Post.", advice)
    elif posts[0] != ONE_CLICK:
        yield Finding("error", f"List-Unsubscribe-Post is not exactly {ONE_CLICK}.", advice)
    else:
        host = str(urlsplit(https[0]).hostname)[:LONGEST_DOMAIN]
        yield Finding("ok", f"Recipients unsubscribe by one click, at {host}.")


def _body(mail: Mail, sender: Sender, uris: list[str], *, is_marketing: bool) -> Iterator[Finding]:
    label: Label = "error" if is_marketing else "notice"
    # What stands before a user's own part is the same in each email.
    before = (sender.unsubscribe_url.partition("{{")[0], sender.public_url)
    ours = tuple(filter(None, before))
    for body in _shown(mail):
        part = "The HTML" if body.is_html else "The text"
        if any(
            link.url in uris or link.url.startswith(ours) or _WORDS.search(f"{link.url} {link.words}")
            for link in body.links
        ):
            yield Finding("ok", f"{part} has a link to unsubscribe.")
        else:
            yield Finding(label, f"{part} shows no link to unsubscribe.", "Marketing needs one that people see.")
        address = " ".join(sender.postal_address.split())
        if not address:
            yield Finding("notice", "skene.yaml has no sender.postal_address to look for.")
        elif _plain(address) in _plain(body.text):
            yield Finding("ok", f"{part} has the postal address.")
        else:
            yield Finding(label, f"{part} lacks the postal address ({address}).", "Marketing needs it (CAN-SPAM).")


def _size(mail: Mail) -> Finding:
    html = max((body.size for body in mail.bodies if body.is_html), default=0)
    if not html:
        return Finding("ok", "It has no HTML.")
    size = f"{max(1, round(html / 1024)):,} KB"
    if html > LARGEST_HTML:
        return Finding(
            "error",
            f"Its HTML has {size}: Gmail cuts off what is over 102 KB, the unsubscribe link with it.",
            "Make it shorter.",
        )
    return Finding("ok", f"Its HTML has {size}, of the 102 KB that Gmail shows.")


def _shown(mail: Mail) -> list[Body]:
    """Take the first part of each kind: what follows is attached."""
    first = {body.is_html: body for body in reversed(mail.bodies)}
    return [first[is_html] for is_html in (True, False) if is_html in first]


def _uris(header: str) -> list[str]:
    return ["".join(found.split()) for found in _URI.findall(header)]


def _is_https(uri: str) -> bool:
    try:
        split = urlsplit(uri)
        return split.scheme == "https" and bool(split.hostname)
    except ValueError:
        return False


def _plain(text: str) -> str:
    """What is left where lines, commas and dots between the parts of an address are of no account."""
    return " ".join(re.sub(r"[\s,;·•|]+", " ", text).lower().split())
