"""What a request to a page says: RFC 8058's one click, or the page's own form; in either encoding of forms."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.parser import BytesParser
from email.policy import HTTP
from typing import Literal, cast, get_args
from urllib.parse import parse_qsl

from skene_dagster.web.refusals import wrong

Act = Literal["no_marketing", "no_topic", "yes_marketing", "yes_topic", "save"]
"""What a button of the page says."""

MOST_FIELDS = 500

_ONE_CLICK = ("list-unsubscribe", "one-click")
_SAID = "said."
"""What begins the name of the field with the answer to an open question."""
_DIGEST = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class OneClick:
    """Somebody clicked in their mail program, and was asked nothing."""


@dataclass(frozen=True)
class Chosen:
    """Somebody pressed a button of the page."""

    act: Act
    on: frozenset[str]
    """The topics that are ticked."""
    shown: frozenset[str]
    """The topics that the page listed."""
    text_digest: str | None
    """Of what the page said, as it says itself."""
    left: frozenset[str] = frozenset()
    """The topics that the page asked about, and that they left open."""


def read_form(body: bytes, content_type: str) -> OneClick | Chosen | None:
    """Read a form; None if it says nothing that we know.

    RFC 8058 wants one of two encodings; a body of another name is read as the simpler one: a "no" is not refused for
    the way it was written down.

    Raises:
        Refusal: it is no form.
    """
    is_multipart = content_type.partition(";")[0].strip().lower() == "multipart/form-data"
    pairs = _multipart(body, content_type) if is_multipart else _urlencoded(body)
    if any((name.strip().lower(), value.strip().lower()) == _ONE_CLICK for name, value in pairs):
        return OneClick()
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    return _chosen(fields)


def _chosen(fields: Mapping[str, list[str]]) -> Chosen | None:
    acts = set(fields.get("act", ()))
    if len(acts) != 1 or not acts <= set(get_args(Act)):
        return None
    digest = fields.get("text", [""])[0]
    said = {name.removeprefix(_SAID): values[-1] for name, values in fields.items() if name.startswith(_SAID)}
    answered = {name for name, answer in said.items() if answer in ("yes", "no")}
    return Chosen(
        cast("Act", acts.pop()),
        frozenset({*fields.get("on", ()), *(name for name in answered if said[name] == "yes")}),
        frozenset({*fields.get("shown", ()), *answered}),
        digest if _DIGEST.fullmatch(digest) else None,
        frozenset({*fields.get("open", ())} - answered),
    )


def _urlencoded(body: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        raise wrong("The form has too many fields.") from None


def _multipart(body: bytes, content_type: str) -> list[tuple[str, str]]:
    # A line break in a header's value cannot come over HTTP/1.1; a letter outside ASCII can.
    head = b"Content-Type: " + content_type.encode("latin-1", "replace") + b"\r\n\r\n"
    try:
        message = BytesParser(policy=HTTP).parsebytes(head + body)
        parts = list(message.iter_parts()) if message.is_multipart() else []
        if len(parts) > MOST_FIELDS:
            raise wrong("The form has too many fields.")
        pairs = []
        for part in parts:
            name = part.get_param("name", header="content-disposition")
            value = part.get_payload(decode=True)
            if isinstance(name, str) and isinstance(value, bytes):
                pairs.append((name, value.decode("utf-8", "replace").removesuffix("\r\n")))
    except (LookupError, ValueError, TypeError, AttributeError, RecursionError):
        # Python's email, 2026-11: what it makes of bytes that are no message is not only its own errors.
        raise wrong("The body is not multipart/form-data, as its Content-Type says.") from None
    return pairs
