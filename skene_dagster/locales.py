"""Languages of pages and emails: their tags, in which of some there is something, and how they are written."""

import re
from collections.abc import Container, Iterator, Sequence

_TAG = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8}){0,3}")
_ENCODING = re.compile(r"[.@][A-Za-z0-9@.-]{1,30}$")
"""What the names of locales on a machine have after the language (POSIX)."""

_ASKED = re.compile(r"\s*([A-Za-z0-9-]{1,40})\s*(?:;\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)\s*)?")

MOST_ASKED = 20
"""Languages that are read of a header."""

_RIGHT_TO_LEFT = frozenset({"ar", "ckb", "dv", "fa", "he", "iw", "ks", "ps", "sd", "ug", "ur", "yi"})
_SCRIPTS_TO_LEFT = frozenset({"arab", "hebr", "thaa"})


def tag_of(text: object) -> str:
    """Return a language tag (BCP 47) in lower case, also of `pt_BR` and `pt_BR.UTF-8`; empty if it is none."""
    if not isinstance(text, str):
        return ""
    tag = _ENCODING.sub("", text.strip()).replace("_", "-")
    return tag.lower() if _TAG.fullmatch(tag) else ""


def asked_for(header: str) -> list[str]:
    """Read an Accept-Language header: the tags, the most wanted first."""
    found: list[tuple[float, str]] = []
    for part in header.split(",")[:MOST_ASKED]:
        read = _ASKED.fullmatch(part)
        tag = tag_of(read[1]) if read else ""
        weight = float(read[2] or 1) if read else 0.0
        if tag and weight:
            found.append((-weight, tag))
    return [tag for _, tag in sorted(found, key=lambda one: one[0])]


def widening(tags: Sequence[str]) -> Iterator[str]:
    """List tags, each followed by what it is a part of: `pt-br`, `pt`."""
    for tag in tags:
        parts = tag.split("-")
        yield from ("-".join(parts[:length]) for length in range(len(parts), 0, -1))


def nearest(tags: Sequence[str], there: Container[str]) -> str | None:
    """Return the first of some tags, or of what each is a part of, in which there is something: `pt` for `pt-br`."""
    return next((tag for tag in widening(tags) if tag in there), None)


def direction(tag: str) -> str:
    """Say how a language is written: `ltr` or `rtl`."""
    language, *more = tag.lower().split("-")
    scripts = [part for part in more if len(part) == 4 and part.isalpha()]
    if scripts:
        return "rtl" if scripts[0] in _SCRIPTS_TO_LEFT else "ltr"
    return "rtl" if language in _RIGHT_TO_LEFT else "ltr"


def spelled(tag: str) -> str:
    """Write a tag as people do: `pt-BR`, `zh-Hant`."""
    language, *more = tag.split("-")
    return "-".join([language, *(_part(part) for part in more)])


def _part(part: str) -> str:
    return part.upper() if len(part) == 2 else part.capitalize() if len(part) == 4 and part.isalpha() else part
