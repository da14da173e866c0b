"""What stands in an email's headers: no line breaks, no control characters, one bare address."""

import re

from skene_dagster.delivery.email.graphemes import cut
from skene_dagster.settings.addresses import CONTROLS, bare_address, is_header_link

LONGEST_SUBJECT = 200
LARGEST_HTML = 102 * 1024
"""Bytes. Gmail cuts off what is longer, and the unsubscribe link with it."""
LARGEST_TEXT = LARGEST_HTML
"""Bytes. It says what the HTML says, without the markup."""


class Unrenderable(Exception):
    """An email cannot be made for its user; the argument says why, without their values."""


_CONTROLS_IN_BODY = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_SURROGATES = re.compile("[\ud800-\udfff]")
# The same as `_CONTROLS_IN_BODY` in UTF-8: Python drops bytes five times as fast as it searches for them (2026-11).
_CONTROL_BYTES = bytes({*range(0x20), 0x7F} - {0x09, 0x0A})
_CONTROLS_BEYOND_ASCII = re.compile(b"\xc2[\x80-\x9f]")


def one_line(text: str) -> str:
    """Fold line breaks, control characters and runs of spaces into single spaces."""
    return " ".join(CONTROLS.sub(" ", _whole(text)).split())


def body(text: str) -> str:
    """Drop control characters but for line breaks and tabs, and end each line with a single line feed."""
    if _has_only_what_may_stand_in_a_body(text):
        return text
    return _CONTROLS_IN_BODY.sub("", _whole(text).replace("\r\n", "\n").replace("\r", "\n"))


def _has_only_what_may_stand_in_a_body(text: str) -> bool:
    try:
        raw = text.encode()
    except UnicodeEncodeError:  # half a surrogate pair
        return False
    if len(raw.translate(None, _CONTROL_BYTES)) != len(raw):
        return False
    return text.isascii() or _CONTROLS_BEYOND_ASCII.search(raw) is None


def _whole(text: str) -> str:
    # Most text is ASCII, which is known without looking at it.
    return text if text.isascii() else _SURROGATES.sub("\ufffd", text)


def subject(text: str) -> str:
    """Make a subject of one line, at most 200 characters, the last of which is then an ellipsis.

    Raises:
        Unrenderable: when nothing is left.
    """
    line = one_line(text)
    if not line:
        raise Unrenderable("the subject is empty")
    return line if len(line) <= LONGEST_SUBJECT else cut(line, LONGEST_SUBJECT - 1).rstrip() + "…"


def check_address(text: str) -> str:
    """Return the one bare address that the text is, without the spaces around it; nothing is looked up in DNS.

    The domain of an internationalised address comes back in its ASCII form.

    Raises:
        Unrenderable: when it is none, as `bare_address` has it.
    """
    try:
        return bare_address(text)
    except ValueError:
        raise Unrenderable("invalid address") from None


def check_header_link(text: str) -> str:
    """Return an http(s) address that can stand between < and > in a header.

    Raises:
        Unrenderable: when it is none.
    """
    if not is_header_link(text):
        raise Unrenderable("the unsubscribe address is not an https: address")
    return text
