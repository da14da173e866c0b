"""The part of skene.yaml about links to the product: which are its own, and what web analytics reads of them."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from skene_dagster.documents import Spec, shown

_HOST = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))*")


def ascii_host(host: str) -> str:
    """Return a host as it is looked up: in ASCII and lower case; empty if it is none."""
    try:
        found = host.encode("idna").decode("ascii").lower().rstrip(".") if host else ""
    except UnicodeError:
        return ""
    return found if _HOST.fullmatch(found) else ""


def _host(text: str) -> str:
    if not (found := ascii_host(text.strip())):
        raise ValueError(f"{shown(text)} is not a host. Write it without https:// and path: example.com")
    return found


def _printable(text: str) -> str:
    if not text.isprintable() or not text.strip():
        raise ValueError(f"{shown(text)} cannot be the value of a parameter. Write a few words on one line")
    return text.strip()


Host = Annotated[str, AfterValidator(_host)]
Value = Annotated[str, Field(max_length=100), AfterValidator(_printable)]


class LoopUtm(Spec):
    """What the links in a loop's emails say instead of what `utm` of skene.yaml says."""

    source: Value | None = None
    """`utm_source`."""
    medium: Value | None = None
    """`utm_medium`."""
    campaign: Value | None = None
    """`utm_campaign`."""
    content: Value | None = None
    """`utm_content`."""
    term: Value | None = None
    """`utm_term`."""


class Utm(Spec):
    """What the links in emails to the product's own pages say about where a visitor comes from."""

    hosts: Annotated[list[Host], Field(min_length=1, max_length=50)]
    """The product's own hosts: links to them, and to hosts below them, get the parameters."""
    source: Value = "skene"
    """`utm_source`."""
    medium: Value = "email"
    """`utm_medium`."""
    campaign: Value | None = None
    """`utm_campaign`. Default: the loop's name."""
    content: Value | None = None
    """`utm_content`. Default: the step's name; with a variant, `<step>.<variant>`."""
    term: Value | None = None
    """`utm_term`. Default: there is none."""
