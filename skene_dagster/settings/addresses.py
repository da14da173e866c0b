"""What is allowed in an email's headers and links: one bare address, a sender with a name, a web address."""

import re
from contextlib import suppress
from email.headerregistry import Address
from email.utils import parseaddr
from functools import lru_cache
from typing import Annotated

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator

from skene_dagster.documents import shown

# C0, DEL, C1 and the two line separators of Unicode: what a mail server could read as the end of a header.
CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
# Embeddings, overrides and isolates: in a name they turn round what stands beside it, such as the rest of a subject.
# Letters that are written from right to left need none of them; the marks U+200E, U+200F and U+061C turn nothing.
TURNS_TEXT = re.compile("[\u202a-\u202e\u2066-\u2069]")

LONGEST_NAME = 200

LONGEST_ADDRESS = 1_000
"""The most characters that are read as an address, which has at most 254 (RFC 5321), composed."""

# What every reader of RFC 5321 takes before an @; anything else is asked of the library.
_PLAIN_LOCAL = re.compile(r"[A-Za-z0-9]{1,20}(?:[._+-][A-Za-z0-9]{1,20}){0,2}")
LONGEST_PLAIN = 200
"""Characters up to which no limit of an address's length is near."""

_LINK = re.compile(r"""(https?://|mailto:)[^\s<>"'`\\{|}^\x00-\x1f\x7f-\x9f]+""", re.IGNORECASE)
_HEADER_LINK = re.compile(r"https?://[!-~]+", re.IGNORECASE)
_EXPRESSION = re.compile(r"\{\{.*?\}\}", re.DOTALL)
# A browser drops blanks before a scheme, and tabs and line breaks within it.
_SCRIPT = re.compile(r"(javascript|vbscript|data):", re.IGNORECASE)
_DROPPED = re.compile("[\x00-\x20\x7f-\xa0]")

_NAMED = re.compile(r"(?P<name>[^<>]*)<(?P<address>[^<>]*)>")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_LIKE_AN_ADDRESS = re.compile(r"[^\s@]@[^\s@]+\.[^\s@]")


def bare_address(text: str) -> str:
    """Return the one address that a text is, without the spaces around it; nothing is looked up in DNS.

    An internationalised domain comes back in its ASCII form.

    Raises:
        ValueError: it is not one address. Characters outside ASCII before the @ are refused: they need a mail server
            with SMTPUTF8, which neither the provider nor most recipients promise.
    """
    bare = text.strip(" \t\r\n")
    local, _, domain = bare.rpartition("@")
    if _PLAIN_LOCAL.fullmatch(local) and (known := _ascii_domain(domain)) and len(local) + len(known) < LONGEST_PLAIN:
        return f"{local}@{known}"
    return _validated(bare)


@lru_cache(maxsize=4096)
def _ascii_domain(domain: str) -> str | None:
    """Return the ASCII form of a domain that may follow an @; most people share a few, and looking takes 50 µs."""
    with suppress(ValueError):
        return _validated(f"x@{domain}")[2:]
    return None


def _validated(text: str) -> str:
    if len(text) > LONGEST_ADDRESS:
        raise ValueError("It is too long for an address.")
    if "=?" in text:
        # Python's email, 2026-11: reads `=?utf-8?q?ceo?=@example.com` in a header as ceo@example.com.
        raise ValueError("It would be read as an encoded word: another address.")
    try:
        # Strict: RFC 5321 takes no more than 64 characters before the @.
        found = validate_email(text, check_deliverability=False, allow_smtputf8=False, strict=True)
    except EmailNotValidError as bad:
        raise ValueError(str(bad)) from None
    assert found.ascii_email is not None  # without SMTPUTF8 there always is one
    return found.ascii_email


def unicode_form(address: str) -> str:
    """Return an address with its domain in letters instead of ASCII; the other way round, it is `bare_address`."""
    if "xn--" not in address:
        return address
    return validate_email(address, check_deliverability=False).normalized


def sender(text: str) -> str:
    """Return `Name <address>`, its name quoted if a header needs that, or the bare address; an empty text stays empty.

    Everything before `<` is the name: people write `Acme, Inc. <hello@example.com>`, which a header would read as two
    addresses.

    Raises:
        ValueError: it is not one address, or its name would be misread.
    """
    if not text.strip():
        return ""
    if CONTROLS.search(text) or TURNS_TEXT.search(text):
        raise ValueError(f"{shown(text)} has a control character. Write it on one line: Acme <hello@example.com>")
    named = _NAMED.fullmatch(text.strip())
    name, address = (named["name"].strip(), named["address"]) if named else ("", text.strip())
    try:
        address = bare_address(address)
    except ValueError:
        raise ValueError(
            f"{shown(text)} is not one address. Write one, with a name or without: Acme, Inc. <hello@example.com>"
        ) from None
    if quoted := _QUOTED.fullmatch(name):
        name = re.sub(r"\\(.)", r"\1", quoted[1])
    elif '"' in name or "\\" in name:
        raise ValueError(f"The name in {shown(text)} has to be quoted. Write {Address(name, addr_spec=address)}")
    if _LIKE_AN_ADDRESS.search(name):
        raise ValueError(f"The name in {shown(text)} looks like an address itself. Write a name, or the address alone")
    if len(name) > LONGEST_NAME:
        raise ValueError(f"The name in {shown(text)} is longer than {LONGEST_NAME} characters")
    return str(Address(display_name=name, addr_spec=address))


def address_of(sender: str) -> str:
    """Return the address of what `sender` returned, in lower case."""
    return parseaddr(sender)[1].lower()


def domain_of(sender: str) -> str:
    """Return the domain of the address of what `sender` returned, in lower case; empty where there is none."""
    return address_of(sender).rpartition("@")[2]


def is_link(text: str) -> bool:
    """Whether the text is an https:, http: or mailto: address that can be used in an attribute."""
    return _LINK.fullmatch(text) is not None


def is_header_link(text: str) -> bool:
    """Whether the text is an http(s) address that can be used between < and > in a header."""
    return _HEADER_LINK.fullmatch(text) is not None and is_link(text)


def runs_script(text: str) -> bool:
    """Whether a link is `javascript:` or similar, however it is disguised."""
    return _SCRIPT.match(_DROPPED.sub("", text)) is not None


def _link(text: str) -> str:
    if text and not is_link(text):
        raise ValueError(f"{shown(text)} is not a link. Write an address with https://, or mailto:")
    return text


def _unsubscribing(text: str) -> str:
    if text.strip() and not is_header_link(_EXPRESSION.sub("x", text)):
        raise ValueError(
            f"{shown(text)} is not an unsubscribe address. Write https://example.com/unsubscribe/{{{{user.id}}}}"
        )
    return text


def _public(text: str) -> str:
    if text.strip() and (not is_header_link(text) or "?" in text or "#" in text):
        raise ValueError(f"{shown(text)} is not where pages are served. Write https://mail.example.com")
    return text.strip().rstrip("/")


Link = Annotated[str, AfterValidator(_link)]
SenderText = Annotated[str, AfterValidator(sender)]
UnsubscribeUrl = Annotated[str, AfterValidator(_unsubscribing)]
PublicUrl = Annotated[str, AfterValidator(_public)]
